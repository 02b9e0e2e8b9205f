//! The Rust of `core/proto` is generated and committed, so that nobody needs a protobuf compiler; this test tells when the
//! two part. `make bless` (`TMINUS_BLESS=1 cargo test -p tminus --test proto`) rewrites it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use tonic_prost_build::Builder;

type Choice = fn(Builder) -> Builder;

const PACKAGE: &str = "apache.rocketmq.v2";

/// Generated file, and what it holds: messages, the server's trait. The client needs no stub: `transport/grpc/rpc.rs` lists its
/// calls.
const FILES: [(&str, Choice); 2] = [
    ("src/codec/grpc/proto.rs", |builder| builder.build_client(false).build_server(false)),
    ("src/broker/handlers/grpc/service.rs", |builder| messages_elsewhere(builder).build_client(false)),
];

fn messages_elsewhere(builder: Builder) -> Builder {
    builder.extern_path(format!(".{PACKAGE}"), "crate::codec::grpc::proto").build_transport(false)
}

#[test]
fn generated_code_is_that_of_the_protos() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let protos = root.join("proto");
    let descriptors = protox::compile(["apache/rocketmq/v2/service.proto"], [&protos]).unwrap();
    for (file, what) in FILES {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
        fs::create_dir_all(&out).unwrap();
        let builder = tonic_prost_build::configure().btree_map(".").bytes(".").out_dir(&out);
        what(builder).compile_fds(descriptors.clone()).unwrap();
        let generated = fs::read_to_string(out.join(format!("{PACKAGE}.rs"))).unwrap();
        let committed = root.join(file);
        if std::env::var_os("TMINUS_BLESS").is_some() {
            fs::write(&committed, &generated).unwrap();
        }
        let is_same = fs::read_to_string(&committed).is_ok_and(|text| text == generated);
        assert!(is_same, "{file} is not what the protos say; `make bless` rewrites it");
    }
}
