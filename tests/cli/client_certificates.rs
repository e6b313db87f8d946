//! TLS: silent handshakes, security headers, and certificates of clients.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use trunkline::pb::TestConnectionRequest;
use trunkline::pb::client_service_client::ClientServiceClient;

use crate::command::run;
use crate::support::api::Api;
use crate::support::server::{Options, Server, trunkline};
use crate::support::wait;
use crate::support::wire::{HEALTHZ, connect_from, open_many_files, read_to_end, read_until, source};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

fn with_tls() -> Options {
    Options::default().env("TRUNKLINE_TLS_CERT", data("localhost.pem")).env("TRUNKLINE_TLS_KEY", data("localhost.key"))
}

/// Opens a connection from an address, with a certificate of its own if `name` is given.
async fn connect(server: &Server, from: u8, name: Option<&str>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(data("localhost.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let config = match name {
        None => config.with_no_client_auth(),
        Some(name) => {
            let chain = vec![CertificateDer::from_pem_file(data(&format!("{name}.pem"))).unwrap()];
            let key = PrivateKeyDer::from_pem_file(data(&format!("{name}.key"))).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let stream = connect_from(source(from), server.address()).await;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// Returns the head of the answer to a request for `/healthz`; None if the server closes the connection instead. With
/// TLS 1.3 a client learns only then that its certificate is refused.
async fn healthz(server: &Server, from: u8, name: Option<&str>) -> Option<String> {
    let mut stream = connect(server, from, name).await.ok()?;
    stream.write_all(HEALTHZ).await.ok()?;
    read_until(&mut stream, "\r\n\r\nok").await
}

#[tokio::test]
async fn silent_handshakes_delay_no_one() {
    open_many_files();
    // They are never given up, so that a request that had to wait for one would never be answered.
    let server = with_tls().env("TRUNKLINE_HANDSHAKE_TIMEOUT", "86400").start();
    let mut silent = Vec::new();
    for _ in 0..1100 {
        silent.push(connect_from(source(2), server.address()).await);
    }
    for from in [2, 3] {
        assert!(healthz(&server, from, None).await.is_some(), "127.0.0.{from}");
    }
}

#[tokio::test]
async fn a_handshake_that_is_never_complete_is_cut_off() {
    let server = with_tls().env("TRUNKLINE_HANDSHAKE_TIMEOUT", "1").start();
    let mut silent = connect_from(source(1), server.address()).await;
    let mut begun = connect_from(source(1), server.address()).await;
    // The beginning of a record that never ends.
    begun.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
    assert_eq!(read_to_end(&mut silent).await, b"");
    assert_eq!(read_to_end(&mut begun).await, b"");
    assert!(healthz(&server, 1, None).await.is_some());
}

#[tokio::test]
async fn browsers_that_used_tls_once_are_told_to_stay_with_it() {
    let with = with_tls().start();
    let head = healthz(&with, 1, None).await.unwrap();
    assert!(head.contains("strict-transport-security: max-age=31536000"), "{head}");
    let without = reqwest::get(Server::start().url("/healthz")).await.unwrap();
    assert!(!without.headers().contains_key("strict-transport-security"));
}

#[tokio::test]
async fn without_a_certificate_no_client_is_served_where_all_need_one() {
    let server = with_tls().env("TRUNKLINE_TLS_CLIENT_CA", data("client-ca.pem")).start();
    assert_eq!(healthz(&server, 1, None).await, None);
    assert_eq!(healthz(&server, 1, Some("renewed")).await, None, "another one has signed it");
    assert!(healthz(&server, 1, Some("client")).await.is_some());
    // The key is needed all the same.
    let mut stream = connect(&server, 1, Some("client")).await.unwrap();
    stream.write_all(b"GET /calling/api/v1/clients/test-connection HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(read_until(&mut stream, "\r\n\r\n").await.unwrap().starts_with("HTTP/1.1 401"));
}

#[tokio::test]
async fn a_certificate_may_be_needed_for_grpc_alone() {
    let options = with_tls().arg("--sandbox").env("TRUNKLINE_TLS_CLIENT_CA", data("client-ca.pem"));
    let server = options.env("TRUNKLINE_TLS_CLIENT_AUTH", "grpc").start();
    assert!(healthz(&server, 1, None).await.is_some(), "REST and pages need none");
    assert_eq!(healthz(&server, 1, Some("renewed")).await, None, "a certificate that is sent is verified");
    let key = Api::sandbox(&server).key().to_owned();
    let refused = grpc(&server, None, Some(&key)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::PermissionDenied);
    assert!(refused.message().contains("certificate"), "{refused}");
    assert_eq!(grpc(&server, Some("client"), None).await.unwrap_err().code(), tonic::Code::Unauthenticated);
    grpc(&server, Some("client"), Some(&key)).await.unwrap();
}

async fn grpc(server: &Server, name: Option<&str>, key: Option<&str>) -> Result<(), tonic::Status> {
    let pem = |name: &str| std::fs::read(data(name)).unwrap();
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem("localhost.pem")));
    if let Some(name) = name {
        tls = tls.identity(Identity::from_pem(pem(&format!("{name}.pem")), pem(&format!("{name}.key"))));
    }
    let channel = Channel::from_shared(format!("https://localhost:{}", server.address().port())).unwrap();
    let channel = channel.tls_config(tls).unwrap().connect().await.unwrap();
    let mut request = tonic::Request::new(TestConnectionRequest {});
    if let Some(key) = key {
        request.metadata_mut().insert("x-api-key", key.parse().unwrap());
    }
    ClientServiceClient::new(channel).test_connection(request).await.map(|_| ())
}

#[tokio::test]
async fn the_cas_of_clients_are_replaced_while_the_server_runs() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::copy(data("renewed.pem"), &file).unwrap();
    let server = with_tls().env("TRUNKLINE_TLS_CLIENT_CA", &file).start();
    assert_eq!(healthz(&server, 1, Some("client")).await, None);
    std::fs::copy(data("client-ca.pem"), &file).unwrap();
    wait::until_async("the new CA is trusted", async || healthz(&server, 1, Some("client")).await).await;
}

#[test]
fn a_ca_that_cannot_be_used_keeps_the_server_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = trunkline();
    command.args(["serve", "--listen", "127.0.0.1:0", "--tls-client-ca"]).arg(data("client.key"));
    command.arg("--tls-cert").arg(data("localhost.pem")).arg("--tls-key").arg(data("localhost.key"));
    let ran = run(command.env("TRUNKLINE_DATA_DIR", dir.path().join("data")));
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("client.key contains no certificate"), "{}", ran.stderr);
}
