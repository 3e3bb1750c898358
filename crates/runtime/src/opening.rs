//! Steps 17 and 18 and what follows them, in a task of its own. The server drops a handler whose caller leaves, wherever it
//! waits; what was begun by then has to end all the same, and truthfully (PROTOCOL 5.1).

use crate::gateway::{Admission, recorded};
use crate::journal::Desks;
use crate::running::Running;
use axum::response::Response;
use eleven_api::audit::DURABILITY_HEADER;
use eleven_api::edge::{self, Clock};
use eleven_api::problem::Problem;
use eleven_core::artifact::result_digest;
use eleven_core::attestation::{Outcome, StatementResult};
use eleven_core::hash::Sha3;
use eleven_core::id;
use eleven_core::policy::{Digests, PolicyBundle};
use eleven_core::reason::Reason;
use eleven_core::time::Time;
use eleven_enforce::denial::Denial;
use eleven_enforce::permit::{Ending, Execution, Permit};
use std::sync::Arc;
use tokio::sync::oneshot;

/// The cause of an interruption whose caller left.
pub(crate) const CALLER_LEFT: &str = "caller.left";
/// The status that is recorded where nobody was there to be answered.
pub(crate) const NOBODY: u16 = 499;
/// What a caller hears whose operation was admitted too late.
const ENDING: &str = "this enforcement point was told to stop, and begins nothing more: call again";
/// What a caller hears whose operation has no evidence.
const UNCOMMITTED: &str = "the execution's evidence could not be committed";

/// An operation that may run: its permit, the policy under which it was admitted, and who waits for the answer.
pub(crate) struct Begun {
    pub(crate) permit: Permit,
    pub(crate) bundle: Arc<PolicyBundle>,
    pub(crate) reply: Reply,
}

/// The way back to a caller, who may have left.
pub(crate) struct Reply(oneshot::Sender<Result<Response, Problem>>);

impl Reply {
    /// Answers, where somebody is still there.
    pub(crate) fn with(self, answer: Result<Response, Problem>) {
        let _ = self.0.send(answer);
    }

    /// Waits until the caller has left.
    pub(crate) async fn left(&mut self) {
        self.0.closed().await;
    }

    fn is_left(&self) -> bool {
        self.0.is_closed()
    }
}

/// Takes the use, commits, and hands the permit to `run`, which replies; all of it in a task of its own, which goes on where the
/// caller leaves. Where the caller is gone by the time of the permit nothing runs, and the evidence says so. Nothing begins once this
/// point is about to end.
///
/// # Errors
/// The denial of steps 17 and 18, or what `run` replies.
pub(crate) async fn begin<R>(
    desks: &Arc<Desks>,
    running: &Arc<Running>,
    clock: &Arc<dyn Clock>,
    admission: Admission,
    workload: Sha3,
    run: impl FnOnce(Begun) -> R + Send + 'static,
) -> Result<Response, Problem>
where
    R: Future<Output = ()> + Send,
{
    let Some(underway) = running.begin() else {
        let denial = Denial::of_admitted(Reason::AuditUnavailable, ENDING, &admission.admitted.token().artifact);
        return Err(too_late(desks, denial).await);
    };
    let (send, answer) = oneshot::channel();
    let (desks, clock) = (Arc::clone(desks), Arc::clone(clock));
    tokio::spawn(async move {
        let _underway = underway;
        let (reply, Admission { admitted, bundle }) = (Reply(send), admission);
        match desks.open(admitted, workload).await {
            Err(refused) => reply.with(Err(recorded(refused))),
            Ok(permit) if reply.is_left() => left(&desks, permit, bundle.terms.digests, clock.now()).await,
            Ok(permit) => run(Begun { permit, bundle, reply }).await,
        }
    });
    let broke_off = |_| Err(Problem::refused(Reason::AuditUnavailable, "the execution broke off").once_allowed());
    answer.await.unwrap_or_else(broke_off)
}

/// Refuses what was admitted when this point had said that it ends: nobody would wait for its evidence.
async fn too_late(desks: &Desks, denial: Denial) -> Problem {
    let op = desks.deny(denial.clone()).await;
    if let Err(error) = &op {
        tracing::error!(error, "a denial could not be recorded; the call is refused all the same");
    }
    recorded((denial, op.ok()))
}

/// Closes what nobody waits for any more and nothing was done of.
async fn left(desks: &Desks, permit: Permit, digests: Digests, now: Time) {
    let execution = permit.run();
    let ending = ending(&execution, digests, (Outcome::Interrupted, Some(CALLER_LEFT)), Sent::nothing(NOBODY), now);
    close(desks, execution, ending).await;
}

/// Attest, Audit: one commit. The number of its last record, or none where it could not be made. The operator is told why;
/// nothing is released then, and the caller hears that it is [`uncommitted`].
pub(crate) async fn close(desks: &Desks, execution: Execution, ending: Ending) -> Option<u64> {
    let op = execution.op.clone();
    match desks.close(execution, ending).await {
        Ok(closing) => closing.records.last().map(|record| record.src_seq),
        Err(error) => {
            tracing::error!(op, error, "the evidence of an execution could not be committed; nothing is released");
            None
        }
    }
}

/// The answer of an operation that has no evidence, in the form of its surface. It was admitted, and what came of it is durable
/// nowhere.
pub(crate) fn uncommitted(op: &str, form: impl FnOnce(Problem) -> Response) -> Response {
    let problem = Problem::refused(Reason::AuditUnavailable, UNCOMMITTED).once_allowed();
    let mut answer = form(problem.in_lineage(id::lineage_name(op)));
    answer.headers_mut().remove(DURABILITY_HEADER);
    answer
}

/// What was sent to a caller.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    /// The digest of its bytes.
    pub(crate) body: Sha3,
    /// How many they were.
    pub(crate) bytes: u64,
    /// The status.
    pub(crate) status: u16,
}

impl Sent {
    /// No bytes, under a status.
    pub(crate) fn nothing(status: u16) -> Self {
        Self { body: Sha3::of(&[]), bytes: 0, status }
    }

    /// These bytes, under a status.
    pub(crate) fn whole(bytes: &[u8], status: u16) -> Self {
        let body = edge::at_length(bytes.len(), || Sha3::of(&[bytes]));
        Self { body, bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX), status }
    }
}

/// What came of an execution: its outcome and cause, and what was sent, its digest salted as the policy says.
pub(crate) fn ending(
    execution: &Execution,
    digests: Digests,
    (outcome, cause): (Outcome, Option<&'static str>),
    sent: Sent,
    finished: Time,
) -> Ending {
    let salt = if digests == Digests::Plain { "" } else { execution.salt.as_str() };
    let digest = result_digest(salt, sent.body, sent.status);
    let result = StatementResult { digest, bytes: sent.bytes, status: u64::from(sent.status) };
    Ending { outcome, cause, result, finished }
}

#[cfg(test)]
pub(crate) mod tests;
