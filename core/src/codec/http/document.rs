//! The documents: what is published, what is delivered, handles, and errors.

use super::element::{Element, XmlError};

const MESSAGE: &str = "Message";
const MESSAGES: &str = "Messages";
const BODY: &str = "MessageBody";
const BODY_MD5: &str = "MessageBodyMD5";
const TAG: &str = "MessageTag";
const PROPERTIES: &str = "Properties";
const MESSAGE_ID: &str = "MessageId";
const HANDLE: &str = "ReceiptHandle";
const HANDLES: &str = "ReceiptHandles";
const ERROR: &str = "Error";
const ERRORS: &str = "Errors";

/// The root of `document`, if it has that name.
fn root(document: &[u8], name: &str) -> Result<Element, XmlError> {
    let root = Element::decode(document)?;
    if root.name == name {
        return Ok(root);
    }
    Err(XmlError(format!("its root is <{}>, not <{name}>", root.name)))
}

/// A message to publish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Publish {
    /// The body, as text.
    pub body: String,
    /// The tag; empty without one.
    pub tag: String,
    /// The properties as one text, see [`properties`](super::properties).
    pub properties: String,
}

impl Publish {
    /// The document.
    pub fn encode(&self) -> Vec<u8> {
        let message = Element::new(MESSAGE).with(BODY, &self.body);
        message.with_some(TAG, Some(&self.tag)).with_some(PROPERTIES, Some(&self.properties)).encode()
    }

    /// Reads the document.
    ///
    /// # Errors
    /// [`XmlError`], also for a message without body.
    pub fn decode(document: &[u8]) -> Result<Self, XmlError> {
        let mut root = root(document, MESSAGE)?;
        Ok(Self {
            body: root.need(BODY)?,
            tag: root.take(TAG).unwrap_or_default(),
            properties: root.take(PROPERTIES).unwrap_or_default(),
        })
    }
}

/// The answer to a publish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// The server's id.
    pub message_id: String,
    /// MD5 of the stored body, in hex.
    pub body_md5: String,
    /// Of a half message.
    pub handle: Option<String>,
}

impl Published {
    /// The document.
    pub fn encode(&self) -> Vec<u8> {
        let message = Element::new(MESSAGE).with(MESSAGE_ID, &self.message_id).with(BODY_MD5, &self.body_md5);
        message.with_some(HANDLE, self.handle.as_deref()).encode()
    }

    /// Reads the document.
    ///
    /// # Errors
    /// [`XmlError`], also for an answer without id.
    pub fn decode(document: &[u8]) -> Result<Self, XmlError> {
        let mut root = root(document, MESSAGE)?;
        Ok(Self {
            message_id: root.need(MESSAGE_ID)?,
            body_md5: root.take(BODY_MD5).unwrap_or_default(),
            handle: root.take(HANDLE).filter(|handle| !handle.is_empty()),
        })
    }
}

/// A message on its way to a consumer. Times are Unix ms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivered {
    /// The same on every delivery.
    pub message_id: String,
    /// New with every delivery.
    pub handle: String,
    /// MD5 of the body, in hex.
    pub body_md5: String,
    /// The body, as text.
    pub body: String,
    /// When it was published.
    pub published_ms: i64,
    /// When the handle expires and the message comes again.
    pub next_consume_ms: i64,
    /// When it was delivered first.
    pub first_consume_ms: i64,
    /// Which delivery this is, from 1.
    pub consumed_times: i32,
    /// The tag; empty without one.
    pub tag: String,
    /// The properties as one text, see [`properties`](super::properties).
    pub properties: String,
}

const PUBLISHED: &str = "PublishTime";
const NEXT: &str = "NextConsumeTime";
const FIRST: &str = "FirstConsumeTime";
const TIMES: &str = "ConsumedTimes";

impl Delivered {
    fn element(&self) -> Element {
        let message = Element::new(MESSAGE)
            .with(MESSAGE_ID, &self.message_id)
            .with(HANDLE, &self.handle)
            .with(BODY_MD5, &self.body_md5)
            .with(BODY, &self.body)
            .with(PUBLISHED, self.published_ms)
            .with(NEXT, self.next_consume_ms)
            .with(FIRST, self.first_consume_ms)
            .with(TIMES, self.consumed_times);
        message.with_some(TAG, Some(&self.tag)).with_some(PROPERTIES, Some(&self.properties))
    }

    fn read(mut message: Element) -> Result<Self, XmlError> {
        fn number<T: std::str::FromStr>(message: &mut Element, name: &str) -> Result<T, XmlError> {
            let text = message.need(name)?;
            text.trim().parse().map_err(|_| XmlError(format!("<{name}> is {text:?}, not a number")))
        }
        Ok(Self {
            message_id: message.need(MESSAGE_ID)?,
            handle: message.need(HANDLE)?,
            body_md5: message.take(BODY_MD5).unwrap_or_default(),
            body: message.need(BODY)?,
            published_ms: number(&mut message, PUBLISHED)?,
            next_consume_ms: number(&mut message, NEXT)?,
            first_consume_ms: number(&mut message, FIRST)?,
            consumed_times: number(&mut message, TIMES)?,
            tag: message.take(TAG).unwrap_or_default(),
            properties: message.take(PROPERTIES).unwrap_or_default(),
        })
    }
}

/// The document of delivered messages.
pub fn encode_messages(messages: &[Delivered]) -> Vec<u8> {
    let root =
        Element { children: messages.iter().map(Delivered::element).collect(), ..Element::new(MESSAGES) };
    root.encode()
}

/// Reads delivered messages.
///
/// # Errors
/// [`XmlError`], also for a message without one of its eight parts.
pub fn decode_messages(document: &[u8]) -> Result<Vec<Delivered>, XmlError> {
    let root = root(document, MESSAGES)?;
    root.children.into_iter().filter(|child| child.name == MESSAGE).map(Delivered::read).collect()
}

/// Receipt handles to acknowledge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handles(pub Vec<String>);

impl Handles {
    /// The document.
    pub fn encode(&self) -> Vec<u8> {
        self.0.iter().fold(Element::new(HANDLES), |root, handle| root.with(HANDLE, handle)).encode()
    }

    /// Reads the document.
    ///
    /// # Errors
    /// [`XmlError`].
    pub fn decode(document: &[u8]) -> Result<Self, XmlError> {
        let children = root(document, HANDLES)?.children.into_iter();
        Ok(Self(children.filter(|child| child.name == HANDLE).map(|child| child.text).collect()))
    }
}

/// Why a whole request was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorDocument {
    /// See [`code`](super::code).
    pub code: String,
    /// For people.
    pub message: String,
    /// Id of the request.
    pub request_id: String,
    /// URL of the server.
    pub host_id: String,
}

impl ErrorDocument {
    /// The document.
    pub fn encode(&self) -> Vec<u8> {
        let root = Element::new(ERROR).with("Code", &self.code).with("Message", &self.message);
        root.with("RequestId", &self.request_id).with("HostId", &self.host_id).encode()
    }

    /// Reads the document.
    ///
    /// # Errors
    /// [`XmlError`], also for an error without code.
    pub fn decode(document: &[u8]) -> Result<Self, XmlError> {
        let mut root = root(document, ERROR)?;
        Ok(Self {
            code: root.need("Code")?,
            message: root.take("Message").unwrap_or_default(),
            request_id: root.take("RequestId").unwrap_or_default(),
            host_id: root.take("HostId").unwrap_or_default(),
        })
    }
}

/// Why one handle was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandleError {
    /// The handle.
    pub handle: String,
    /// `ReceiptHandleError` or `MessageNotExist`.
    pub code: String,
    /// For people.
    pub message: String,
}

/// The handles that were refused; the others of the request were acknowledged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandleErrors(pub Vec<HandleError>);

impl HandleErrors {
    /// The document.
    pub fn encode(&self) -> Vec<u8> {
        let error = |error: &HandleError| {
            let root = Element::new(ERROR).with("ErrorCode", &error.code);
            root.with("ErrorMessage", &error.message).with(HANDLE, &error.handle)
        };
        Element { children: self.0.iter().map(error).collect(), ..Element::new(ERRORS) }.encode()
    }

    /// Reads the document.
    ///
    /// # Errors
    /// [`XmlError`].
    pub fn decode(document: &[u8]) -> Result<Self, XmlError> {
        let errors = root(document, ERRORS)?.children.into_iter().filter(|child| child.name == ERROR);
        let read = |mut error: Element| HandleError {
            handle: error.take(HANDLE).unwrap_or_default(),
            code: error.take("ErrorCode").unwrap_or_default(),
            message: error.take("ErrorMessage").unwrap_or_default(),
        };
        Ok(Self(errors.map(read).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_back() {
        let publish =
            Publish { body: "a <b>\r\n".into(), tag: "TagA".into(), properties: "a:1|KEYS:k|".into() };
        assert_eq!(Publish::decode(&publish.encode()), Ok(publish));
        let published =
            Published { message_id: "1E05".into(), body_md5: "AB".into(), handle: Some("h|1".into()) };
        assert_eq!(Published::decode(&published.encode()), Ok(published));
        let delivered = Delivered {
            message_id: "1".into(),
            handle: "h".into(),
            body: "b".into(),
            published_ms: 1,
            next_consume_ms: 2,
            first_consume_ms: 3,
            consumed_times: 4,
            ..Delivered::default()
        };
        let several = vec![delivered.clone(), Delivered { tag: "t".into(), ..delivered }];
        assert_eq!(decode_messages(&encode_messages(&several)), Ok(several));
        let handles = Handles(vec!["h1".into(), "h2".into()]);
        assert_eq!(Handles::decode(&handles.encode()), Ok(handles));
        let error = ErrorDocument {
            code: "TopicNotExist".into(),
            message: "m".into(),
            request_id: "r".into(),
            host_id: "http://h".into(),
        };
        assert_eq!(ErrorDocument::decode(&error.encode()), Ok(error));
        let errors = HandleErrors(vec![HandleError {
            handle: "h".into(),
            code: "ReceiptHandleError".into(),
            message: "m".into(),
        }]);
        assert_eq!(HandleErrors::decode(&errors.encode()), Ok(errors));
    }

    #[test]
    fn the_official_go_client_writes_without_prolog_and_namespace() {
        let seen = b"<Message><MessageBody>x</MessageBody><MessageTag>TagA</MessageTag><Properties>KEYS:k1|\
            __STARTDELIVERTIME:1795227235386|</Properties></Message>";
        let read = Publish::decode(seen).unwrap_or_default();
        assert_eq!((&*read.body, &*read.tag), ("x", "TagA"));
        assert_eq!(read.properties, "KEYS:k1|__STARTDELIVERTIME:1795227235386|");
    }

    #[test]
    fn an_error_list_without_errors_and_a_message_without_parts_are_told_apart() {
        assert_eq!(HandleErrors::decode(b"<Errors></Errors>"), Ok(HandleErrors::default()));
        assert!(HandleErrors::decode(b"<Error><Code>TopicNotExist</Code></Error>").is_err());
        assert!(
            decode_messages(b"<Messages><Message><MessageId>1</MessageId></Message></Messages>").is_err()
        );
        assert_eq!(decode_messages(b"<Messages/>"), Ok(Vec::new()));
    }
}
