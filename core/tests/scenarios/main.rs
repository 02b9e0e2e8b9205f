//! The shared scenarios from Rust: against the loopback broker, and against Apache RocketMQ 5.5.0 when
//! `TMINUS_TEST_APACHE=host:port` names its name server.
#![cfg(feature = "broker")]
#![allow(clippy::unwrap_used, clippy::print_stdout, unreachable_pub)]

mod data;
mod record;
mod runner;

use std::path::Path;
use std::time::Duration;

use data::Scenario;

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

/// Runs every scenario on `server` and accounts for every id.
fn run_all(server: runner::Server) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (mut run, mut left_out, mut failures) = (0, 0, Vec::new());
    for scenario in catalogue() {
        let id = &scenario.id;
        assert!(!scenario.protocols.is_empty() && !scenario.title.is_empty(), "{id} says too little");
        let excused = NOT_IN_RUST.iter().find(|(excused, _)| excused == id).map(|(_, reason)| *reason);
        if let Some(reason) = scenario.not_on.get(server.name()).map(String::as_str).or(excused) {
            println!("{:<30} not applicable: {reason}", scenario.id);
            left_out += 1;
            continue;
        }
        let started = tminus::clock::instant();
        let result = runtime.block_on(async {
            let ended = tokio::time::timeout(LIMIT, runner::run(&scenario, &server)).await;
            ended.unwrap_or_else(|_| Err(format!("did not end within {LIMIT:?}")))
        });
        let verdict = result.as_ref().map_or_else(|why| format!("FAILED: {why}"), |()| "ok".into());
        println!("{:<30} {verdict} ({:.1} s)", scenario.id, started.elapsed().as_secs_f64());
        run += 1;
        failures.extend(result.err().map(|why| format!("{} ({}): {why}", scenario.id, scenario.title)));
    }
    println!("{}: {run} scenarios run, {left_out} not applicable, {} failed", server.name(), failures.len());
    assert!(run > 0, "no scenario was run");
    assert!(failures.is_empty(), "on {}:\n{}", server.name(), failures.join("\n"));
}

#[test]
fn scenarios_on_the_loopback_broker() {
    run_all(runner::Server::Loopback);
}

#[test]
fn scenarios_on_apache_rocketmq() {
    match std::env::var("TMINUS_TEST_APACHE") {
        Ok(address) => run_all(runner::Server::Apache5(address)),
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
