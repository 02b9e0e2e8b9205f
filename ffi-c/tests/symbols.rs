//! The libraries export the functions of the header: the shared one nothing else, the static one under no other
//! `tminus_` name.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Functions that the header declares (not those it defines inline).
fn declared() -> BTreeSet<String> {
    let header =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../include/tminus.h")).unwrap();
    let code = header.lines().filter(|line| {
        !(line.starts_with("//")
            || line.starts_with('#')
            || line.starts_with("static")
            || line.starts_with("    "))
    });
    code.filter_map(|line| line.split_once('(')?.0.split([' ', '*']).next_back())
        .filter(|name| name.starts_with("tminus_"))
        .map(str::to_owned)
        .collect()
}

fn defined(library: &str, arguments: &[&str]) -> BTreeSet<String> {
    let path = std::env::current_exe().unwrap().parent().unwrap().join(library);
    let listed = Command::new("nm").args(arguments).arg(path).output().unwrap();
    assert!(listed.status.success(), "nm: {}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).unwrap();
    listed.lines().filter_map(|line| line.split_whitespace().nth(2)).map(str::to_owned).collect()
}

#[test]
fn the_shared_library_exports_the_header_and_nothing_else() {
    assert_eq!(defined("libtminus.so", &["-D", "--defined-only"]), declared());
}

#[test]
fn the_static_library_defines_the_header() {
    let mut names = defined("libtminus.a", &["-g", "--defined-only"]);
    names.retain(|name| name.starts_with("tminus_"));
    assert_eq!(names, declared());
}
