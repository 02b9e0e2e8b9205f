//! The C programs of `tests/c`, compiled with warnings as errors and run against the freshly built libraries: the static
//! one, the shared one, and the static one under AddressSanitizer with leak detection.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where this test, and the libraries it was built with, lie.
fn built() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_owned()
}

fn manifest() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The system libraries that `tminus.pc.in` names for static linking.
fn private_libraries() -> Vec<String> {
    let template = std::fs::read_to_string(manifest().join("../include/tminus.pc.in")).unwrap();
    let line = template.lines().find_map(|line| line.strip_prefix("Libs.private:")).unwrap();
    line.split_whitespace().map(str::to_owned).collect()
}

fn compiler() -> Command {
    Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()))
}

/// Whether the compiler comes with AddressSanitizer. In CI it must.
fn has_sanitizer() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("probe.c");
        std::fs::write(&source, "int main(void) { return 0; }\n").unwrap();
        let mut cc = compiler();
        cc.args(["-fsanitize=address", "-o"]).arg(source.with_extension("out")).arg(source);
        let found = cc.output().unwrap().status.success();
        assert!(
            found || std::env::var("CI").as_deref() != Ok("true"),
            "the C compiler has no AddressSanitizer"
        );
        found
    })
}

enum Link {
    Static,
    Shared,
    Sanitized,
}

fn run(program: &str, link: Link) {
    let source = manifest().join("tests/c").join(program).with_extension("c");
    let mut cc = compiler();
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-pthread", "-I"]);
    cc.arg(manifest().join("../include")).arg(source);
    let suffix = match link {
        Link::Static => {
            cc.arg(built().join("libtminus.a")).args(private_libraries());
            "static"
        }
        Link::Shared => {
            cc.arg("-L").arg(built()).arg(format!("-Wl,-rpath,{}", built().display())).arg("-ltminus");
            "shared"
        }
        Link::Sanitized => {
            cc.args(["-fsanitize=address", "-fno-omit-frame-pointer"]);
            cc.arg(built().join("libtminus.a")).args(private_libraries());
            "sanitized"
        }
    };
    let executable = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{program}-{suffix}"));
    let compiled = cc.arg("-o").arg(&executable).output().unwrap();
    assert!(compiled.status.success(), "{program}.c: {}", String::from_utf8_lossy(&compiled.stderr));
    let mut ran = Command::new(&executable);
    // Cargo's search path comes before the one linked in, and may hold an older library.
    ran.env_remove("LD_LIBRARY_PATH").env("ASAN_OPTIONS", "detect_leaks=1");
    let ran = ran.output().unwrap();
    assert!(
        ran.status.success() && ran.stdout.is_empty() && ran.stderr.is_empty(),
        "{program} ({suffix}): {}\n{}{}",
        ran.status,
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
}

macro_rules! programs {
    ($($name:ident)*) => {
        $(mod $name {
            use super::{Link, run};

            #[test]
            fn linked_statically() {
                run(stringify!($name), Link::Static);
            }

            #[test]
            fn linked_dynamically() {
                run(stringify!($name), Link::Shared);
            }

            #[test]
            fn sanitized() {
                if !super::has_sanitizer() {
                    println!("skipped: the C compiler has no AddressSanitizer");
                    return;
                }
                run(stringify!($name), Link::Sanitized);
            }
        })*

        #[test]
        fn every_program_is_run() {
            let mut found: Vec<String> = std::fs::read_dir(manifest().join("tests/c"))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
                .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
                .collect();
            found.sort();
            assert_eq!(found, [$(stringify!($name)),*]);
        }
    };
}

programs! { cancel faults http_client http_refusals lifecycle log null_safety over_http scheduled send_and_consume simple_consumer storm transactions }
