//! Whether a request or call is signed by somebody the broker knows.

use http::header::AUTHORIZATION;
use http::request::Parts;

use super::handlers::Refusal;
use crate::codec::grpc::proto::Code;
use crate::codec::grpc::signature::Authorization;
use crate::codec::http::request::SECURITY_TOKEN;
use crate::codec::http::signature as http_signature;
use crate::codec::remoting::Frame;
use crate::codec::remoting::codes::response;
use crate::codec::remoting::signature as remoting_signature;
use crate::options::Credentials;

/// Why a request is not trusted. What it says is what its sender knows; secrets are not in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Distrust {
    #[error("not signed: this broker takes signed requests only, give the client an access key")]
    NotSigned,
    #[error("the authorization cannot be read")]
    Unreadable,
    #[error("unknown access key {0:?}")]
    Unknown(String),
    #[error("the security token for access key {0:?} is missing or wrong")]
    Token(String),
    #[error("the signature for access key {0:?} does not match: check the secret key")]
    Signature(String),
}

/// Refuses a request that is not signed by one of `users`; without users everybody may do everything.
pub(crate) fn check(users: &[Credentials], request: &Frame) -> Result<(), Refusal> {
    if users.is_empty() {
        return Ok(());
    }
    let trusted = match request.ext.get(remoting_signature::ACCESS_KEY) {
        None => Err(Distrust::NotSigned),
        Some(access_key) => {
            let token = request.ext.get(remoting_signature::SECURITY_TOKEN);
            trust(users, access_key, token, |secret| remoting_signature::verify(request, secret))
        }
    };
    trusted.map_err(|distrust| Refusal::new(response::NO_PERMISSION, distrust.to_string()))
}

/// What a call over gRPC says about who signed it.
#[derive(Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) authorization: Option<&'a str>,
    pub(crate) date_time: Option<&'a str>,
    pub(crate) token: Option<&'a str>,
}

/// The same for a call over gRPC.
pub(crate) fn check_call(users: &[Credentials], signed: &Signed<'_>) -> Result<(), Refusal> {
    if users.is_empty() {
        return Ok(());
    }
    let trusted = match (signed.authorization, signed.date_time) {
        (Some(text), Some(date_time)) => {
            Authorization::parse(text).ok_or(Distrust::Unreadable).and_then(|authorization| {
                trust(users, authorization.access_key, signed.token, |secret| {
                    authorization.verify(secret, date_time)
                })
            })
        }
        _ => Err(Distrust::NotSigned),
    };
    trusted.map_err(|distrust| Refusal::new(Code::Unauthorized.into(), distrust.to_string()))
}

/// The same for a request over HTTP; it is signed with its path and query as they travelled.
pub(crate) fn check_request(users: &[Credentials], request: &Parts) -> Result<(), Distrust> {
    if users.is_empty() {
        return Ok(());
    }
    let headers = &request.headers;
    let text = headers.get(AUTHORIZATION).ok_or(Distrust::NotSigned)?;
    let authorization = text.to_str().ok().and_then(http_signature::Authorization::parse);
    let authorization = authorization.ok_or(Distrust::Unreadable)?;
    let resource = request.uri.path_and_query().map_or("/", |resource| resource.as_str());
    let token = headers.get(SECURITY_TOKEN).and_then(|token| token.to_str().ok());
    trust(users, authorization.access_key, token, |secret| {
        authorization.verify(secret, &request.method, headers, resource)
    })
}

/// Finds the user, compares the token if the user has one, and lets the signature be verified with the secret.
fn trust(
    users: &[Credentials],
    access_key: &str,
    token: Option<&str>,
    verify: impl FnOnce(&str) -> bool,
) -> Result<(), Distrust> {
    let known = users.iter().find(|user| user.access_key == access_key);
    let user = known.ok_or_else(|| Distrust::Unknown(access_key.to_owned()))?;
    if user.security_token.as_ref().is_some_and(|expected| token != Some(expected.expose())) {
        return Err(Distrust::Token(access_key.to_owned()));
    }
    if !verify(user.secret_key.expose()) {
        return Err(Distrust::Signature(access_key.to_owned()));
    }
    Ok(())
}
