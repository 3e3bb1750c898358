//! `POST /runtime/admit` and `/runtime/complete` (PROTOCOL 12): enforcement for a workload that somebody else starts.
//!
//! The request that such an artifact binds is the admission itself: method `ADMIT`, the runtime as the path, the image's
//! digest as the body.

use crate::disclosures;
use crate::execution::{durability_of, name_lineage};
use crate::gateway::{Admission, Gate, Presented, admit_here, authenticate, body_of, deny};
use crate::opening::{self, Begun, Sent, begin, ending, uncommitted};
use crate::running::STOPPED;
use axum::body::Body;
use eleven_api::admission::{Admit, Admitted, Complete, completed};
use eleven_api::audit::Durability;
use eleven_api::disclosure::Asking;
use eleven_api::problem::Problem;
use eleven_api::serve::json;
use eleven_core::artifact::{Artifact, Operation, RequestBinding, Token};
use eleven_core::attestation::Outcome;
use eleven_core::encoding::{Object, Value};
use eleven_core::hash::Sha3;
use eleven_core::id;
use eleven_core::limits::MAX_POINT_BODY;
use eleven_core::policy::Digests;
use eleven_core::reason::Reason;
use eleven_enforce::denial::Denial;
use eleven_enforce::permit::Execution;
use http::Request;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Workloads that were admitted and are not completed.
pub(crate) struct Workloads {
    started: Mutex<HashMap<String, Started>>,
    /// One for each that may be admitted beside those.
    places: Arc<Semaphore>,
}

struct Started {
    execution: Execution,
    digests: Digests,
    /// What the policy asks of the evidence.
    durability: Durability,
    identity: String,
    /// Free again once its evidence is committed.
    _place: OwnedSemaphorePermit,
    /// Dropped with the rest once somebody completes it: then nobody watches over it any more.
    _watched: oneshot::Sender<()>,
}

impl Workloads {
    /// None yet, and at most so many at once.
    pub(crate) fn new(most: usize) -> Self {
        Self { started: Mutex::default(), places: Arc::new(Semaphore::new(most)) }
    }

    /// A place for one more, before its use is taken: what a point has open it has to close when it starts again.
    fn place(&self, admission: &Admission) -> Result<OwnedSemaphorePermit, Denial> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let detail =
                "as many workloads as may be are admitted and not completed: complete some, or wait for their end";
            Denial::of_admitted(Reason::LimitsExceeded, detail, &admission.admitted.token().artifact)
        })
    }

    fn take(&self, attestation_id: &str, caller: Option<&str>) -> Option<Started> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let own = started.get(attestation_id).is_some_and(|s| caller.is_none_or(|caller| s.identity == caller));
        if own { started.remove(attestation_id) } else { None }
    }
}

/// Admits a workload.
pub(crate) async fn admit(
    gate: Arc<Gate>,
    workloads: Arc<Workloads>,
    request: Request<Body>,
) -> axum::response::Response {
    let answered = async {
        let (parts, body) = request.into_parts();
        let caller = authenticate(&gate, &parts.headers).await?;
        let (caller, body) = body_of(&gate, &caller, &parts.headers, body, MAX_POINT_BODY).await?;
        let asked = match Admit::read(&body) {
            Ok(asked) => asked,
            Err(error) => return Err(deny(&gate, Denial::new(Reason::ArtifactMalformed, error.to_string())).await),
        };
        let placed = admission(&gate, &caller.identity, &asked).and_then(|admission| {
            let place = workloads.place(&admission)?;
            Ok((admission, place))
        });
        let (admission, place) = match placed {
            Ok(placed) => placed,
            Err(denial) => return Err(deny(&gate, denial).await),
        };
        let run = {
            let gate = Arc::clone(&gate);
            move |begun| start(gate, workloads, caller.identity, place, begun)
        };
        begin(&gate.desks, &gate.running, &gate.clock, admission, asked.image, run).await
    };
    answered.await.unwrap_or_else(axum::response::IntoResponse::into_response)
}

/// Keeps what was admitted until it is completed, and says so. Where nobody hears it any more it is interrupted in time.
async fn start(
    gate: Arc<Gate>,
    workloads: Arc<Workloads>,
    identity: String,
    place: OwnedSemaphorePermit,
    begun: Begun,
) {
    let Begun { permit, bundle, reply } = begun;
    let execution = permit.run();
    let op = execution.op.clone();
    let attestation_id = id::attestation_id(&execution.artifact.id, &gate.point.name, &op);
    let (watched, completed) = oneshot::channel();
    let watch = Watch {
        workloads: Arc::clone(&workloads),
        attestation_id: attestation_id.clone(),
        op: op.clone(),
        artifact: Arc::clone(&execution.artifact),
        limit: bundle.terms.max_run.map_or(gate.settings.gateway.max_run, Duration::from_secs),
        gate,
    };
    let (digests, durability) = (bundle.terms.digests, durability_of(&bundle));
    let started = Started { execution, digests, durability, identity, _place: place, _watched: watched };
    workloads.started.lock().unwrap_or_else(PoisonError::into_inner).insert(attestation_id.clone(), started);
    let admitted = Admitted { attestation_id, lineage: id::lineage_name(&op), durability: Durability::D1 };
    reply.with(Ok(answer(&admitted.to_value(), &op, admitted.durability)));
    watch.over(completed).await;
}

fn admission(gate: &Gate, caller: &str, asked: &Admit) -> Result<Admission, Denial> {
    let operation = asked.token.as_ref().map_or_else(nothing, |token| without_params(&token.artifact.op));
    let operation = operation.map_err(|error| Denial::new(Reason::ArtifactMalformed, error.to_string()))?;
    let request = RequestBinding { body: asked.image, method: "ADMIT".into(), path: asked.runtime.clone() };
    let token = asked.token.as_ref().map(Token::text);
    let (token, runtime) = (Presented::Text(token.as_deref()), Some(asked.runtime.clone()));
    let admission = admit_here(gate, caller, token, &operation, Some(&request), runtime)?;
    if is_own(gate, &operation.name, asked.image) {
        let detail = "it names what this point runs itself, by its operation or by its image: call it where it runs";
        return Err(Denial::of_admitted(Reason::OperationMismatch, detail, &admission.admitted.token().artifact));
    }
    Ok(admission)
}

/// Whether this is what the point runs itself. What comes of a workload is the word of who completes it: under that name or
/// that digest it would be evidence of a call or an erasure that never was.
fn is_own(gate: &Gate, operation: &str, image: Sha3) -> bool {
    let listing = gate.settings.gateway.list_operation.as_str();
    let operations = [Asking::Open.operation(), Asking::Erase.operation(), listing];
    operations.contains(&operation) || [gate.workload, disclosures::workload()].contains(&image)
}

/// What a workload does is what its artifact says: the point that admits it sees only the image.
fn without_params(op: &Operation) -> Result<Operation, eleven_core::form::FormError> {
    let mut object = op.value().as_object().cloned().unwrap_or_default();
    object.remove("params");
    Operation::read(Value::Object(object))
}

fn nothing() -> Result<Operation, eleven_core::form::FormError> {
    Operation::read(Value::Object(Object::new().with("name", "workload").with("scope", Vec::new())))
}

/// A workload that was admitted and is not completed.
struct Watch {
    gate: Arc<Gate>,
    workloads: Arc<Workloads>,
    attestation_id: String,
    op: String,
    artifact: Arc<Artifact>,
    limit: Duration,
}

impl Watch {
    /// An admission that nobody completed in time is interrupted, and at once where a revocation, a containment, a halt or the end
    /// of this point ends it: it can't be completed any more.
    async fn over(self, completed: oneshot::Receiver<()>) {
        let gate = &self.gate;
        let mut registered = gate.running.enter(&self.op, &self.artifact);
        let cause = match gate.registry.ends(&self.artifact) {
            Some(reason) => reason.code(),
            None => tokio::select! {
                reason = registered.stop() => reason.map_or(STOPPED, Reason::code),
                () = tokio::time::sleep(self.limit) => "max_run",
                _ = completed => return,
            },
        };
        let Some(started) = self.workloads.take(&self.attestation_id, None) else { return };
        let closed = close(gate, started, (Outcome::Interrupted, Some(cause)), Sent::nothing(0)).await;
        if closed.is_none() {
            // Whoever started it knows it by this name alone.
            let id = &self.attestation_id;
            tracing::error!(attestation_id = id, cause, "a workload that was interrupted could not be closed");
        }
    }
}

/// Completes an admitted workload.
pub(crate) async fn complete(
    gate: Arc<Gate>,
    workloads: Arc<Workloads>,
    request: Request<Body>,
) -> axum::response::Response {
    let answered = async {
        let (parts, body) = request.into_parts();
        let caller = authenticate(&gate, &parts.headers).await?;
        let (caller, body) = body_of(&gate, &caller, &parts.headers, body, MAX_POINT_BODY).await?;
        let done = Complete::read(&body).map_err(|error| Problem::malformed(error.to_string()))?;
        let outcome = Outcome::parse(&done.outcome).ok_or_else(|| Problem::malformed("not an outcome"))?;
        let started = workloads.take(&done.attestation_id, Some(&caller.identity)).ok_or_else(|| {
            let what = format!("{} is no admission of yours that waits for its completion", done.attestation_id);
            Problem::with_status(404, what)
        })?;
        let sent = Sent { body: done.body, bytes: done.bytes, status: done.status };
        Ok::<_, Problem>(finish(&gate, started, outcome, sent).await)
    };
    answered.await.unwrap_or_else(axum::response::IntoResponse::into_response)
}

/// Closes a workload as whoever completes it says, and answers.
async fn finish(gate: &Gate, started: Started, outcome: Outcome, sent: Sent) -> axum::response::Response {
    let (op, asked) = (started.execution.op.clone(), started.durability);
    let Some(src_seq) = close(gate, started, (outcome, None), sent).await else {
        return uncommitted(&op, axum::response::IntoResponse::into_response);
    };
    let reached = gate.standing.reached(src_seq, asked, gate.settings.release_wait).await;
    // It is complete either way; whoever asked for more sees by the name that it is not there yet.
    let durability = if reached { asked } else { Durability::D1 };
    answer(&completed(durability), &op, durability)
}

/// An answer about a workload that was admitted, in the form of all answers about an operation.
fn answer(said: &Value, op: &str, durability: Durability) -> axum::response::Response {
    let mut answer = json(said);
    name_lineage(answer.headers_mut(), op, durability);
    answer
}

async fn close(gate: &Gate, started: Started, how: (Outcome, Option<&'static str>), sent: Sent) -> Option<u64> {
    let Started { execution, digests, .. } = started;
    let ending = ending(&execution, digests, how, sent, gate.clock.now());
    opening::close(&gate.desks, execution, ending).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opening::tests::{admission, assert_uncommitted, events};
    use crate::serve::tests::{fail_next, opened};
    use crate::view::tests::{Logged, view_where};
    use eleven_store::faulty::FaultyDisk;

    #[test]
    fn so_many_workloads_are_admitted_at_once_and_no_more() {
        let workloads = Workloads::new(2);
        let (admission, _) = admission();
        let (first, _second) = (workloads.place(&admission).expect("free"), workloads.place(&admission).expect("free"));
        let denial = workloads.place(&admission).expect_err("none is left");
        assert_eq!(denial.reason, Reason::LimitsExceeded);
        assert!(denial.about.identity.is_some() && denial.about.artifact_id.is_some());
        assert_eq!(denial.about.policy_required, denial.about.policy.map(|policy| policy.reference));
        drop(first);
        assert!(workloads.place(&admission).is_ok(), "one is completed");
    }

    #[tokio::test]
    async fn whoever_completes_a_workload_hears_that_its_evidence_could_not_be_committed() {
        let disk = FaultyDisk::new(1);
        let point = opened(&disk, "http://127.0.0.1:9").await;
        let (gate, (admission, _)) = (Arc::clone(&point.gate), admission());
        let workloads = Workloads::new(1);
        let place = workloads.place(&admission).expect("free");
        let run = move |Begun { permit, reply, .. }: Begun| async move {
            let (digests, durability, identity) = (Digests::Plain, Durability::D1, String::new());
            let (watched, _completed) = oneshot::channel();
            let started =
                Started { execution: permit.run(), digests, durability, identity, _place: place, _watched: watched };
            fail_next(&disk);
            reply.with(Ok(finish(&gate, started, Outcome::Completed, Sent::nothing(0)).await));
        };
        let begun =
            begin(&point.gate.desks, &point.gate.running, &point.gate.clock, admission, Sha3([7; 64]), run).await;
        assert_uncommitted(begun.expect("an answer")).await;
        assert_eq!(workloads.places.available_permits(), 1, "it takes no place any more");
    }

    #[tokio::test]
    async fn what_is_said_of_a_workload_names_its_lineage_the_decision_and_how_durable_it_is() {
        let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
        let ((admission, _), workloads) = (admission(), Arc::new(Workloads::new(1)));
        let place = workloads.place(&admission).expect("free");
        let lineage = id::lineage_name(admission.admitted.token().artifact.content_id());
        let (gate, kept) = (Arc::clone(&point.gate), Arc::clone(&workloads));
        let run = move |begun| start(gate, kept, "svc:app:test".to_owned(), place, begun);
        let begun =
            begin(&point.gate.desks, &point.gate.running, &point.gate.clock, admission, Sha3([7; 64]), run).await;
        let admitted = begun.expect("an answer");
        let id = workloads.started.lock().expect("whole").keys().next().cloned().expect("it waits");
        let started = workloads.take(&id, None).expect("it waits");
        let completed = finish(&point.gate, started, Outcome::Completed, Sent::nothing(0)).await;
        for answer in [admitted, completed] {
            let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
            assert_eq!(answer.status(), 200);
            assert_eq!((header("eleven-decision"), header("eleven-durability")), (Some("allow"), Some("D1")));
            assert_eq!(header("eleven-lineage"), Some(lineage.as_str()));
        }
    }

    #[tokio::test]
    async fn what_a_view_ends_that_came_before_it_was_watched_is_interrupted_at_once() {
        for (what, reason) in
            [("revoked", Reason::ArtifactRevoked), ("the model is contained", Reason::RuntimeContained)]
        {
            let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
            let ((admission, _), workloads) = (admission(), Arc::new(Workloads::new(1)));
            let place = workloads.place(&admission).expect("free");
            let (gate, kept) = (Arc::clone(&point.gate), Arc::clone(&workloads));
            let run = move |begun| {
                // Nothing was entered yet that it could be reviewed by.
                gate.registry.hold(view_where(what));
                start(gate, kept, "svc:app:test".to_owned(), place, begun)
            };
            let begun =
                begin(&point.gate.desks, &point.gate.running, &point.gate.clock, admission, Sha3([7; 64]), run).await;
            assert_eq!(begun.expect("an answer").status(), 200, "it was admitted");
            let ended = tokio::time::timeout(Duration::from_secs(10), events(&point.gate.desks, 6)).await;
            let ended = ended.expect("long before `max_run`").swap_remove(4);
            let cause = ended.data.get("cause").and_then(Value::as_str);
            assert_eq!((ended.event.as_str(), cause), ("execution.interrupted", Some(reason.code())), "{what}");
            let started = workloads.started.lock().expect("whole");
            assert!(started.is_empty(), "{what}: nobody completes it any more");
        }
    }

    #[tokio::test]
    async fn what_is_not_completed_when_its_point_ends_is_interrupted_and_nobody_completes_it_any_more() {
        let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
        let ((admission, _), workloads) = (admission(), Arc::new(Workloads::new(1)));
        let place = workloads.place(&admission).expect("free");
        let (gate, kept) = (Arc::clone(&point.gate), Arc::clone(&workloads));
        let run = move |begun| start(gate, kept, "svc:app:test".to_owned(), place, begun);
        let begun =
            begin(&point.gate.desks, &point.gate.running, &point.gate.clock, admission, Sha3([7; 64]), run).await;
        assert_eq!(begun.expect("an answer").status(), 200, "it was admitted");
        let id = workloads.started.lock().expect("whole").keys().next().cloned().expect("it waits");
        point.gate.running.end();
        let ended = tokio::time::timeout(Duration::from_secs(10), events(&point.gate.desks, 6)).await;
        let ended = ended.expect("long before `max_run`").swap_remove(4);
        let cause = ended.data.get("cause").and_then(Value::as_str);
        assert_eq!((ended.event.as_str(), cause), ("execution.interrupted", Some(STOPPED)));
        assert!(workloads.take(&id, None).is_none());
    }

    #[tokio::test]
    async fn an_interrupted_workload_that_cannot_be_closed_is_named_in_the_log() {
        let logged = Logged::default();
        let _logging = tracing::subscriber::set_default(logged.clone());
        let disk = FaultyDisk::new(1);
        let point = opened(&disk, "http://127.0.0.1:9").await;
        let (gate, (admission, _)) = (Arc::clone(&point.gate), admission());
        let workloads = Arc::new(Workloads::new(1));
        let place = workloads.place(&admission).expect("free");
        let run = move |begun: Begun| start(gate, workloads, String::new(), place, begun);
        let begun =
            begin(&point.gate.desks, &point.gate.running, &point.gate.clock, admission, Sha3([7; 64]), run).await;
        let body = axum::body::to_bytes(begun.expect("an answer").into_body(), 10_000).await.expect("whole");
        let body = eleven_core::encoding::parse(&body).expect("I-JSON");
        let id = body.get("attestation_id").and_then(Value::as_str).expect("its name").to_owned();
        while point.gate.running.len() == 0 {
            tokio::task::yield_now().await;
        }
        fail_next(&disk);
        point.gate.running.halt(Reason::AuditDiscontinuity);
        let named = async {
            while !logged.lines().iter().any(|line| line.contains("could not be closed") && line.contains(&id)) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let named = tokio::time::timeout(Duration::from_secs(10), named).await;
        assert!(named.is_ok(), "{id}: {:?}", logged.lines());
    }
}
