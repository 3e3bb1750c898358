//! The witness as a state machine: what it has seen of each log, and what it makes of the next checkpoint. It reads no
//! clock, keeps nothing and signs nothing; whoever drives it makes [`Judgement::records`] durable before the answer leaves.

use super::request::AddCheckpoint;
use eleven_core::encoding::{Object, Value, parse_canonical};
use eleven_core::form::{Form, FormError, require};
use eleven_core::hash::Sha256;
use eleven_core::head::checkpoint::{Checkpoint, Note};
use eleven_core::limits::MAX_EVIDENCE;
use eleven_core::signature::{Signer, VerifyingKey};
use eleven_core::time::Time;
use eleven_core::tree;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A log that a witness watches: its origin and the keys that sign its checkpoints.
#[derive(Clone, Debug)]
pub struct Log {
    /// The first line of its checkpoints.
    pub origin: String,
    /// The public keys that count.
    pub keys: Vec<[u8; 32]>,
}

/// A request whose checkpoint is signed by the log that it names.
#[derive(Clone, Debug)]
pub struct Signed {
    old: u64,
    proof: Vec<Sha256>,
    /// The checkpoint and the log's own lines, nothing else.
    note: Note,
}

/// The last checkpoint of a log that was cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The checkpoint and the log's lines.
    pub note: Note,
    /// When it was cosigned last, never before an earlier one of this log.
    pub at: Time,
}

/// Two checkpoints of one log that do not fit together, each signed by the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What the witness had seen.
    pub held: Note,
    /// What it was shown then.
    pub shown: Note,
    /// When.
    pub at: Time,
}

/// Why a checkpoint is not cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request is not of its form, or its old size is beyond its checkpoint.
    Malformed(String),
    /// No log of this origin is watched.
    Unknown(String),
    /// None of the log's keys signed it.
    Unsigned,
    /// The witness last cosigned another size than the request names.
    Size(u64),
    /// At this size the witness cosigned another root: the log forked.
    Fork(u64),
    /// The proof does not show that the new tree begins with the one that was cosigned.
    Inconsistent(u64),
}

/// What the witness makes of a signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// When it is cosigned, in seconds since 1970, or why it is not.
    pub outcome: Result<u64, Refusal>,
    /// What has to be durable before the answer leaves.
    pub records: Vec<Vec<u8>>,
    /// How many of the records are contradictions that were not kept before.
    pub kept: usize,
}

/// What a witness remembers.
#[derive(Debug, Default)]
pub struct Witness {
    logs: BTreeMap<String, Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    last: Option<Seen>,
    evidence: Vec<Evidence>,
    /// The pairs that are kept already.
    known: BTreeSet<Pair>,
}

/// Two checkpoints of one log: size and root of each.
type Pair = [(u64, [u8; 32]); 2];

impl Log {
    /// Reads the body of a request and holds its checkpoint against the keys of the log that it names.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] where it is no request, and as [`Log::signed`].
    pub fn asked(logs: &[Self], body: &[u8]) -> Result<Signed, Refusal> {
        let request = AddCheckpoint::read(body).map_err(|FormError(what)| Refusal::Malformed(what))?;
        Self::signed(logs, request)
    }

    /// Holds the checkpoint of a request against the keys of the log that it names.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] where none of `logs` is of that origin, [`Refusal::Unsigned`] where none of its keys signed.
    pub fn signed(logs: &[Self], request: AddCheckpoint) -> Result<Signed, Refusal> {
        let AddCheckpoint { old, proof, note } = request;
        let origin = &note.checkpoint.origin;
        let log = logs.iter().find(|log| log.origin == *origin).ok_or_else(|| Refusal::Unknown(origin.clone()))?;
        let keys = log.keys.iter().filter_map(VerifyingKey::new);
        // One line of each key: another one by it says nothing more, and would be kept as well.
        let lines: Vec<_> = keys.filter_map(|key| note.lines_by(&key).into_iter().next()).collect();
        if lines.is_empty() {
            return Err(Refusal::Unsigned);
        }
        Ok(Signed { old, proof, note: Note { checkpoint: note.checkpoint, lines } })
    }
}

impl Signed {
    /// What the log signed.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.note.checkpoint
    }
}

impl Judgement {
    /// An outcome, with the record of the contradiction where one is kept for it.
    fn new(outcome: Result<u64, Refusal>, kept: Option<Vec<u8>>) -> Self {
        Self { outcome, kept: usize::from(kept.is_some()), records: kept.into_iter().collect() }
    }

    /// The answer to whoever asked, with `checkpoint` what was judged: the line of the cosignature, or the refusal. It may
    /// leave once the records are durable.
    ///
    /// # Errors
    /// The refusal.
    pub fn cosignature(self, checkpoint: &Checkpoint, name: &str, signer: &dyn Signer) -> Result<String, Refusal> {
        self.outcome.map(|time| format!("{}\n", checkpoint.cosign(name, time, signer)))
    }
}

impl Witness {
    /// A witness that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is to be said about a checkpoint at `now`, short of cosigning it: [`Judgement::outcome`] is the time at which it
    /// would be, or why it is not. Where it contradicts what was cosigned that is remembered, and the records must be durable
    /// before the refusal leaves.
    pub fn weigh(&mut self, signed: &Signed, now: Time) -> Judgement {
        let Signed { old, proof, note } = signed;
        let memory = self.memory(note);
        let at = memory.time(now);
        let (size, root) = (note.checkpoint.size, note.checkpoint.root);
        let (known, known_root) =
            memory.last.as_ref().map_or((0, tree::empty_root()), |last| (last.size(), last.note.checkpoint.root));
        // Two roots of one size are a fork, and kept, whatever else the request says. What is answered goes by `old` first: a 409
        // bids whoever asked to try again from the size that it names, as many logs do at once.
        let forked = size == known && root != known_root && memory.last.is_some();
        let kept = if forked { memory.keep(note.clone(), at) } else { None };
        if *old > size {
            let what = "`old` is beyond the checkpoint's size".to_owned();
            return Judgement::new(Err(Refusal::Malformed(what)), kept);
        }
        if *old != known {
            return Judgement::new(Err(Refusal::Size(known)), kept);
        }
        if forked {
            return Judgement::new(Err(Refusal::Fork(known)), kept);
        }
        if !tree::verify_consistency(known, size, &known_root, &root, proof) {
            // The very one that was cosigned, beside hashes that prove nothing, does not contradict itself.
            if (size, root) == (known, known_root) {
                return Judgement::new(Err(Refusal::Inconsistent(known)), None);
            }
            return Judgement::new(Err(Refusal::Inconsistent(known)), memory.keep(note.clone(), at));
        }
        Judgement::new(Ok(seconds(at)), None)
    }

    /// Judges a checkpoint at `now`, and remembers what its answer says: the records must be durable before that leaves,
    /// and where they can't be made so, this witness must not go on.
    pub fn judge(&mut self, signed: Signed, now: Time) -> Judgement {
        let weighed = self.weigh(&signed, now);
        if weighed.outcome.is_ok() { self.memory(&signed.note).cosign(signed.note, now) } else { weighed }
    }

    /// Takes a record back, in the order in which they were made.
    ///
    /// # Errors
    /// Where it is none.
    pub fn restore(&mut self, record: &[u8]) -> Result<(), FormError> {
        let mut form = Form::of(parse_canonical(record)?, "witness record")?;
        let (kind, at) = (form.string("kind")?, form.millis("at")?);
        let note = |form: &mut Form<'_>, name: &str| Note::parse(&form.string(name)?);
        match kind.as_str() {
            "checkpoint" => {
                let note = note(&mut form, "note")?;
                let memory = self.memory(&note);
                memory.follows(&note.checkpoint);
                memory.last = Some(Seen { note, at });
            }
            "evidence" => {
                let evidence = Evidence { held: note(&mut form, "held")?, shown: note(&mut form, "shown")?, at };
                self.memory(&evidence.shown).add(evidence);
            }
            _ => return require(false, "witness record: `kind` is neither checkpoint nor evidence"),
        }
        form.finish()
    }

    fn memory(&mut self, note: &Note) -> &mut Memory {
        self.logs.entry(note.checkpoint.origin.clone()).or_default()
    }

    /// The last checkpoint of each log that was cosigned.
    pub fn seen(&self) -> impl Iterator<Item = &Seen> {
        self.logs.values().filter_map(|memory| memory.last.as_ref())
    }

    /// All contradictions that are kept.
    pub fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.logs.values().flat_map(|memory| &memory.evidence)
    }

    /// Everything that is remembered, as records: who takes them back remembers the same.
    #[must_use]
    pub fn to_records(&self) -> Vec<Vec<u8>> {
        self.seen().map(Seen::to_record).chain(self.evidence().map(Evidence::to_record)).collect()
    }
}

impl Memory {
    /// The time of what is said at `now`: never before what was said last, whatever the clock does.
    fn time(&self, now: Time) -> Time {
        self.last.as_ref().map_or(now, |last| last.at.max(now))
    }

    /// Remembers what is cosigned at `now`. The same again at the same second says nothing new.
    fn cosign(&mut self, note: Note, now: Time) -> Judgement {
        let seen = Seen { note, at: self.time(now) };
        let time = seconds(seen.at);
        let same = |last: &Seen| last.note.checkpoint == seen.note.checkpoint && seconds(last.at) == time;
        if self.last.as_ref().is_some_and(same) {
            return Judgement::new(Ok(time), None);
        }
        let (at, checkpoint) = (seen.at, seen.note.checkpoint.clone());
        let mut records = vec![seen.to_record()];
        self.last = Some(seen);
        self.follows(&checkpoint);
        // What was shown of this very size before, and did not follow from what was held then, is a fork now.
        let other =
            |shown: &&Note| shown.checkpoint.size == checkpoint.size && shown.checkpoint.root != checkpoint.root;
        let shown: Vec<Note> = self.evidence.iter().map(|kept| &kept.shown).filter(other).cloned().collect();
        records.extend(shown.into_iter().filter_map(|shown| self.keep(shown, at)));
        Judgement { outcome: Ok(time), kept: records.len() - 1, records }
    }

    /// Keeps a checkpoint that contradicts the last one.
    fn keep(&mut self, shown: Note, at: Time) -> Option<Vec<u8>> {
        let evidence = Evidence { held: self.last.as_ref()?.note.clone(), shown, at };
        let record = evidence.to_record();
        self.add(evidence).then_some(record)
    }

    /// Adds a contradiction: each pair once, and up to a number. Forks have a number of their own, since a consistency proof can be
    /// spoilt by whoever sends it, and two roots of one size by the log alone. Of what may be spoilt the newest is kept: nobody can
    /// take the room before something comes that matters.
    fn add(&mut self, evidence: Evidence) -> bool {
        if self.known.contains(&evidence.pair()) {
            return false;
        }
        let fork = evidence.is_fork();
        if self.evidence.iter().filter(|kept| kept.is_fork() == fork).count() >= MAX_EVIDENCE {
            let oldest = self.evidence.iter().position(|kept| !kept.is_fork()).filter(|_| !fork);
            let Some(oldest) = oldest else { return false };
            let gone = self.evidence.remove(oldest);
            self.known.remove(&gone.pair());
        }
        self.known.insert(evidence.pair());
        self.evidence.push(evidence);
        true
    }

    /// Lets go of pairs that say of a checkpoint that it does not follow: it is cosigned, so it does, and the proof was spoilt.
    fn follows(&mut self, checkpoint: &Checkpoint) {
        let known = &mut self.known;
        self.evidence.retain(|kept| {
            let spoilt = !kept.is_fork() && kept.shown.checkpoint == *checkpoint;
            !(spoilt && known.remove(&kept.pair()))
        });
    }
}

/// The seconds of a time, as they stand in a cosignature.
fn seconds(at: Time) -> u64 {
    u64::try_from(at.0.div_euclid(1000)).unwrap_or(0)
}

impl Seen {
    /// The size that it covers.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.note.checkpoint.size
    }

    fn to_record(&self) -> Vec<u8> {
        let record = Object::new().with("kind", "checkpoint").with("at", self.at.to_millis_value());
        record.with("note", self.note.to_string()).canonical()
    }
}

impl Evidence {
    fn pair(&self) -> Pair {
        [&self.held, &self.shown].map(|note| (note.checkpoint.size, note.checkpoint.root.0))
    }

    /// Whether it convicts the log by itself: two roots of one size. Otherwise it says that a proof did not verify, which
    /// whoever sent it may have spoilt.
    #[must_use]
    pub fn is_fork(&self) -> bool {
        let (held, shown) = (&self.held.checkpoint, &self.shown.checkpoint);
        held.origin == shown.origin && held.size == shown.size && held.root != shown.root
    }

    /// The value that is shown: both notes, each verifiable by the log's key alone.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(
            Object::new()
                .with("origin", &self.shown.checkpoint.origin)
                .with("what", if self.is_fork() { "fork" } else { "inconsistent" })
                .with("at", self.at.to_millis_value())
                .with("held", self.held.to_string())
                .with("shown", self.shown.to_string()),
        )
    }

    fn to_record(&self) -> Vec<u8> {
        let record = Object::new().with("kind", "evidence").with("at", self.at.to_millis_value());
        record.with("held", self.held.to_string()).with("shown", self.shown.to_string()).canonical()
    }
}

impl Refusal {
    /// The HTTP status that C2SP tlog-witness gives it.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::Unsigned => 403,
            Self::Unknown(_) => 404,
            Self::Size(_) => 409,
            Self::Fork(_) | Self::Inconsistent(_) => 422,
        }
    }

    /// The size that a 409 tells.
    #[must_use]
    pub const fn known(&self) -> Option<u64> {
        match self {
            Self::Size(size) => Some(*size),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "this is no request for a cosignature: {what}"),
            Self::Unknown(origin) => {
                write!(f, "the log {origin} is not watched here: add it with `eleven witness log add`")
            }
            Self::Unsigned => f.write_str("none of the log's keys that are known here signed the checkpoint"),
            Self::Size(size) => write!(f, "the last checkpoint cosigned here has size {size}: prove from there"),
            Self::Fork(size) => {
                write!(f, "another root of size {size} was cosigned here: the log forked")
            }
            Self::Inconsistent(size) => {
                write!(f, "the proof does not show that the tree begins with the one of size {size} that was cosigned")
            }
        }
    }
}

impl std::error::Error for Refusal {}
