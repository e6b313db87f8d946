//! TLS on the API's port: a certificate that can be replaced without closing connections.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::TlsFiles;

/// How often the files are checked for changes.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or does not contain PEM of the right kind.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Why the file cannot be read.
        source: rustls_pki_types::pem::Error,
    },
    /// The certificate file contains no certificate.
    #[error("{} contains no certificate", .0.display())]
    Empty(PathBuf),
    /// The key belongs to another certificate, or is of an unknown kind.
    #[error("the certificate and the key do not match: {0}")]
    Mismatch(rustls::Error),
}

/// The certificate that is shown to new connections.
#[derive(Debug)]
pub struct Certificate {
    files: TlsFiles,
    current: RwLock<Arc<CertifiedKey>>,
}

/// Reads a certificate and its key, and checks that they match.
///
/// # Errors
/// Returns which file cannot be used, and why.
pub fn load(files: &TlsFiles) -> Result<Arc<CertifiedKey>, TlsError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::File { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable(&files.certificate))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(files.certificate.clone()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable(&files.key))?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map(Arc::new).map_err(TlsError::Mismatch)
}

impl Certificate {
    /// Loads the certificate from its files.
    ///
    /// # Errors
    /// Returns an error if [`load`] does.
    pub fn new(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let current = RwLock::new(load(&files)?);
        Ok(Arc::new(Self { files, current }))
    }

    /// Loads the files again. If they cannot be used, the old certificate stays. Existing connections are left alone.
    pub fn reload(&self) {
        match load(&self.files) {
            Ok(new) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
                info!("reloaded the TLS certificate");
            }
            Err(error) => warn!(%error, "cannot use the new TLS certificate; the old one stays"),
        }
    }

    /// Reloads when `asked` is notified or a file has changed, until `stop` is cancelled.
    pub async fn keep_fresh(self: Arc<Self>, asked: Arc<Notify>, stop: CancellationToken) {
        let mut poll = tokio::time::interval(POLL_INTERVAL);
        let mut seen = self.stamps().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = asked.notified() => {
                    seen = self.stamps().await;
                    self.reload();
                }
                _ = poll.tick() => {
                    let now = self.stamps().await;
                    if now != seen {
                        seen = now;
                        self.reload();
                    }
                }
            }
        }
    }

    /// Returns when the files were last written, and their lengths. A link that points to another file counts as a
    /// change.
    async fn stamps(&self) -> [Option<(SystemTime, u64)>; 2] {
        let stamp = async |path: &Path| {
            let metadata = tokio::fs::metadata(path).await.ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        [stamp(&self.files.certificate).await, stamp(&self.files.key).await]
    }

    /// Returns an acceptor for TLS connections, which offers HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// Returns an error if ring supports none of the default TLS versions.
    pub fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Mismatch)?;
        let mut config = config.with_no_client_auth().with_cert_resolver(Arc::<Self>::clone(self));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls/");

    fn copied() -> (tempfile::TempDir, TlsFiles) {
        let dir = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificate: dir.path().join("c.pem"), key: dir.path().join("k.pem") };
        std::fs::copy(format!("{DATA}localhost.pem"), &files.certificate).unwrap();
        std::fs::copy(format!("{DATA}localhost.key"), &files.key).unwrap();
        (dir, files)
    }

    #[test]
    fn an_error_about_a_certificate_names_the_file() {
        let (_dir, files) = copied();
        assert!(load(&files).is_ok());
        let missing = TlsFiles { key: "/nowhere".into(), ..files.clone() };
        assert!(load(&missing).unwrap_err().to_string().starts_with("cannot read /nowhere"));
        std::fs::write(&files.certificate, "").unwrap();
        assert!(load(&files).is_err());
    }

    #[test]
    fn a_broken_certificate_leaves_the_old_one_in_place() {
        let (_dir, files) = copied();
        let certificate = Certificate::new(files.clone()).unwrap();
        let before = Arc::clone(&certificate.current.read().unwrap());
        std::fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        certificate.reload();
        assert!(Arc::ptr_eq(&before, &certificate.current.read().unwrap()));
        std::fs::copy(format!("{DATA}localhost.pem"), &files.certificate).unwrap();
        certificate.reload();
        assert!(!Arc::ptr_eq(&before, &certificate.current.read().unwrap()));
    }
}
