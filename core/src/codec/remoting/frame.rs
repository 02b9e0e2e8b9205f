//! One frame: the command, its ext fields and body.

use std::borrow::Cow;

use bytes::Bytes;

/// How a header is written. Readers take both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Serialization {
    /// Type 0.
    #[default]
    Json,
    /// Type 1, RocketMQ's binary form. Request codes above 32767 do not fit and are written as JSON.
    Binary,
}

/// Which language the sender is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Java.
    Java,
    /// C++.
    Cpp,
    /// Python.
    Python,
    /// Go.
    Go,
    /// Rust: what this crate sends.
    #[default]
    Rust,
    /// Any other number.
    Other(u8),
}

/// Names of the language numbers, in order.
const LANGUAGES: [&str; 14] = [
    "JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP", "OMS",
    "RUST", "NODE_JS",
];

impl Language {
    /// The number of the binary header.
    pub fn number(self) -> u8 {
        match self {
            Language::Java => 0,
            Language::Cpp => 1,
            Language::Python => 3,
            Language::Go => 9,
            Language::Rust => 12,
            Language::Other(number) => number,
        }
    }

    /// The language of a number.
    pub fn from_number(number: u8) -> Self {
        match number {
            0 => Language::Java,
            1 => Language::Cpp,
            3 => Language::Python,
            9 => Language::Go,
            12 => Language::Rust,
            other => Language::Other(other),
        }
    }

    /// The name of the JSON header.
    pub fn name(self) -> &'static str {
        LANGUAGES.get(usize::from(self.number())).copied().unwrap_or("OTHER")
    }

    /// The language of a name; names nobody knows are `OTHER`.
    pub fn from_name(name: &str) -> Self {
        let number = LANGUAGES.iter().position(|known| *known == name).unwrap_or(7);
        Self::from_number(number as u8)
    }

    /// Whether RocketMQ has a language of this name.
    pub fn is_known(name: &str) -> bool {
        LANGUAGES.contains(&name)
    }
}

/// Bit 0 of `flag`: this frame answers a request.
pub const FLAG_RESPONSE: i32 = 1;
/// Bit 1 of `flag`: the sender wants no answer.
pub const FLAG_ONE_WAY: i32 = 2;
/// The protocol version this crate says it speaks (V5_5_0).
pub const VERSION: i32 = 513;

/// Ext fields in sending order; a handful, so a plain list is the fastest map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtFields(Vec<(Text, Text)>);

/// Most names and many values are known beforehand and cost no allocation.
type Text = Cow<'static, str>;

/// A request or a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// Request code, or response code when the response bit is set.
    pub code: i32,
    /// Sender's language.
    pub language: Language,
    /// Sender's version ordinal.
    pub version: i32,
    /// Correlates response and request on one connection.
    pub opaque: i32,
    /// [`FLAG_RESPONSE`], [`FLAG_ONE_WAY`].
    pub flag: i32,
    /// Error text of a response.
    pub remark: Option<String>,
    /// Custom header.
    pub ext: ExtFields,
    /// Body; no body and an empty body are the same on the wire.
    pub body: Bytes,
}

/// Names that come with every message: readers do not allocate them.
const KNOWN_NAMES: [&str; 28] = [
    "msgId",
    "queueId",
    "queueOffset",
    "transactionId",
    "recallHandle",
    "MSG_REGION",
    "TRACE_ON",
    "nextBeginOffset",
    "minOffset",
    "maxOffset",
    "suggestWhichBrokerId",
    "topic",
    "consumerGroup",
    "offset",
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "g",
    "h",
    "i",
    "j",
    "k",
    "l",
    "m",
    "n",
];

impl ExtFields {
    /// An empty map with room for `fields`.
    pub(crate) fn with_capacity(fields: usize) -> Self {
        Self(Vec::with_capacity(fields))
    }

    /// Adds a field as it was read.
    pub(super) fn push_read(&mut self, name: &str, value: String) {
        let known = KNOWN_NAMES.iter().find(|known| **known == name);
        let name = known.map_or_else(|| Text::Owned(name.to_owned()), |known| Text::Borrowed(known));
        self.0.push((name, Text::Owned(value)));
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_ref())
    }

    /// The value of `name`, parsed; `None` when missing or unreadable.
    pub fn parse<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    /// Sets `name`, replacing an earlier value.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl ToString) {
        self.replace(name.into(), value.to_string().into());
    }

    /// The same without a copy of a known value.
    pub(crate) fn replace(&mut self, name: impl Into<Cow<'static, str>>, value: Cow<'static, str>) {
        let name = name.into();
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Adds `name` without looking for an earlier value; for readers and for writers that know their names.
    pub(crate) fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) {
        self.0.push((name.into(), value.into()));
    }

    /// All pairs.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_ref(), v.as_ref()))
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Frame {
    /// A request with this crate's language and version; the connection fills in `opaque`.
    pub fn request(code: i32) -> Self {
        Self { code, version: VERSION, ..Self::default() }
    }

    /// The response to `request` with `code`.
    pub fn response(request: &Frame, code: i32) -> Self {
        Self { code, version: VERSION, opaque: request.opaque, flag: FLAG_RESPONSE, ..Self::default() }
    }

    /// Adds an ext field.
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl ToString) -> Self {
        self.ext.set(name, value);
        self
    }

    /// Sets the remark.
    pub fn with_remark(mut self, remark: impl Into<String>) -> Self {
        self.remark = Some(remark.into());
        self
    }

    /// Sets the body.
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Whether this is a response.
    pub fn is_response(&self) -> bool {
        self.flag & FLAG_RESPONSE != 0
    }

    /// Whether the sender wants no answer.
    pub fn is_one_way(&self) -> bool {
        self.flag & FLAG_ONE_WAY != 0
    }
}
