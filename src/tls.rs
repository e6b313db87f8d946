//! TLS for outgoing connections: rustls with ring, and the root certificates that this machine trusts.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore};

/// Returns the root certificates that this machine trusts. `SSL_CERT_FILE` and `SSL_CERT_DIR` name others, for peers
/// with self-issued certificates.
#[must_use]
pub fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Returns the configuration of a client that trusts `roots`.
///
/// # Errors
/// Returns an error if ring supports none of the TLS versions that are the default of rustls. This does not happen,
/// because both are built together.
pub fn client(roots: RootCertStore) -> Result<ClientConfig, Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(config.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}
