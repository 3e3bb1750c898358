//! A ledger that is not there for a moment while an auditor catches up.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A source whose answer to the `fails`th question, and to no other, is lost; and what was asked.
struct Failing<S> {
    source: S,
    fails: usize,
    asked: AtomicUsize,
    lost: Mutex<Option<String>>,
}

impl<S> Failing<S> {
    fn new(source: S, fails: usize) -> Self {
        Self { source, fails, asked: AtomicUsize::new(0), lost: Mutex::new(None) }
    }
}

impl<S: Source> Source for Failing<S> {
    fn get<'a>(&'a self, path: &'a str) -> Pin<Box<dyn Future<Output = Result<Bytes, CallError>> + Send + 'a>> {
        if self.asked.fetch_add(1, Ordering::Relaxed) == self.fails {
            *self.lost.lock().expect("whole") = Some(path.to_owned());
            return Box::pin(std::future::ready(Err(CallError::Broken("the connection broke".to_owned()))));
        }
        self.source.get(path)
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_while_catching_up_is_asked_for_again_by_the_next_round() {
    let mut served = Served::new().await;
    for n in 0..3 {
        served.operate(n).await;
    }
    let head = served.covered(27).await;
    let mut lost = Vec::new();
    for fails in 0.. {
        let source = Failing::new(Sparing { remote: served.remote(), entries: 8 }, fails);
        let folder = tempfile::tempdir().expect("a folder");
        let mut follower = auditor(&folder);
        follower.content_bytes = 1;
        let first = round(&mut follower, &source).await;
        let Some(path) = source.lost.lock().expect("whole").clone() else {
            first.expect("nothing was lost");
            break;
        };
        let error = first.expect_err("an answer is missing");
        assert!(error.is_passing(), "{path}: {error}");
        let audited = round(&mut follower, &source).await.unwrap_or_else(|error| panic!("after {path}: {error}"));
        assert!(audited.size >= head.commitment.size, "after {path}: {audited:?}");
        assert_eq!(follower.root_at(head.commitment.size), Some(head.commitment.root), "after {path}");
        lost.push(path);
    }
    for part in [routes::PROOF_HEAD, routes::CHECKPOINT, routes::AUDIT_CONTENT, "/tile/entries/", "/tile/0/"] {
        assert!(lost.iter().any(|path| path.starts_with(part)), "{part} was lost once: {lost:?}");
    }
    served.end().await;
}
