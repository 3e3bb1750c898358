//! The owner's store of disclosures (PROTOCOL 5.2), and the two governed operations on it: `disclosure.open` and
//! `disclosure.erase`.
//!
//! What the policy calls sensitive is committed before anything leaves this point; what opens the commitments lies here,
//! one file for each artifact, mode 0600 in a folder of mode 0700, and nowhere else. Erasing is removing a file. With it stands
//! whose operation it was, by which a legal hold on an identity is known here.
//!
//! **Invariant**: nothing of the store is shown or erased without a permit, and no answer leaves before its evidence is as durable
//! as the policy asks.

use crate::execution::{DECISION, durability_of, name_lineage, name_salt};
use crate::gateway::{self, Framed, Gate, authenticate, body_of, deny};
use crate::opening::{Begun, Sent, begin, close, ending, uncommitted};
use crate::whole::{self, DRAFT};
use axum::body::Body;
use eleven_api::audit::Durability;
use eleven_api::disclosure::{Asking, Disclose, Disclosed};
use eleven_api::problem::Problem;
use eleven_api::serve::json;
use eleven_core::attestation::Outcome;
use eleven_core::disclosure::Disclosure;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::form::{Form, FormError};
use eleven_core::hash::Sha3;
use eleven_core::id;
use eleven_core::limits::MAX_POINT_BODY;
use eleven_core::name;
use eleven_core::policy::PolicyBundle;
use eleven_core::reason::Reason;
use eleven_core::registry::retention::Hold;
use eleven_enforce::denial::Denial;
use eleven_enforce::permit::Permit;
use eleven_store::background;
use http::Request;
use http_body_util::BodyExt as _;
use std::collections::BTreeSet;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(test)]
mod tests;

/// What a caller hears whose answer is withheld.
const UNPROVEN: &str = "the evidence has not reached the durability that the policy asks for: what became of it is withheld; where it \
                        was an erasure, ask again: what is gone is said to be";

/// What a caller hears whose erasure a legal hold keeps from being one.
const HELD: &str = "that operation, or whoever's it was, is under a legal hold: what opens its commitments stays until `eleven hold lift`; \
                    where an earlier version kept it, which did not write down whose it was, a hold on any identity counts";

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
    /// Opens the store in a corner's folder.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join("disclosures");
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        Ok(Self(Arc::new(Files { folder: path, turns: Default::default() })))
    }

    /// Begins to remove what a crash left half written there, beside what is served: with the years there are millions of names to
    /// go through, and callers wait for a start.
    pub(crate) fn begin_to_tidy(&self) -> io::Result<()> {
        let files = Arc::clone(&self.0);
        let work = move || {
            if let Err(error) = files.tidy() {
                tracing::error!(%error, "what a crash left in the store of disclosures is not removed before the next start");
            }
        };
        // It ends by itself, or with the process.
        background("disclosures", work).map(drop)
    }

    /// Keeps what opens the commitments of an artifact, which was issued for `identity`. Returns after it is durable.
    pub(crate) async fn keep(&self, artifact: &str, identity: &str, disclosures: Vec<Disclosure>) -> io::Result<()> {
        let artifact = artifact.to_owned();
        let kept = Kept { identity: Some(identity.to_owned()), disclosures };
        self.run(move |files| {
            let _turn = files.turn(&artifact)?;
            write(&files.folder, &artifact, &kept)
        })
        .await
    }

    /// What is kept of an operation at `paths`, or at all where there are none; empty where nothing is.
    async fn shown(&self, asked: &Disclose) -> io::Result<Vec<Disclosure>> {
        let asked = asked.clone();
        // Without a turn: a file is there whole or not at all.
        self.run(move |files| {
            let kept = read(&files.folder, &asked.op)?.disclosures;
            Ok(kept.into_iter().filter(|kept| names(&asked, kept)).collect())
        })
        .await
    }

    /// The paths at which something is kept of an operation.
    async fn paths(&self, op: &str) -> io::Result<Vec<String>> {
        let op = op.to_owned();
        self.run(move |files| Ok(read(&files.folder, &op)?.disclosures.into_iter().map(|kept| kept.path).collect()))
            .await
    }

    /// Erases the same, and gives how many there were; `None` where one of these holds is on the operation, or on whoever's it was.
    /// Returns after that is durable.
    async fn erase(&self, asked: &Disclose, holds: BTreeSet<String>) -> io::Result<Option<u64>> {
        let asked = asked.clone();
        self.run(move |files| {
            let _turn = files.turn(&asked.op)?;
            let folder = files.folder.as_path();
            let kept = read(folder, &asked.op)?;
            if is_held(&holds, &asked.op, &kept) {
                return Ok(None);
            }
            // What a write left that failed is no less in clear than what is kept.
            whole::remove_draft(folder, &file_of(&asked.op)?)?;
            let Kept { identity, disclosures } = kept;
            let (gone, left): (Vec<_>, Vec<_>) = disclosures.into_iter().partition(|kept| names(&asked, kept));
            match (gone.is_empty(), left.is_empty()) {
                (true, _) => {}
                (false, true) => {
                    std::fs::remove_file(folder.join(file_of(&asked.op)?))?;
                    File::open(folder)?.sync_all()?;
                }
                (false, false) => write(folder, &asked.op, &Kept { identity, disclosures: left })?,
            }
            Ok(Some(gone.len() as u64))
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
    fn tidy(&self) -> io::Result<()> {
        for file in std::fs::read_dir(&self.folder)? {
            let name = file?.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_suffix(DRAFT)) else { continue };
            // Whoever is writing it has the turn, and has named it when that is over.
            let _turn = self.turn(name)?;
            whole::remove_draft(&self.folder, name)?;
        }
        Ok(())
    }

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

/// What is kept of an operation.
#[derive(Default)]
struct Kept {
    /// Whose it was; `None` where nothing is kept, or was kept by a version that did not write it down.
    identity: Option<String>,
    disclosures: Vec<Disclosure>,
}

impl Kept {
    /// `{"v","identity","disclosures"}`, or the disclosures alone.
    fn of(value: Value) -> Result<Self, FormError> {
        let each = |disclosures: &[Value]| disclosures.iter().map(Disclosure::read).collect::<Result<Vec<_>, _>>();
        if let Value::Array(disclosures) = &value {
            return Ok(Self { identity: None, disclosures: each(disclosures)? });
        }
        let mut form = Form::of(value, "what is kept of an operation")?;
        form.version()?;
        let identity = form.named("identity", "an identity", name::is_identity)?;
        let disclosures = each(&form.array("disclosures")?)?;
        form.finish()?;
        Ok(Self { identity: Some(identity), disclosures })
    }

    fn to_value(&self) -> Value {
        let disclosures = Value::Array(self.disclosures.iter().map(Disclosure::to_value).collect());
        match &self.identity {
            Some(identity) => {
                let kept = Object::new().with("v", "1").with("identity", identity);
                Value::Object(kept.with("disclosures", disclosures))
            }
            None => disclosures,
        }
    }
}

fn read(folder: &Path, op: &str) -> io::Result<Kept> {
    match std::fs::read(folder.join(file_of(op)?)) {
        Ok(bytes) => Kept::of(parse(&bytes).map_err(io::Error::other)?).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
        Err(error) => Err(error),
    }
}

fn write(folder: &Path, op: &str, kept: &Kept) -> io::Result<()> {
    whole::write(folder, &file_of(op)?, &kept.to_value().canonical())
}

/// Keeps what was committed for an artifact that is about to be used. What can't be kept is not committed to.
pub(crate) async fn keep(gate: &Gate, framed: &Framed, about: &eleven_core::artifact::Artifact) -> Result<(), Problem> {
    let disclosures = framed.disclosures();
    if disclosures.is_empty() {
        return Ok(());
    }
    match gate.disclosures.keep(about.content_id(), &about.sub, disclosures.to_vec()).await {
        Ok(()) => Ok(()),
        Err(error) => {
            let detail = format!("what opens this operation's commitments could not be kept: {error}");
            Err(deny(gate, Denial::of_admitted(Reason::AuditUnavailable, detail, about)).await)
        }
    }
}

/// `POST /runtime/disclosures/open` and `/erase`: one governed operation each, from its bytes to its evidence.
pub(crate) async fn handle(gate: Arc<Gate>, asking: Asking, request: Request<Body>) -> axum::response::Response {
    let answered = async {
        let (parts, body) = request.into_parts();
        let caller = authenticate(&gate, &parts.headers).await?;
        let (caller, body) = body_of(&gate, &caller, &parts.headers, body, MAX_POINT_BODY).await?;
        let malformed = |error: FormError| Problem::malformed(error.to_string());
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
        begin(&gate.desks, &gate.running, &gate.clock, admission, workload, run).await
    };
    answered.await.unwrap_or_else(axum::response::IntoResponse::into_response)
}

/// What came of asking the store: outcome, cause, and what the caller gets.
type Done = (Outcome, Option<&'static str>, Result<Disclosed, Problem>);

/// Shows or erases, commits the evidence, and answers once that is as durable as the policy asks.
async fn carry_out(
    gate: Arc<Gate>,
    asking: Asking,
    asked: Disclose,
    permit: Permit,
    bundle: &PolicyBundle,
) -> Result<axum::response::Response, Problem> {
    let (execution, durability) = (permit.run(), durability_of(bundle));
    let (op, salt) = (execution.op.clone(), execution.salt.clone());
    let lineage = id::lineage_name(&op);
    // What a view ended meanwhile shows nothing, and erases nothing.
    let (outcome, cause, answer) = match gate.registry.ends(&execution.artifact) {
        Some(reason) => {
            let problem = Problem::refused(reason, "the operation was interrupted").once_allowed();
            (Outcome::Interrupted, Some(reason.code()), Err(problem))
        }
        None => work(&gate, asking, &asked, &lineage, durability).await,
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
    name_salt(&mut parts.headers, bundle, &salt);
    if outcome != Outcome::Completed {
        // It was allowed, and what befell it after that is no decision.
        parts.headers.remove(DECISION);
    }
    Ok(axum::response::Response::from_parts(parts, Body::from(body)))
}

/// Shows or erases what is asked for, where it may.
async fn work(gate: &Gate, asking: Asking, asked: &Disclose, lineage: &str, durability: Durability) -> Done {
    let done = match asking {
        Asking::Open => gate.disclosures.shown(asked).await.map(|shown| Some((shown.len() as u64, shown))),
        Asking::Erase => erased(gate, asked).await.map(|erased| erased.map(|count| (count, Vec::new()))),
    };
    match done {
        Ok(None) => (Outcome::Failed, Some("disclosure.held"), Err(Problem::with_status(409, HELD))),
        Ok(Some((0, _))) => {
            let kept = gate.disclosures.paths(&asked.op).await.unwrap_or_default();
            (Outcome::Failed, Some("disclosure.absent"), Err(Problem::with_status(404, absent(&kept))))
        }
        Ok(Some((count, disclosures))) => {
            let answer = Disclosed { disclosures, count, lineage: lineage.to_owned(), durability };
            (Outcome::Completed, None, Ok(answer))
        }
        Err(error) => {
            let what = format!("the store of disclosures cannot be used: {error}");
            (Outcome::Failed, Some("disclosure.store"), Err(Problem::with_status(500, what)))
        }
    }
}

/// What a caller hears where nothing is kept at the paths that it named: a value without parts was committed whole, above the path
/// that policy names, and is not gone.
fn absent(kept: &[String]) -> String {
    const NOTHING: &str = "nothing is kept of that operation at those paths";
    match kept {
        [] => format!("{NOTHING}: it was erased, or committed by somebody else"),
        kept => {
            format!("{NOTHING}; what is kept of it stands at {}: name that, or no path for all of it", kept.join(", "))
        }
    }
}

/// Erases what is asked for, and gives how many there were; `None` where a legal hold keeps them, or nobody knows of the holds.
async fn erased(gate: &Gate, asked: &Disclose) -> io::Result<Option<u64>> {
    let holds = gate.registry.held().map(|held| Hold::all(held.view.lists()));
    let Some(holds) = holds else { return Ok(None) };
    gate.disclosures.erase(asked, holds).await
}

/// Whether one of these holds is on an operation or on whoever's it was. Of one of which that is not known, any hold on an identity may
/// be on it.
fn is_held(holds: &BTreeSet<String>, op: &str, kept: &Kept) -> bool {
    let on = |kind: &str, subject: &str| Hold::on(kind, subject).is_ok_and(|hold| hold.is_in(holds));
    let on_identity = || match &kept.identity {
        Some(identity) => on("identity", identity),
        None => !kept.disclosures.is_empty() && holds.iter().any(|name| name.starts_with("identity.")),
    };
    on("operation", op) || on_identity()
}

/// What runs when a disclosure is opened or erased, as an attestation names it: the point's own store.
pub(crate) fn workload() -> Sha3 {
    Sha3::of_value(&Value::Object(Object::new().with("store", "disclosures")))
}
