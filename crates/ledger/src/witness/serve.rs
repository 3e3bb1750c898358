//! A witness over HTTP: `add-checkpoint`, and what it has seen.

use super::keep::{Answer, Keeper, Request};
use super::state::{Judgement, Log, Refusal, Signed};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use eleven_api::edge::Clock;
use eleven_api::problem::Problem;
use eleven_api::routes;
use eleven_api::serve::{Listener, body as read_body, json, not_taken, not_there, stopped};
use eleven_api::tasks::{Ended, Tasks};
use eleven_core::encoding::{Object, Value};
use eleven_core::head::checkpoint::Checkpoint;
use eleven_core::limits::MAX_ADD_CHECKPOINT;
use eleven_core::reason::Reason;
use eleven_core::signature::Signer;
use eleven_store::{Folder, FolderError, GroupCommit, GroupOptions, OpenError, SegmentLog, SegmentOptions};
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// The place of the witness's log in its folder, and the folder's mark.
const LOG: &str = "log";
const CORNER: &str = "witness";
/// What a copy of the folder is worth: it is as if the witness had lied about what it cosigned since.
const FORGETS: &str = "only a copy of after its last cosignature will do, for an older one has forgotten what it cosigned since; without \
                       one make a witness under a new key and name, and have the domain name that (docs/witness.md)";
/// How many records may be kept beyond what is needed.
const SLACK: u64 = 256;

/// Whether a checkpoint, signed by its log, may be cosigned as far as anything but its history goes. It is asked only about
/// one that continues that history, or says so by a proof that fails. An auditor answers when it has replayed the log up to
/// that size.
pub trait Gate: Send + Sync + 'static {
    /// Answers when it is known.
    fn may_cosign<'a>(
        &'a self,
        checkpoint: &'a Checkpoint,
    ) -> Pin<Box<dyn Future<Output = Result<(), Held>> + Send + 'a>>;
}

/// Why a gate stays shut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is not known yet: ask again.
    NotYet(String),
    /// The log is not what it says.
    Wrong(String),
}

/// The gate of a witness that looks at nothing but the history.
#[derive(Clone, Copy, Debug, Default)]
pub struct Open;

impl Gate for Open {
    fn may_cosign<'a>(&'a self, _: &'a Checkpoint) -> Pin<Box<dyn Future<Output = Result<(), Held>> + Send + 'a>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// How a witness runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its folder.
    pub folder: PathBuf,
    /// Its name, as it stands in its lines.
    pub name: String,
    /// The logs that it watches.
    pub logs: Vec<Log>,
}

/// Why a witness could not start, or had to stop.
#[derive(Debug)]
pub enum WitnessError {
    /// The folder can't be used.
    Folder(FolderError),
    /// The log can't be opened.
    Open(OpenError),
    /// The log holds what no witness wrote.
    Replay(String),
    /// A thread could not be had.
    Io(std::io::Error),
    /// A commit failed: what is durable is not known.
    Commit(String),
    /// A task ended that the witness can't do without.
    Task(Ended),
}

impl fmt::Display for WitnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(error) => error.fmt(f),
            Self::Open(error @ (OpenError::Damaged(_) | OpenError::Missing { .. })) => write!(f, "{error}: {FORGETS}"),
            Self::Open(error) => error.fmt(f),
            Self::Replay(what) => write!(f, "the witness's log cannot be read back: {what}: {FORGETS}"),
            Self::Io(error) => write!(f, "the witness cannot go on: {error}"),
            Self::Commit(why) => write!(f, "the witness stops: {why}"),
            Self::Task(ended) => ended.fmt(f),
        }
    }
}

impl std::error::Error for WitnessError {}

impl From<FolderError> for WitnessError {
    fn from(error: FolderError) -> Self {
        Self::Folder(error)
    }
}

/// A witness, ready to serve.
pub struct WitnessServer {
    inner: Arc<Inner>,
    failed: watch::Receiver<Option<String>>,
}

struct Inner {
    settings: Settings,
    signer: Arc<dyn Signer>,
    clock: Arc<dyn Clock>,
    gate: Arc<dyn Gate>,
    group: GroupCommit<Keeper>,
    dropped: AtomicU64,
}

impl WitnessServer {
    /// Opens the witness on its folder and takes back what it has seen. `signer` signs its cosignatures, `gate` says which
    /// checkpoints it may cosign at all.
    ///
    /// # Errors
    /// [`WitnessError`]: nothing runs then.
    pub fn open(
        settings: Settings,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
        gate: Arc<dyn Gate>,
    ) -> Result<Self, WitnessError> {
        let home = Folder::open(&settings.folder, CORNER)?;
        let log = SegmentLog::open(home.place(LOG)?, SegmentOptions::default()).map_err(WitnessError::Open)?;
        let keeper = Keeper::restore(&log).map_err(WitnessError::Replay)?;
        let (fail, failed) = watch::channel(None);
        let on_stop = crate::ledger::on_stop(fail);
        let group = GroupCommit::start(log, keeper, GroupOptions::default(), on_stop).map_err(WitnessError::Io)?;
        let inner = Inner { settings, signer, clock, gate, group, dropped: AtomicU64::new(0) };
        Ok(Self { inner: Arc::new(inner), failed })
    }

    /// Serves until `stop` is true.
    ///
    /// # Errors
    /// [`WitnessError::Commit`] where a commit failed, [`WitnessError::Task`] where nobody listens any more: the process must
    /// end, with a status that is not 0.
    pub async fn serve(self, listener: Listener, stop: watch::Receiver<bool>) -> Result<(), WitnessError> {
        let (end, ended) = watch::channel(false);
        let listening = listener.serve(self.router(), ended, Duration::from_secs(5));
        self.while_listening(listening, &end, stop).await
    }

    /// Until `stop` is true, which `end` tells whoever listens.
    pub(super) async fn while_listening(
        self,
        listening: impl Future<Output = ()> + Send + 'static,
        end: &watch::Sender<bool>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), WitnessError> {
        let tasks = Tasks::default();
        let serving = tasks.spawn("listener", listening);
        let mut failed = self.failed.clone();
        let outcome = tokio::select! {
            () = stopped(&mut stop) => Ok(()),
            why = crate::ledger::failure(&mut failed) => Err(WitnessError::Commit(why)),
            ended = tasks.ended() => Err(WitnessError::Task(ended)),
        };
        let _ = end.send(true);
        if let Err(error) = serving.await {
            tracing::error!(%error, "the witness's listener did not end well");
        }
        if let Err(error) = tokio::task::spawn_blocking(move || drop(self)).await {
            tracing::error!(%error, "the witness was not closed in order");
        }
        outcome
    }

    /// Its routes, for a server that has others as well.
    pub fn router(&self) -> Router {
        Router::new()
            .route(routes::ADD_CHECKPOINT, post(add_checkpoint))
            .route(routes::WITNESS_LOGS, get(logs))
            .route(routes::WITNESS_EVIDENCE, get(evidence))
            .route(routes::HEALTH, get(health))
            .method_not_allowed_fallback(not_taken)
            .fallback(not_there)
            .with_state(Arc::clone(&self.inner))
    }
}

/// `POST /add-checkpoint`, as C2SP tlog-witness has it.
async fn add_checkpoint(State(inner): State<Arc<Inner>>, body: Body) -> Result<Response, Problem> {
    let body = read_body(body, MAX_ADD_CHECKPOINT).await?;
    let signed = match Log::asked(&inner.settings.logs, &body) {
        Ok(signed) => signed,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    // What the log signed against itself is refused, and kept, whether or not anybody has replayed it.
    let against =
        match judged(&inner, Request::Weigh(signed.clone(), inner.clock.now()), signed.checkpoint()).await?.outcome {
            Ok(_) => None,
            Err(refusal @ Refusal::Inconsistent(_)) => Some(refusal),
            Err(refusal) => return Ok(refused(&refusal)),
        };
    // Why a proof fails an auditor finds out by replaying: what it found says more than the proof.
    match (inner.gate.may_cosign(signed.checkpoint()).await, against) {
        (Err(Held::Wrong(why)), _) => Err(Problem::with_status(422, why)),
        (_, Some(refusal)) => Ok(refused(&refusal)),
        (Err(Held::NotYet(why)), None) => Err(Problem::with_status(503, why)),
        (Ok(()), None) => cosign(&inner, signed).await,
    }
}

/// Judged once more, since others may have been cosigned meanwhile, and durable first; signed then.
async fn cosign(inner: &Inner, signed: Signed) -> Result<Response, Problem> {
    let checkpoint = signed.checkpoint().clone();
    let judgement = judged(inner, Request::Add(signed, inner.clock.now()), &checkpoint).await?;
    match judgement.cosignature(&checkpoint, &inner.settings.name, inner.signer.as_ref()) {
        Ok(line) => Ok(text("text/plain; charset=utf-8", line)),
        Err(refusal) => Ok(refused(&refusal)),
    }
}

/// What the writer makes of a request about a checkpoint, once it is durable.
async fn judged(inner: &Inner, request: Request, checkpoint: &Checkpoint) -> Result<Judgement, Problem> {
    let Answer::Judged(judgement, needed_from) = inner.submit(request).await? else {
        return Err(Problem::with_status(500, "the witness's writer answered another question"));
    };
    inner.let_go(needed_from);
    tell(checkpoint, &judgement);
    Ok(judgement)
}

/// Tells the log of this process what speaks against the log that is watched, once for what is kept: anybody may send the same again,
/// and spoil a proof as often as he likes.
fn tell(checkpoint: &Checkpoint, judgement: &Judgement) {
    let Checkpoint { origin, size, .. } = checkpoint;
    match (&judgement.outcome, judgement.kept) {
        (Ok(_), 0) => {}
        (Err(Refusal::Fork(_)), 0) => tracing::debug!(origin, size, "the log forked: nothing new is kept"),
        (Err(Refusal::Inconsistent(held)), 0) => {
            tracing::debug!(origin, size, held, "a checkpoint does not contain the last one: nothing new is kept");
        }
        (Err(refusal), 0) => tracing::debug!(origin, size, %refusal, "not cosigned"),
        (Err(Refusal::Inconsistent(held)), _) => {
            tracing::error!(origin, size, held, "a checkpoint does not contain the last one: both are kept");
        }
        // Whatever was answered: what else is kept convicts the log.
        _ => tracing::error!(origin, size, "the log forked: both checkpoints are kept"),
    }
}

fn refused(refusal: &Refusal) -> Response {
    let mut response = match refusal.known() {
        Some(size) => text("text/x.tlog.size", format!("{size}\n")),
        None => return Problem::with_status(refusal.status(), refusal.to_string()).into_response(),
    };
    *response.status_mut() = StatusCode::CONFLICT;
    response
}

fn text(kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// `GET /v1/witness/logs`: the last checkpoint of each log, and which logs are watched.
async fn logs(State(inner): State<Arc<Inner>>) -> Result<Response, Problem> {
    let Answer::Shown { logs, evidence } = inner.submit(Request::Show).await? else {
        return Err(Problem::with_status(500, "the witness's writer answered another question"));
    };
    let watched: Vec<Value> = inner.settings.logs.iter().map(|log| Value::from(log.origin.as_str())).collect();
    let object = Object::new().with("name", &inner.settings.name).with("watched", watched).with("seen", logs);
    Ok(json(&Value::Object(object.with("evidence", evidence.len() as u64))))
}

/// `GET /v1/witness/evidence`: pairs of checkpoints that contradict each other, each signed by its log.
async fn evidence(State(inner): State<Arc<Inner>>) -> Result<Response, Problem> {
    let Answer::Shown { evidence, .. } = inner.submit(Request::Show).await? else {
        return Err(Problem::with_status(500, "the witness's writer answered another question"));
    };
    Ok(json(&Value::Object(Object::new().with("name", &inner.settings.name).with("evidence", evidence))))
}

async fn health(State(inner): State<Arc<Inner>>) -> Response {
    let ok = !inner.group.is_stopped();
    let object = Object::new().with("corner", CORNER).with("ok", ok).with("name", &inner.settings.name);
    let mut response = json(&Value::Object(object));
    if !ok {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

impl Inner {
    async fn submit(&self, request: Request) -> Result<Answer, Problem> {
        let (send, receive) = oneshot::channel();
        self.group.submit(request, move |outcome| {
            // Whoever has hung up does not want the answer any more.
            let _ = send.send(outcome);
        });
        let stopped = || Problem::refused(Reason::AuditUnavailable, "the witness has stopped: start it again");
        let outcome = receive.await.map_err(|_| stopped())?;
        outcome
            .map(|committed| committed.answer)
            .map_err(|error| Problem::refused(Reason::AuditUnavailable, error.to_string()))
    }

    /// Lets the log forget what was written again since, now and then.
    fn let_go(&self, needed_from: u64) {
        if needed_from >= self.dropped.load(Ordering::Relaxed).saturating_add(SLACK) {
            self.dropped.store(needed_from, Ordering::Relaxed);
            self.group.drop_before(needed_from);
        }
    }
}
