//! Runs the server's long-running tasks under names, and notices when one of them ends by itself.

use std::collections::HashMap;

use anyhow::anyhow;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::error;

/// Owns every long-running task of the server.
///
/// Each task has a name and the token that asks it to stop. A task that returns while its token is not cancelled, or
/// that fails or panics at any time, is logged as an error with its name, and makes [`Supervisor::finish`] return an
/// error. Dropping the supervisor aborts all tasks.
#[derive(Default)]
pub struct Supervisor {
    tasks: JoinSet<anyhow::Result<()>>,
    /// The tasks that have not been joined yet.
    parts: HashMap<Id, Part>,
    first_failure: Option<TaskFailure>,
}

struct Part {
    name: &'static str,
    stop: CancellationToken,
    task: AbortHandle,
}

/// A task of the server that did not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum TaskFailure {
    /// The task returned, although its token was not cancelled.
    #[error("the {task} task ended without having been asked to stop")]
    Ended {
        /// Name of the task.
        task: &'static str,
    },
    /// The task returned an error or panicked.
    #[error("the {task} task failed: {error:#}")]
    Failed {
        /// Name of the task.
        task: &'static str,
        /// The task's error, or its panic message.
        error: anyhow::Error,
    },
}

/// What a task may return: nothing, or a result.
pub trait TaskOutput {
    /// Converts the output to the form that the supervisor keeps.
    fn into_result(self) -> anyhow::Result<()>;
}

impl TaskOutput for () {
    fn into_result(self) -> anyhow::Result<()> {
        Ok(())
    }
}

impl<E: Into<anyhow::Error>> TaskOutput for Result<(), E> {
    fn into_result(self) -> anyhow::Result<()> {
        self.map_err(Into::into)
    }
}

impl Supervisor {
    /// Starts a task. `run` receives a clone of `stop`, and must return soon after that token is cancelled.
    pub fn spawn<F>(&mut self, name: &'static str, stop: &CancellationToken, run: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output: TaskOutput> + Send + 'static,
    {
        let run = run(stop.clone());
        let task = self.tasks.spawn(async move { run.await.into_result() });
        self.parts.insert(task.id(), Part { name, stop: stop.clone(), task });
    }

    /// Waits until a task has failed; returns at once if one has failed before.
    pub async fn until_failure(&mut self) {
        while self.first_failure.is_none() {
            if !self.join_next().await {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until every task whose token is cancelled has ended.
    pub async fn until_stopped(&mut self) {
        while self.parts.values().any(|part| part.stop.is_cancelled()) {
            self.join_next().await;
        }
    }

    /// Aborts the tasks that still run although their tokens are cancelled, and returns their names.
    pub fn abort_late(&self) -> Vec<&'static str> {
        let late = self.parts.values().filter(|part| part.stop.is_cancelled());
        late.inspect(|part| part.task.abort()).map(|part| part.name).collect()
    }

    /// Aborts all tasks that are left, and waits for their end.
    ///
    /// # Errors
    /// Returns the first failure of a task since the start.
    pub async fn finish(mut self) -> Result<(), TaskFailure> {
        self.tasks.abort_all();
        while self.join_next().await {}
        self.first_failure.map_or(Ok(()), Err)
    }

    /// Takes note of the next task that ends. Returns false if there is none left.
    async fn join_next(&mut self) -> bool {
        let Some(joined) = self.tasks.join_next_with_id().await else { return false };
        let (id, output) = match joined {
            Ok((id, output)) => (id, Some(output)),
            // Only this type aborts tasks.
            Err(error) if error.is_cancelled() => (error.id(), None),
            Err(error) => (error.id(), Some(Err(anyhow!(error)))),
        };
        let (Some(Part { name: task, stop, .. }), Some(output)) = (self.parts.remove(&id), output) else { return true };
        let failure = match output {
            Ok(()) if stop.is_cancelled() => return true,
            Ok(()) => TaskFailure::Ended { task },
            Err(error) => TaskFailure::Failed { task, error },
        };
        error!(task, "{failure}");
        self.first_failure.get_or_insert(failure);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::io;

    use super::*;

    async fn run(stop: CancellationToken) {
        stop.cancelled().await;
    }

    async fn panics(_stop: CancellationToken) {
        panic!("the ring is empty");
    }

    #[tokio::test]
    async fn a_task_that_is_asked_to_stop_is_no_failure_and_the_others_go_on() {
        let (mut supervisor, first, last) = (Supervisor::default(), CancellationToken::new(), CancellationToken::new());
        supervisor.spawn("dialer", &first, run);
        supervisor.spawn("event hub", &last, run);
        first.cancel();
        supervisor.until_stopped().await;
        let left: Vec<_> = supervisor.parts.values().map(|part| part.name).collect();
        assert_eq!(left, ["event hub"]);
        last.cancel();
        supervisor.until_stopped().await;
        supervisor.finish().await.unwrap();
    }

    #[tokio::test]
    async fn a_task_that_ends_early_is_a_failure_with_its_name() {
        let (mut supervisor, stop) = (Supervisor::default(), CancellationToken::new());
        supervisor.spawn("dialer", &stop, run);
        supervisor.spawn("webhooks", &stop, |_| async {});
        supervisor.until_failure().await;
        stop.cancel();
        supervisor.until_stopped().await;
        let failure = supervisor.finish().await.unwrap_err();
        assert_eq!(failure.to_string(), "the webhooks task ended without having been asked to stop");
    }

    #[tokio::test]
    async fn a_task_that_panics_is_a_failure_with_its_name_and_the_message() {
        let (mut supervisor, stop) = (Supervisor::default(), CancellationToken::new());
        supervisor.spawn("event hub", &stop, panics);
        supervisor.until_failure().await;
        let text = supervisor.finish().await.unwrap_err().to_string();
        assert!(text.starts_with("the event hub task failed: task ") && text.contains("the ring is empty"), "{text}");
    }

    #[tokio::test]
    async fn an_error_counts_also_while_stopping_and_the_first_one_is_kept() {
        let (mut supervisor, stop) = (Supervisor::default(), CancellationToken::new());
        supervisor.spawn("api", &stop, |stop| async move {
            stop.cancelled().await;
            Err(io::Error::other("no more"))
        });
        stop.cancel();
        supervisor.until_stopped().await;
        supervisor.spawn("metrics", &CancellationToken::new(), |_| async {});
        supervisor.until_failure().await;
        let failure = supervisor.finish().await.unwrap_err();
        assert_eq!(failure.to_string(), "the api task failed: no more");
    }

    #[tokio::test]
    async fn a_task_that_does_not_stop_is_named_and_aborted() {
        let (mut supervisor, stop) = (Supervisor::default(), CancellationToken::new());
        supervisor.spawn("api", &stop, |_| pending::<()>());
        assert_eq!(supervisor.abort_late(), Vec::<&str>::new());
        stop.cancel();
        assert_eq!(supervisor.abort_late(), ["api"]);
        supervisor.until_stopped().await;
        supervisor.finish().await.unwrap();
    }

    #[tokio::test]
    async fn without_a_failure_nothing_is_reported() {
        let (mut supervisor, stop) = (Supervisor::default(), CancellationToken::new());
        supervisor.spawn("dialer", &stop, run);
        stop.cancel();
        let reported = tokio::time::timeout(std::time::Duration::from_millis(50), supervisor.until_failure()).await;
        assert!(reported.is_err(), "a task that was asked to stop is no failure");
    }
}
