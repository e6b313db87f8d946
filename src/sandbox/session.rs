//! The connection of one client to the sandbox.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::debug;

use super::exchange::Order;
use super::options::Options;
use super::seen::Seen;
use super::subscribers::Mask;
use crate::ami::Message;
use crate::ami::codec::Decoder;

/// Accepts connections until it is dropped, which also closes them.
pub async fn accept(
    listener: TcpListener,
    options: Arc<Options>,
    seen: Arc<Seen>,
    orders: mpsc::UnboundedSender<Order>,
) {
    let mut sessions = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                number += 1;
                let (options, seen, orders) = (Arc::clone(&options), Arc::clone(&seen), orders.clone());
                sessions.spawn(async move {
                    if let Err(error) = serve(stream, number, &options, &seen, &orders).await {
                        debug!(%error, "a session of the sandbox ended");
                    }
                    let _ = orders.send(Order::Leave { session: number });
                });
            }
            Some(_) = sessions.join_next() => {}
        }
    }
}

async fn serve(
    stream: TcpStream,
    session: u64,
    options: &Options,
    seen: &Seen,
    orders: &mpsc::UnboundedSender<Order>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = stream.into_split();
    writer.write_all(b"Asterisk Call Manager/11.0.0\r\n").await?;
    let (out, mut queued) = mpsc::unbounded_channel::<Bytes>();
    let write = async move {
        let (mut taken, mut buffer) = (Vec::new(), BytesMut::new());
        while queued.recv_many(&mut taken, 256).await > 0 {
            for text in taken.drain(..) {
                buffer.extend_from_slice(&text);
            }
            writer.write_all(&buffer).await?;
            buffer.clear();
        }
        std::io::Result::Ok(())
    };
    let read = async move {
        let (mut decoder, mut buffer) = (Decoder::default(), BytesMut::with_capacity(16 * 1024));
        // After the login only the exchange owns this channel: dropping it there ends the writer.
        let mut out = Some(out);
        loop {
            while let Some(action) = decoder.next(&mut buffer) {
                match &out {
                    None => {
                        let _ = orders.send(Order::Act { session, action });
                    }
                    Some(answers) if log_in(&action, options, seen, answers) => {
                        let mask = Mask::parse(&action.get("Events").unwrap_or_default());
                        if let Some(out) = out.take() {
                            let _ = orders.send(Order::Join { session, out, mask });
                        }
                    }
                    // As in Asterisk, one refused login closes the connection.
                    Some(_) => return std::io::Result::Ok(()),
                }
            }
            if reader.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
    };
    tokio::pin!(write);
    tokio::select! {
        done = &mut write => return done,
        done = read => done?,
    }
    // Answers that were queued before the end are still sent.
    write.await
}

fn log_in(action: &Message, options: &Options, seen: &Seen, out: &mpsc::UnboundedSender<Bytes>) -> bool {
    let field = |name: &str| action.get(name).unwrap_or_default();
    let id = action.action_id().map(|id| format!("ActionID: {id}\r\n")).unwrap_or_default();
    let right = !seen.refuses_logins()
        && field("Action").eq_ignore_ascii_case("Login")
        && field("Username") == options.username
        && field("Secret") == options.secret.expose_secret();
    let answer = if right {
        format!("Response: Success\r\n{id}Message: Authentication accepted\r\n\r\n")
    } else {
        format!("Response: Error\r\n{id}Message: Authentication failed\r\n\r\n")
    };
    let _ = out.send(answer.into());
    right
}
