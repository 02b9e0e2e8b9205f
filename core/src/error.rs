//! The one error type: what happened, what was or was not sent, and what to do next.

use std::fmt;

/// Result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// What went wrong. Numbers are part of the C ABI: never reused, never changed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(i32)]
        pub enum ErrorKind { $($(#[$doc])* $name = $number,)* }

        impl ErrorKind {
            /// Every kind, in the order of their numbers; bindings generate their constants from it.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$name,)*];

            /// Stable snake-case name, the same in every language.
            pub fn name(self) -> &'static str {
                match self { $(ErrorKind::$name => $text,)* }
            }
        }
    };
}

kinds! {
    /// An argument or option is unusable; nothing was sent.
    InvalidArgument = 1, "invalid_argument";
    /// The message itself is unusable: topic, body or properties (see the text); nothing was sent.
    InvalidMessage = 2, "invalid_message";
    /// The delivery time is not a usable number, looks like seconds, is past (if refused) or too far ahead.
    InvalidDeliveryTime = 3, "invalid_delivery_time";
    /// The server kind in use cannot keep an arbitrary delivery time.
    DelayUnsupported = 4, "delay_unsupported";
    /// The protocol in use has no such capability; the text names both.
    Unsupported = 5, "unsupported";
    /// The object was shut down.
    Closed = 6, "closed";
    /// The object was made before a `fork` and is used in the child.
    Forked = 7, "forked";
    /// The caller cancelled.
    Cancelled = 8, "cancelled";
    /// The deadline passed.
    Timeout = 9, "timeout";
    /// None of the configured name servers answered.
    NameServerUnreachable = 10, "name_server_unreachable";
    /// The broker cannot be connected to.
    BrokerUnreachable = 11, "broker_unreachable";
    /// The connection closed while the request was under way.
    ConnectionClosed = 12, "connection_closed";
    /// The other side speaks another protocol (an HTTP or gRPC port, for instance).
    WrongProtocol = 13, "wrong_protocol";
    /// The other side broke the protocol: malformed or oversized frame.
    Protocol = 14, "protocol";
    /// TLS failed: certificate not trusted, wrong name, or the server speaks no TLS.
    Tls = 15, "tls";
    /// The topic does not exist and is not created by itself.
    TopicNotFound = 16, "topic_not_found";
    /// The consumer group does not exist.
    GroupNotFound = 17, "group_not_found";
    /// Credentials are missing or wrong, or the resource may not be used with them.
    PermissionDenied = 18, "permission_denied";
    /// The server is overloaded or limits the flow; try again later.
    Busy = 19, "busy";
    /// The server refused the message as illegal (size, properties, timer bounds).
    MessageRefused = 20, "message_refused";
    /// The server answered with another error; see `response_code` and the text.
    Server = 21, "server";
    /// A defect of this library (a caught panic, for instance). Please report it.
    Internal = 22, "internal";
    /// Reading or writing failed outside a connection (a certificate file, for instance).
    Io = 23, "io";
    /// The receipt handle of a received message is expired, was replaced by a newer one, or is none; the message comes
    /// again unless it was acknowledged before.
    InvalidReceipt = 24, "invalid_receipt";
    /// The topic does not take this type of message (normal, FIFO, delay, transaction, priority); the text names both
    /// types and the command that changes the topic.
    TopicTypeMismatch = 25, "topic_type_mismatch";
    /// The server does not take the time of the request: the clock of this machine or its own is wrong.
    ClockSkew = 26, "clock_skew";
    /// No message came within the wait. Only the calls of `HttpClient` report it; elsewhere nothing
    /// received is no error.
    MessageNotFound = 27, "message_not_found";
}

/// What is known about the message when a send fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(i32)]
pub enum Outcome {
    /// The server did not get it (or refused it): sending it again makes no duplicate.
    #[default]
    NotSent = 0,
    /// It left this process and the answer is missing: it may be stored.
    MaybeSent = 1,
    /// The server has stored it.
    Done = 2,
}

/// What an ApsaraMQ HTTP server answered instead of success, in its own words (an `Error` document, or one `Error` of an
/// `Errors` document). Where a middle box answered, the codes are empty and the message is the beginning of its page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    /// `TopicNotExist`, `SignatureDoesNotMatch`, `MessageNotExist`, …; empty if the answer was no document.
    pub code: String,
    /// The server's explanation, or up to 200 characters of an answer that was no document.
    pub message: String,
    /// Id of the request, for the service's support; empty if there was none.
    pub request_id: String,
    /// URL of the server; empty if it did not say.
    pub host_id: String,
}

/// An error: its kind, the operation, the server's code if one answered, and what became of the message.
///
/// `Display` reads "operation: text (response code n)" and ends with what to do, where that is known.
#[derive(Debug, thiserror::Error)]
pub struct Error {
    kind: ErrorKind,
    operation: &'static str,
    text: String,
    response_code: Option<i32>,
    refusal: Option<Box<Refusal>>,
    outcome: Outcome,
    retryable: bool,
    #[source]
    source: Option<Source>,
}

impl Error {
    /// An error of `kind` in `operation` ("send", "start", …). Outcome `NotSent`, retryable by kind.
    pub fn new(kind: ErrorKind, operation: &'static str, text: impl Into<String>) -> Self {
        let retryable = matches!(
            kind,
            ErrorKind::Timeout
                | ErrorKind::NameServerUnreachable
                | ErrorKind::BrokerUnreachable
                | ErrorKind::ConnectionClosed
                | ErrorKind::Busy
        );
        Self {
            kind,
            operation,
            text: text.into(),
            response_code: None,
            refusal: None,
            outcome: Outcome::NotSent,
            retryable,
            source: None,
        }
    }

    /// Adds what an ApsaraMQ HTTP server answered.
    pub fn with_refusal(mut self, refusal: Refusal) -> Self {
        self.refusal = Some(Box::new(refusal));
        self
    }

    /// Adds the RocketMQ response code, or the HTTP status, that the server answered with.
    pub fn with_response_code(mut self, code: i32) -> Self {
        self.response_code = Some(code);
        self
    }

    /// Sets what is known about the message.
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// Overrides whether calling again can help.
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// Keeps the cause.
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The call that failed.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The explanation without the operation prefix.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The response code, if a server answered: RocketMQ's, that of the gRPC protocol, or over ApsaraMQ HTTP the status.
    pub fn response_code(&self) -> Option<i32> {
        self.response_code
    }

    /// What an ApsaraMQ HTTP server answered, in its own words.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_deref()
    }

    /// What is known about the message.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether the same call can succeed later. With [`Outcome::MaybeSent`] a repeat can make a duplicate.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.text)?;
        if let Some(code) = self.response_code {
            write!(f, " (response code {code})")?;
        }
        if self.outcome == Outcome::MaybeSent {
            f.write_str(match self.operation {
                "send" => " [the message may have been stored]",
                _ => " [the server may have carried it out]",
            })?;
        }
        Ok(())
    }
}
