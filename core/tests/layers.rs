//! Nothing imports upward: the folders of the two data flows may use only what stands below them.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules anything may use.
const SHARED: [&str; 3] = ["error", "clock", "message"];

/// What a room may use besides itself and [`SHARED`].
const ALLOWED: [(&str, &[&str]); 11] = [
    ("api", &["client", "route", "transport", "codec", "options"]),
    ("client", &["route", "transport", "codec", "options"]),
    ("route", &["transport", "codec", "options"]),
    ("transport", &["codec", "options"]),
    ("options", &[]),
    ("codec", &["options"]),
    ("message", &[]),
    ("error.rs", &[]),
    ("clock.rs", &[]),
    ("runtime.rs", &[]),
    ("broker", &["codec", "options"]),
];

/// The settings that the broker shares with the client: values, no logic.
const BROKER_OPTIONS: [&str; 2] = ["Credentials", "Secret"];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    if folder.is_file() {
        return vec![folder.to_owned()];
    }
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| rust_files(&path))
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect()
}

/// The text after every `crate::`, to the end of the path or of its braces.
fn crate_paths(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("crate::").filter(|(at, _)| !text[..*at].ends_with('$')).map(|(at, found)| {
        let rest = &text[at + found.len()..];
        &rest[..rest.find([';', ')', '<', '}']).unwrap_or(rest.len())]
    })
}

fn first_segment(path: &str) -> &str {
    &path[..path.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(path.len())]
}

/// The names a path like `options::{A, B}` or `options::A::b` takes from its module.
fn names_of(path: &str) -> impl Iterator<Item = &str> {
    let names = path.split_once("::").map_or("", |(_, names)| names);
    names.split([',', '{', '}']).map(|name| first_segment(name.trim())).filter(|name| !name.is_empty())
}

#[test]
fn nothing_imports_upward() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut read = 0;
    let mut faults = Vec::new();
    for (room, allowed) in ALLOWED {
        let own = room.trim_end_matches(".rs");
        for file in rust_files(&source.join(room)) {
            read += 1;
            let text = fs::read_to_string(&file).unwrap();
            for path in crate_paths(&text) {
                let used = first_segment(path);
                let known = used == own || SHARED.contains(&used) || allowed.contains(&used);
                let values_only = room != "broker"
                    || used != "options"
                    || names_of(path).all(|name| BROKER_OPTIONS.contains(&name));
                if !known || !values_only {
                    faults.push(format!("{}: crate::{path}", file.display()));
                }
            }
        }
    }
    assert!(read > 20, "only {read} files were read");
    assert!(faults.is_empty(), "imports upward:\n{}", faults.join("\n"));
}
