//! `include/tminus.h` is generated from the sources and committed; this test tells when the two part.
//! `TMINUS_BLESS=1 cargo test -p tminus-ffi --test header` rewrites it.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::path::Path;

use tminus_core::ErrorKind;

/// The nouns in the order of the header.
const NOUNS: [&str; 32] = [
    "data",
    "version",
    "error",
    "cancel",
    "credentials",
    "client",
    "message",
    "message_queue",
    "receipt",
    "text",
    "receipt_handle",
    "message_view",
    "batch",
    "completion",
    "queue",
    "producer_options",
    "producer",
    "send",
    "transaction",
    "subscription",
    "push_consumer_options",
    "push_consumer",
    "simple_consumer_options",
    "simple_consumer",
    "receive",
    "http_client",
    "http_consume",
    "http_calls",
    "broker_options",
    "broker",
    "broker_resources",
    "log",
];

const HELPERS: &str = r#"
// For static initialisation: tminus_message_t message = TMINUS_MESSAGE_INIT;
#define TMINUS_MESSAGE_INIT {.struct_size = sizeof(tminus_message_t)}
#define TMINUS_SEND_OPTIONS_INIT {.struct_size = sizeof(tminus_send_options_t), .timeout_ms = -1}
#define TMINUS_HTTP_CONSUME_INIT {.struct_size = sizeof(tminus_http_consume_t), .max = 16}

// For printf: printf("%.*s\n", TMINUS_PRINT(receipt->message_id));
#define TMINUS_PRINT(text) (int)(text).len, (text).data != NULL ? (text).data : ""

// Lends a NUL-terminated text; NULL is none.
static inline tminus_str_t tminus_str(const char *text)
{
    tminus_str_t lent = {text, text != NULL ? strlen(text) : 0};
    return lent;
}

// Lends the bytes of a NUL-terminated text.
static inline tminus_bytes_t tminus_bytes(const char *text)
{
    tminus_bytes_t lent = {(const uint8_t *)text, text != NULL ? strlen(text) : 0};
    return lent;
}
"#;

fn statuses() -> String {
    let mut text =
        String::from("// Statuses: the kinds of errors. Numbers are never reused.\n#define TMINUS_OK 0\n");
    for kind in ErrorKind::ALL {
        writeln!(text, "#define TMINUS_{} {}", kind.name().to_uppercase(), *kind as i32).unwrap();
    }
    text
}

/// The rules of safety in the Rust comments are said once for all in ABI.md.
fn without_safety_sections(header: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut skipping = false;
    for line in header.lines() {
        if line == "// # Safety" {
            skipping = true;
            kept.pop();
        }
        skipping &= line.starts_with("//");
        if !skipping {
            kept.push(line);
        }
    }
    kept.join("\n") + "\n"
}

fn generate() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    config.header = Some(format!(
        "// tminus {version}: scheduled messages for RocketMQ. The contract is in ffi-c/ABI.md.\n\
         // Generated from ffi-c/src; do not edit."
    ));
    config.after_includes = Some(format!("\n#define TMINUS_VERSION \"{version}\"\n\n{}", statuses()));
    let mut builder = cbindgen::Builder::new().with_config(config);
    for noun in NOUNS {
        builder = builder.with_src(root.join("src").join(noun).with_extension("rs"));
    }
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    let header = without_safety_sections(&String::from_utf8(header).unwrap());
    let (body, end) = header.split_at(header.rfind("#ifdef __cplusplus").unwrap());
    format!("{}\n{HELPERS}\n{end}", body.trim_end())
}

#[test]
fn the_committed_header_is_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../include/tminus.h");
    let generated = generate();
    if std::env::var_os("TMINUS_BLESS").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/tminus.h differs from the sources; rewrite it with TMINUS_BLESS=1 cargo test -p tminus-ffi --test header"
    );
}
