//! Threads that run SQLite's statements: one for each connection, and one for transactions of many statements.
//!
//! A shared pool of threads would work as well, but each of its threads that ever ran a statement keeps the memory that
//! the statement took.

use std::any::Any;
use std::cell::Cell;
use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::thread;

use diesel::sqlite::SqliteConnection;
use diesel_async::sync_connection_wrapper::{SpawnBlocking, SyncConnectionWrapper};
use futures_util::future::{BoxFuture, FutureExt, pending, ready};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::error;

thread_local! {
    /// True on a thread that may block. A statement then runs at once, on the thread that asks for it.
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

type Job = Box<dyn FnOnce() + Send>;

/// The value that a job panicked with.
type Panic = Box<dyn Any + Send>;

/// A thread that may block. It ends when all of its handles are dropped.
#[derive(Clone)]
pub struct Thread {
    jobs: mpsc::Sender<Job>,
}

impl Thread {
    /// Starts a thread. Fails if the system cannot start another one.
    pub fn start() -> io::Result<Self> {
        let (jobs, todo) = mpsc::channel::<Job>();
        thread::Builder::new().name("sqlite".to_owned()).spawn(move || {
            MAY_BLOCK.set(true);
            todo.into_iter().for_each(|job| job());
        })?;
        Ok(Self { jobs })
    }

    /// Runs a transaction of many statements on this thread, instead of handing over each statement and its result: a
    /// group commit has a dozen of them. The next transaction begins when this one is done.
    pub async fn run<F>(&self, transaction: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let runtime = Handle::current();
        match self.carry_out(move || runtime.block_on(transaction)).await {
            Some(Ok(output)) => output,
            Some(Err(panic)) => resume_unwind(panic),
            // The process is ending, and this task with it.
            None => pending().await,
        }
    }

    /// Runs a job on this thread. Returns None if the thread is gone.
    fn carry_out<J, R>(&self, job: J) -> impl Future<Output = Option<Result<R, Panic>>> + use<J, R>
    where
        J: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        // If the thread is gone, `answer` is dropped with the job; if nothing waits for the answer any more, the answer
        // is dropped.
        let _ = self.jobs.send(Box::new(move || drop(answer.send(catch_unwind(AssertUnwindSafe(job))))));
        answered.map(Result::ok)
    }
}

/// The thread of a connection; None if no thread could be started.
pub struct OwnThread(Option<Thread>);

/// A connection to the SQLite file, whose statements run on a thread of their own.
pub type SqliteConn = SyncConnectionWrapper<SqliteConnection, OwnThread>;

impl SpawnBlocking for OwnThread {
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
        let Some(thread) = &self.0 else { return ready(Err("no thread could be started".into())).boxed() };
        let (running, over) = mpsc::channel();
        let done = thread.carry_out(move || {
            let _running: mpsc::Sender<()> = running;
            statement()
        });
        let over = WaitUntilOver(over);
        async move {
            let _over = over;
            match done.await {
                Some(Ok(answer)) => Ok(answer),
                Some(Err(_)) => Err("the statement panicked".into()),
                None => Err("its thread is gone".into()),
            }
        }
        .boxed()
    }

    fn get_runtime() -> Self {
        Self(Thread::start().inspect_err(|error| error!(%error, "no thread for a connection to the file")).ok())
    }
}

/// Waits for the end of a statement if its caller is dropped meanwhile, as with a client that hangs up.
///
/// The connection goes back to its pool then. While a statement still uses it, it would panic in the hands of the next
/// caller. Statements are short, and callers are rarely dropped, so blocking the caller's thread costs little.
struct WaitUntilOver(mpsc::Receiver<()>);

impl Drop for WaitUntilOver {
    fn drop(&mut self) {
        // Nothing is ever sent: this returns when the statement drops its end.
        let _ = self.0.recv();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::task;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_transaction_stays_on_its_thread_and_a_statement_goes_to_that_of_its_connection() {
        let mut connection = OwnThread::get_runtime();
        let own = connection.spawn_blocking(|| thread::current().id()).await.unwrap();
        assert_ne!(own, thread::current().id());
        assert_eq!(connection.spawn_blocking(|| thread::current().id()).await.unwrap(), own);
        let mut other = OwnThread::get_runtime();
        assert_ne!(other.spawn_blocking(|| thread::current().id()).await.unwrap(), own);
        let transaction = async move {
            let statement = connection.spawn_blocking(|| thread::current().id()).await.unwrap();
            task::yield_now().await;
            (statement, thread::current().id())
        };
        let (statement, last) = Thread::start().unwrap().run(transaction).await;
        assert_eq!(statement, last);
        assert_ne!(statement, own);
    }

    #[tokio::test]
    async fn a_statement_whose_caller_is_dropped_uses_its_connection_no_more() {
        let (mut connection, shared) = (OwnThread::get_runtime(), Arc::new(()));
        let used = Arc::clone(&shared);
        let (_never, asked) = mpsc::channel::<()>();
        let slow = connection.spawn_blocking(move || {
            // A statement that takes its time.
            let _ = asked.recv_timeout(Duration::from_millis(50));
            drop(used);
        });
        assert!(timeout(Duration::ZERO, slow).await.is_err(), "the statement takes longer");
        assert_eq!(Arc::strong_count(&shared), 1);
    }

    #[tokio::test]
    async fn a_panic_reaches_who_asked_and_the_thread_goes_on() {
        let transactions = Thread::start().unwrap();
        let thread = transactions.clone();
        let ended = task::spawn(async move { thread.run(async { panic!("a bug") }).await }).await;
        assert!(ended.unwrap_err().is_panic());
        assert_eq!(transactions.run(async { 1 }).await, 1);
        let mut connection = OwnThread::get_runtime();
        let ended = connection.spawn_blocking(|| panic!("a bug")).await;
        assert_eq!(ended.map_err(|error| error.to_string()), Err::<(), _>("the statement panicked".to_owned()));
        assert_eq!(connection.spawn_blocking(|| 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_thread_ends_with_its_last_holder() {
        let thread = Thread::start().unwrap();
        let (alive, ended) = oneshot::channel::<()>();
        thread_local!(static ALIVE: Cell<Option<oneshot::Sender<()>>> = const { Cell::new(None) });
        thread.run(async { ALIVE.set(Some(alive)) }).await;
        drop(thread);
        assert!(timeout(Duration::from_secs(10), ended).await.unwrap().is_err());
    }

    /// A transaction that waits for the writer must not occupy the thread on which the transaction that holds it goes
    /// on.
    #[tokio::test]
    async fn who_waits_for_the_writer_leaves_its_thread_alone() {
        let dir = tempfile::tempdir().unwrap();
        let db = crate::store::open(&format!("sqlite://{}", dir.path().join("store.db").display())).unwrap();
        let open = db.begin().await.unwrap();
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let (db, store) = (db.clone(), db.clone());
                task::spawn(async move { db.run(async move { store.begin().await?.commit().await }).await })
            })
            .collect();
        // By now every transaction has come as far as it can.
        task::yield_now().await;
        timeout(Duration::from_secs(10), open.commit()).await.expect("the thread is free").unwrap();
        for transaction in waiting {
            transaction.await.unwrap().unwrap();
        }
    }
}
