//! Executes one scenario: each step is a few calls of the public API.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tminus::broker::{Broker, Fault};
use tminus::clock::from_ms;
use tminus::message::DELAY_LEVELS;
use tminus::options::ClientOptions;
use tminus::{
    BodyEncoding, Clock, ConsumeFrom, DeliveryTime, Error, FilterExpression, Message, MessageView, Outcome,
    Producer, ProducerOptions, PushConsumer, PushConsumerOptions, SendReceipt, SimpleConsumer,
    TransactionResolution,
};

use super::data::*;
use super::record::{Arrival, Record};
use super::server::{Server, credentials, prepare, start_broker};
use super::simple::Receipts;

/// A message that was sent: its body names it.
#[derive(Debug, Clone)]
pub struct Sent {
    pub body: Vec<u8>,
    pub due_ms: Option<i64>,
    receipt: Option<SendReceipt>,
}

pub struct Run<'a> {
    server: &'a Server,
    protocol: &'a str,
    broker: Option<Broker>,
    pub clock: Clock,
    prefix: String,
    producers: HashMap<String, Producer>,
    consumers: HashMap<String, PushConsumer>,
    pub simple: HashMap<String, SimpleConsumer>,
    record: Record,
    pub receipts: Receipts,
    sent: BTreeMap<String, Vec<Sent>>,
}

pub type Outcomes = Result<(), String>;

/// Runs `scenario` on `server` over `protocol` from its first step to its last, and cleans up after it.
pub async fn run(scenario: &Scenario, server: &Server, protocol: &str) -> Outcomes {
    let broker = match server {
        Server::Loopback => Some(start_broker(&scenario.broker).await.map_err(|e| e.to_string())?),
        Server::Apache5 { .. } => None,
    };
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let number = RUNS.fetch_add(1, Ordering::Relaxed);
    let mut run = Run {
        server,
        protocol,
        clock: broker.as_ref().map_or_else(Clock::real, |b| b.clock().clone()),
        broker,
        prefix: format!("r{}-{number}-{}-", std::process::id(), Clock::real().now_ms() % 100_000_000),
        producers: HashMap::new(),
        consumers: HashMap::new(),
        simple: HashMap::new(),
        record: Record::default(),
        receipts: Receipts::new(),
        sent: BTreeMap::new(),
    };
    let mut result = prepare(scenario, protocol, run.broker.as_ref(), |name| run.resource(name));
    for (number, step) in scenario.steps.iter().enumerate() {
        if result.is_err() {
            break;
        }
        result = run.step(step).await.map_err(|why| format!("step {}: {why}", number + 1));
    }
    for consumer in run.simple.values() {
        consumer.shutdown().await;
    }
    for consumer in run.consumers.values() {
        consumer.shutdown().await;
    }
    for producer in run.producers.values() {
        producer.shutdown().await;
    }
    if let Some(broker) = &run.broker {
        broker.stop().await;
    }
    result
}

fn check_error(expected: &ErrorSpec, error: &Error, protocol: &str) -> Outcomes {
    let outcome = match error.outcome() {
        Outcome::NotSent => "not_sent",
        Outcome::MaybeSent => "maybe_sent",
        Outcome::Done => "done",
    };
    let here = match protocol {
        "grpc" => &expected.grpc_kind,
        "http" => &expected.http_kind,
        _ => &None,
    };
    let kind = here.as_deref().or(expected.kind.as_deref());
    let kind_fits = kind.is_none_or(|kind| kind == error.kind().name());
    if kind_fits && expected.outcome.as_deref().is_none_or(|wanted| wanted == outcome) {
        return Ok(());
    }
    Err(format!("expected {expected:?}, got {} {outcome}: {error}", error.kind().name()))
}

impl Run<'_> {
    /// `result` is the success or the error that the step expects.
    pub fn check<T>(
        &self,
        result: tminus::Result<T>,
        expected: Option<&ErrorSpec>,
    ) -> Result<Option<T>, String> {
        match (result, expected) {
            (Ok(value), None) => Ok(Some(value)),
            (Ok(_), Some(expected)) => Err(format!("succeeded, expected {expected:?}")),
            (Err(error), Some(expected)) => check_error(expected, &error, self.protocol).map(|()| None),
            (Err(error), None) => Err(error.to_string()),
        }
    }

    async fn step(&mut self, step: &Step) -> Outcomes {
        match step {
            Step::Producer {
                name,
                endpoint,
                retries,
                topics,
                checker,
                allow_duplicates,
                body_encoding,
                tls,
                user,
                error,
            } => {
                let mut options =
                    ProducerOptions::with_client(self.client(endpoint.as_deref(), tls, user).await?);
                options.group = format!("{}producers", self.prefix);
                options.retries = retries.unwrap_or(options.retries);
                options.allow_duplicates = *allow_duplicates;
                options.body_encoding = match body_encoding.as_deref() {
                    None | Some("text") => BodyEncoding::Text,
                    Some("base64") => BodyEncoding::Base64,
                    Some(other) => return Err(format!("unknown body encoding {other}")),
                };
                options.topics = topics.iter().map(|topic| self.resource(topic)).collect();
                let started = match checker {
                    None => Producer::start(options).await,
                    Some(end) => {
                        let resolution = resolution(*end);
                        Producer::start_with_checker(options, move |_| async move { resolution }).await
                    }
                };
                if let Some(producer) = self.check(started, error.as_ref())? {
                    self.producers.insert(name.clone(), producer);
                }
                Ok(())
            }
            Step::Consumer {
                name,
                topic,
                group,
                filter,
                sql,
                fail_first,
                max_reconsume_times,
                orderly,
                tls,
                user,
                error,
            } => {
                let client = self.client(None, tls, user).await?;
                let mut options = PushConsumerOptions::with_client(client, self.resource(group))
                    .subscribe(self.resource(topic), filter_of(filter.as_ref(), sql.as_ref()));
                options.consume_from = ConsumeFrom::FirstOffset;
                options.max_reconsume_times = max_reconsume_times.unwrap_or(options.max_reconsume_times);
                options.orderly = *orderly;
                let started = PushConsumer::start_stream(options).await;
                if let Some((consumer, deliveries)) = self.check(started, error.as_ref())? {
                    self.record.follow(name.clone(), deliveries, self.clock.clone(), *fail_first);
                    self.consumers.insert(name.clone(), consumer);
                }
                Ok(())
            }
            Step::SimpleConsumer { .. }
            | Step::Receive { .. }
            | Step::Ack { .. }
            | Step::ChangeInvisible { .. } => self.simple_step(step).await,
            Step::Recall { producer, of, garbage, error } => {
                let producer = self.producers.get(producer).cloned().ok_or("there is no such producer")?;
                let topic = self.resource("t");
                let mut handles: Vec<_> = garbage.then(|| "made up".to_owned()).into_iter().collect();
                for sent in of.iter().flat_map(|label| &self.sent[label]) {
                    let handle = sent.receipt.as_ref().and_then(|receipt| receipt.recall_handle.clone());
                    handles.push(handle.ok_or("the receipt has no recall handle")?);
                }
                for handle in handles {
                    self.check(producer.recall(&topic, &handle).await, error.as_ref())?;
                }
                Ok(())
            }
            Step::Send { .. } => self.send(step).await,
            Step::Expect { .. } => self.expect(step).await,
            Step::ExpectNone { consumers, for_ms } => {
                let limit = Duration::from_millis(*for_ms);
                let arrived = self.record.wait(consumers, limit, |arrivals| !arrivals.is_empty()).await;
                match arrived.first() {
                    None => Ok(()),
                    Some(first) => Err(format!("received {:?} although nothing was due", first.message.body)),
                }
            }
            Step::Advance { ms, visible } => {
                let released =
                    self.broker()?.advance(Duration::from_millis(*ms)).map_err(|e| e.to_string())?;
                match visible {
                    Some(visible) if *visible != released => {
                        Err(format!("{released} messages became visible, expected {visible}"))
                    }
                    _ => Ok(()),
                }
            }
            Step::RestartBroker { down_ms } => {
                self.broker()?.restart(Duration::from_millis(*down_ms)).await.map_err(|e| e.to_string())
            }
            Step::Inject { request, times, fault, code } => {
                let fault = match fault.as_str() {
                    "swallow" => Fault::Swallow,
                    "close_before" => Fault::CloseBefore,
                    "close_after" => Fault::CloseAfter,
                    "gateway" => Fault::Gateway,
                    "refuse" => Fault::Refuse { code: code.unwrap_or(1), remark: "injected".into() },
                    other => return Err(format!("unknown fault {other}")),
                };
                self.broker()?.inject(*request, *times, fault);
                Ok(())
            }
            Step::Close { what } => {
                match (self.producers.get(what), self.consumers.get(what), self.simple.get(what)) {
                    (Some(producer), ..) => producer.shutdown().await,
                    (_, Some(consumer), _) => consumer.shutdown().await,
                    (.., Some(consumer)) => consumer.shutdown().await,
                    _ => return Err(format!("there is no {what}")),
                }
                Ok(())
            }
        }
    }

    pub fn broker(&self) -> Result<&Broker, String> {
        self.broker.as_ref().ok_or_else(|| "this step needs the loopback broker".into())
    }

    /// The unique name behind a logical topic or group.
    pub fn resource(&self, name: &str) -> String {
        match (name, name.strip_prefix("%DLQ%"), name.strip_prefix('!')) {
            ("", ..) => String::new(),
            (_, Some(group), _) => format!("%DLQ%{}{group}", self.prefix),
            (_, _, Some(raw)) => raw.into(),
            _ => format!("{}{name}", self.prefix),
        }
    }

    pub async fn client(
        &self,
        endpoint: Option<&str>,
        tls: &Option<TlsSpec>,
        user: &Option<String>,
    ) -> Result<ClientOptions, String> {
        let address = match endpoint {
            None | Some("server") => self.server.endpoint(self.protocol, self.broker.as_ref()),
            Some("nowhere") => {
                let closed = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
                format!("{}://{}", self.protocol, closed.map_err(|e| e.to_string())?)
            }
            Some(other) => return Err(format!("unknown endpoint {other}")),
        };
        let mut options = ClientOptions::new(&address).map_err(|e| e.to_string())?;
        options.clock = self.clock.clone();
        options.credentials = user.as_deref().map(|user| credentials(user).into());
        if let Some(tls) = tls {
            options.tls.enabled = true;
            options.tls.insecure = tls.insecure;
            options.tls.server_name = tls.server_name.clone();
            options.tls.ca_pem = match tls.trust.as_deref() {
                None | Some("system") => None,
                Some("broker") => self.broker()?.ca_pem().map(str::to_owned),
                Some("other") => {
                    let spec = BrokerSpec { tls: true, ..BrokerSpec::default() };
                    let other = start_broker(&spec).await.map_err(|e| e.to_string())?;
                    other.ca_pem().map(str::to_owned)
                }
                Some(other) => return Err(format!("unknown trust {other}")),
            };
        }
        Ok(options)
    }

    /// The message that `spec` describes, as number `number` of `label`.
    fn message(&self, spec: &MessageSpec, label: &str, number: usize) -> (Message, Sent) {
        let body = match (&spec.body, spec.body_bytes) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(size)) => {
                format!("{label}-{number} ").into_bytes().into_iter().cycle().take(size).collect()
            }
            (None, None) => format!("{label}-{number}").into_bytes(),
        };
        let topic = self.resource(spec.topic.as_deref().unwrap_or("t"));
        let mut message = Message::new(topic, body.clone()).keys(&spec.keys);
        if let Some(tag) = &spec.tag {
            message = message.tag(tag);
        }
        if let Some(group) = &spec.message_group {
            message = message.message_group(group);
        }
        if let Some(priority) = spec.priority {
            message = message.priority(priority);
        }
        for (name, value) in &spec.properties {
            message = message.property(name, value);
        }
        let now = self.clock.now_ms();
        let mut due_ms = None;
        if let Some(after) = spec.deliver_after_ms {
            message = message.deliver_after(Duration::from_millis(after));
            due_ms = Some(now.saturating_add_unsigned(after));
        }
        if let Some(ahead) = spec.deliver_in_ms {
            message = message.deliver_at(from_ms(now + ahead));
            due_ms = Some(now + ahead);
        }
        if let Some(level) = spec.delay_level {
            message.set_delivery_time(Some(DeliveryTime::Level(level)));
            due_ms = Some(now + 1000 * DELAY_LEVELS[usize::from(level) - 1] as i64);
        }
        if let Some(raw) = &spec.raw_time {
            message = message.property(&raw.name, (now + raw.in_ms).to_string());
            due_ms = Some(now + raw.in_ms);
        }
        (message, Sent { body, due_ms, receipt: None })
    }

    async fn send(&mut self, step: &Step) -> Outcomes {
        let Step::Send {
            producer,
            label,
            message,
            messages,
            count,
            mode,
            sharding_key,
            end,
            timeout_ms,
            error,
        } = step
        else {
            unreachable!("called for a send")
        };
        let producer = self.producers.get(producer).cloned().ok_or("there is no such producer")?;
        let label = label.as_deref().unwrap_or("unnamed");
        let timeout = timeout_ms.map(Duration::from_millis);
        let specs = message.iter().flat_map(|spec| std::iter::repeat_n(spec, *count)).chain(messages);
        let made: Vec<(Message, Sent)> =
            specs.enumerate().map(|(number, spec)| self.message(spec, label, number)).collect();
        let (made, mut sent): (Vec<Message>, Vec<Sent>) = made.into_iter().unzip();

        let send_one = async |message: Message| match (sharding_key, timeout) {
            (Some(key), timeout) => producer.send_by_key(message, key, timeout).await,
            (None, Some(timeout)) => producer.send_timeout(message, timeout).await,
            (None, None) => producer.send(message).await,
        };
        match mode {
            Mode::Each => {
                for (message, sent) in made.into_iter().zip(&mut sent) {
                    sent.receipt = self.check(send_one(message).await, error.as_ref())?;
                }
            }
            Mode::Concurrent => {
                let mut sends = tokio::task::JoinSet::new();
                for message in made {
                    let producer = producer.clone();
                    sends.spawn(async move { producer.send(message).await });
                }
                while let Some(result) = sends.join_next().await {
                    self.check(result.map_err(|e| e.to_string())?, error.as_ref())?;
                }
            }
            Mode::OneWay => {
                for message in made {
                    self.check(producer.send_one_way(message).await, error.as_ref())?;
                }
            }
            Mode::Batch => {
                self.check(producer.send_batch(made, timeout).await, error.as_ref())?;
            }
            Mode::Transaction => {
                for message in made {
                    let begun = producer.send_transaction(message).await;
                    let Some(transaction) = self.check(begun, error.as_ref())? else { continue };
                    let ended = match resolution(end.unwrap_or(End::Commit)) {
                        TransactionResolution::Commit => transaction.commit().await,
                        TransactionResolution::Rollback => transaction.rollback().await,
                        TransactionResolution::Unknown => Ok(()),
                    };
                    ended.map_err(|e| e.to_string())?;
                }
            }
        }
        self.sent.entry(label.into()).or_default().extend(sent);
        Ok(())
    }

    /// What was sent under these labels.
    pub fn sent_as(&self, labels: &[String]) -> Result<Vec<Sent>, String> {
        let of = |label| self.sent.get(label).ok_or_else(|| format!("nothing was sent as {label}"));
        Ok(labels.iter().map(of).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().cloned().collect())
    }

    async fn expect(&mut self, step: &Step) -> Outcomes {
        let Step::Expect { consumers, of, within_ms, in_order, each_gets, same_queue, view, late_ok } = step
        else {
            unreachable!("called for an expectation")
        };
        let expected = self.sent_as(of)?;
        let wanted: HashSet<&[u8]> = expected.iter().map(|sent| sent.body.as_slice()).collect();
        let all_there = |arrivals: &[Arrival]| {
            let seen: HashSet<&[u8]> = arrivals.iter().map(|arrival| &arrival.message.body[..]).collect();
            wanted.is_subset(&seen)
        };
        let limit = Duration::from_millis(*within_ms);
        let arrivals = self.record.wait(consumers, limit, all_there).await;
        self.record.forget(consumers);
        if !all_there(&arrivals) {
            let seen: HashSet<&[u8]> = arrivals.iter().map(|arrival| &arrival.message.body[..]).collect();
            let missing: Vec<_> = wanted.difference(&seen).map(|body| text(body)).take(5).collect();
            return Err(format!("{} of {} arrived; missing: {missing:?}", seen.len(), wanted.len()));
        }
        if let Some(stray) = arrivals.iter().find(|arrival| !wanted.contains(&arrival.message.body[..])) {
            return Err(format!("received {} which was not expected", text(&stray.message.body)));
        }
        for name in consumers {
            let got = arrivals.iter().filter(|arrival| arrival.consumer == *name).count();
            if got < *each_gets {
                return Err(format!("{name} received {got} messages, expected at least {each_gets}"));
            }
        }
        let queues: HashSet<_> = arrivals.iter().map(|a| (&a.message.broker, a.message.queue_id)).collect();
        if *same_queue && queues.len() != 1 {
            return Err(format!("the messages came from {} queues", queues.len()));
        }
        let mut seen = HashSet::new();
        let order = arrivals.iter().map(|a| &a.message.body[..]).filter(|body| seen.insert(*body));
        if *in_order && !order.eq(expected.iter().map(|sent| sent.body.as_slice())) {
            return Err("the messages came in another order".into());
        }
        for arrival in &arrivals {
            if let Some(view) = view {
                check_view(view, &arrival.message)?;
            }
            let due = expected
                .iter()
                .find(|sent| sent.body == arrival.message.body[..])
                .and_then(|sent| sent.due_ms);
            if let Some(due) = due {
                self.check_lateness(arrival.at_ms - due, *late_ok)?;
            }
        }
        Ok(())
    }

    pub fn check_lateness(&self, lateness: i64, late_ok: bool) -> Outcomes {
        if lateness < 0 {
            return Err(format!("a message arrived {} ms early", -lateness));
        }
        if !late_ok && !self.clock.is_virtual() && lateness > self.server.lateness_ms() {
            return Err(format!("a message arrived {lateness} ms late"));
        }
        Ok(())
    }
}

/// What a consumer of a step wants.
pub fn filter_of(tags: Option<&String>, sql: Option<&String>) -> FilterExpression {
    match (sql, tags) {
        (Some(sql), _) => FilterExpression::Sql92(sql.clone()),
        (None, Some(tags)) => FilterExpression::Tag(tags.clone()),
        (None, None) => FilterExpression::all(),
    }
}

/// How the transaction of a step ends.
fn resolution(end: End) -> TransactionResolution {
    match end {
        End::Commit => TransactionResolution::Commit,
        End::Rollback => TransactionResolution::Rollback,
        End::None => TransactionResolution::Unknown,
    }
}

pub fn check_view(view: &ViewSpec, message: &MessageView) -> Outcomes {
    if view.tag.as_deref().is_some_and(|tag| message.tag() != Some(tag)) {
        return Err(format!("the tag is {:?}, expected {:?}", message.tag(), view.tag));
    }
    let group = view.message_group.as_deref();
    if group.is_some() && message.message_group() != group {
        return Err(format!("the message group is {:?}, expected {group:?}", message.message_group()));
    }
    if let Some(keys) = &view.keys {
        let got: Vec<&str> = message.keys().collect();
        if got != *keys {
            return Err(format!("the keys are {got:?}, expected {keys:?}"));
        }
    }
    for (name, value) in &view.properties {
        if message.property(name) != Some(value) {
            return Err(format!("property {name:?} is {:?}, expected {value:?}", message.property(name)));
        }
    }
    match view.reconsume_times {
        Some(times) if times != message.reconsume_times => {
            Err(format!("reconsume_times is {}, expected {times}", message.reconsume_times))
        }
        _ => Ok(()),
    }
}

pub fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned()
}
