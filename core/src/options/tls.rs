//! TLS settings of a client.

/// How connections are encrypted. Certificates are verified unless [`TlsOptions::insecure`] says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Use TLS even if the endpoint's scheme does not ask for it (default false).
    pub enabled: bool,
    /// PEM text of the certificate authorities to trust; none: the system's.
    pub ca_pem: Option<String>,
    /// PEM text of the client certificate chain (with [`TlsOptions::client_key_pem`]).
    pub client_cert_pem: Option<String>,
    /// PEM text of the client's private key.
    pub client_key_pem: Option<super::Secret>,
    /// Name to verify the certificate against and to send as SNI; none: the host that is dialled.
    pub server_name: Option<String>,
    /// Skip verification of the server's certificate. Encrypts, but does not tell who answers. Default false.
    pub insecure: bool,
}
