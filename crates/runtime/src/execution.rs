//! Execute: the one place that reaches an upstream, and it takes a `Permit` by value to do so.
//!
//! An execution is a task of its own ([`crate::opening`]). Whoever called may leave; a revocation, a containment, a halt or the end
//! of this point may come; its time may be over; the upstream may break off, or answer more than is held: in each case the truthful
//! outcome, with the bytes that were delivered, is committed as evidence.

use crate::gateway::Gate;
use crate::opening::{Begun, NOBODY, Reply, Sent, close, ending, uncommitted};
use crate::passing;
use crate::refusal;
use crate::release::{Holdback, has_end};
use crate::running::Registered;
use broken::Break;
use bytes::Bytes;
use done::UntilDone;
use eleven_api::audit::{DURABILITY_HEADER, Durability};
use eleven_api::edge;
use eleven_api::pieces;
use eleven_api::problem::Problem;
use eleven_api::public;
use eleven_core::attestation::Outcome;
use eleven_core::id;
use eleven_core::policy::{Digests, PolicyBundle, Release};
use eleven_core::reason::Reason;
use eleven_enforce::permit::Execution;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use std::sync::Arc;
use std::time::Duration;

mod broken;
mod done;
mod failing;
mod stream;

pub(crate) use failing::Failing;

type Answer = axum::response::Response;

/// The header that says what was decided.
pub(crate) const DECISION: &str = "eleven-decision";
/// The header that tells a caller the salt of its call's digests, which it and this point know alone (PROTOCOL 4).
const SALT: &str = "eleven-salt";
/// The cause of a failure that is the upstream's, of which nothing more stands in the ledger.
pub const UPSTREAM_FAILED: &str = "upstream.failed";
/// How the operator is told of that; `eleven why` says so.
const FAILED: &str = "the upstream failed";
/// What a caller hears whose answer is withheld.
const UNPROVEN: &str = "the evidence has not reached the durability that the policy asks for; the answer is withheld";

/// Runs the operation that was begun, and answers a caller who speaks `version` once its release allows: whole with its evidence
/// durable, or as a stream whose end waits for it.
pub(crate) async fn run(gate: Arc<Gate>, begun: Begun, mut request: Request<Full<Bytes>>, version: Version) {
    let Begun { permit, bundle, reply } = begun;
    // Before HTTP/1.1 an answer of unknown length ends as its connection does: one that is broken off would look whole.
    let streams = bundle.terms.release == Release::Stream && version >= Version::HTTP_11;
    let head_only = *request.method() == Method::HEAD;
    // So that the upstream's own log can be held against the ledger.
    if let Ok(lineage) = HeaderValue::from_str(&id::lineage_name(permit.op())) {
        request.headers_mut().insert("eleven-lineage", lineage);
    }
    Run { gate, bundle, streams, head_only, reply: Some(reply) }.go(permit.run(), request).await;
}

struct Run {
    gate: Arc<Gate>,
    bundle: Arc<PolicyBundle>,
    /// Whether the answer passes as it comes.
    streams: bool,
    /// Whether the caller asks for the head alone.
    head_only: bool,
    /// Taken by the answer.
    reply: Option<Reply>,
}

impl Run {
    async fn go(mut self, execution: Execution, request: Request<Full<Bytes>>) {
        let gate = Arc::clone(&self.gate);
        let mut registered = gate.running.enter(&execution.op, &execution.artifact);
        let ended = gate.registry.ends(&execution.artifact);
        let limit = self.bundle.terms.max_run.map_or(gate.settings.gateway.max_run, Duration::from_secs);
        let deadline = tokio::time::Instant::now() + limit;
        let head = match ended {
            Some(reason) => Err(Break::Interrupted(reason)),
            None => self.until(deadline, &mut registered, gate.client.send(request)).await,
        };
        match head.and_then(|sent| sent.map_err(|error| Break::Upstream(error.to_string()))) {
            Err(broken) => self.broken(execution, broken).await,
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                self.broken(execution, Break::switched()).await;
            }
            Ok(response) if is_redirect(&response) => {
                self.broken(execution, Break::redirected(response.status())).await;
            }
            Ok(response) if passing::is_transfer_encoded(response.headers()) => {
                self.broken(execution, Break::encoded()).await;
            }
            Ok(response) if self.streams && can_stream(&response) => {
                self.stream(execution, response, deadline, registered).await;
            }
            Ok(response) => self.whole(execution, response, deadline, registered).await,
        }
    }

    /// Waits for `work` on behalf of a caller who was not answered yet, or whose answer tells by itself when it leaves.
    async fn until<T>(
        &mut self,
        deadline: tokio::time::Instant,
        registered: &mut Registered<'_>,
        work: impl Future<Output = T>,
    ) -> Result<T, Break> {
        let left = async {
            match self.reply.as_mut() {
                Some(reply) => reply.left().await,
                None => std::future::pending().await,
            }
        };
        until(deadline, registered, left, work).await
    }

    /// `release: whole`, or nothing that could be streamed: the body is held until its evidence is durable.
    async fn whole(
        mut self,
        execution: Execution,
        response: Response<Incoming>,
        deadline: tokio::time::Instant,
        mut registered: Registered<'_>,
    ) {
        let (parts, body) = response.into_parts();
        let by_close = ends_by_close(&parts.headers) && !body.is_end_stream();
        // In a coding nothing is an end but by chance.
        let (events, encoded) = (are_events(&parts.headers), passing::is_encoded(&parts.headers));
        let limit = self.gate.settings.gateway.max_response;
        let body = UntilDone::new(body, events && !encoded);
        let read = self.until(deadline, &mut registered, pieces::whole(body, limit)).await;
        let body = read.and_then(|read| match read {
            Ok(body) => Ok(body),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Break::TooLarge),
            Err(error) => Err(Break::Upstream(error.to_string())),
        });
        let is_cut = |body: &Bytes| by_close && events && (encoded || edge::at_length(body.len(), || !has_end(body)));
        let body = match body.and_then(|body| if is_cut(&body) { Err(Break::cut()) } else { Ok(body) }) {
            Ok(body) => body,
            Err(broken) => return self.broken(execution, broken).await,
        };
        let (op, salt) = (execution.op.clone(), execution.salt.clone());
        let sent = Sent::whole(&body, parts.status.as_u16());
        self.note_status(parts.status, &execution);
        let Some(closed) = self.close(execution, how(parts.status), sent).await else { return };
        let Some(durability) = self.released(closed).await else {
            let problem = Problem::refused(Reason::AuditUnavailable, UNPROVEN).once_allowed();
            return self.answer_with(refusal::openai(&problem.in_lineage(id::lineage_name(&op))));
        };
        let body = if self.head_only { public::absent() } else { axum::body::Body::from(body) };
        let mut answer = Response::new(body);
        *answer.status_mut() = parts.status;
        *answer.headers_mut() = passing::to_caller(&parts.headers);
        // That of the body which is not sent. Where the upstream names none none is named: not the length of nothing.
        if let Some(length) = passing::length(&parts.headers).filter(|_| self.head_only) {
            answer.headers_mut().insert(header::CONTENT_LENGTH, length.clone());
        }
        name_lineage(answer.headers_mut(), &op, durability);
        name_salt(answer.headers_mut(), &self.bundle, &salt);
        self.answer_with(answer);
    }

    /// `release: stream`: events, passed on as they come, the end held until its evidence is durable.
    async fn stream(
        mut self,
        execution: Execution,
        response: Response<Incoming>,
        deadline: tokio::time::Instant,
        mut registered: Registered<'_>,
    ) {
        let (parts, body) = response.into_parts();
        let mut body = UntilDone::new(body, true);
        let by_close = ends_by_close(&parts.headers);
        let mut holdback = Holdback::new(self.gate.settings.gateway.max_response);
        let (inlet, passing) = stream::channel();
        let mut answer = Response::new(axum::body::Body::new(passing));
        *answer.status_mut() = parts.status;
        *answer.headers_mut() = passing::to_caller(&parts.headers);
        name_lineage(answer.headers_mut(), &execution.op, Durability::D1);
        name_salt(answer.headers_mut(), &self.bundle, &execution.salt);
        self.answer_with(answer);

        let passed = self.until(deadline, &mut registered, inlet.pass(&mut body, &mut holdback)).await;
        let passed = passed.and_then(|passed| passed);
        match passed.and_then(|place| if by_close && !holdback.is_ending() { Err(Break::cut()) } else { Ok(place) }) {
            Ok(place) => {
                let tail = holdback.finish();
                let sent = inlet.delivered().with(&tail, parts.status);
                self.note_status(parts.status, &execution);
                let Some(closed) = self.close(execution, how(parts.status), sent).await else { return };
                // Else it is broken off: its end may not reach the caller before the evidence is as safe as the policy asks.
                if self.released(closed).await.is_some() {
                    inlet.end(place, tail);
                }
            }
            Err(broken) => {
                self.note(&broken, &execution);
                if matches!(broken, Break::Upstream(_) | Break::TooLarge) {
                    // What ends the wait before is not why the stream broke off.
                    let _ = self.until(deadline, &mut registered, inlet.settled()).await;
                }
                // Its head said that all is well. In the place of a piece that was not taken nothing is said.
                let word =
                    if inlet.is_taken() { refusal::event(&self.problem(&broken, &execution.op)) } else { Bytes::new() };
                let sent = inlet.break_off().with(&word, parts.status);
                if self.close(execution, (broken.outcome(), Some(broken.cause())), sent).await.is_some() {
                    inlet.say(word);
                }
            }
        }
    }

    /// Tells the operator what the caller is not told: addresses, and what the network says.
    fn note(&self, broken: &Break, execution: &Execution) {
        match broken {
            Break::Upstream(why) => self.gate.failing.tell(&execution.op, FAILED, why),
            Break::TooLarge => {
                let why = "more than runtime.gateway.max_response, or an event of a stream of more than 4 MiB";
                self.gate.failing.tell(&execution.op, "an answer is larger than is held", why);
            }
            _ => {}
        }
    }

    /// The same of a whole answer that says that it failed.
    fn note_status(&self, status: StatusCode, execution: &Execution) {
        if how(status).0 == Outcome::Failed {
            self.gate.failing.tell(&execution.op, FAILED, &format!("it answered {status}"));
        }
        // Its caller takes that for its own key's fault, and can't know better.
        if status == StatusCode::UNAUTHORIZED {
            let why = "not with the key that it is called with: see runtime.gateway.upstream_key_file";
            self.gate.failing.tell(&execution.op, "the upstream answered 401", why);
        }
    }

    /// What the caller is told of a break. Its call was admitted, and reached the upstream or may have.
    fn problem(&self, broken: &Break, op: &str) -> Problem {
        let problem = broken.problem(&self.gate.settings.gateway, self.bundle.terms.max_run);
        problem.once_allowed().in_lineage(id::lineage_name(op))
    }

    /// Ends an execution of which nothing was passed on: the caller gets a problem, and that is what the digest covers.
    async fn broken(mut self, execution: Execution, broken: Break) {
        self.note(&broken, &execution);
        let problem = self.problem(&broken, &execution.op);
        let (mut parts, body) = refusal::openai(&problem).into_parts();
        name_salt(&mut parts.headers, &self.bundle, &execution.salt);
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let sent = match broken {
            Break::CallerLeft => Sent::nothing(NOBODY),
            // Its body is not sent: HEAD asks for none.
            _ if self.head_only => Sent::nothing(parts.status.as_u16()),
            _ => Sent::whole(&body, parts.status.as_u16()),
        };
        if self.close(execution, (broken.outcome(), Some(broken.cause())), sent).await.is_some() {
            self.answer_with(Response::from_parts(parts, axum::body::Body::from(body)));
        }
    }

    /// Whether what is closed may be released: at once, or when it is as durable as the policy's term asks, which it names.
    async fn released(&self, closed: u64) -> Option<Durability> {
        let asked = durability_of(&self.bundle);
        self.gate.standing.reached(closed, asked, self.gate.settings.release_wait).await.then_some(asked)
    }

    /// Attest, Audit. The number of the last record, or none where the caller had to be told that there is none.
    async fn close(&mut self, execution: Execution, how: (Outcome, Option<&'static str>), sent: Sent) -> Option<u64> {
        let ending = ending(&execution, self.bundle.terms.digests, how, sent, self.gate.clock.now());
        let op = execution.op.clone();
        let closed = close(&self.gate.desks, execution, ending).await;
        if closed.is_none() {
            self.answer_with(uncommitted(&op, |problem| refusal::openai(&problem)));
        }
        closed
    }

    fn answer_with(&mut self, answer: Answer) {
        if let Some(reply) = self.reply.take() {
            reply.with(Ok(answer));
        }
    }
}

/// Waits for `work`, unless the caller leaves, the execution is interrupted, or its time is over.
async fn until<T>(
    deadline: tokio::time::Instant,
    registered: &mut Registered<'_>,
    left: impl Future<Output = ()>,
    work: impl Future<Output = T>,
) -> Result<T, Break> {
    tokio::select! {
        // What may not go on is not tried once more: that could be what reaches the upstream.
        biased;
        reason = registered.stop() => Err(reason.map_or(Break::Stopped, Break::Interrupted)),
        () = left => Err(Break::CallerLeft),
        () = tokio::time::sleep_until(deadline) => Err(Break::TooLong),
        done = work => Ok(done),
    }
}

/// What came of an execution whose answer is whole, and why. What HTTP has no class for counts as one of the server's errors (RFC
/// 9110, 15).
fn how(status: StatusCode) -> (Outcome, Option<&'static str>) {
    if status.as_u16() >= 500 { (Outcome::Failed, Some(UPSTREAM_FAILED)) } else { (Outcome::Completed, None) }
}

/// Whether an answer sends its caller elsewhere.
fn is_redirect(response: &Response<Incoming>) -> bool {
    response.status().is_redirection() && response.headers().contains_key(header::LOCATION)
}

/// Whether an answer can be passed on as it comes: where it is events, as they are read. In anything else, and in what is encoded, the
/// end is not seen before it has passed; nor is a document of use to anybody before it is whole. Nor is an answer without a body
/// streamed: the connection asks for no piece of it and drops it, which looks here as if the caller had left.
fn can_stream(response: &Response<Incoming>) -> bool {
    let headers = response.headers();
    !response.body().is_end_stream() && are_events(headers) && !passing::is_encoded(headers)
}

/// Whether a body is server-sent events.
fn are_events(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// Whether an answer's end is that of its connection, as it is where the upstream dies, too (RFC 9112, 6.3).
fn ends_by_close(headers: &HeaderMap) -> bool {
    let chunked = |coding: &HeaderValue| {
        let last = coding.to_str().ok().and_then(|codings| codings.rsplit(',').next());
        last.is_some_and(|coding| coding.trim().eq_ignore_ascii_case("chunked"))
    };
    match headers.get_all(header::TRANSFER_ENCODING).iter().next_back() {
        Some(coding) => !chunked(coding),
        None => !headers.contains_key(header::CONTENT_LENGTH),
    }
}

/// The durability that a policy asks of the evidence before anything is released: D1 where it says nothing.
pub(crate) fn durability_of(bundle: &PolicyBundle) -> Durability {
    bundle.terms.durability.as_deref().and_then(Durability::parse).unwrap_or(Durability::D1)
}

/// The headers of an answer about an operation that ran.
pub(crate) fn name_lineage(headers: &mut HeaderMap, op: &str, durability: Durability) {
    headers.insert(DECISION, HeaderValue::from_static("allow"));
    headers.insert(DURABILITY_HEADER, HeaderValue::from_static(durability.name()));
    if let Ok(lineage) = HeaderValue::from_str(&id::lineage_name(op)) {
        headers.insert("eleven-lineage", lineage);
    }
}

/// Tells the caller by which salt what it sent and got stands in the ledger: so it holds both against what is attested here.
pub(crate) fn name_salt(headers: &mut HeaderMap, bundle: &PolicyBundle, salt: &str) {
    let salted = bundle.terms.digests == Digests::Salted && !salt.is_empty();
    if let Some(salt) = salted.then(|| HeaderValue::from_str(salt).ok()).flatten() {
        headers.insert(SALT, salt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opening::begin;
    use crate::opening::tests::{admission, assert_uncommitted, events};
    use crate::serve::tests::{fail_next, ledger, opened};
    use crate::view::tests::view_where;
    use eleven_core::hash::Sha3;
    use eleven_store::faulty::FaultyDisk;

    #[test]
    fn an_answer_without_a_length_and_not_in_chunks_ends_with_its_connection() {
        for (ends, headers) in [
            (true, vec![("content-type", "text/event-stream")]),
            (false, vec![("content-length", "7")]),
            (false, vec![("transfer-encoding", "chunked")]),
            (false, vec![("transfer-encoding", "gzip, Chunked")]),
            (false, vec![("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")]),
            (true, vec![("transfer-encoding", "gzip")]),
            (true, vec![("transfer-encoding", "gzip"), ("content-length", "7")]),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in &headers {
                map.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(ends_by_close(&map), ends, "{headers:?}");
        }
    }

    #[test]
    fn a_status_of_no_class_is_a_failure_of_the_upstream() {
        for (status, outcome, cause) in [
            (200, Outcome::Completed, None),
            (404, Outcome::Completed, None),
            (499, Outcome::Completed, None),
            (500, Outcome::Failed, Some(UPSTREAM_FAILED)),
            (599, Outcome::Failed, Some(UPSTREAM_FAILED)),
            (600, Outcome::Failed, Some(UPSTREAM_FAILED)),
            (999, Outcome::Failed, Some(UPSTREAM_FAILED)),
        ] {
            assert_eq!(how(StatusCode::from_u16(status).expect("a status")), (outcome, cause), "{status}");
        }
    }

    #[tokio::test]
    async fn an_answer_whose_evidence_could_not_be_committed_is_not_released() {
        let disk = FaultyDisk::new(1);
        let (upstream, asked, _stop) = ledger(vec![(StatusCode::OK, "an answer".to_owned())]).await;
        let point = opened(&disk, &upstream).await;
        let gate = Arc::clone(&point.gate);
        let request = Request::post(format!("{upstream}/v1/chat/completions")).body(Full::default());
        let request = request.expect("a request");
        let run = move |begun| async move {
            fail_next(&disk);
            run(gate, begun, request, Version::HTTP_11).await;
        };
        let begun =
            begin(&point.gate.desks, &point.gate.running, &point.gate.clock, admission().0, Sha3([7; 64]), run).await;
        assert_uncommitted(begun.expect("an answer")).await;
        assert_eq!(asked.lock().expect("whole").len(), 1, "it ran");
    }

    #[tokio::test]
    async fn what_a_view_ends_that_came_before_it_began_to_run_does_not_reach_the_upstream() {
        for (what, reason) in [
            ("everything in order", None),
            ("revoked", Some(Reason::ArtifactRevoked)),
            ("the model is contained", Some(Reason::RuntimeContained)),
        ] {
            let (upstream, asked, _stop) = ledger(vec![(StatusCode::OK, "an answer".to_owned())]).await;
            let point = opened(&FaultyDisk::new(1), &upstream).await;
            let gate = Arc::clone(&point.gate);
            let request = Request::post(format!("{upstream}/v1/chat/completions")).body(Full::default());
            let request = request.expect("a request");
            let run = move |begun| async move {
                // Nothing was entered yet that it could be reviewed by.
                gate.registry.hold(view_where(what));
                run(gate, begun, request, Version::HTTP_11).await;
            };
            let begun =
                begin(&point.gate.desks, &point.gate.running, &point.gate.clock, admission().0, Sha3([7; 64]), run)
                    .await;
            let status = begun.expect("an answer").status().as_u16();
            assert_eq!(status, reason.map_or(200, Reason::status), "{what}");
            assert_eq!(asked.lock().expect("whole").len(), usize::from(reason.is_none()), "{what}");
            let ended = events(&point.gate.desks, 6).await.swap_remove(4);
            let cause = ended.data.get("cause").and_then(eleven_core::encoding::Value::as_str);
            assert_eq!(cause, reason.map(Reason::code), "{what}: {}", ended.event);
        }
    }
}
