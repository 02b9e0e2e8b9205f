//! The `tminus` command.

fn main() {}
