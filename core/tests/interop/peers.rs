//! The peers, and how each is built.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::program::{Program, out};

type Built = Result<Program, String>;

impl Program {
    /// rocketmq-client-go v2.1.2, or why it cannot be built here.
    pub(crate) fn go() -> Result<&'static Self, &'static str> {
        static BUILT: LazyLock<Built> = LazyLock::new(|| go_module("go-v2"));
        BUILT.as_ref().map_err(String::as_str)
    }

    /// The Java client of Apache RocketMQ 5.5.0, or why it cannot be built here.
    pub(crate) fn java() -> Result<&'static Self, &'static str> {
        static BUILT: LazyLock<Built> = LazyLock::new(|| {
            let server = |what| {
                let script = here().with_file_name("apache").join("server.py");
                let output = Command::new("python3").arg(script).arg(what).output().unwrap();
                let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                if output.status.success() { Ok(text) } else { Err(text) }
            };
            server("available")?;
            let jars = server("jars").unwrap();
            let (sources, classes) = (here().join("java"), out().join("interop-java"));
            let path = [classes.as_path(), &sources, &Path::new(&jars).join("*")];
            let path = std::env::join_paths(path).unwrap();
            let sources = ["Peer.java", "Send.java", "Receive.java"].map(|name| sources.join(name));
            build(Command::new("javac").arg("-d").arg(&classes).arg("-cp").arg(&path).args(sources));
            let rebalance = "-Drocketmq.client.rebalance.waitInterval=1000";
            let options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", rebalance];
            let mut command = vec!["java".into()];
            command.extend(options.map(OsString::from));
            command.extend(["-cp".into(), path, "Peer".into()]);
            Ok(Program { command })
        });
        BUILT.as_ref().map_err(String::as_str)
    }

    /// rocketmq-clients/golang v5.1.4, or why it cannot be built here.
    pub(crate) fn go_v5() -> Result<&'static Self, &'static str> {
        static BUILT: LazyLock<Built> = LazyLock::new(|| go_module("go-v5"));
        BUILT.as_ref().map_err(String::as_str)
    }

    /// rocketmq-python-client 5.1.2 in an environment of its own, or why that cannot be made here.
    pub(crate) fn python_v5() -> Result<&'static Self, &'static str> {
        static BUILT: LazyLock<Built> = LazyLock::new(|| {
            let (sources, environment) = (here().join("python-v5"), out().join("interop-python-v5"));
            let python = environment.join("bin/python");
            // What was installed is noted last, so that half an environment is made anew.
            let (wanted, installed) = (sources.join("requirements.txt"), environment.join("installed.txt"));
            let requirements = std::fs::read_to_string(&wanted).unwrap();
            if std::fs::read_to_string(&installed).ok().as_ref() != Some(&requirements) {
                run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
                run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&wanted))?;
                std::fs::write(&installed, requirements).unwrap();
            }
            Ok(Program { command: vec![python.into(), sources.join("main.py").into()] })
        });
        BUILT.as_ref().map_err(String::as_str)
    }
}

fn go_module(folder: &str) -> Built {
    let found = Command::new("go").arg("version").stdout(Stdio::null()).status();
    found.map_err(|e| format!("Go is not installed (go version: {e})"))?;
    let binary = out().join(format!("interop-{folder}"));
    build(Command::new("go").current_dir(here().join(folder)).args(["build", "-o"]).arg(&binary).arg("."));
    Ok(Program { command: vec![binary.into()] })
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

/// Runs what must succeed wherever it can be started.
fn build(command: &mut Command) {
    run(command).unwrap();
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}
