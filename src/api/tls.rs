//! TLS on the API's port: a certificate that can be replaced without closing connections.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::{ClientAuth, TlsFiles};

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
    /// A certificate in the file of client CAs cannot be used to verify others.
    #[error("{} cannot be used to verify clients: {reason}", path.display())]
    ClientCa {
        /// Path of the file.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// ring supports none of the TLS versions that are the default of rustls. This does not happen.
    #[error("TLS cannot be set up: {0}")]
    Versions(rustls::Error),
}

/// Marks the requests of a connection whose client has proven that it holds a certificate that `tls_client_ca` has
/// signed. It is in their extensions.
#[derive(Clone, Copy, Debug)]
pub struct Verified;

/// What new connections are shown, and how their clients are verified.
pub struct Certificate {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
}

/// Reads a certificate and its key, checks that they match, and reads the CAs of clients if there are any. The result
/// offers HTTP/2 and HTTP/1.1.
///
/// # Errors
/// Returns which file cannot be used, and why.
pub fn load(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable(&files.key))?;
    let pair = CertifiedKey::from_der(certificates(&files.certificate)?, key, &provider);
    let pair = pair.map_err(TlsError::Mismatch)?;
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let config = config.map_err(TlsError::Versions)?;
    let config = match &files.client_ca {
        None => config.with_no_client_auth(),
        Some(path) => config.with_client_cert_verifier(verifier(path, files.client_auth)?),
    };
    let mut config = config.with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Makes the verifier of clients' certificates. A client that sends none is let in, unless all clients need one.
fn verifier(path: &Path, needed: ClientAuth) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let unusable = |reason: String| TlsError::ClientCa { path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    let provider = Arc::new(ring::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if needed == ClientAuth::Required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error: VerifierBuilderError| unusable(error.to_string()))
}

/// Reads the certificates of a PEM file, of which there must be at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(unreadable(path))?;
    if chain.is_empty() { Err(TlsError::Empty(path.to_owned())) } else { Ok(chain) }
}

fn unreadable(path: &Path) -> impl FnOnce(rustls_pki_types::pem::Error) -> TlsError + use<> {
    let path = path.to_owned();
    move |source| TlsError::File { path, source }
}

impl Certificate {
    /// Loads the certificate, and the CAs of clients, from their files.
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
    async fn stamps(&self) -> [Option<(SystemTime, u64)>; 3] {
        let stamp = async |path: Option<&Path>| {
            let metadata = tokio::fs::metadata(path?).await.ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        let TlsFiles { certificate, key, client_ca, .. } = &self.files;
        [stamp(Some(certificate)).await, stamp(Some(key)).await, stamp(client_ca.as_deref()).await]
    }

    /// Returns an acceptor for the next TLS connection.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls/");

    fn copied() -> (tempfile::TempDir, TlsFiles) {
        let dir = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            certificate: dir.path().join("c.pem"),
            key: dir.path().join("k.pem"),
            client_ca: None,
            client_auth: ClientAuth::Required,
        };
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
        let no_ca = TlsFiles { client_ca: Some("/nowhere/ca".into()), ..files.clone() };
        assert!(load(&no_ca).unwrap_err().to_string().starts_with("cannot read /nowhere/ca"));
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
