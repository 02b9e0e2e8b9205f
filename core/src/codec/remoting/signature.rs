//! Signing requests with an access key (ACL 1.0).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::{ExtFields, Frame};
use crate::options::Credentials;

/// Ext field with the access key.
pub const ACCESS_KEY: &str = "AccessKey";
/// Ext field with the security token.
pub const SECURITY_TOKEN: &str = "SecurityToken";
/// Ext field with the signature.
pub const SIGNATURE: &str = "Signature";
/// Added by Java clients up to 4.9.3 after they have signed.
const UNIQUE_KEY_QUERY: &str = "_UNIQUE_KEY_QUERY";
/// V4_9_3, the last version of those.
const VERSION_4_9_3: i32 = 399;

/// Signs `request`. Nothing in its ext fields or body may change afterwards.
pub fn sign(request: &mut Frame, credentials: &Credentials) {
    request.ext.set(ACCESS_KEY, &credentials.access_key);
    if let Some(token) = &credentials.security_token {
        request.ext.set(SECURITY_TOKEN, token.expose());
    }
    let Some(mac) = mac(&request.ext, &request.body, credentials.secret_key.expose(), false) else { return };
    request.ext.set(SIGNATURE, STANDARD.encode(mac.finalize().into_bytes()));
}

/// Whether the signature of `request` was made with `secret_key`; takes the same time for every wrong one.
pub fn verify(request: &Frame, secret_key: &str) -> bool {
    let Some(signature) = request.ext.get(SIGNATURE).and_then(|text| STANDARD.decode(text).ok()) else {
        return false;
    };
    let old = request.version <= VERSION_4_9_3;
    mac(&request.ext, &request.body, secret_key, old).is_some_and(|mac| mac.verify_slice(&signature).is_ok())
}

/// Over the values of all ext fields in the order of their names, then the body. `None` cannot happen: HMAC takes keys
/// of every length.
fn mac(ext: &ExtFields, body: &[u8], secret_key: &str, skip_unique_key_query: bool) -> Option<Hmac<Sha1>> {
    let mut fields: Vec<_> = ext
        .iter()
        .filter(|(name, _)| *name != SIGNATURE && !(skip_unique_key_query && *name == UNIQUE_KEY_QUERY))
        .collect();
    fields.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    let mut mac = Hmac::<Sha1>::new_from_slice(secret_key.as_bytes()).ok()?;
    for (_, value) in fields {
        mac.update(value.as_bytes());
    }
    mac.update(body);
    Some(mac)
}
