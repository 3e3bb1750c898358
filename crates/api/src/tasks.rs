//! The tasks without which a corner does not do its work.
//!
//! What panics in a task ends that task alone: the process would live on, and nothing of what the task was there for would be
//! done any more. So a corner that loses one of them ends, and whoever supervises it starts it again.

use std::fmt;
use std::future::Future;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Tasks none of which ends before its corner is told to.
#[derive(Clone, Debug, Default)]
pub struct Tasks(watch::Sender<Option<Ended>>);

/// The task of this name has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended(pub &'static str);

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the task `{}` of this process ended, and it is of no use without: start it again", self.0)
    }
}

impl std::error::Error for Ended {}

/// Says that a task has ended, however it did.
struct Last(Ended, Tasks);

impl Drop for Last {
    fn drop(&mut self) {
        let Self(ended, Tasks(first)) = self;
        first.send_modify(|first| *first = first.or(Some(*ended)));
    }
}

impl Tasks {
    /// Starts one. Must be called within a Tokio runtime.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let last = Last(Ended(name), self.clone());
        tokio::spawn(async move {
            let _last = last;
            task.await;
        })
    }

    /// Waits until one of them has ended, and says which did first.
    pub async fn ended(&self) -> Ended {
        let mut first = self.0.subscribe();
        let ended = first.wait_for(Option::is_some).await.ok().and_then(|first| *first);
        match ended {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn the_first_task_that_ends_is_told_whether_it_panicked_or_not() {
        let tasks = Tasks::default();
        let (end, mut ending) = watch::channel(false);
        let goes_on = tasks.spawn("one", async move { crate::serve::stopped(&mut ending).await });
        assert!(tokio::time::timeout(Duration::from_millis(20), tasks.ended()).await.is_err(), "none has ended");
        let panics = tasks.spawn("two", async { panic!("a task that panics") });
        assert_eq!(tasks.ended().await, Ended("two"));
        assert!(panics.await.expect_err("it panicked").is_panic());
        end.send_replace(true);
        goes_on.await.expect("it ended");
        assert_eq!(tasks.ended().await, Ended("two"), "the first of them");
        let others = Tasks::default();
        others.spawn("three", async {});
        assert_eq!(others.ended().await, Ended("three"));
    }
}
