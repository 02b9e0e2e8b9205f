//! The scenario files as types; an unknown field is an error.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub id: String,
    pub title: String,
    pub protocols: Vec<String>,
    #[serde(default)]
    pub not_on: BTreeMap<String, String>,
    #[serde(default)]
    pub broker: BrokerSpec,
    #[serde(default)]
    pub topics: BTreeMap<String, String>,
    #[serde(default)]
    pub groups: BTreeMap<String, GroupSpec>,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupSpec {
    pub fifo: bool,
    pub max_attempts: Option<i32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BrokerSpec {
    pub clock: Option<String>,
    pub tls: bool,
    pub users: Vec<String>,
    pub auto_create_topics: Option<bool>,
    pub persona: Option<String>,
    pub http_invisible_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    Producer {
        #[serde(default = "producer")]
        name: String,
        endpoint: Option<String>,
        retries: Option<u32>,
        #[serde(default)]
        topics: Vec<String>,
        checker: Option<End>,
        #[serde(default)]
        allow_duplicates: bool,
        body_encoding: Option<String>,
        tls: Option<TlsSpec>,
        user: Option<String>,
        error: Option<ErrorSpec>,
    },
    Consumer {
        #[serde(default = "consumer")]
        name: String,
        #[serde(default = "topic")]
        topic: String,
        #[serde(default = "group")]
        group: String,
        filter: Option<String>,
        sql: Option<String>,
        #[serde(default)]
        fail_first: i32,
        max_reconsume_times: Option<i32>,
        #[serde(default)]
        orderly: bool,
        tls: Option<TlsSpec>,
        user: Option<String>,
        error: Option<ErrorSpec>,
    },
    Send {
        #[serde(default = "producer")]
        producer: String,
        #[serde(rename = "as")]
        label: Option<String>,
        message: Option<MessageSpec>,
        #[serde(default)]
        messages: Vec<MessageSpec>,
        #[serde(default = "one")]
        count: usize,
        #[serde(default)]
        mode: Mode,
        sharding_key: Option<String>,
        end: Option<End>,
        timeout_ms: Option<u64>,
        error: Option<ErrorSpec>,
    },
    Recall {
        #[serde(default = "producer")]
        producer: String,
        of: Option<String>,
        #[serde(default)]
        garbage: bool,
        error: Option<ErrorSpec>,
    },
    SimpleConsumer {
        #[serde(default = "simple")]
        name: String,
        #[serde(default = "topic")]
        topic: String,
        #[serde(default = "group")]
        group: String,
        filter: Option<String>,
        sql: Option<String>,
        #[serde(default)]
        orderly: bool,
        tls: Option<TlsSpec>,
        user: Option<String>,
        error: Option<ErrorSpec>,
    },
    Receive {
        #[serde(default = "simple")]
        consumer: String,
        #[serde(default)]
        of: Vec<String>,
        #[serde(default)]
        empty: bool,
        #[serde(default = "ten")]
        max: usize,
        #[serde(default = "invisible")]
        invisible_ms: u64,
        #[serde(default = "wait")]
        wait_ms: u64,
        #[serde(default = "within")]
        within_ms: u64,
        attempt: Option<i32>,
        view: Option<ViewSpec>,
        #[serde(default)]
        late_ok: bool,
        error: Option<ErrorSpec>,
    },
    Ack {
        #[serde(default = "simple")]
        consumer: String,
        #[serde(default)]
        of: Vec<String>,
        #[serde(default)]
        garbage: bool,
        error: Option<ErrorSpec>,
    },
    ChangeInvisible {
        #[serde(default = "simple")]
        consumer: String,
        of: Vec<String>,
        to_ms: u64,
        #[serde(default)]
        keep_old: bool,
        error: Option<ErrorSpec>,
    },
    Expect {
        #[serde(default = "consumers")]
        consumers: Vec<String>,
        of: Vec<String>,
        #[serde(default = "within")]
        within_ms: u64,
        #[serde(default)]
        in_order: bool,
        #[serde(default)]
        each_gets: usize,
        #[serde(default)]
        same_queue: bool,
        view: Option<ViewSpec>,
        #[serde(default)]
        late_ok: bool,
    },
    ExpectNone {
        #[serde(default = "consumers")]
        consumers: Vec<String>,
        #[serde(default = "quiet")]
        for_ms: u64,
    },
    Advance {
        ms: u64,
        visible: Option<usize>,
    },
    RestartBroker {
        down_ms: u64,
    },
    Inject {
        request: i32,
        #[serde(default = "one")]
        times: usize,
        fault: String,
        code: Option<i32>,
    },
    Close {
        what: String,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Each,
    Concurrent,
    OneWay,
    Batch,
    Transaction,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Commit,
    Rollback,
    #[serde(alias = "unknown")]
    None,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MessageSpec {
    pub topic: Option<String>,
    pub body: Option<String>,
    pub body_bytes: Option<usize>,
    pub tag: Option<String>,
    pub keys: Vec<String>,
    pub properties: BTreeMap<String, String>,
    pub deliver_after_ms: Option<u64>,
    pub deliver_in_ms: Option<i64>,
    pub delay_level: Option<u8>,
    pub message_group: Option<String>,
    pub priority: Option<u32>,
    pub raw_time: Option<RawTime>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTime {
    pub name: String,
    pub in_ms: i64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSpec {
    pub trust: Option<String>,
    pub server_name: Option<String>,
    #[serde(default)]
    pub insecure: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorSpec {
    pub kind: Option<String>,
    pub grpc_kind: Option<String>,
    pub http_kind: Option<String>,
    pub outcome: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ViewSpec {
    pub tag: Option<String>,
    pub keys: Option<Vec<String>>,
    pub properties: BTreeMap<String, String>,
    pub reconsume_times: Option<i32>,
    pub message_group: Option<String>,
}

fn producer() -> String {
    "producer".into()
}
fn consumer() -> String {
    "consumer".into()
}
fn simple() -> String {
    "simple".into()
}
fn ten() -> usize {
    10
}
fn invisible() -> u64 {
    30_000
}
fn wait() -> u64 {
    5000
}
fn consumers() -> Vec<String> {
    vec![consumer()]
}
fn topic() -> String {
    "t".into()
}
fn group() -> String {
    "g".into()
}
fn one() -> usize {
    1
}
fn within() -> u64 {
    10_000
}
fn quiet() -> u64 {
    300
}
