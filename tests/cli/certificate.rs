//! TLS on the API's port, and a certificate that is replaced while the server runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::command::run;
use crate::support::server::{Options, Server, trunkline};
use crate::support::wait;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

/// Copies a certificate and its key to the files that the server reads.
fn install(name: &str, dir: &Path) {
    for extension in ["pem", "key"] {
        fs::copy(data(&format!("{name}.{extension}")), dir.join(format!("server.{extension}"))).unwrap();
    }
}

fn start(dir: &Path) -> Server {
    install("localhost", dir);
    let (certificate, key) = (dir.join("server.pem"), dir.join("server.key"));
    Options::default().env("TRUNKLINE_TLS_CERT", certificate).env("TRUNKLINE_TLS_KEY", key).start()
}

/// Opens a connection that trusts both certificates, with HTTP/2 if `h2`, else HTTP/1.1.
async fn connect(server: &Server, h2: bool) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    for name in ["localhost.pem", "renewed.pem"] {
        roots.add(CertificateDer::from_pem_file(data(name)).unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let mut config =
        config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = if h2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    let stream = TcpStream::connect(server.address()).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

fn is(stream: &TlsStream<TcpStream>, name: &str) -> bool {
    shown(stream) == CertificateDer::from_pem_file(data(&format!("{name}.pem"))).unwrap()
}

/// Requests `/healthz` on a connection that stays open.
async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nok") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

async fn until_shown(server: &Server, name: &str) {
    wait::until_async("the new certificate is shown", async || is(&connect(server, false).await, name).then_some(()))
        .await;
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let mut old = connect(&server, false).await;
    assert!(is(&old, "localhost"));
    assert!(ask(&mut old).await.starts_with("HTTP/1.1 200"));

    install("renewed", dir.path());
    until_shown(&server, "renewed").await;
    assert!(ask(&mut old).await.starts_with("HTTP/1.1 200"), "the connection of the old certificate lives");

    fs::write(dir.path().join("server.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    wait::until("the broken certificate is reported", || {
        server.output().text().contains("the old one stays").then_some(())
    });
    assert!(is(&connect(&server, false).await, "renewed"));

    install("localhost", dir.path());
    kill_process(pid, Signal::HUP).unwrap();
    until_shown(&server, "localhost").await;
}

#[tokio::test]
async fn clients_speak_http_2_where_they_can_and_nobody_without_tls_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    assert_eq!(connect(&server, true).await.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    assert_eq!(connect(&server, false).await.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));

    let list = |url: String, trusted: Option<&str>| {
        let mut command = trunkline();
        command.args(["clients", "list"]).env("TRUNKLINE_URL", url).env("TRUNKLINE_API_KEY", server.admin_key());
        command.env("SSL_CERT_FILE", data(trusted.unwrap_or("renewed.pem")));
        run(&mut command)
    };
    let port = server.address().port();
    assert!(list(format!("https://localhost:{port}"), Some("localhost.pem")).ok().starts_with("CLIENT_ID"));
    let distrusted = list(format!("https://localhost:{port}"), None);
    assert_eq!(distrusted.code, 4, "{}", distrusted.stderr);
    let plain = list(format!("http://127.0.0.1:{port}"), None);
    assert_eq!(plain.code, 4, "{}", plain.stderr);
    assert!(plain.stderr.contains("https://"), "{}", plain.stderr);
}

#[test]
fn a_certificate_that_cannot_be_used_keeps_the_server_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    install("localhost", dir.path());
    fs::copy(data("renewed.key"), dir.path().join("server.key")).unwrap();
    let mut command = trunkline();
    command.arg("serve").env("TRUNKLINE_LISTEN", "127.0.0.1:0").env("TRUNKLINE_DATA_DIR", dir.path().join("data"));
    command.env("TRUNKLINE_TLS_CERT", dir.path().join("server.pem"));
    let ran = run(command.env("TRUNKLINE_TLS_KEY", dir.path().join("server.key")));
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("the certificate and the key do not match"), "{}", ran.stderr);
}

/// Most self-signed certificates say that they are a CA, and could not be a server's certificate otherwise.
#[test]
fn a_self_signed_certificate_is_trusted_if_it_is_named() {
    let server = Options::default()
        .arg("--sandbox")
        .env("TRUNKLINE_TLS_CERT", data("self-signed.pem"))
        .env("TRUNKLINE_TLS_KEY", data("self-signed.key"))
        .start();
    assert!(server.output().text().contains(&format!("https://127.0.0.1:{}/", server.address().port())));
    let connect = |host: &str, ca: Option<&str>| {
        let mut command = trunkline();
        let url = format!("https://{host}:{}", server.address().port());
        command.args(["clients", "list", "--url", &url]).env("TRUNKLINE_API_KEY", server.admin_key());
        if let Some(ca) = ca {
            command.arg("--ca").arg(data(ca));
        }
        run(&mut command)
    };
    let refused = connect("localhost", None);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.stderr.contains("with --ca FILE") && !refused.stderr.contains("server running"), "{refused:?}");
    assert!(connect("localhost", Some("self-signed.pem")).ok().contains("NAME"));
    assert!(connect("127.0.0.1", Some("self-signed.pem")).ok().contains("NAME"));
    assert_eq!(connect("localhost", Some("renewed.pem")).code, 4);
    assert_eq!(connect("localhost", Some("self-signed.key")).code, 2);
}
