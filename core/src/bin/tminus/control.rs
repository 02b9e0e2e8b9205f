//! Commands on standard input, for tests in other languages.

use std::io::BufRead;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, IgnoredAny};
use serde_json::{Value, json};
use tminus::broker::{Broker, Fault, GroupOptions};
use tokio::sync::mpsc;

use crate::broker::{Failure, create_topic, print_line, topic_type};

#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Command {
    AdvanceMs(u64),
    RestartMs(u64),
    #[serde(deserialize_with = "whatever")]
    Pending(()),
    #[serde(deserialize_with = "whatever")]
    Stop(()),
    RequestCount(i32),
    CreateTopic {
        name: String,
        queues: i32,
        r#type: Option<String>,
    },
    CreateGroup {
        name: String,
        fifo: Option<bool>,
        max_attempts: Option<i32>,
        backoff_ms: Option<Vec<u64>>,
    },
    MessageStage {
        topic: String,
        group: String,
        message_id: String,
    },
    Inject(Inject),
}

#[derive(serde::Deserialize)]
struct Inject {
    code: i32,
    #[serde(default = "once")]
    times: usize,
    fault: FaultName,
    #[serde(default)]
    response_code: i32,
    #[serde(default)]
    remark: String,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum FaultName {
    Refuse,
    Swallow,
    CloseBefore,
    CloseAfter,
    Corrupt,
    Gateway,
}

/// Commands without an argument are given `true`, or anything else.
fn whatever<'de, D: Deserializer<'de>>(input: D) -> Result<(), D::Error> {
    IgnoredAny::deserialize(input).map(|_| ())
}

fn once() -> usize {
    1
}

/// Answers commands until the input ends or says stop.
pub(crate) async fn serve(broker: &Broker) -> Result<(), Failure> {
    // A thread of its own: a read from a terminal or pipe cannot be given up.
    let (lines, mut commands) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                break;
            }
        }
    });
    while let Some(line) = commands.recv().await {
        let answer = match serde_json::from_str(&line) {
            Ok(Command::Stop(())) => break,
            Ok(command) => obey(broker, command).await,
            Err(error) => Err(error.into()),
        };
        print_line(&answer.unwrap_or_else(|error| json!({ "error": error.to_string() })))?;
    }
    Ok(())
}

async fn obey(broker: &Broker, command: Command) -> Result<Value, Failure> {
    Ok(match command {
        Command::AdvanceMs(ms) => json!({ "visible": broker.advance(Duration::from_millis(ms))? }),
        Command::RestartMs(ms) => {
            broker.restart(Duration::from_millis(ms)).await?;
            json!({ "restarted": true })
        }
        Command::Pending(()) => {
            let pending = broker.pending().into_iter().map(|message| {
                json!({
                    "topic": message.topic,
                    "message_id": message.message_id,
                    "deliver_at_ms": message.deliver_at_ms,
                })
            });
            json!({ "pending": pending.collect::<Vec<_>>() })
        }
        Command::RequestCount(code) => json!({ "request_count": broker.request_count(code) }),
        Command::CreateTopic { name, queues, r#type } => {
            create_topic(broker, &name, queues, r#type.as_deref().map(topic_type).transpose()?)?;
            json!({ "created": name })
        }
        Command::CreateGroup { name, fifo, max_attempts, backoff_ms } => {
            let default = GroupOptions::default();
            let steps = backoff_ms.map(|steps| steps.into_iter().map(Duration::from_millis).collect());
            let options = GroupOptions {
                fifo: fifo.unwrap_or(default.fifo),
                max_attempts: max_attempts.unwrap_or(default.max_attempts),
                backoff: steps.unwrap_or(default.backoff),
            };
            broker.create_group(&name, options)?;
            json!({ "created": name })
        }
        Command::MessageStage { topic, group, message_id } => {
            let stage = broker.message_stage(&topic, &group, &message_id);
            json!({ "message_stage": format!("{stage:?}").to_lowercase() })
        }
        Command::Inject(Inject { code, times, fault, response_code, remark }) => {
            let fault = match fault {
                FaultName::Refuse => Fault::Refuse { code: response_code, remark },
                FaultName::Swallow => Fault::Swallow,
                FaultName::CloseBefore => Fault::CloseBefore,
                FaultName::CloseAfter => Fault::CloseAfter,
                FaultName::Corrupt => Fault::Corrupt,
                FaultName::Gateway => Fault::Gateway,
            };
            broker.inject(code, times, fault);
            json!({ "injected": true })
        }
        Command::Stop(()) => json!({ "stopped": true }),
    })
}
