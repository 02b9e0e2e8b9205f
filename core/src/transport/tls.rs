//! TLS of a client: whom to trust, who we are, and what to say when the handshake fails.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Fault;
use crate::error::{Error, ErrorKind, Result};
use crate::options::TlsOptions;

/// An encrypted socket.
pub(crate) type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

/// Makes encrypted connections; built once a client.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
    server_name: Option<ServerName<'static>>,
}

impl Tls {
    /// Reads certificates and keys of `options`; `alpn`: protocols to offer, none to say nothing.
    ///
    /// # Errors
    /// `InvalidArgument` for unreadable PEM, a key without certificate, or an impossible server name.
    pub(crate) fn new(options: &TlsOptions, alpn: &[&[u8]]) -> Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|e| invalid("TLS cannot be set up").with_source(e))?;
        let builder = if options.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
        } else {
            builder.with_root_certificates(trusted(options.ca_pem.as_deref())?)
        };
        let mut config = match (&options.client_cert_pem, &options.client_key_pem) {
            (None, None) => builder.with_no_client_auth(),
            (Some(chain), Some(key)) => {
                let chain = certificates(chain, "client_cert_pem")?;
                let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
                    .map_err(|_| invalid("client_key_pem holds no private key in PEM form"))?;
                builder.with_client_auth_cert(chain, key).map_err(|e| {
                    invalid("the client's certificate and key do not fit together").with_source(e)
                })?
            }
            _ => {
                return Err(invalid(
                    "client_cert_pem and client_key_pem belong together; one of them is missing",
                ));
            }
        };
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let server_name = options.server_name.as_deref().map(server_name).transpose()?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), server_name })
    }

    /// Encrypts `socket`, whose other end is `address` (`host:port`).
    pub(crate) async fn connect(&self, address: &str, socket: TcpStream) -> Result<TlsStream, Fault> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(host_of(address)).map_err(|e| Fault::new(ErrorKind::Tls, e.text()))?,
        };
        let shown = name.to_str().into_owned();
        self.connector.connect(name, socket).await.map_err(|e| handshake_fault(address, &shown, &e))
    }
}

fn invalid(text: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "tls", text)
}

fn certificates(pem: &str, option: &str) -> Result<Vec<CertificateDer<'static>>> {
    match CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>() {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(invalid(&format!("{option} holds no certificate in PEM form"))),
    }
}

fn trusted(ca_pem: Option<&str>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match ca_pem {
        Some(pem) => {
            for certificate in certificates(pem, "ca_pem")? {
                roots
                    .add(certificate)
                    .map_err(|e| invalid("ca_pem holds an unusable certificate").with_source(e))?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                tracing::warn!(errors = ?found.errors, "the system has no trusted certificates; set ca_pem");
            }
        }
    }
    Ok(roots)
}

fn server_name(name: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(name.to_owned())
        .map_err(|_| invalid(&format!("{name:?} is neither a host name nor an IP address")))
}

/// `host` of `host:port`, without the brackets of an IPv6 address.
fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
}

fn handshake_fault(address: &str, name: &str, error: &io::Error) -> Fault {
    match explain(error) {
        Some(why) => Fault::new(ErrorKind::Tls, format!("{address} ({name}): {why}")),
        None => Fault::new(
            ErrorKind::Tls,
            format!(
                "{address} broke the TLS handshake off ({error}); if the server speaks no TLS there, \
                 leave TLS off or give its TLS port"
            ),
        ),
    }
}

/// What a TLS failure means and what to do; `None` if `error` is not one of rustls.
pub(super) fn explain(error: &io::Error) -> Option<String> {
    use rustls::Error as E;
    let error = error.get_ref()?.downcast_ref::<E>()?;
    Some(match error {
        E::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its certificate comes from an authority that is not trusted here; set ca_pem to that authority's \
             certificate (or, where it does not matter who answers, insecure)"
                .into()
        }
        E::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
            format!("its certificate is for another name ({error}); set server_name to a name in the certificate")
        }
        E::InvalidCertificate(_) => format!("its certificate is refused ({error}); renew it at the server"),
        E::InvalidMessage(_) => "it does not answer in TLS; leave TLS off or give its TLS port".into(),
        E::AlertReceived(_) => format!(
            "the server refused the connection ({error}); if it asks for a client certificate, \
             set client_cert_pem and client_key_pem"
        ),
        other => format!("TLS failed ({other})"),
    })
}

/// Whether `error` says that the server does not take our certificate, or none: it handles nothing then.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    use rustls::AlertDescription as Alert;
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::AlertReceived(alert)) = error else { return false };
    matches!(
        alert,
        Alert::HandshakeFailure
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::CertificateRequired
    )
}

/// Takes every certificate, but still checks that the server holds its key.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_loses_port_and_brackets() {
        assert_eq!(host_of("localhost:9876"), "localhost");
        assert_eq!(host_of("[::1]:9876"), "::1");
        assert_eq!(host_of("10.0.0.1:9876"), "10.0.0.1");
    }

    #[test]
    fn half_a_client_identity_is_refused() {
        let options = TlsOptions { client_cert_pem: Some("x".into()), ..TlsOptions::default() };
        let fault = Tls::new(&options, &[]).err().unwrap();
        assert_eq!(fault.kind(), ErrorKind::InvalidArgument);
        let options = TlsOptions { ca_pem: Some("not a certificate".into()), ..TlsOptions::default() };
        assert!(Tls::new(&options, &[]).err().unwrap().text().contains("ca_pem"));
    }
}
