//! ApsaraMQ for RocketMQ over HTTP: XML documents, the text of properties, digests and the signature. What travels around
//! them (methods, paths, statuses) is in [`request`](mod@request) and [`code`].

pub mod code;
pub mod digest;
mod document;
pub mod element;
pub mod properties;
pub mod request;
pub mod signature;
mod text;
mod view;

pub use document::{Delivered, ErrorDocument, HandleError, HandleErrors, Handles, Publish, Published};
pub use document::{decode_messages, encode_messages};
pub use element::XmlError;
pub use text::{fit, unfit};
pub use view::{Incoming, decode_message};
