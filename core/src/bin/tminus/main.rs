//! The `tminus` command.
#![forbid(unsafe_code)]

mod broker;
mod control;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Scheduled messages for RocketMQ that leave on time.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a loopback broker: a RocketMQ name server and broker on one local port, until it is stopped.
    ///
    /// When it is ready it prints one line of JSON: "address" for the clients, "pid", and "ca_pem" with --tls.
    Broker(Box<broker::Arguments>),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(tracing::Level::WARN)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    let ended = match arguments.command {
        Command::Broker(arguments) => runtime.block_on(broker::run(*arguments)),
    };
    // A thread that reads standard input cannot be interrupted and must not keep the process.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let usage = error
                .downcast_ref::<tminus::Error>()
                .is_some_and(|e| e.kind() == tminus::ErrorKind::InvalidArgument);
            fail(&*error, if usage { 2 } else { 1 })
        }
    }
}

fn fail(error: &dyn std::error::Error, code: u8) -> ExitCode {
    use std::io::Write;

    let _ = writeln!(std::io::stderr(), "tminus: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = writeln!(std::io::stderr(), "  because: {cause}");
        source = cause.source();
    }
    ExitCode::from(code)
}
