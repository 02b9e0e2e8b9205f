//! Whether a request is signed by somebody the broker knows.

use super::handlers::Refusal;
use crate::codec::remoting::Frame;
use crate::codec::remoting::codes::response;
use crate::codec::remoting::signature::{ACCESS_KEY, SECURITY_TOKEN, verify};
use crate::options::Credentials;

/// Refuses a request that is not signed by one of `users`; without users everybody may do everything.
pub(crate) fn check(users: &[Credentials], request: &Frame) -> Result<(), Refusal> {
    if users.is_empty() {
        return Ok(());
    }
    let refuse = |remark: String| Err(Refusal::new(response::NO_PERMISSION, remark));
    let Some(access_key) = request.ext.get(ACCESS_KEY) else {
        return refuse(
            "no AccessKey: this broker takes signed requests only, give the client an access key".into(),
        );
    };
    let Some(user) = users.iter().find(|user| user.access_key == access_key) else {
        return refuse(format!("unknown AccessKey {access_key:?}"));
    };
    if let Some(token) = &user.security_token
        && request.ext.get(SECURITY_TOKEN) != Some(token.expose())
    {
        return refuse(format!("the security token for AccessKey {access_key:?} is missing or wrong"));
    }
    if !verify(request, user.secret_key.expose()) {
        return refuse(format!(
            "the signature for AccessKey {access_key:?} does not match: check the secret key"
        ));
    }
    Ok(())
}
