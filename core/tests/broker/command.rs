//! `tminus broker` as a process.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tminus::codec::remoting::codes::{request, response};
use tminus::codec::remoting::signature;
use tminus::options::Credentials;

use crate::http_peer::HttpPeer;
use crate::peer::{Peer, message};

struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn ask(&mut self, command: Value) -> Value {
        writeln!(self.child.stdin.as_ref().unwrap(), "{command}").unwrap();
        self.line()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tminus"));
    command.args(["broker", "--listen", "127.0.0.1:0"]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[tokio::test]
async fn it_says_when_it_is_ready_and_obeys_its_input() {
    let mut process = Process::start(&[
        "--control",
        "--virtual-clock",
        "--topic",
        "T:2",
        "--user",
        "key:hushhush",
        "--tls",
    ]);
    let ready = process.line();
    assert_eq!(ready["pid"], process.child.id());
    assert!(ready["ca_pem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    let mut peer = Peer::connect(ready["address"].as_str().unwrap().parse().unwrap()).await;
    let mut scheduled = message("T", "x", &[("TIMER_DELAY_SEC", "60"), ("UNIQ_KEY", "U1")]);
    signature::sign(&mut scheduled, &Credentials::new("key", "hushhush"));
    assert_eq!(peer.call(scheduled).await.code, response::SUCCESS);
    assert_eq!(peer.send("T", "unsigned", &[]).await.code, response::NO_PERMISSION);
    let pending = process.ask(json!({ "pending": true }));
    assert_eq!(
        (&pending["pending"][0]["topic"], &pending["pending"][0]["message_id"]),
        (&json!("T"), &json!("U1"))
    );
    assert_eq!(process.ask(json!({ "advance_ms": 59_999 })), json!({ "visible": 0 }));
    assert_eq!(process.ask(json!({ "advance_ms": 1 })), json!({ "visible": 1 }));
    let fault =
        json!({ "code": request::SEND_MESSAGE_V2, "fault": "refuse", "response_code": 2, "remark": "busy" });
    assert_eq!(process.ask(json!({ "inject": fault })), json!({ "injected": true }));
    assert_eq!(peer.send("T", "x", &[]).await.code, response::SYSTEM_BUSY);
    let fault = json!({ "code": request::ACK_MESSAGE, "fault": "gateway" });
    assert_eq!(process.ask(json!({ "inject": fault })), json!({ "injected": true }));
    let mut http = HttpPeer::connect(ready["address"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(http.ack("T", "consumer=G", &["x"]).await.status, 502);
    let count = process.ask(json!({ "request_count": request::SEND_MESSAGE_V2 }));
    assert_eq!(count, json!({ "request_count": 3 }));
    assert_eq!(
        process.ask(json!({ "create_topic": { "name": "N", "queues": 1 } })),
        json!({ "created": "N" })
    );
    assert_eq!(
        process.ask(json!({ "create_topic": { "name": "D", "queues": 1, "type": "delay" } })),
        json!({ "created": "D" })
    );
    let typo = process.ask(json!({ "create_topic": { "name": "D", "queues": 1, "type": "dealy" } }));
    assert!(typo["error"].as_str().unwrap().contains("dealy"));
    assert_eq!(
        process.ask(json!({ "create_group": { "name": "G", "fifo": true, "backoff_ms": [100] } })),
        json!({ "created": "G" })
    );
    let stage = json!({ "topic": "T", "group": "G", "message_id": "U1" });
    assert_eq!(process.ask(json!({ "message_stage": stage })), json!({ "message_stage": "ready" }));
    assert_eq!(process.ask(json!({ "restart_ms": 1 })), json!({ "restarted": true }));
    assert!(peer.read().await.is_none());
    assert!(process.ask(json!({ "nonsense": 1 }))["error"].is_string());
    // The end of the input ends the process.
    drop(process.child.stdin.take());
    let status = process.child.wait().unwrap();
    assert!(status.success());
    let mut log = String::new();
    std::io::Read::read_to_string(process.child.stderr.as_mut().unwrap(), &mut log).unwrap();
    assert!(!log.contains("hushhush"), "{log}");
}

#[tokio::test]
async fn a_signal_ends_it_in_order() {
    for signal in ["-TERM", "-INT"] {
        let mut process = Process::start(&[]);
        let ready = process.line();
        let mut peer = Peer::connect(ready["address"].as_str().unwrap().parse().unwrap()).await;
        assert_eq!(peer.send("T", "x", &[]).await.code, response::SUCCESS);
        let killed = Command::new("kill").args([signal, &process.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert!(process.child.wait().unwrap().success(), "{signal}");
    }
}

#[test]
fn mistakes_are_explained_on_standard_error() {
    for (arguments, code, hint) in [
        (&["--listen", "0.0.0.0:0"][..], 2, "loopback"),
        (&["--topic", "T"], 2, "NAME:QUEUES"),
        (&["--topic", "bad topic:1"], 2, "bad topic"),
        (&["--topic", "T:1:dealy"], 2, "dealy"),
        (&["--user", "key"], 2, "ACCESS_KEY:SECRET_KEY"),
        (&["--tls-only"], 2, "certificate"),
        (&["--tls-cert", "/nowhere", "--tls-key", "/nowhere"], 1, "/nowhere"),
        (&["--join", "127.0.0.1:1"], 1, "127.0.0.1:1"),
        (&["--http-invisible-ms", "0"], 2, "at least 1 ms"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tminus"));
        let listen = if arguments[0] == "--listen" { &[][..] } else { &["--listen", "127.0.0.1:0"] };
        let output =
            command.arg("broker").args(listen).args(arguments).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), text.contains(hint)), (Some(code), true), "{arguments:?}: {text}");
        assert!(output.stdout.is_empty());
    }
}
