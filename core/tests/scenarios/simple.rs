//! The steps of simple consumers: receive, acknowledge, hide longer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tminus::clock::instant;
use tminus::{ReceiptHandle, Received, SimpleConsumer, SimpleConsumerOptions};

use super::data::*;
use super::runner::{Outcomes, Run, Sent, check_view, filter_of, text};

/// Receipts of what was received and not acknowledged, by body.
pub type Receipts = BTreeMap<Vec<u8>, ReceiptHandle>;

impl Run<'_> {
    pub async fn simple_step(&mut self, step: &Step) -> Outcomes {
        match step {
            Step::SimpleConsumer { name, topic, group, filter, sql, orderly, tls, user, error } => {
                let client = self.client(None, tls, user).await?;
                let mut options = SimpleConsumerOptions::with_client(client, self.resource(group))
                    .subscribe(self.resource(topic), filter_of(filter.as_ref(), sql.as_ref()));
                options.orderly = *orderly;
                let started = SimpleConsumer::start(options).await;
                if let Some(consumer) = self.check(started, error.as_ref())? {
                    self.simple.insert(name.clone(), consumer);
                }
                Ok(())
            }
            Step::Receive { .. } => self.receive(step).await,
            Step::Ack { consumer, of, garbage, error } => {
                let consumer = self.simple_consumer(consumer)?;
                for receipt in self.kept(of, *garbage)? {
                    self.check(consumer.ack(&receipt).await, error.as_ref())?;
                }
                Ok(())
            }
            Step::ChangeInvisible { consumer, of, to_ms, keep_old, error } => {
                let consumer = self.simple_consumer(consumer)?;
                for sent in self.sent_as(of)? {
                    let mut receipt = self.receipts.get(&sent.body).ok_or("it was not received")?.clone();
                    let changed =
                        consumer.change_invisible(&mut receipt, Duration::from_millis(*to_ms)).await;
                    self.check(changed, error.as_ref())?;
                    if !keep_old {
                        self.receipts.insert(sent.body, receipt);
                    }
                }
                Ok(())
            }
            _ => unreachable!("called for a simple consumer"),
        }
    }

    fn simple_consumer(&self, name: &str) -> Result<SimpleConsumer, String> {
        self.simple.get(name).cloned().ok_or_else(|| format!("there is no simple consumer {name}"))
    }

    /// The receipts of these labels, or one that is none.
    fn kept(&self, of: &[String], garbage: bool) -> Result<Vec<ReceiptHandle>, String> {
        let made_up = || ReceiptHandle {
            topic: self.resource("t"),
            broker: self.receipts.values().next().map_or_else(String::new, |receipt| receipt.broker.clone()),
            message_id: "01AABBCCDDEEFF0000000000000000000000".into(),
            handle: "made up".into(),
        };
        let mut receipts: Vec<_> = garbage.then(made_up).into_iter().collect();
        for sent in self.sent_as(of)? {
            let kept = self.receipts.get(&sent.body);
            receipts.push(kept.ok_or_else(|| format!("{} was not received", text(&sent.body)))?.clone());
        }
        Ok(receipts)
    }

    async fn receive(&mut self, step: &Step) -> Outcomes {
        let Step::Receive { consumer, of, empty, max, invisible_ms, wait_ms, within_ms, error, .. } = step
        else {
            unreachable!("called for a receive")
        };
        let consumer = self.simple_consumer(consumer)?;
        let expected = self.sent_as(of)?;
        let mut missing: BTreeSet<&[u8]> = expected.iter().map(|sent| &sent.body[..]).collect();
        let begun = instant();
        let invisible = Duration::from_millis(*invisible_ms);
        let wait = Duration::from_millis(*wait_ms);
        loop {
            let received = consumer.receive(*max, invisible, Some(wait)).await;
            let Some(received) = self.check(received, error.as_ref())? else { return Ok(()) };
            for received in received {
                let body = &received.message.body[..];
                let Some(sent) = expected.iter().find(|sent| sent.body == body) else {
                    return Err(format!("received {} which was not expected", text(body)));
                };
                missing.remove(&sent.body[..]);
                self.check_received(&received, sent, step)?;
                self.receipts.insert(sent.body.clone(), received.receipt);
            }
            if *empty {
                let took = begun.elapsed();
                let late = took > wait + Duration::from_secs(2);
                return if late { Err(format!("an empty receive took {took:?}")) } else { Ok(()) };
            }
            if missing.is_empty() {
                return Ok(());
            }
            if begun.elapsed() > Duration::from_millis(*within_ms) {
                let names: Vec<_> = missing.into_iter().map(text).collect();
                return Err(format!("these did not come: {names:?}"));
            }
        }
    }

    fn check_received(&self, received: &Received, sent: &Sent, step: &Step) -> Outcomes {
        let Step::Receive { attempt, view, late_ok, .. } = step else { unreachable!("called for a receive") };
        if received.corrupted {
            return Err(format!("{} is corrupted", text(&sent.body)));
        }
        let shown = received.message.delivery_attempt();
        if attempt.is_some_and(|wanted| wanted != shown) {
            return Err(format!("this is delivery {shown}, expected {attempt:?}"));
        }
        if let Some(view) = view {
            check_view(view, &received.message)?;
        }
        match sent.due_ms {
            Some(due) => self.check_lateness(self.clock.now_ms() - due, *late_ok),
            None => Ok(()),
        }
    }
}
