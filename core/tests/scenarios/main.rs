//! The shared scenarios from Rust, once a protocol: against the loopback broker, and against Apache RocketMQ 5.5.0 when
//! `TMINUS_TEST_APACHE=host:port` names its name server and `TMINUS_TEST_APACHE_PROXY=host:port` its proxy.
#![cfg(feature = "broker")]
#![allow(clippy::unwrap_used, clippy::print_stdout, unreachable_pub)]

mod data;
mod record;
mod runner;
mod server;
mod simple;

use std::path::Path;
use std::time::Duration;

use data::Scenario;
use futures_util::{StreamExt, stream};

/// What Rust cannot run, with the reason; nothing so far.
const NOT_IN_RUST: [(&str, &str); 0] = [];
/// No scenario takes longer; one that hangs is a failure with a name.
const LIMIT: Duration = Duration::from_secs(90);

fn catalogue() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "json"));
    files.sort();
    let read = |file: &std::path::PathBuf| -> Vec<Scenario> {
        let text = std::fs::read_to_string(file).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
    };
    files.iter().flat_map(read).collect()
}

/// Runs every scenario on `server`, over each of its protocols, and accounts for every id.
fn run_all(server: server::Server) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let catalogue = catalogue();
    let (mut left_out, mut planned) = (0, Vec::new());
    for scenario in &catalogue {
        let id = &scenario.id;
        assert!(!scenario.protocols.is_empty() && !scenario.title.is_empty(), "{id} says too little");
        for protocol in &scenario.protocols {
            match excuse(scenario, &server, protocol) {
                Some(reason) => {
                    println!("{:<48} not applicable: {reason}", format!("{id} ({protocol})"));
                    left_out += 1;
                }
                None => planned.push((scenario, protocol.as_str())),
            }
        }
    }
    let run = planned.len();
    let results = stream::iter(planned).map(|(scenario, protocol)| one(scenario, &server, protocol));
    let results: Vec<Option<String>> = runtime.block_on(results.buffer_unordered(server.at_once()).collect());
    let failures: Vec<String> = results.into_iter().flatten().collect();
    println!("{}: {run} scenarios run, {left_out} not applicable, {} failed", server.name(), failures.len());
    assert!(run > 0, "no scenario was run");
    assert!(failures.is_empty(), "on {}:\n{}", server.name(), failures.join("\n"));
}

/// Why `scenario` is not run there.
fn excuse<'a>(scenario: &'a Scenario, server: &server::Server, protocol: &str) -> Option<&'a str> {
    let on_this_protocol = format!("{}/{protocol}", server.name());
    let excuses = [server.name(), &on_this_protocol].map(|place| scenario.not_on.get(place));
    let in_rust = NOT_IN_RUST.iter().find(|(id, _)| *id == scenario.id).map(|(_, reason)| *reason);
    excuses.into_iter().flatten().map(String::as_str).next().or(in_rust).or(server.lacks(protocol))
}

/// Runs one scenario over one protocol, and says how it failed.
async fn one(scenario: &Scenario, server: &server::Server, protocol: &str) -> Option<String> {
    let name = format!("{} ({protocol})", scenario.id);
    let started = tminus::clock::instant();
    let ended = tokio::time::timeout(LIMIT, runner::run(scenario, server, protocol)).await;
    let result = ended.unwrap_or_else(|_| Err(format!("did not end within {LIMIT:?}")));
    let verdict = result.as_ref().map_or_else(|why| format!("FAILED: {why}"), |()| "ok".into());
    println!("{name:<48} {verdict} ({:.1} s)", started.elapsed().as_secs_f64());
    result.err().map(|why| format!("{name} ({}): {why}", scenario.title))
}

#[test]
fn scenarios_on_the_loopback_broker() {
    run_all(server::Server::Loopback);
}

#[test]
fn scenarios_on_apache_rocketmq() {
    match std::env::var("TMINUS_TEST_APACHE") {
        Ok(name_server) => {
            let proxy = std::env::var("TMINUS_TEST_APACHE_PROXY").ok();
            run_all(server::Server::Apache5 { name_server, proxy });
        }
        Err(_) => println!(
            "skipped: TMINUS_TEST_APACHE is not set; `make test-apache` starts the server and sets it"
        ),
    }
}

#[test]
fn ids_are_unique() {
    let mut ids: Vec<String> = catalogue().into_iter().map(|scenario| scenario.id).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id stands twice");
}
