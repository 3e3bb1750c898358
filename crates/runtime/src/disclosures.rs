//! The owner's store of disclosures (PROTOCOL 5.2), and the two governed operations on it: `disclosure.open` and
//! `disclosure.erase`.
//!
//! What the policy calls sensitive is committed before anything leaves this point; what opens the commitments lies here,
//! one file for each artifact, mode 0600 in a folder of mode 0700, and nowhere else. Erasing is removing a file.
//!
//! **Invariant**: nothing of the store is shown or erased without a permit, and no answer leaves before its evidence is as durable
//! as the policy asks.

use crate::execution::{DECISION, asked as asked_of, name_lineage};
use crate::gateway::{self, Framed, Gate, authenticate, body_of, deny};
use crate::opening::{Begun, Sent, begin, close, ending, uncommitted};
use crate::whole::{self, DRAFT};
use axum::body::Body;
use eleven_api::disclosure::{Asking, Disclose, Disclosed};
use eleven_api::problem::Problem;
use eleven_api::serve::json;
use eleven_core::attestation::Outcome;
use eleven_core::disclosure::Disclosure;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::event::About;
use eleven_core::hash::Sha3;
use eleven_core::id;
use eleven_core::policy::PolicyBundle;
use eleven_core::reason::Reason;
use eleven_core::registry::Lists;
use eleven_core::registry::retention::Hold;
use eleven_enforce::denial::Denial;
use eleven_enforce::permit::Permit;
use http::Request;
use http_body_util::BodyExt as _;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(test)]
mod tests;

/// Bytes of a request here.
const MAX_BODY: usize = 64 * 1024;
/// What a caller hears whose answer is withheld.
const UNPROVEN: &str = "the evidence has not reached the durability that the policy asks for: what became of it is withheld; where it \
                        was an erasure, ask again: what is gone is said to be";

/// How many operations' files may be changed at once.
const TURNS: usize = 32;

/// The store.
#[derive(Clone)]
pub(crate) struct Store(Arc<Files>);

struct Files {
    folder: PathBuf,
    /// Whoever changes a file reads and writes it in one turn: of two that read the same, the second would write back what the
    /// first erased.
    turns: [Mutex<()>; TURNS],
}

impl Store {
    /// Opens the store in a corner's folder, and removes what a crash left half written there.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join("disclosures");
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        for file in std::fs::read_dir(&path)? {
            let file = file?.path();
            if file.to_string_lossy().ends_with(DRAFT) {
                std::fs::remove_file(file)?;
            }
        }
        Ok(Self(Arc::new(Files { folder: path, turns: Default::default() })))
    }

    /// Keeps what opens the commitments of an artifact. Returns after it is durable.
    pub(crate) async fn keep(&self, artifact: &str, disclosures: Vec<Disclosure>) -> io::Result<()> {
        let artifact = artifact.to_owned();
        self.run(move |files| {
            let _turn = files.turn(&artifact)?;
            write(&files.folder, &artifact, &disclosures)
        })
        .await
    }

    /// What is kept of an operation at `paths`, or at all where there are none; empty where nothing is.
    async fn shown(&self, asked: &Disclose) -> io::Result<Vec<Disclosure>> {
        let asked = asked.clone();
        // Without a turn: a file is there whole or not at all.
        self.run(move |files| {
            Ok(read(&files.folder, &asked.op)?.into_iter().filter(|kept| names(&asked, kept)).collect())
        })
        .await
    }

    /// Erases the same, and gives how many there were. Returns after that is durable.
    async fn erase(&self, asked: &Disclose) -> io::Result<u64> {
        let asked = asked.clone();
        self.run(move |files| {
            let _turn = files.turn(&asked.op)?;
            let folder = files.folder.as_path();
            // What a write left that failed is no less in clear than what is kept.
            whole::remove_draft(folder, &file_of(&asked.op)?)?;
            let kept = read(folder, &asked.op)?;
            let (gone, left): (Vec<_>, Vec<_>) = kept.into_iter().partition(|kept| names(&asked, kept));
            match (gone.is_empty(), left.is_empty()) {
                (true, _) => {}
                (false, true) => {
                    std::fs::remove_file(folder.join(file_of(&asked.op)?))?;
                    File::open(folder)?.sync_all()?;
                }
                (false, false) => write(folder, &asked.op, &left)?,
            }
            Ok(gone.len() as u64)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let files = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&files)).await.map_err(io::Error::other)?
    }
}

impl Files {
    /// The turn at an operation's file. All uses of an artifact have the same, and so may other operations.
    fn turn(&self, op: &str) -> io::Result<MutexGuard<'_, ()>> {
        let content = op.split('.').next().unwrap_or_default();
        let sum: usize = content.bytes().map(usize::from).sum();
        let turn = self.turns.get(sum % TURNS).ok_or_else(|| io::Error::other("nobody's turn"))?;
        Ok(turn.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn names(asked: &Disclose, kept: &Disclosure) -> bool {
    asked.paths.is_empty() || asked.paths.contains(&kept.path)
}

/// All uses of an artifact share its commitments, so a use's number is no part of the name.
fn file_of(op: &str) -> io::Result<String> {
    let (content, _) = id::split_operation(op).ok_or_else(|| io::Error::other("not an operation id"))?;
    Ok(format!("{content}.json"))
}

fn read(folder: &Path, op: &str) -> io::Result<Vec<Disclosure>> {
    let bytes = match std::fs::read(folder.join(file_of(op)?)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let value = parse(&bytes).map_err(io::Error::other)?;
    value.as_array().unwrap_or_default().iter().map(|kept| Disclosure::read(kept).map_err(io::Error::other)).collect()
}

fn write(folder: &Path, op: &str, disclosures: &[Disclosure]) -> io::Result<()> {
    let value = Value::Array(disclosures.iter().map(Disclosure::to_value).collect());
    whole::write(folder, &file_of(op)?, &value.canonical())
}

/// Keeps what was committed for an artifact that is about to be used. What can't be kept is not committed to.
pub(crate) async fn keep(gate: &Gate, framed: &Framed, about: &eleven_core::artifact::Artifact) -> Result<(), Problem> {
    let disclosures = framed.disclosures();
    if disclosures.is_empty() {
        return Ok(());
    }
    match gate.disclosures.keep(about.content_id(), disclosures.to_vec()).await {
        Ok(()) => Ok(()),
        Err(error) => {
            let detail = format!("what opens this operation's commitments could not be kept: {error}");
            let denial = Denial { reason: Reason::AuditUnavailable, detail, about: About::artifact(about) };
            Err(deny(gate, denial).await)
        }
    }
}

/// `POST /runtime/disclosures/open` and `/erase`: one governed operation each, from its bytes to its evidence.
pub(crate) async fn handle(gate: Arc<Gate>, asking: Asking, request: Request<Body>) -> axum::response::Response {
    let answered = async {
        let (parts, body) = request.into_parts();
        let caller = authenticate(&gate, &parts.headers).await?;
        let (caller, body) = body_of(&gate, &caller, &parts.headers, body, MAX_BODY).await?;
        let malformed = |error: eleven_core::form::FormError| Problem::malformed(error.to_string());
        let asked = Disclose::read(&body).map_err(malformed)?;
        let operation = asked.operation(asking).map_err(malformed)?;
        let framed = Framed::new(parts, body, operation, workload());
        let workload = framed.workload;
        let admission = gateway::admission(&gate, &caller, framed).await?;
        let run = {
            let gate = Arc::clone(&gate);
            move |Begun { permit, bundle, reply }: Begun| async move {
                reply.with(carry_out(gate, asking, asked, permit, &bundle).await);
            }
        };
        begin(&gate.desks, &gate.clock, admission, workload, run).await
    };
    answered.await.unwrap_or_else(axum::response::IntoResponse::into_response)
}

/// Shows or erases, commits the evidence, and answers once that is as durable as the policy asks.
async fn carry_out(
    gate: Arc<Gate>,
    asking: Asking,
    asked: Disclose,
    permit: Permit,
    bundle: &PolicyBundle,
) -> Result<axum::response::Response, Problem> {
    let (execution, durability) = (permit.run(), asked_of(bundle));
    let op = execution.op.clone();
    let lineage = id::lineage_name(&op);
    let erases = matches!(asking, Asking::Erase);
    let held = erases && gate.registry.held().is_none_or(|held| is_held(held.view.lists(), &asked.op));
    let done = match asking {
        Asking::Open => gate.disclosures.shown(&asked).await.map(|shown| (shown.len() as u64, shown)),
        Asking::Erase if held => Ok((0, Vec::new())),
        Asking::Erase => gate.disclosures.erase(&asked).await.map(|count| (count, Vec::new())),
    };
    let (outcome, cause, answer) = match done {
        Ok(_) if held => {
            let what =
                "that operation is under a legal hold: what opens its commitments stays until `eleven hold lift`";
            (Outcome::Failed, Some("disclosure.held"), Err(Problem::with_status(409, what)))
        }
        Ok((0, _)) => {
            let what = "nothing is kept of that operation at those paths: it was erased, or committed by somebody else";
            (Outcome::Failed, Some("disclosure.absent"), Err(Problem::with_status(404, what)))
        }
        Ok((count, disclosures)) => {
            let answer = Disclosed { disclosures, count, lineage: lineage.clone(), durability };
            (Outcome::Completed, None, Ok(answer))
        }
        Err(error) => {
            let what = format!("the store of disclosures cannot be used: {error}");
            (Outcome::Failed, Some("disclosure.store"), Err(Problem::with_status(500, what)))
        }
    };
    let response = match answer {
        Ok(disclosed) => json(&disclosed.to_value()),
        Err(problem) => axum::response::IntoResponse::into_response(problem.in_lineage(&lineage)),
    };
    // The digest covers the bytes that are sent.
    let (mut parts, body) = response.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let sent = Sent::whole(&body, parts.status.as_u16());
    let ending = ending(&execution, bundle.terms.digests, (outcome, cause), sent, gate.clock.now());
    let Some(closed) = close(&gate.desks, execution, ending).await else {
        return Ok(uncommitted(&op, axum::response::IntoResponse::into_response));
    };
    if !gate.standing.reached(closed, durability, gate.settings.release_wait).await {
        return Err(Problem::refused(Reason::AuditUnavailable, UNPROVEN).once_allowed().in_lineage(lineage));
    }
    name_lineage(&mut parts.headers, &op, durability);
    if outcome == Outcome::Failed {
        // It was allowed, and what befell it after that is no decision.
        parts.headers.remove(DECISION);
    }
    Ok(axum::response::Response::from_parts(parts, Body::from(body)))
}

/// Whether an operation is under a legal hold. Whose it was is not kept with what opens its commitments, so that a hold on an
/// identity is not seen here.
fn is_held(lists: &Lists, op: &str) -> bool {
    Hold::on("operation", op).is_ok_and(|hold| hold.is_in(&Hold::all(lists)))
}

/// What runs when a disclosure is opened or erased, as an attestation names it: the point's own store.
pub(crate) fn workload() -> Sha3 {
    Sha3::of_value(&Value::Object(Object::new().with("store", "disclosures")))
}
