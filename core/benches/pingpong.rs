//! What a send costs at the very least: the same number of bytes there and back over plain TCP, without any protocol.
//! Prints the same lines as the `send` benchmark, which it is to be read beside.
//!
//! `cargo bench -p tminus --bench pingpong -- SECONDS`
#![allow(clippy::print_stdout)] // its result

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tminus::clock;

/// Frame of a send with a body of 1 KiB, and of its answer, in bytes: what the `send` benchmark puts on the wire, rounded.
const REQUEST_BYTES: usize = 1250;
const ANSWER_BYTES: usize = 290;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let Some(seconds) = arguments.next() else {
        // `cargo test --benches` runs this too.
        return Ok(());
    };
    let period = Duration::from_secs_f64(seconds.parse()?);
    for in_flight in [1, 64] {
        println!("{}", run(in_flight, period)?);
    }
    Ok(())
}

/// Writes `in_flight` requests at once and reads their answers, again and again.
fn run(in_flight: usize, period: Duration) -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut stream = TcpStream::connect(listener.local_addr()?)?;
    stream.set_nodelay(true)?;
    let server = thread::spawn(move || answer(&listener, in_flight));

    let (requests, mut answers) = (vec![b'x'; in_flight * REQUEST_BYTES], vec![0; in_flight * ANSWER_BYTES]);
    let mut latencies = Vec::new();
    let (cpu, begun) = (cpu_time()?, clock::instant());
    let mut last = begun;
    while last - begun < period {
        stream.write_all(&requests)?;
        stream.read_exact(&mut answers)?;
        let now = clock::instant();
        latencies.push(now - last);
        last = now;
    }
    let (elapsed, cpu) = (last - begun, cpu_time()? - cpu);
    drop(stream);
    server.join().map_err(|_| "the answering thread panicked")?;

    latencies.sort_unstable();
    let messages = (latencies.len() * in_flight) as f64;
    let micros = |time: Duration| time.as_nanos() as f64 / 1000.0;
    Ok(format!(
        "{{\"client\":\"raw-tcp\",\"in_flight\":{in_flight},\"messages_per_s\":{:.0},\
         \"p50_us\":{:.1},\"p99_us\":{:.1},\"cpu_us_per_message\":{:.2}}}",
        messages / elapsed.as_secs_f64(),
        micros(latencies[latencies.len() / 2]),
        micros(latencies[latencies.len() * 99 / 100]),
        micros(cpu) / messages,
    ))
}

/// Answers as many requests at once as were sent at once, until the other side closes.
fn answer(listener: &TcpListener, in_flight: usize) {
    let Ok((mut stream, _)) = listener.accept() else { return };
    let _ = stream.set_nodelay(true);
    let (mut requests, answers) = (vec![0; in_flight * REQUEST_BYTES], vec![b'y'; in_flight * ANSWER_BYTES]);
    while stream.read_exact(&mut requests).is_ok() && stream.write_all(&answers).is_ok() {}
}

/// CPU time that this thread, the asking one, has used.
fn cpu_time() -> nix::Result<Duration> {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from)
}
