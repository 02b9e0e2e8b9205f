//! Every call over gRPC survives every value.

use std::collections::BTreeMap;
use std::time::Duration;

use prost_types::{Duration as WireDuration, Timestamp};
use tminus::Clock;
use tminus::codec::grpc::proto::settings::PubSub;
use tminus::codec::grpc::proto::telemetry_command::Command;
use tminus::codec::grpc::proto::*;

use crate::grpc_consumer::Consumer;
use crate::grpc_peer::{GrpcPeer, code, outgoing};
use crate::peer::broker;

const TEXTS: [&str; 16] = [
    "T",
    "T",
    "T",
    "G",
    "",
    " ",
    "%",
    "%RETRY%G",
    "%DLQ%G",
    "ns%T",
    "a\u{1}b\u{2}",
    "9223372036854775807",
    "-1",
    "djEgVCBicm9rZXItYSA5MjIzMzcyMDM2ODU0Nzc1ODA3IFQ=",
    "0 9223372036854775807 9223372036854775807 0 0 broker-a 0 -1 0",
    "\u{1F40C}\u{FFFF}",
];
const NUMBERS: [i64; 8] = [0, 0, 1, -1, 60, 1_795_000_000, i64::MAX, i64::MIN];

struct Values(fastrand::Rng);

impl Values {
    fn text(&mut self) -> String {
        TEXTS[self.0.usize(..TEXTS.len())].into()
    }

    fn number(&mut self) -> i64 {
        NUMBERS[self.0.usize(..NUMBERS.len())]
    }

    fn small(&mut self) -> i32 {
        self.number().clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.0.bool().then(|| value(self))
    }

    fn timestamp(&mut self) -> Timestamp {
        Timestamp { seconds: self.number(), nanos: self.small() }
    }

    fn duration(&mut self) -> WireDuration {
        WireDuration { seconds: self.number(), nanos: self.small() }
    }

    fn resource(&mut self) -> Option<Resource> {
        let namespace = if self.0.u8(..8) == 0 { self.text() } else { String::new() };
        (self.0.u8(..10) > 0).then(|| Resource { resource_namespace: namespace, name: self.text() })
    }

    fn message(&mut self) -> Message {
        let mut message = outgoing("T", "id", "body");
        message.topic = self.resource();
        message.user_properties =
            (0..self.0.usize(..3)).map(|_| (self.text(), self.text())).collect::<BTreeMap<_, _>>();
        let system = message.system_properties.as_mut().unwrap();
        system.tag = self.maybe(Self::text);
        system.keys = self.maybe(Self::text).into_iter().collect();
        system.message_id = self.text();
        system.body_encoding = self.small();
        system.message_type = self.0.i32(-1..8);
        system.born_timestamp = self.maybe(Self::timestamp);
        system.born_host = self.text();
        system.delivery_timestamp = self.maybe(Self::timestamp);
        system.message_group = self.maybe(Self::text);
        system.trace_context = self.maybe(Self::text);
        system.orphaned_transaction_recovery_duration = self.maybe(Self::duration);
        system.lite_topic = self.maybe(Self::text);
        system.priority = self.maybe(Self::small);
        message
    }

    fn settings(&mut self) -> Settings {
        let expression = FilterExpression { r#type: self.0.i32(-1..4), expression: self.text() };
        let entry = SubscriptionEntry { topic: self.resource(), expression: Some(expression) };
        let pub_sub = if self.0.bool() {
            PubSub::Publishing(Publishing {
                topics: self.resource().into_iter().collect(),
                ..Default::default()
            })
        } else {
            PubSub::Subscription(Subscription {
                group: self.resource(),
                subscriptions: vec![entry],
                fifo: self.maybe(|values| values.0.bool()),
                ..Default::default()
            })
        };
        Settings { client_type: self.maybe(Self::small), pub_sub: Some(pub_sub), ..Default::default() }
    }

    /// One call with values of any kind; what it is answered does not matter.
    async fn call(&mut self, peer: &GrpcPeer) {
        match self.0.u8(..10) {
            0..4 => {
                let messages = (0..self.0.usize(..3)).map(|_| self.message()).collect();
                any::<_, SendMessageResponse>(peer, "SendMessage", SendMessageRequest { messages }).await;
            }
            4 => {
                let request = EndTransactionRequest {
                    topic: self.resource(),
                    transaction_id: self.text(),
                    resolution: self.0.i32(-1..4),
                    ..Default::default()
                };
                any::<_, EndTransactionResponse>(peer, "EndTransaction", request).await;
            }
            5 => {
                let request = RecallMessageRequest { topic: self.resource(), recall_handle: self.text() };
                any::<_, RecallMessageResponse>(peer, "RecallMessage", request).await;
            }
            6 => {
                let entry = AckMessageEntry {
                    message_id: self.text(),
                    receipt_handle: self.text(),
                    lite_topic: None,
                };
                let request = AckMessageRequest {
                    group: self.resource(),
                    topic: self.resource(),
                    entries: vec![entry],
                };
                any::<_, AckMessageResponse>(peer, "AckMessage", request).await;
            }
            7 => {
                let request = ChangeInvisibleDurationRequest {
                    group: self.resource(),
                    topic: self.resource(),
                    receipt_handle: self.text(),
                    invisible_duration: self.maybe(Self::duration),
                    ..Default::default()
                };
                any::<_, ChangeInvisibleDurationResponse>(peer, "ChangeInvisibleDuration", request).await;
            }
            8 => {
                let request = QueryAssignmentRequest {
                    topic: self.resource(),
                    group: self.resource(),
                    endpoints: None,
                };
                any::<_, QueryAssignmentResponse>(peer, "QueryAssignment", request).await;
            }
            _ => {
                let mut telemetry = peer.telemetry().await.unwrap();
                telemetry.say(Command::Settings(self.settings()));
                // Agreed on or not.
                let _ = telemetry.next().await;
            }
        }
    }
}

async fn any<Q, A>(peer: &GrpcPeer, call: &str, request: Q)
where
    Q: prost::Message + 'static,
    A: prost::Message + Default + 'static,
{
    peer.call::<Q, A>(call, request).await.unwrap();
}

#[tokio::test]
async fn every_call_survives_every_value() {
    let broker = broker(|options| options.clock = Clock::virtual_now()).await;
    let peer = GrpcPeer::connect(broker.address(), "hostile").await;
    let mut values = Values(fastrand::Rng::with_seed(5));
    for _ in 0..1500 {
        values.call(&peer).await;
    }
    broker.advance(Duration::from_secs(366 * 24 * 3600)).unwrap();
    let consumer = Consumer::start(broker.address(), "c").await;
    // What was stored can be received, up to a sound message at the end.
    assert_eq!(code(&consumer.peer.send([outgoing("T", "sound", "x")]).await.status), Code::Ok as i32);
    let is_sound = |message: &Message| message.system_properties.as_ref().unwrap().message_id == "sound";
    while !consumer.receive().await.iter().any(is_sound) {}
}
