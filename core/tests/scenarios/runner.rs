//! Executes one scenario: each step is a few calls of the public API.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tminus::broker::{Broker, BrokerOptions, BrokerTls, Fault, Persona};
use tminus::clock::from_ms;
use tminus::message::DELAY_LEVELS;
use tminus::options::ClientOptions;
use tminus::{
    Clock, ConsumeFrom, Credentials, DeliveryTime, Error, FilterExpression, Message, Outcome, Producer,
    ProducerOptions, PushConsumer, PushConsumerOptions,
};

use super::data::*;
use super::record::{Arrival, Record};

pub enum Server {
    Loopback,
    Apache5(String),
}

impl Server {
    pub fn name(&self) -> &'static str {
        match self {
            Server::Loopback => "loopback",
            Server::Apache5(_) => "apache5",
        }
    }

    /// How late a scheduled message may be on the real clock.
    fn lateness_ms(&self) -> i64 {
        match self {
            Server::Loopback => 250,
            Server::Apache5(_) => 1500,
        }
    }
}

/// A message that was sent: its body names it.
#[derive(Debug, Clone)]
struct Sent {
    body: Vec<u8>,
    due_ms: Option<i64>,
}

struct Run<'a> {
    server: &'a Server,
    broker: Option<Broker>,
    address: String,
    clock: Clock,
    prefix: String,
    producers: HashMap<String, Producer>,
    consumers: HashMap<String, PushConsumer>,
    record: Record,
    sent: BTreeMap<String, Vec<Sent>>,
}

type Outcomes = Result<(), String>;

/// Runs `scenario` on `server` from its first step to its last, and cleans up after it.
pub async fn run(scenario: &Scenario, server: &Server) -> Outcomes {
    let broker = match server {
        Server::Loopback => Some(start_broker(&scenario.broker).await.map_err(|e| e.to_string())?),
        Server::Apache5(_) => None,
    };
    let address = match (server, &broker) {
        (Server::Apache5(address), _) => address.clone(),
        (_, broker) => broker.as_ref().map(|b| b.address().to_string()).unwrap_or_default(),
    };
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let number = RUNS.fetch_add(1, Ordering::Relaxed);
    let mut run = Run {
        server,
        address,
        clock: broker.as_ref().map_or_else(Clock::real, |b| b.clock().clone()),
        broker,
        prefix: format!("r{}-{number}-{}-", std::process::id(), Clock::real().now_ms() % 100_000_000),
        producers: HashMap::new(),
        consumers: HashMap::new(),
        record: Record::default(),
        sent: BTreeMap::new(),
    };
    let mut result = Ok(());
    for (number, step) in scenario.steps.iter().enumerate() {
        if let Err(why) = run.step(step).await {
            result = Err(format!("step {}: {why}", number + 1));
            break;
        }
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

async fn start_broker(spec: &BrokerSpec) -> tminus::Result<Broker> {
    let mut options = BrokerOptions::default();
    if spec.clock.as_deref() == Some("virtual") {
        options.clock = Clock::virtual_now();
    }
    options.tls = spec.tls.then_some(BrokerTls::SelfMade);
    options.credentials = spec.users.iter().map(|user| credentials(user)).collect();
    options.auto_create_topics = spec.auto_create_topics.unwrap_or(true);
    options.persona = match spec.persona.as_deref() {
        None | Some("loopback") => Persona::Loopback,
        Some("apache5") => Persona::Apache5,
        Some("apache4") => Persona::Apache4,
        Some("huawei") => Persona::Huawei,
        Some(other) => panic!("unknown persona {other}"),
    };
    Broker::start(options).await
}

fn credentials(user: &str) -> Credentials {
    let (access, secret) = user.split_once(':').unwrap();
    Credentials::new(access, secret)
}

fn check_error(expected: &ErrorSpec, error: &Error) -> Outcomes {
    let outcome = match error.outcome() {
        Outcome::NotSent => "not_sent",
        Outcome::MaybeSent => "maybe_sent",
        Outcome::Done => "done",
    };
    let kind_fits = expected.kind.as_deref().is_none_or(|kind| kind == error.kind().name());
    if kind_fits && expected.outcome.as_deref().is_none_or(|wanted| wanted == outcome) {
        return Ok(());
    }
    Err(format!("expected {expected:?}, got {} {outcome}: {error}", error.kind().name()))
}

/// `result` is the success or the error that the step expects.
fn check<T>(result: tminus::Result<T>, expected: Option<&ErrorSpec>) -> Result<Option<T>, String> {
    match (result, expected) {
        (Ok(value), None) => Ok(Some(value)),
        (Ok(_), Some(expected)) => Err(format!("succeeded, expected {expected:?}")),
        (Err(error), Some(expected)) => check_error(expected, &error).map(|()| None),
        (Err(error), None) => Err(error.to_string()),
    }
}

impl Run<'_> {
    async fn step(&mut self, step: &Step) -> Outcomes {
        match step {
            Step::Producer { name, endpoint, retries, tls, user, error } => {
                let mut options =
                    ProducerOptions::with_client(self.client(endpoint.as_deref(), tls, user).await?);
                options.group = format!("{}producers", self.prefix);
                options.retries = retries.unwrap_or(options.retries);
                if let Some(producer) = check(Producer::start(options).await, error.as_ref())? {
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
                tls,
                user,
            } => {
                let client = self.client(None, tls, user).await?;
                let filter = match (sql, filter) {
                    (Some(sql), _) => FilterExpression::Sql92(sql.clone()),
                    (None, Some(tags)) => FilterExpression::Tag(tags.clone()),
                    (None, None) => FilterExpression::all(),
                };
                let mut options = PushConsumerOptions::with_client(client, self.resource(group))
                    .subscribe(self.resource(topic), filter);
                options.consume_from = ConsumeFrom::FirstOffset;
                options.max_reconsume_times = max_reconsume_times.unwrap_or(options.max_reconsume_times);
                let (consumer, deliveries) =
                    PushConsumer::start_stream(options).await.map_err(|e| e.to_string())?;
                self.record.follow(name.clone(), deliveries, self.clock.clone(), *fail_first);
                self.consumers.insert(name.clone(), consumer);
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
                    "refuse" => Fault::Refuse { code: code.unwrap_or(1), remark: "injected".into() },
                    other => return Err(format!("unknown fault {other}")),
                };
                self.broker()?.inject(*request, *times, fault);
                Ok(())
            }
            Step::Close { what } => {
                match (self.producers.get(what), self.consumers.get(what)) {
                    (Some(producer), _) => producer.shutdown().await,
                    (_, Some(consumer)) => consumer.shutdown().await,
                    _ => return Err(format!("there is no {what}")),
                }
                Ok(())
            }
        }
    }

    fn broker(&self) -> Result<&Broker, String> {
        self.broker.as_ref().ok_or_else(|| "this step needs the loopback broker".into())
    }

    /// The unique name behind a logical topic or group.
    fn resource(&self, name: &str) -> String {
        match (name, name.strip_prefix("%DLQ%"), name.strip_prefix('!')) {
            ("", ..) => String::new(),
            (_, Some(group), _) => format!("%DLQ%{}{group}", self.prefix),
            (_, _, Some(raw)) => raw.into(),
            _ => format!("{}{name}", self.prefix),
        }
    }

    async fn client(
        &self,
        endpoint: Option<&str>,
        tls: &Option<TlsSpec>,
        user: &Option<String>,
    ) -> Result<ClientOptions, String> {
        let address = match endpoint {
            None | Some("server") => self.address.clone(),
            Some("nowhere") => {
                let closed = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
                closed.map_err(|e| e.to_string())?.to_string()
            }
            Some(other) => return Err(format!("unknown endpoint {other}")),
        };
        let mut options = ClientOptions::new(&address).map_err(|e| e.to_string())?;
        options.clock = self.clock.clone();
        options.credentials = user.as_deref().map(credentials);
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
        (message, Sent { body, due_ms })
    }

    async fn send(&mut self, step: &Step) -> Outcomes {
        let Step::Send { producer, label, message, messages, count, mode, sharding_key, timeout_ms, error } =
            step
        else {
            unreachable!("called for a send")
        };
        let producer = self.producers.get(producer).cloned().ok_or("there is no such producer")?;
        let label = label.as_deref().unwrap_or("unnamed");
        let timeout = timeout_ms.map(Duration::from_millis);
        let specs = message.iter().flat_map(|spec| std::iter::repeat_n(spec, *count)).chain(messages);
        let made: Vec<(Message, Sent)> =
            specs.enumerate().map(|(number, spec)| self.message(spec, label, number)).collect();
        let (made, sent): (Vec<Message>, Vec<Sent>) = made.into_iter().unzip();
        self.sent.entry(label.into()).or_default().extend(sent);

        let send_one = async |message: Message| match (sharding_key, timeout) {
            (Some(key), timeout) => producer.send_by_key(message, key, timeout).await,
            (None, Some(timeout)) => producer.send_timeout(message, timeout).await,
            (None, None) => producer.send(message).await,
        };
        match mode {
            Mode::Each => {
                for message in made {
                    check(send_one(message).await, error.as_ref())?;
                }
            }
            Mode::Concurrent => {
                let mut sends = tokio::task::JoinSet::new();
                for message in made {
                    let producer = producer.clone();
                    sends.spawn(async move { producer.send(message).await });
                }
                while let Some(result) = sends.join_next().await {
                    check(result.map_err(|e| e.to_string())?, error.as_ref())?;
                }
            }
            Mode::OneWay => {
                for message in made {
                    check(producer.send_one_way(message).await, error.as_ref())?;
                }
            }
            Mode::Batch => {
                check(producer.send_batch(made, timeout).await, error.as_ref())?;
            }
        }
        Ok(())
    }

    async fn expect(&mut self, step: &Step) -> Outcomes {
        let Step::Expect { consumers, of, within_ms, in_order, each_gets, same_queue, view, late_ok } = step
        else {
            unreachable!("called for an expectation")
        };
        let mut expected: Vec<Sent> = Vec::new();
        for label in of {
            expected
                .extend(self.sent.get(label).ok_or_else(|| format!("nothing was sent as {label}"))?.clone());
        }
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
                check_view(view, arrival)?;
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

    fn check_lateness(&self, lateness: i64, late_ok: bool) -> Outcomes {
        if lateness < 0 {
            return Err(format!("a message arrived {} ms early", -lateness));
        }
        if !late_ok && !self.clock.is_virtual() && lateness > self.server.lateness_ms() {
            return Err(format!("a message arrived {lateness} ms late"));
        }
        Ok(())
    }
}

fn check_view(view: &ViewSpec, arrival: &Arrival) -> Outcomes {
    let message = &arrival.message;
    if view.tag.as_deref().is_some_and(|tag| message.tag() != Some(tag)) {
        return Err(format!("the tag is {:?}, expected {:?}", message.tag(), view.tag));
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

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned()
}
