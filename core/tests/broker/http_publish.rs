//! Publishing over HTTP: what is stored, what the other protocols see of it, and what is refused.

use std::time::Duration;

use tminus::Clock;
use tminus::broker::TopicType;
use tminus::codec::http::{Publish, code as error, digest};
use tminus::codec::remoting::codes::response;
use tminus::message::properties::*;

use crate::http_peer::{HttpPeer, HttpRequest, text};
use crate::peer::{Peer, broker};

fn with_properties(properties: &str) -> Publish {
    Publish { properties: properties.into(), ..text("hello") }
}

#[tokio::test]
async fn what_is_published_is_seen_over_remoting() {
    let broker = broker(|options| options.queues = 1).await;
    let mut http = HttpPeer::connect(broker.address()).await;
    let mut remoting = Peer::connect(broker.address()).await;
    let message = Publish {
        body: "a <b> & \"c\" 中\r\n\u{10ffff}".into(),
        tag: "TagA".into(),
        properties: "colour:red|KEYS:k1 k2|__SHARDINGKEY:s|".into(),
    };
    let published = http.publish("T", &message).await;
    assert_eq!(published.body_md5, digest::body_md5(message.body.as_bytes()));
    assert!(published.message_id.len() == 32 && published.handle.is_none(), "{published:?}");
    let [view] = &remoting.pull("T", 0, Duration::ZERO).await[..] else { panic!("one message") };
    assert_eq!((&*view.message_id, &view.body[..]), (&*published.message_id, message.body.as_bytes()));
    assert_eq!((view.tag(), view.keys().collect::<Vec<_>>()), (Some("TagA"), vec!["k1", "k2"]));
    assert_eq!((view.property("colour"), view.property(SHARDING_KEY)), (Some("red"), Some("s")));
    assert!(view.born_timestamp <= view.store_timestamp && view.property(INSTANCE_ID).is_none());
    // Text as every client writes it, without properties and with line ends of every kind.
    for (document, body) in [
        ("<Message><MessageBody><![CDATA[a]]&gt;b]]></MessageBody></Message>", "a]]&gt;b"),
        ("<m:Message xmlns:m='u'>\n<m:MessageBody>a\r\nb&#13;\nc</m:MessageBody></m:Message>", "a\nb\r\nc"),
    ] {
        let target = "/topics/T/messages";
        let published = http.exchange(&HttpRequest::new("POST", target, document)).await.published();
        assert_eq!(published.body_md5, digest::body_md5(body.as_bytes()), "{document}");
    }
}

#[tokio::test]
async fn an_instance_is_the_namespace_of_its_topics() {
    let broker = broker(|options| options.queues = 1).await;
    let mut http = HttpPeer::connect(broker.address()).await;
    for target in [
        "/topics/T/messages?ns=MQ_INST_1",
        "/topics/MQ_INST_1%T/messages?ns=MQ_INST_1",
        "/topics/MQ_INST_1%25T/messages",
        "/topics/T/messages?ns=MQ_INST_2",
        "/topics/T/messages?ns=",
    ] {
        http.call("POST", target, text(target).encode()).await.published();
    }
    let mut remoting = Peer::connect(broker.address()).await;
    for (topic, count, instance) in
        [("MQ_INST_1%T", 3, Some("MQ_INST_1")), ("MQ_INST_2%T", 1, Some("MQ_INST_2")), ("T", 1, None)]
    {
        let views = remoting.pull(topic, 0, Duration::ZERO).await;
        assert_eq!((views.len(), views[0].property(INSTANCE_ID)), (count, instance), "{topic}");
    }
}

#[tokio::test]
async fn a_delivery_time_is_kept_to_the_millisecond() {
    let broker = broker(|options| {
        options.clock = Clock::virtual_now();
        options.queues = 1;
    })
    .await;
    let mut http = HttpPeer::connect(broker.address()).await;
    let at = broker.clock().now_ms() + 10_000;
    let later = http.publish("T", &with_properties(&format!("__STARTDELIVERTIME:{at}|"))).await;
    let past = http.publish("T", &with_properties(&format!("__STARTDELIVERTIME:{}", at - 20_000))).await;
    let pending = broker.pending();
    assert_eq!((pending.len(), &pending[0].message_id, pending[0].deliver_at_ms), (1, &later.message_id, at));
    let mut remoting = Peer::connect(broker.address()).await;
    assert_eq!(remoting.pull("T", 0, Duration::ZERO).await[0].message_id, past.message_id);
    assert_eq!(broker.advance(Duration::from_millis(9_999)).unwrap(), 0);
    assert_eq!(broker.advance(Duration::from_millis(1)).unwrap(), 1);
    let view = remoting.pull("T", 1, Duration::ZERO).await.remove(0);
    assert_eq!((&view.message_id, view.deliver_at_ms()), (&later.message_id, Some(at)));
    assert_eq!(view.store_timestamp, at);
}

#[tokio::test]
async fn the_messages_of_a_shard_share_a_queue() {
    let broker = broker(|_| {}).await;
    broker.create_topic("T", 8).unwrap();
    let mut http = HttpPeer::connect(broker.address()).await;
    for body in ["1", "2", "3"] {
        let sharded = Publish { properties: "__SHARDINGKEY:group-1|".into(), ..text(body) };
        http.publish("T", &sharded).await;
    }
    // The queue of this key is that which producers over gRPC find.
    let mut remoting = Peer::connect(broker.address()).await;
    let request = crate::peer::pull("T", 0, Duration::ZERO).with("queueId", 7);
    let views = crate::peer::views(&remoting.call(request).await);
    let bodies: Vec<_> = views.iter().map(|view| &view.body[..]).collect();
    assert_eq!(bodies, [b"1", b"2", b"3"]);
}

#[tokio::test]
async fn what_no_message_may_be_is_refused() {
    let broker = broker(|options| options.queues = 1).await;
    broker.create_topic_of("Fifo", 1, TopicType::Fifo).unwrap();
    let mut http = HttpPeer::connect(broker.address()).await;
    let forbidden = ["a:b:c", "a:x'y", "a:\"x\"", "a:<x>", "a:x&y", "a:", ":x", "plain"];
    let wrong = [
        "TAGS:x",
        "UNIQ_KEY:x",
        "TRAN_MSG:true",
        "TIMER_DELIVER_MS:1",
        "__STARTDELIVERTIME:tomorrow",
        "__STARTDELIVERTIME:9999999999999",
        "__TransCheckT:9",
        "__TransCheckT:301",
        "__TransCheckT:soon",
    ];
    for properties in forbidden.into_iter().chain(wrong) {
        let refused = http.try_publish("T", &with_properties(&format!("{properties}|"))).await.refused();
        assert_eq!(refused.code, error::INVALID_ARGUMENT, "{properties}");
    }
    for message in [
        text(""),
        text(&"x".repeat(4 * 1024 * 1024 + 1)),
        with_properties(&format!("a:{}|", "x".repeat(16 * 1024))),
        Publish { tag: "a||b".into(), ..text("x") },
        Publish { tag: " ".into(), ..text("x") },
    ] {
        let refused = http.try_publish("T", &message).await.refused();
        assert_eq!(refused.code, error::INVALID_ARGUMENT, "{}", refused.message);
    }
    assert_eq!(http.try_publish("Fifo", &text("x")).await.refused().code, error::INVALID_ARGUMENT);
    http.publish("Fifo", &with_properties("__SHARDINGKEY:s|")).await;
    for document in
        ["", "plain", "<Message/>", "<Messages><MessageBody>x</MessageBody></Messages>", "<Message>"]
    {
        let answer = http.call("POST", "/topics/T/messages", document.into()).await;
        assert_eq!(answer.refused().code, error::MALFORMED_XML, "{document}");
    }
    let mut remoting = Peer::connect(broker.address()).await;
    let stored = remoting.call(crate::peer::pull("T", 0, Duration::ZERO)).await;
    assert_eq!(stored.code, response::TOPIC_NOT_EXIST, "nothing of it was stored");
}

#[tokio::test]
async fn the_largest_body_is_taken_and_a_larger_request_is_read_and_refused() {
    const LARGEST: usize = 4 * 1024 * 1024;
    let broker = broker(|options| options.queues = 1).await;
    let mut http = HttpPeer::connect(broker.address()).await;
    http.publish("T", &text(&["&".repeat(1000), "x".repeat(LARGEST - 1000)].concat())).await;
    let mut remoting = Peer::connect(broker.address()).await;
    assert_eq!(remoting.pull("T", 0, Duration::ZERO).await[0].body.len(), LARGEST);
    let huge = HttpRequest::new("POST", "/topics/T/messages", vec![b'x'; 40 * 1024 * 1024]);
    assert_eq!(http.exchange(&huge).await.refused().code, error::INVALID_ARGUMENT);
    http.publish("T", &text("still there")).await;
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_named() {
    let broker = broker(|options| options.auto_create_topics = false).await;
    let mut http = HttpPeer::connect(broker.address()).await;
    let answer = http.try_publish("T", &text("x")).await;
    let refused = answer.refused();
    assert_eq!((answer.status, &*refused.code), (404, error::TOPIC_NOT_EXIST));
    assert!(refused.message.contains("topic T"), "{}", refused.message);
}
