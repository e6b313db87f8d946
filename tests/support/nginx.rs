//! Runs a real nginx from Debian's package before a server, as a reverse proxy that keeps nginx's own defaults.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::ports::Port;
use super::process::Process;
use super::server::Server;
use super::{skip, wait};

const PROGRAM: &str = "/usr/sbin/nginx";

/// An nginx on two free loopback ports. It ends with the test at the latest.
pub struct Nginx {
    process: Process,
    plain: Port,
    grpc: Port,
    _dir: TempDir,
}

impl Nginx {
    /// Starts one before the server and returns when it accepts connections. Returns None and reports the skipped test
    /// if it is not installed.
    pub fn start(server: &Server) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            skip::skipped("no /usr/sbin/nginx: apt-get install nginx");
            return None;
        }
        let (plain, grpc) = (Port::reserve(), Port::reserve());
        let dir = tempfile::Builder::new().prefix("trunkline-nginx-").tempdir().expect("a temporary directory");
        let file = dir.path().join("nginx.conf");
        fs::write(&file, config(dir.path(), server, &plain, &grpc)).expect("the configuration");
        let mut command = Command::new(PROGRAM);
        command.arg("-p").arg(dir.path()).arg("-c").arg(&file).args(["-e", "stderr"]);
        let process = if skip::is_root() {
            Process::spawn_isolated("nginx", &command)
        } else {
            Process::spawn("nginx", &command)
        };
        let mut nginx = Self { process, plain, grpc, _dir: dir };
        wait::until("nginx listens", || {
            assert!(!nginx.process.has_ended(), "nginx ended:\n{}", nginx.process.output().text());
            [&nginx.plain, &nginx.grpc]
                .into_iter()
                .all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, port.number())).is_ok())
                .then_some(())
        });
        Some(nginx)
    }

    /// Returns the URL of `path` through `proxy_pass`, over HTTP/1.1.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.plain.number())
    }

    /// Returns the URL through `grpc_pass`, over HTTP/2.
    pub fn grpc_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.grpc.number())
    }
}

/// Returns a configuration that sets what nginx cannot do without, and the directories for its files. All else is as
/// nginx comes: its timeouts, its buffers, HTTP/1.0 to the server.
fn config(dir: &Path, server: &Server, plain: &Port, grpc: &Port) -> String {
    let (dir, address) = (dir.display(), server.address());
    let user = if skip::is_root() { "user root;" } else { "" };
    format!(
        "{user}
daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
events {{}}
http {{
  access_log off;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  server {{
    listen 127.0.0.1:{plain};
    location / {{ proxy_pass http://{address}; }}
  }}
  server {{
    listen 127.0.0.1:{grpc} http2;
    location / {{ grpc_pass grpc://{address}; }}
  }}
}}
",
        plain = plain.number(),
        grpc = grpc.number(),
    )
}
