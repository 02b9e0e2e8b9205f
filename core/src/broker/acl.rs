//! Whether a request or call is signed by somebody the broker knows.

use super::handlers::Refusal;
use crate::codec::grpc::proto::Code;
use crate::codec::grpc::signature::Authorization;
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

/// What a call over gRPC says about who signed it.
#[derive(Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) authorization: Option<&'a str>,
    pub(crate) date_time: Option<&'a str>,
    pub(crate) token: Option<&'a str>,
}

/// Refuses a call that is not signed by one of `users`; without users everybody may do everything.
pub(crate) fn check_call(users: &[Credentials], signed: &Signed<'_>) -> Result<(), Refusal> {
    if users.is_empty() {
        return Ok(());
    }
    let refuse = |remark: String| Err(Refusal::new(Code::Unauthorized.into(), remark));
    let (Some(text), Some(date_time)) = (signed.authorization, signed.date_time) else {
        return refuse(
            "not signed: this broker takes signed calls only, give the client an access key".into(),
        );
    };
    let Some(authorization) = Authorization::parse(text) else {
        return refuse("the authorization cannot be read".into());
    };
    let access_key = authorization.access_key;
    let Some(user) = users.iter().find(|user| user.access_key == access_key) else {
        return refuse(format!("unknown access key {access_key:?}"));
    };
    if let Some(token) = &user.security_token
        && signed.token != Some(token.expose())
    {
        return refuse(format!("the security token for access key {access_key:?} is missing or wrong"));
    }
    if !authorization.verify(user.secret_key.expose(), date_time) {
        return refuse(format!(
            "the signature for access key {access_key:?} does not match: check the secret key"
        ));
    }
    Ok(())
}
