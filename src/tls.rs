//! How Trunkline speaks TLS to others: rustls with ring, and the roots that this machine trusts.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore};

/// The roots that this machine trusts. `SSL_CERT_FILE` and `SSL_CERT_DIR` name others, for a peer with a certificate of
/// one's own.
#[must_use]
pub fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// A client that trusts `roots`.
///
/// # Errors
/// Where ring supports no version of TLS that rustls has by default: never, as they are built together.
pub fn client(roots: RootCertStore) -> Result<ClientConfig, Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(config.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}
