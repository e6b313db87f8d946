//! Where SQLite's statements run: each on a thread that may block, or many in a row on one.

use std::cell::Cell;
use std::error::Error;

use diesel_async::sync_connection_wrapper::SpawnBlocking;
use futures_util::future::{BoxFuture, FutureExt, TryFutureExt, ready};
use tokio::runtime::Handle;
use tokio::task;

thread_local! {
    /// This thread may block: a statement runs at once, where it is asked for.
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// Runs a statement on a thread of tokio's that may block, or on this one where [`run`] made it such a thread.
pub struct Threads;

impl SpawnBlocking for Threads {
    fn spawn_blocking<'a, R>(
        &mut self,
        statement: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn Error + Send + Sync + 'static>>>
    where
        R: Send + 'static,
    {
        if MAY_BLOCK.get() {
            return ready(Ok(statement())).boxed();
        }
        task::spawn_blocking(statement).map_err(Into::into).boxed()
    }

    fn get_runtime() -> Self {
        Self
    }
}

/// Carries out a transaction of many statements on one thread, in place of handing over each statement and its answer: a
/// group commit has a dozen.
pub async fn run<F>(transaction: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let runtime = Handle::current();
    let done = task::spawn_blocking(move || {
        MAY_BLOCK.set(true);
        let _back = Back;
        runtime.block_on(transaction)
    });
    match done.await {
        Ok(output) => output,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being shut down, and drops this task as it did that one.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Makes the thread again what it was, also behind a panic.
struct Back;

impl Drop for Back {
    fn drop(&mut self) {
        MAY_BLOCK.set(false);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_transaction_stays_on_one_thread_and_a_statement_leaves_this_one() {
        let here = thread::current().id();
        let threads = run(async {
            let first = Threads.spawn_blocking(|| thread::current().id()).await.unwrap();
            task::yield_now().await;
            (first, thread::current().id())
        });
        let (first, second) = threads.await;
        assert_eq!(first, second);
        assert_ne!(first, here);
        assert_ne!(Threads.spawn_blocking(|| thread::current().id()).await.unwrap(), here);
    }

    #[tokio::test]
    async fn a_panic_reaches_who_asked_and_its_thread_is_as_it_was() {
        let ended = task::spawn(run(async { panic!("a bug") })).await;
        assert!(ended.unwrap_err().is_panic());
        assert!(!task::spawn_blocking(|| MAY_BLOCK.get()).await.unwrap());
    }

    /// Each that waits on a thread would take it from the one who has the writer and needs one to go on.
    #[test]
    fn who_waits_for_the_writer_waits_without_a_thread() {
        let runtime =
            tokio::runtime::Builder::new_current_thread().max_blocking_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let db = crate::store::open(&format!("sqlite://{}", dir.path().join("book.db").display())).unwrap();
            let open = db.begin().await.unwrap();
            let waiting: Vec<_> = (0..4)
                .map(|_| {
                    let (db, book) = (db.clone(), db.clone());
                    task::spawn(async move { db.run(async move { book.begin().await?.commit().await }).await })
                })
                .collect();
            // All of them have come as far as they can.
            task::yield_now().await;
            timeout(Duration::from_secs(10), open.commit()).await.expect("a thread is left").unwrap();
            for transaction in waiting {
                transaction.await.unwrap().unwrap();
            }
        });
    }
}
