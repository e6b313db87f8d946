//! A part of the server that ends by itself stops the whole server, in order and with an exit code.

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::{fs, io};

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use serde_json::Value;
use trunkline::domain::status::ServerStatus;
use trunkline::store::{self, servers};

use crate::command::{as_client, client_command};
use crate::support::api::Api;
use crate::support::ports::{Port, is_free};
use crate::support::process::Process;
use crate::support::server::{Options, Server};
use crate::support::skip::skipped;
use crate::support::wait;

/// Shuts down the listening socket of another process, so that it accepts no connection any more.
///
/// Nothing in the server helps with it: the kernel hands out a second descriptor of the socket.
fn break_listener(server: &Server, port: u16) -> io::Result<()> {
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap();
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let socket = pidfd_getfd(&pidfd, listener_of(server.pid(), port)?, PidfdGetfdFlags::empty())?;
    TcpStream::from(socket).shutdown(Shutdown::Both)
}

/// The descriptor by which a process listens on a loopback port.
fn listener_of(pid: u32, port: u16) -> io::Result<i32> {
    let sockets = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    let (address, listening) = (format!("0100007F:{port:04X}"), "0A");
    let inode = sockets.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields[1] == address && fields[3] == listening).then(|| fields[9].to_owned())
    });
    let target = format!("socket:[{}]", inode.expect("a listening socket"));
    // Only root may read this: the server is not dumpable.
    let mut descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?.map(Result::unwrap);
    let found = descriptors.find(|entry| fs::read_link(entry.path()).is_ok_and(|link| link.as_os_str() == &*target));
    Ok(found.expect("a descriptor of the socket").file_name().to_str().unwrap().parse().unwrap())
}

/// The JSON log lines of level ERROR.
fn errors(server: &Server) -> Vec<Value> {
    let lines = server.output().lines();
    let logged = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    logged.filter(|line| line["level"] == "ERROR").collect()
}

#[tokio::test]
async fn a_port_that_breaks_stops_the_server_in_order_and_it_exits_with_1() {
    let (api_port, metrics_port) = (Port::reserve(), Port::reserve());
    let at = |port: &Port| SocketAddr::from((Ipv4Addr::LOCALHOST, port.number())).to_string();
    let mut server = Options::default()
        .arg("--sandbox")
        .arg("--sandbox-speed")
        .arg("100")
        .arg("--listen")
        .arg(at(&api_port))
        .env("TRUNKLINE_METRICS_LISTEN", at(&metrics_port))
        .start();
    let api = Api::sandbox(&server);
    // The sandbox never hangs up on this number.
    let placed = as_client(&server, &["quick", "4930123406", "1", "--server", "server1", "--json"]).json();
    let call_id = placed["call_id"].as_str().unwrap();
    let mut watch =
        Process::spawn("trunkline watch", &client_command(&server, api.key(), &["watch", "--call", call_id]));
    watch.wait_for("the answer", |line| line.contains("answered").then_some(()));

    let held = server.hold_store().await;
    if let Err(error) = break_listener(&server, metrics_port.number()) {
        return skipped(&format!("this machine does not let a test take a descriptor of its child: {error}"));
    }
    wait::until("it says that it stops", || server.output().text().contains("stopping").then_some(()));
    let ready = reqwest::get(server.url("/readyz")).await.unwrap();
    assert_eq!(ready.status(), 503, "the other port answers while the dialer stops");
    assert_eq!(ready.json::<Value>().await.unwrap()["message"], "draining");
    drop(held);

    assert_eq!(server.wait().code(), Some(1), "{}", server.output().text());
    let errors = errors(&server);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["task"], "metrics");
    let text = "the metrics task failed: the port no longer accepts connections: Invalid argument";
    assert!(errors[0]["message"].as_str().unwrap().starts_with(text), "{errors:?}");
    assert!(server.output().text().contains(&format!("trunkline: {text}")), "{}", server.output().text());
    assert!(is_free(api_port.number()) && is_free(metrics_port.number()), "both ports can be opened again");

    let db = store::open(&format!("sqlite://{}", server.data_dir().join("trunkline.db").display())).unwrap();
    let state = servers::states(&mut db.read().await.unwrap(), None).await.unwrap().remove(0);
    assert_eq!(state.lease.unwrap().status, ServerStatus::Offline.code(), "the dialer released its lane");
    assert_eq!(state.live_calls, 1, "the live call was left alone");
}

#[tokio::test]
async fn a_server_whose_own_port_breaks_does_not_stay_deaf() {
    let port = Port::reserve();
    let mut server = Options::default().arg("--listen").arg(format!("127.0.0.1:{}", port.number())).start();
    if let Err(error) = break_listener(&server, port.number()) {
        return skipped(&format!("this machine does not let a test take a descriptor of its child: {error}"));
    }
    assert_eq!(server.wait().code(), Some(1), "{}", server.output().text());
    assert_eq!(errors(&server)[0]["task"], "api");
    assert!(is_free(port.number()), "the port can be opened again");
}
