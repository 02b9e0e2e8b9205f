//! Bodies that travel in base64 because their protocol carries text only, and how consumers find them again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::properties::{BODY_ENCODING, Properties};
use super::view::MessageView;

const BASE64: &str = "base64";

/// The text of `body` in base64; `properties` say so.
pub(crate) fn wrap(body: &[u8], properties: &mut Properties) -> String {
    properties.set(BODY_ENCODING, BASE64);
    STANDARD.encode(body)
}

/// Decodes the body of a message that says it is in base64, and takes that property away. One that is not is left as it
/// came.
pub(crate) fn unwrap(message: &mut MessageView) {
    if message.property(BODY_ENCODING) != Some(BASE64) {
        return;
    }
    if let Ok(body) = STANDARD.decode(&message.body) {
        message.body = body.into();
        message.properties.remove(BODY_ENCODING);
    }
}
