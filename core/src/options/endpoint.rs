//! Where to connect: one or more addresses of one protocol.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};

/// The wire protocol, picked by the scheme of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// RocketMQ remoting over TCP: `remoting://host:port`, `remotings://` with TLS, or a bare `host:port`.
    Remoting,
    /// gRPC v2 of RocketMQ 5 proxies: `grpc://host:port`, `grpcs://` with TLS.
    Grpc,
    /// ApsaraMQ for RocketMQ over HTTP/1.1: `http://host[:port]`, `https://` with TLS.
    Http,
}

impl Protocol {
    /// The error of an operation that this protocol has no words for.
    pub(crate) fn lacks(self, operation: &'static str, what: &str) -> Error {
        let text = format!("the {self} protocol has no {what}; use an endpoint of another protocol");
        Error::new(ErrorKind::Unsupported, operation, text)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Remoting => "remoting",
            Protocol::Grpc => "gRPC",
            Protocol::Http => "ApsaraMQ HTTP",
        })
    }
}

/// Name servers (remoting) or proxies (gRPC): `127.0.0.1:9876`, `grpc://127.0.0.1:8081`, several separated by `;` or `,`, IPv6 in
/// brackets, names allowed. Or one ApsaraMQ HTTP service: `http://123.mqrest.cn-hangzhou.aliyuncs.com`, whose port is 80, or
/// 443 for `https://`, where none is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The wire protocol.
    pub protocol: Protocol,
    /// Whether the scheme asked for TLS.
    pub tls: bool,
    /// `host:port` of every server, in the given order.
    pub addresses: Vec<String>,
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: String| Error::new(ErrorKind::InvalidArgument, "endpoint", why);
        let text = text.trim();
        let (protocol, tls, rest) = match text.split_once("://") {
            None => (Protocol::Remoting, false, text),
            Some(("remoting", rest)) => (Protocol::Remoting, false, rest),
            Some(("remotings", rest)) => (Protocol::Remoting, true, rest),
            Some(("grpc", rest)) => (Protocol::Grpc, false, rest),
            Some(("grpcs", rest)) => (Protocol::Grpc, true, rest),
            Some(("http", rest)) => (Protocol::Http, false, rest),
            Some(("https", rest)) => (Protocol::Http, true, rest),
            Some((scheme, _)) => {
                return Err(bad(format!(
                    "unknown scheme {scheme:?} in {text:?}; use host:port, remoting://, grpc:// or http://host:port"
                )));
            }
        };
        let addresses: Vec<String> =
            rest.split([';', ',']).map(str::trim).filter(|a| !a.is_empty()).map(str::to_owned).collect();
        if addresses.is_empty() {
            return Err(bad("no address given; use host:port, for example 127.0.0.1:9876".into()));
        }
        if protocol == Protocol::Http {
            let address = service_address(&addresses, tls).map_err(bad)?;
            return Ok(Self { protocol, tls, addresses: vec![address] });
        }
        for address in &addresses {
            let port = address.rsplit_once(':').and_then(|(host, port)| {
                let port = port.trim_end_matches('/').parse::<u16>().ok()?;
                (!host.is_empty() && port != 0).then_some(port)
            });
            if port.is_none() {
                return Err(bad(format!("{address:?} is not host:port")));
            }
        }
        let addresses = addresses.into_iter().map(|a| a.trim_end_matches('/').to_owned()).collect();
        Ok(Self { protocol, tls, addresses })
    }
}

/// `host:port` of the one HTTP service.
fn service_address(addresses: &[String], tls: bool) -> Result<String, String> {
    let [address] = addresses else {
        return Err("an http:// endpoint is one address, whose name may stand for many servers".into());
    };
    let address = address.trim_end_matches('/');
    if let Some(extra) = address.find(['/', '?', '#', '@']) {
        let extra = &address[extra..];
        return Err(format!(
            "the endpoint goes on with {extra:?}; use http://host or http://host:port, without a path"
        ));
    }
    let authority: http::uri::Authority =
        address.parse().map_err(|_| format!("{address:?} is neither host nor host:port"))?;
    match authority.port() {
        Some(_) => match authority.port_u16() {
            Some(1..) => Ok(address.to_owned()),
            _ => Err(format!("{address:?} is not host:port")),
        },
        None if address.ends_with(':') => Err(format!("{address:?} has no port behind the colon")),
        None => Ok(format!("{address}:{}", if tls { 443 } else { 80 })),
    }
}
