//! TLS of outgoing requests: whom to trust. Invariant: a certificate is always verified, against the authorities of the
//! Mozilla project, those of `SSL_CERT_FILE`, and those that the embedder gives.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::types::ErrorCode;

/// Authorities that are trusted besides the usual ones.
#[derive(Clone, Default, Debug)]
pub struct Roots(Arc<Vec<CertificateDer<'static>>>);

impl Roots {
    /// Trusts these certificates, in DER.
    pub fn new(certificates: impl IntoIterator<Item = Vec<u8>>) -> Roots {
        Roots(Arc::new(certificates.into_iter().map(CertificateDer::from).collect()))
    }

    /// What connections are made with.
    pub(super) fn connector(&self) -> Result<TlsConnector, ErrorCode> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        roots.add_parsable_certificates(self.0.iter().cloned());
        if let Some(file) = std::env::var_os("SSL_CERT_FILE")
            && let Ok(more) = CertificateDer::pem_file_iter(file)
        {
            roots.add_parsable_certificates(more.flatten());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ErrorCode::internal(error.to_string()))?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// Secures a connection; whether the peer chose HTTP/2.
pub(super) async fn secure(
    connector: &TlsConnector,
    host: &str,
    stream: TcpStream,
) -> Result<(TlsStream<TcpStream>, bool), ErrorCode> {
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|_| ErrorCode::HttpRequestUriInvalid)?;
    let stream = connector.connect(name, stream).await.map_err(|error| {
        match error.kind() == std::io::ErrorKind::UnexpectedEof {
            true => ErrorCode::TlsProtocolError,
            false => ErrorCode::of_io(&error),
        }
    })?;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok((stream, http2))
}
