//! The broker's certificate: self-made or given.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::{BrokerOptions, BrokerTls};
use crate::error::{Error, ErrorKind, Result};

/// What accepts TLS connections, and the authority to trust it by if it was made here.
pub(super) struct ServerTls {
    pub(super) acceptor: TlsAcceptor,
    pub(super) ca_pem: Option<String>,
}

/// The TLS side of a broker with these options, if it has one.
pub(super) fn server(options: &BrokerOptions) -> Result<Option<ServerTls>> {
    let (cert_pem, key_pem, ca_pem) = match &options.tls {
        None if options.tls_only || options.client_ca_pem.is_some() => {
            return Err(invalid("tls_only and client_ca_pem need a certificate: set tls"));
        }
        None => return Ok(None),
        Some(BrokerTls::Given { cert_pem, key_pem }) => (cert_pem.clone(), key_pem.expose().to_owned(), None),
        Some(BrokerTls::SelfMade) => {
            let made = self_made().map_err(|e| {
                Error::new(ErrorKind::Internal, "start broker", "cannot make a certificate").with_source(e)
            })?;
            (made.cert_pem, made.key_pem, Some(made.ca_pem))
        }
    };
    let chain = certificates(&cert_pem, "the certificate chain")?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())
        .map_err(|e| invalid("the private key is not readable as PEM").with_source(e))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| invalid("the TLS versions are not usable").with_source(e))?;
    let config = match &options.client_ca_pem {
        None => config.with_no_client_auth(),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(pem, "the client authorities")? {
                roots
                    .add(authority)
                    .map_err(|e| invalid("a client authority is not usable").with_source(e))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|e| invalid("the client authorities are not usable").with_source(e))?;
            config.with_client_cert_verifier(verifier)
        }
    };
    let mut config = config
        .with_single_cert(chain, key)
        .map_err(|e| invalid("certificate and private key do not go together").with_source(e))?;
    // Clients of the remoting protocol offer none and are welcome too.
    config.alpn_protocols = [&b"h2"[..], b"http/1.1"].map(<[u8]>::to_vec).into();
    Ok(Some(ServerTls { acceptor: TlsAcceptor::from(Arc::new(config)), ca_pem }))
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, "start broker", text)
}

fn certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| invalid(format!("{what}: not readable as PEM")).with_source(e))?;
    if found.is_empty() {
        return Err(invalid(format!("{what}: no certificate in the PEM text")));
    }
    Ok(found)
}

struct SelfMade {
    ca_pem: String,
    cert_pem: String,
    key_pem: String,
}

fn self_made() -> Result<SelfMade, rcgen::Error> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "tminus loopback broker authority");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let key = KeyPair::generate()?;
    let mut server = CertificateParams::new(["localhost".to_owned()])?;
    server.distinguished_name.push(DnType::CommonName, "localhost");
    let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    server.subject_alt_names.extend(addresses.map(SanType::IpAddress));
    let cert_pem = server.signed_by(&key, &Issuer::new(ca, ca_key))?.pem();
    Ok(SelfMade { ca_pem, cert_pem, key_pem: key.serialize_pem() })
}
