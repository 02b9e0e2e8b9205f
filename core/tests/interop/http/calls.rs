//! A peer over ApsaraMQ HTTP: a program that makes one call of its SDK after the other, as it is told.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tminus::options::Credentials;

use crate::program::{Program, Running};

/// What a call is about.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Target {
    /// Instance id; empty without one.
    pub(crate) instance: String,
    pub(crate) topic: String,
    pub(crate) group: String,
}

impl Target {
    /// Without instance.
    pub(crate) fn new(topic: &str, group: &str) -> Self {
        Self { instance: String::new(), topic: topic.into(), group: group.into() }
    }
}

/// A message as it is published and as it is consumed; what only the server tells is empty before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct HttpMessage {
    pub(crate) message_id: String,
    pub(crate) handle: String,
    pub(crate) body: String,
    pub(crate) body_md5: String,
    pub(crate) tag: String,
    pub(crate) key: String,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) deliver_at_ms: i64,
    pub(crate) sharding_key: String,
    /// Makes it the half message of a transaction.
    pub(crate) check_after_s: i32,
    pub(crate) published_ms: i64,
    pub(crate) next_consume_ms: i64,
    pub(crate) first_consume_ms: i64,
    pub(crate) consumed_times: i32,
}

impl HttpMessage {
    pub(crate) fn new(body: &str) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// What its producer wrote.
    pub(crate) fn content(&self) -> Self {
        Self {
            body: self.body.clone(),
            tag: self.tag.clone(),
            key: self.key.clone(),
            properties: self.properties.clone(),
            deliver_at_ms: self.deliver_at_ms,
            sharding_key: self.sharding_key.clone(),
            check_after_s: self.check_after_s,
            ..Self::default()
        }
    }
}

/// Which messages are consumed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Consume {
    /// Empty, `order`, or `pop` for half messages.
    pub(crate) mode: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) max: i32,
    pub(crate) wait_s: u32,
}

impl Consume {
    /// What is there now.
    pub(crate) const NOW: Self = Self { mode: "", tag: "", max: 16, wait_s: 0 };
    /// What is there, or the first that comes.
    pub(crate) const WAIT: Self = Self { wait_s: 20, ..Self::NOW };
}

/// Why a call failed, as the SDK tells it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) text: String,
    /// Of several handles, those that were refused, with the code.
    pub(crate) refused: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Call<'a> {
    #[serde(rename = "do")]
    what: &'static str,
    #[serde(flatten)]
    target: &'a Target,
    #[serde(flatten)]
    consume: &'a Consume,
    message: &'a HttpMessage,
    handles: &'a [&'a str],
}

#[derive(Debug, Deserialize)]
struct Answer {
    messages: Option<Vec<HttpMessage>>,
    #[serde(default)]
    error: String,
    refused: Option<Vec<Refused>>,
}

#[derive(Debug, Deserialize)]
struct Refused {
    handle: String,
    code: String,
}

/// A running peer with one client. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Caller {
    running: Running,
}

impl Caller {
    /// `authority`: a PEM file of whom it trusts.
    pub(crate) fn start(
        peer: &Program,
        endpoint: &str,
        credentials: &Credentials,
        authority: Option<&Path>,
    ) -> Self {
        let mut arguments = vec![endpoint, &credentials.access_key, credentials.secret_key.expose()];
        arguments.extend(credentials.security_token.as_ref().map(|token| token.expose()));
        // No SDK has a setting for it: this is where Go and Node look.
        let places = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"];
        let environment: Vec<(&str, &OsStr)> =
            authority.iter().flat_map(|path| places.map(|name| (name, path.as_os_str()))).collect();
        Self { running: Running::spawn(peer, &arguments, &environment) }
    }

    /// The answer to a publish has id, MD5 and, for a half message, the handle.
    pub(crate) fn try_publish(
        &mut self,
        target: &Target,
        message: &HttpMessage,
    ) -> Result<HttpMessage, Failure> {
        self.call("publish", target, &Consume::NOW, message, &[]).map(|mut published| published.remove(0))
    }

    pub(crate) fn publish(&mut self, target: &Target, message: &HttpMessage) -> HttpMessage {
        self.try_publish(target, message).unwrap_or_else(|e| panic!("publish to {target:?}: {e:?}"))
    }

    pub(crate) fn try_consume(
        &mut self,
        target: &Target,
        consume: &Consume,
    ) -> Result<Vec<HttpMessage>, Failure> {
        self.begin_consume(target, consume);
        self.answer()
    }

    pub(crate) fn consume(&mut self, target: &Target, consume: &Consume) -> Vec<HttpMessage> {
        self.try_consume(target, consume).unwrap_or_else(|e| panic!("consume {target:?}: {e:?}"))
    }

    /// Asks for messages; [`Caller::consumed`] waits for them.
    pub(crate) fn begin_consume(&mut self, target: &Target, consume: &Consume) {
        self.ask("consume", target, consume, &HttpMessage::default(), &[]);
    }

    pub(crate) fn consumed(&mut self) -> Vec<HttpMessage> {
        self.answer().unwrap_or_else(|e| panic!("consume: {e:?}"))
    }

    /// Nothing comes: the error that says so.
    pub(crate) fn assert_empty(&mut self, target: &Target, consume: &Consume) {
        let failure = self.try_consume(target, consume).expect_err("nothing should come");
        assert!(failure.text.contains("MessageNotExist"), "{failure:?}");
    }

    pub(crate) fn ack(&mut self, target: &Target, handles: &[&str]) -> Result<(), Failure> {
        self.settle("ack", target, handles)
    }

    pub(crate) fn commit(&mut self, target: &Target, handle: &str) -> Result<(), Failure> {
        self.settle("commit", target, &[handle])
    }

    pub(crate) fn rollback(&mut self, target: &Target, handle: &str) -> Result<(), Failure> {
        self.settle("rollback", target, &[handle])
    }

    fn settle(&mut self, what: &'static str, target: &Target, handles: &[&str]) -> Result<(), Failure> {
        self.call(what, target, &Consume::NOW, &HttpMessage::default(), handles).map(drop)
    }

    fn call(
        &mut self,
        what: &'static str,
        target: &Target,
        consume: &Consume,
        message: &HttpMessage,
        handles: &[&str],
    ) -> Result<Vec<HttpMessage>, Failure> {
        self.ask(what, target, consume, message, handles);
        self.answer()
    }

    fn ask(
        &mut self,
        what: &'static str,
        target: &Target,
        consume: &Consume,
        message: &HttpMessage,
        handles: &[&str],
    ) {
        let call = Call { what, target, consume, message, handles };
        self.running.tell(&serde_json::to_string(&call).unwrap());
    }

    fn answer(&mut self) -> Result<Vec<HttpMessage>, Failure> {
        let line =
            self.running.line().unwrap_or_else(|| panic!("the peer ended: {}", self.running.complaint()));
        let answer: Answer = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"));
        if answer.error.is_empty() {
            return Ok(answer.messages.unwrap_or_default());
        }
        let refused = answer.refused.unwrap_or_default().into_iter().map(|r| (r.handle, r.code)).collect();
        Err(Failure { text: answer.error, refused })
    }
}
