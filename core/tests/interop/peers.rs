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
            Ok(Program { command, environment: Vec::new() })
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
        static BUILT: LazyLock<Built> = LazyLock::new(|| python("python-v5"));
        BUILT.as_ref().map_err(String::as_str)
    }

    /// mq-http-go-sdk v1.0.3, or why it cannot be built here.
    pub(crate) fn go_mqhttp() -> Result<&'static Self, &'static str> {
        static BUILT: LazyLock<Built> = LazyLock::new(|| go_module("go-mqhttp"));
        BUILT.as_ref().map_err(String::as_str)
    }

    /// mq_http_sdk 1.0.3 for Python in an environment of its own, or why that cannot be made here.
    pub(crate) fn python_mqhttp() -> Result<&'static Self, &'static str> {
        static BUILT: LazyLock<Built> = LazyLock::new(|| python("python-mqhttp"));
        BUILT.as_ref().map_err(String::as_str)
    }

    /// @aliyunmq/mq-http-sdk 1.0.4 for Node with its packages beside it, or why those cannot be had here.
    pub(crate) fn node_mqhttp() -> Result<&'static Self, &'static str> {
        static BUILT: LazyLock<Built> = LazyLock::new(|| {
            let found = Command::new("node").arg("--version").stdout(Stdio::null()).status();
            found.map_err(|e| format!("Node is not installed (node --version: {e})"))?;
            let (sources, packages) = (here().join("node-mqhttp"), out().join("interop-node-mqhttp"));
            install(&sources.join("package-lock.json"), &packages, || {
                std::fs::create_dir_all(&packages).unwrap();
                for name in ["package.json", "package-lock.json"] {
                    std::fs::copy(sources.join(name), packages.join(name)).unwrap();
                }
                let options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
                run(Command::new("npm").current_dir(&packages).args(options))
            })?;
            let environment = vec![("NODE_PATH", packages.join("node_modules").into())];
            Ok(Program { command: vec!["node".into(), sources.join("main.js").into()], environment })
        });
        BUILT.as_ref().map_err(String::as_str)
    }
}

/// The Python program of `folder`, in an environment of its own.
fn python(folder: &str) -> Built {
    let (sources, environment) = (here().join(folder), out().join(format!("interop-{folder}")));
    let python = environment.join("bin/python");
    let wanted = sources.join("requirements.txt");
    install(&wanted, &environment, || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&wanted))
    })?;
    Ok(Program { command: vec![python.into(), sources.join("main.py").into()], environment: Vec::new() })
}

/// Makes what `wanted` lists in `place`, unless it is there.
fn install(wanted: &Path, place: &Path, make: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    // What was installed is noted last, so that half of it is made anew.
    let (list, installed) = (std::fs::read_to_string(wanted).unwrap(), place.join("installed.txt"));
    if std::fs::read_to_string(&installed).ok().as_ref() != Some(&list) {
        make()?;
        std::fs::write(&installed, list).unwrap();
    }
    Ok(())
}

fn go_module(folder: &str) -> Built {
    let found = Command::new("go").arg("version").stdout(Stdio::null()).status();
    found.map_err(|e| format!("Go is not installed (go version: {e})"))?;
    let binary = out().join(format!("interop-{folder}"));
    build(Command::new("go").current_dir(here().join(folder)).args(["build", "-o"]).arg(&binary).arg("."));
    Ok(Program { command: vec![binary.into()], environment: Vec::new() })
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
