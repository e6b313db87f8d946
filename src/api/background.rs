//! Threads of a lower priority, on which large and compressed bodies are read.
//!
//! Reading a body of megabytes keeps a processor busy for milliseconds, and a client may send many of them. On these
//! threads it takes the time that nothing else needs, however many clients send how much: the requests of others are
//! not slower for it.

use std::io;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument as _, Span, warn};

use crate::api::context;

/// How much the threads give way, by the scale of nice(2) from 0 to 19. A thread without priority gets ten times as much
/// of a processor as one with this value.
const NICE: i32 = 10;

tokio::task_local! {
    /// The runtime of all other work.
    static FOREGROUND: Handle;
}

/// A runtime whose threads have a lower priority. A clone shares it.
#[derive(Clone)]
pub struct Background(Arc<Threads>);

/// The runtime, which must not be dropped where nothing may block.
struct Threads(Option<Runtime>);

impl Background {
    /// Starts as many threads as there are processors.
    ///
    /// # Errors
    /// Returns an error if the system cannot start them.
    pub fn start() -> io::Result<Self> {
        let give_way = || {
            if let Err(error) = rustix::process::setpriority_process(None, NICE) {
                warn!(%error, "a thread for large bodies cannot have a lower priority");
            }
        };
        let runtime =
            Builder::new_multi_thread().thread_name("bodies").on_thread_start(give_way).enable_all().build()?;
        Ok(Self(Arc::new(Threads(Some(runtime)))))
    }

    /// Runs the work of a request on these threads. What it gives to [`in_foreground`] runs where this was called.
    pub async fn run<F>(&self, work: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let Some(runtime) = &self.0.0 else { return work.await };
        let work = FOREGROUND.scope(Handle::current(), context::carried(work)).instrument(Span::current());
        match AbortOnDropHandle::new(runtime.spawn(work)).await {
            Ok(output) => output,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// Returns the runtime for work that others may wait for, such as a transaction: never one of a lower priority.
#[must_use]
pub fn in_foreground() -> Handle {
    FOREGROUND.try_with(Clone::clone).unwrap_or_else(|_| Handle::current())
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn here() -> (String, i32) {
        let name = thread::current().name().unwrap_or_default().to_owned();
        (name, rustix::process::getpriority_process(None).unwrap())
    }

    #[tokio::test]
    async fn the_work_gives_way_and_what_others_wait_for_does_not() {
        let background = Background::start().unwrap();
        let normal = here().1;
        let (work, waited_for) =
            background.run(async { (here(), in_foreground().spawn(async { here() }).await) }).await;
        assert_eq!(work, ("bodies".to_owned(), NICE));
        assert_eq!(waited_for.unwrap().1, normal);
        assert_eq!(in_foreground().spawn(async { here() }).await.unwrap().1, normal);
    }

    #[tokio::test]
    #[should_panic(expected = "the work's own")]
    async fn a_panic_of_the_work_goes_on() {
        Background::start().unwrap().run(async { panic!("the work's own") }).await;
    }
}
