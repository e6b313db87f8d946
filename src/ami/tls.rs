//! TLS for connections to the manager interface.

use std::io;
use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::RootCertStore;

/// Starts TLS on a connection. The server's certificate must be valid for `host` and be trusted by `roots`.
///
/// # Errors
/// Fails if the certificate is not valid, or if the server does not speak TLS.
pub async fn connect<S>(stream: S, host: &str, roots: RootCertStore) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = crate::tls::client(roots).map_err(io::Error::other)?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring;

    use super::*;
    use crate::tls::system_roots;

    const CERTIFICATE: &[u8] = include_bytes!("../../tests/data/tls/localhost.pem");
    const KEY: &[u8] = include_bytes!("../../tests/data/tls/localhost.key");

    fn certificate() -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(CERTIFICATE).unwrap()
    }

    /// Starts a server that sends its banner, and returns the client's end of the connection.
    fn server() -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate()], PrivateKeyDer::from_pem_slice(KEY).unwrap())
            .unwrap();
        tokio::spawn(async move {
            if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(theirs).await {
                stream.write_all(b"Asterisk Call Manager/11.0.0\r\n").await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        ours
    }

    #[tokio::test]
    async fn a_server_with_a_trusted_certificate_is_read() {
        let mut roots = RootCertStore::empty();
        roots.add(certificate()).unwrap();
        let mut said = String::new();
        connect(server(), "localhost", roots).await.unwrap().read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "Asterisk Call Manager/11.0.0\r\n");
    }

    #[tokio::test]
    async fn a_certificate_for_another_host_or_from_an_unknown_issuer_is_refused() {
        let mut roots = RootCertStore::empty();
        roots.add(certificate()).unwrap();
        assert!(connect(server(), "pbx.example", roots).await.is_err());
        assert!(connect(server(), "localhost", system_roots()).await.is_err());
    }
}
