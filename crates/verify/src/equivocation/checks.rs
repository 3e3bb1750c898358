//! The checks of evidence (spec/equivocation.md), in their order and by their names, a function each. Each stands alone.

use super::{PROMISED_WITHIN_MS, TYPE};
use crate::caller::Caller;
use crate::checks::{Judged, Stop, failed, hold, registry, settled};
use crate::shown::{Event, Shown as Bundle, read_root};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use eleven_core::artifact::Artifact;
use eleven_core::chain::EntryHeader;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::{About, Record};
use eleven_core::form::{Form, FormError};
use eleven_core::hash::Sha256;
use eleven_core::head::checkpoint::Note;
use eleven_core::head::{Commitment, Head};
use eleven_core::index::{Proof, Proves, op_key, op_value};
use eleven_core::limits::MAX_BUNDLE;
use eleven_core::lineage::{Lineage, issued_data};
use eleven_core::name;
use eleven_core::registry::Item as _;
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot};
use eleven_core::signature::VerifyingKey;
use eleven_core::tree::{leaf_hash, read_proof, verify_inclusion};

/// A check over evidence.
pub(super) type CheckFn = fn(&Shown<'_>) -> Judged;

/// Every check, in the order in which they are reported.
pub(super) const CHECKS: [(&str, CheckFn); 10] = [
    ("evidence.form", form),
    ("root.pinned", root_pinned),
    ("root.signed", root_signed),
    ("statements.signed", statements_signed),
    ("statements.conflict", statements_conflict),
    ("registry.signed", registry_signed),
    ("registry.committed", registry_committed),
    ("registry.records", registry_records),
    ("promise.made", promise_made),
    ("promise.broken", promise_broken),
];

/// Evidence and who looks at it.
pub(super) struct Shown<'a> {
    value: &'a Value,
    caller: &'a Caller<'a>,
    roots: Result<Vec<TrustRoot>, FormError>,
    statements: Vec<Result<Said, FormError>>,
    /// The last head with the registry that is shown under it, as the checks of bundles read them.
    under: Value,
}

/// What one statement says.
struct Said {
    size: u64,
    root: Sha256,
    by: By,
}

enum By {
    Head(Head),
    Checkpoint(Note),
}

impl Said {
    fn read(value: &Value) -> Result<Self, FormError> {
        let mut form = Form::of(value.clone(), "statement")?;
        let said = match (form.opt("head"), form.opt("checkpoint")) {
            (Some(head), None) => {
                let head = Head::read(head)?;
                let Commitment { size, root, .. } = head.commitment;
                Self { size, root, by: By::Head(head) }
            }
            (None, Some(text)) => {
                let note = Note::parse(text.as_str().unwrap_or_default())?;
                Self { size: note.checkpoint.size, root: note.checkpoint.root, by: By::Checkpoint(note) }
            }
            _ => return Err(FormError("a statement is either a head or a checkpoint".into())),
        };
        form.finish()?;
        Ok(said)
    }

    fn commitment(&self) -> Option<&Commitment> {
        match &self.by {
            By::Head(head) => Some(&head.commitment),
            By::Checkpoint(_) => None,
        }
    }
}

impl<'a> Shown<'a> {
    pub(super) fn read(value: &'a Value, caller: &'a Caller<'a>) -> Self {
        let list = |name: &str| value.get(name).and_then(Value::as_array).unwrap_or_default();
        let member = |value: Option<&Value>| value.cloned().unwrap_or(Value::Null);
        let head = list("statements").last().and_then(|last| last.get("head"));
        let under = Object::new()
            .with("roots", member(value.get("roots")))
            .with("registry", member(value.get("registry")))
            .with("head", member(head));
        Self {
            value,
            caller,
            roots: list("roots").iter().map(|root| read_root(root, caller)).collect(),
            statements: list("statements").iter().map(Said::read).collect(),
            under: Value::Object(under),
        }
    }

    fn kind(&self) -> &'a str {
        self.value.get("kind").and_then(Value::as_str).unwrap_or_default()
    }

    fn roots(&self) -> Judged<&[TrustRoot]> {
        match self.roots.as_ref().map_err(|error| Stop::from(error.clone()))?.as_slice() {
            [] => failed("the evidence has no roots"),
            roots => Ok(roots),
        }
    }

    /// One statement or two: each may ask for every head key of every root.
    fn statements(&self) -> Judged<Vec<&Said>> {
        match self.statements.len() {
            0 => return failed("the evidence has no statements"),
            1 | 2 => {}
            n => return failed(format!("there are {n} statements, and it takes two to conflict")),
        }
        self.statements.iter().map(|said| said.as_ref().map_err(|error| Stop::from(error.clone()))).collect()
    }

    fn two(&self) -> Judged<[&Said; 2]> {
        match self.statements()?.as_slice() {
            [first, second] => Ok([first, second]),
            others => failed(format!("there are {} statements, not two that conflict", others.len())),
        }
    }

    /// The head that should have had the event: the last statement.
    fn head(&self) -> Judged<&Head> {
        match self.statements()?.last().map(|said| &said.by) {
            Some(By::Head(head)) => Ok(head),
            _ => failed("the last statement is no head, and only a head names an index"),
        }
    }

    fn member(&self, name: &str) -> Judged<&'a Value> {
        self.value.get(name).map_or_else(|| failed(format!("the evidence has no `{name}`")), Ok)
    }

    /// The event, of a record's form and within its limit: what no ledger appends nobody promised.
    fn record(&self) -> Judged<Event> {
        let record = self.member("record")?;
        Record::read(record.clone())?;
        Ok(Event::read(record)?)
    }

    /// Stops a check that only an omission has something for.
    fn of_omission(&self) -> Judged {
        if self.kind() == "omission" { Ok(()) } else { Err(Stop::NotChecked("nothing was promised here")) }
    }

    /// Stops a check that only a promise by an artifact has something for.
    fn of_issuance(&self) -> Judged {
        self.of_omission()?;
        let issued = self.value.get("artifact").is_some();
        if issued { Ok(()) } else { Err(Stop::NotChecked("the promise needs no key of the registry")) }
    }

    fn as_bundle(&self) -> Bundle<'_> {
        Bundle::read(&self.under, self.caller)
    }
}

/// The members of its kind and no others, within the limit of a bundle; and it is what the caller asked for.
fn form(shown: &Shown<'_>) -> Judged {
    const ALWAYS: &[&str] = &["v", "type", "kind", "roots", "statements"];
    let Some(object) = shown.value.as_object() else { return failed("evidence is not an object") };
    let has = |name: &str| object.get(name).is_some();
    let (own, optional): (&[&str], &[&str]) = match shown.kind() {
        "fork" => (&[], &["leaves"]),
        "back" => (&[], &[]),
        "omission" if has("entry") => (&["record", "index", "entry"], &["last"]),
        "omission" => (&["record", "index", "artifact", "registry"], &["last"]),
        _ => return failed("the evidence's `kind` is none of fork, back, omission"),
    };
    if let Some(name) = ALWAYS.iter().chain(own).find(|name| !has(name)) {
        return failed(format!("the evidence lacks the member `{name}`"));
    }
    let known = |name: &str| [ALWAYS, own, optional].iter().any(|names| names.contains(&name));
    if let Some((name, _)) = object.iter().find(|(name, _)| !known(name)) {
        return failed(format!("the evidence has an unknown member `{name}`"));
    }
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    hold(text("v") == Some("1") && text("type") == Some(TYPE), "this is no evidence of this version")?;
    let listed = |name: &str| object.get(name).and_then(Value::as_array).is_some();
    hold(listed("roots") && listed("statements"), "`roots` or `statements` is not an array")?;
    object.get("record").map_or(Ok(()), crate::bundle::event_form)?;
    object.get("registry").map_or(Ok(()), crate::bundle::registry_form)?;
    hold(shown.value.canonical().len() <= MAX_BUNDLE, "the evidence is larger than 4 MiB")?;
    // Who asks for a kind or an age needs an operation shown: evidence shows none, and stands for good.
    let asked = shown.caller.kind.is_some() || shown.caller.max_age.is_some();
    hold(!asked, "this is evidence of equivocation, not the bundle that was asked for")?;
    let op = shown.value.get("record").and_then(|record| record.get("op")).and_then(Value::as_str);
    hold(shown.caller.op.is_none_or(|asked| Some(asked) == op), "this is not about the operation that was asked for")
}

/// One of the roots is the caller's, signatures apart.
fn root_pinned(shown: &Shown<'_>) -> Judged {
    crate::checks::root::pinned(&shown.as_bundle())
}

/// Each root is signed by its own threshold and by that of the one before.
fn root_signed(shown: &Shown<'_>) -> Judged {
    crate::checks::root::chained(shown.roots()?, shown.caller)
}

/// A head key of a root signed each statement, for the root's domain.
fn statements_signed(shown: &Shown<'_>) -> Judged {
    let roots = shown.roots()?;
    shown.statements()?.into_iter().try_for_each(|said| match &said.by {
        By::Head(head) => head_signed(roots, head),
        By::Checkpoint(note) => checkpoint_signed(roots, note),
    })
}

/// By a head key that counts at the head's time, of the newest root that was in force then. A version after that may say since
/// when the key has been in other hands.
fn head_signed(roots: &[TrustRoot], head: &Head) -> Judged {
    let Some(root) = TrustRoot::in_force_among(roots, head.at) else {
        return failed(format!("no root was in force at {}", head.at));
    };
    if name::ledger_domain(&head.commitment.ledger) != Some(&root.domain) {
        return failed(format!("a head is of `{}`, the root of `{}`", head.commitment.ledger, root.domain));
    }
    let Some(key) = root.role_key(KeyUse::Head, &head.sig.kid, head.at) else {
        return failed(format!("root {} has no head key `{}` that counts at {}", root.version, head.sig.kid, head.at));
    };
    let mut records = roots.iter().flat_map(|root| &root.roles).filter(|key| key.kid == head.sig.kid);
    if records.any(|key| matches!(key.status, KeyStatus::Compromised(since) if since <= head.at)) {
        return failed(format!("a root calls the head key `{}` compromised from before {}", head.sig.kid, head.at));
    }
    hold(head.verify(&key), "a head's signature does not verify")
}

/// By a head key that no root calls compromised: a checkpoint has no time at which another key could be judged.
pub(super) fn checkpoint_signed(roots: &[TrustRoot], note: &Note) -> Judged {
    let origin = roots.last().map(TrustRoot::origin).unwrap_or_default();
    if note.checkpoint.origin != origin {
        return failed(format!("a checkpoint is of `{}`, expected `{origin}`", note.checkpoint.origin));
    }
    let heads = || roots.iter().flat_map(|root| &root.roles).filter(|key| key.usage == KeyUse::Head);
    let compromised = |key: &&KeyRecord| matches!(key.status, KeyStatus::Compromised { .. });
    let stolen: BTreeSet<&[u8; 32]> = heads().filter(compromised).map(|key| &key.public).collect();
    // Most stand in every version of the root.
    let publics: BTreeSet<&[u8; 32]> =
        heads().map(|key| &key.public).filter(|public| !stolen.contains(public)).collect();
    let mut keys = publics.into_iter().filter_map(VerifyingKey::new);
    hold(keys.any(|key| note.signed_by(&key)), "no head key of a root signed a checkpoint")
}

/// The two statements can't both be of one history.
fn statements_conflict(shown: &Shown<'_>) -> Judged {
    match shown.kind() {
        "fork" => forked(shown),
        "back" => went_back(shown),
        "omission" => Err(Stop::NotChecked("the conflict is that of a promise")),
        _ => failed("the evidence's `kind` is none of fork, back, omission"),
    }
}

fn forked(shown: &Shown<'_>) -> Judged {
    let [first, second] = shown.two()?;
    if first.size == second.size {
        let heads = first.commitment().zip(second.commitment());
        let differ = first.root != second.root || heads.is_some_and(|(first, second)| first != second);
        return hold(differ, "both statements are of one size and say the same");
    }
    let leaves = shown.member("leaves")?;
    let mut form = Form::of(leaves.clone(), "leaves")?;
    let seq = form.uint("seq")?;
    let (one, two) = (read_leaf(form.take("first")?)?, read_leaf(form.take("second")?)?);
    form.finish()?;
    hold(one.0 != two.0, "both trees have the same leaf there")?;
    let holds =
        |said: &Said, leaf: &(Sha256, Vec<Sha256>)| verify_inclusion(&leaf.0, seq, said.size, &leaf.1, &said.root);
    hold(holds(first, &one), "the first statement's tree does not have this leaf")?;
    hold(holds(second, &two), "the second statement's tree does not have this leaf")
}

fn read_leaf(value: Value) -> Result<(Sha256, Vec<Sha256>), FormError> {
    let mut form = Form::of(value, "leaf")?;
    let leaf = (form.sha256("hash")?, read_proof(&form.take("proof")?)?);
    form.finish()?;
    Ok(leaf)
}

fn went_back(shown: &Shown<'_>) -> Judged {
    let [first, second] = shown.two()?;
    let (By::Head(one), By::Head(two)) = (&first.by, &second.by) else {
        return failed("a checkpoint has no time: only two heads show that one went back");
    };
    hold(one.at < two.at, "the second head is not the younger one")?;
    hold(second.size < first.size, "the second head is not the smaller one")
}

/// The registry's header is signed by a registry key of the root in force at the head.
fn registry_signed(shown: &Shown<'_>) -> Judged {
    shown.of_issuance()?;
    settled(registry::signed(&shown.as_bundle()))
}

/// The head names this registry.
fn registry_committed(shown: &Shown<'_>) -> Judged {
    shown.of_issuance()?;
    registry::committed(&shown.as_bundle())
}

/// The registry holds the keys that are shown.
fn registry_records(shown: &Shown<'_>) -> Judged {
    shown.of_issuance()?;
    registry::records(&shown.as_bundle())
}

/// The domain promised that the ledger holds the event.
fn promise_made(shown: &Shown<'_>) -> Judged {
    shown.of_omission()?;
    let event = shown.record()?;
    hold(!event.record.event.starts_with("ledger."), "an event of the ledger's own stands in no index")?;
    match (shown.value.get("entry"), shown.value.get("artifact")) {
        (Some(entry), None) => promised_by_tree(shown, &event, entry),
        (None, Some(artifact)) => promised_by_artifact(shown, &event, artifact),
        _ => failed("a promise is either an entry or an artifact"),
    }
}

fn promised_by_tree(shown: &Shown<'_>, event: &Event, entry: &Value) -> Judged {
    let [under, head] = shown.two()?;
    let mut form = Form::of(entry.clone(), "entry")?;
    let (header, proof) = (EntryHeader::take(&mut form)?, read_proof(&form.take("proof")?)?);
    form.finish()?;
    let leaf = leaf_hash(&header.bytes(event.canonical()));
    let held = verify_inclusion(&leaf, header.seq, under.size, &proof, &under.root);
    hold(held, "the first statement's tree does not hold the event")?;
    hold(
        under.size <= head.size,
        "the head is smaller than the tree that held the event: that is a head that went back",
    )
}

/// An authority hands out an artifact only when its issuance is durable in the ledger, which appends none that comes more than
/// half a minute late: a minute later every head has it.
fn promised_by_artifact(shown: &Shown<'_>, event: &Event, artifact: &Value) -> Judged {
    let head = shown.head()?;
    hold(shown.statements.len() == 1, "there are more statements than the one head")?;
    let artifact = Artifact::read(artifact.clone())?;
    let record = &event.record;
    hold(artifact.digests_follow(), "the artifact's digests do not follow")?;
    let data = issued_data(&record.data);
    let its = Lineage::begin(record).is_ok()
        && About::artifact(&artifact) == record.about
        && data.is_some_and(|data| data.chash == artifact.chash && data.exp == artifact.exp);
    hold(its, "the record is not the issuance of this artifact")?;
    event.hashes_follow()?;
    let bundle = shown.as_bundle();
    let domain = eleven_core::name::authority_domain(&record.by);
    hold(domain == Some(&bundle.root()?.domain), "the artifact is another domain's")?;
    let key = bundle.key(KeyUse::Event, &record.kid, &record.by, record.ts)?;
    hold(key.verifies(event.body(), &record.sig.val), "the issuance's signature does not verify")?;
    let key = bundle.key(KeyUse::Issuer, &artifact.sig.kid, &artifact.iss, record.ts)?;
    hold(key.verifies(artifact.payload(), &artifact.sig.val), "the artifact's signature does not verify")?;
    not_compromised(&bundle, &record.kid)?;
    not_compromised(&bundle, &artifact.sig.kid)?;
    let due = head.at.since(record.ts) > PROMISED_WITHIN_MS;
    hold(due, "the head is not more than 60 s younger than the issuance")
}

/// The registry does not call the key compromised. No entry says when it signed what no ledger has, and whoever has the key
/// dates that as he likes: before the key was out of its owner's hands, too.
fn not_compromised(bundle: &Bundle<'_>, kid: &str) -> Judged {
    let status = bundle.record(KeyRecord::KIND, "kid", kid)?.get("status").and_then(Value::as_str);
    if status != Some("compromised") {
        return Ok(());
    }
    failed(format!("`{kid}` is compromised, and when it signed this nothing but the signature's maker says"))
}

/// The last head's index does not have the event: its lineage is absent, or ends before it.
fn promise_broken(shown: &Shown<'_>) -> Judged {
    shown.of_omission()?;
    let event = shown.record()?;
    let index = &shown.head()?.commitment.index;
    let proof = Proof::read(shown.member("index")?.clone())?;
    match (proof.proves(index, &op_key(&event.record.op)), shown.value.get("last")) {
        (Proves::Absent, None) => Ok(()),
        (Proves::Absent, Some(_)) => failed("the index has no such lineage, so there is no last event to show"),
        (Proves::Present(value), Some(last)) => {
            let (n, committed) = read_last(last, &event.record.op)?;
            hold(committed == value, "the index does not name the last event that is shown")?;
            hold(n < event.record.n, "the index has the event, or a later one of its lineage")
        }
        (Proves::Present(_), None) => failed("the index has the lineage, and its last event there is not shown"),
        (Proves::Nothing, _) => failed("the proof is none of the head's index"),
    }
}

fn read_last(last: &Value, op: &str) -> Result<(u64, Sha256), FormError> {
    let mut form = Form::of(last.clone(), "last event")?;
    let (n, tip, tip_alt) = (form.positive("n")?, form.sha3("tip")?, form.blake2b("tip_alt")?);
    form.finish()?;
    Ok((n, op_value(op, n, &tip, &tip_alt)))
}
