//! What events an act is made of.

mod keys;
mod operators;
mod points;

use super::{Act, ActError};
use crate::Authority;
use crate::identity::{self, Operator, rows};
use crate::registry::{Current, Policy, Subject};
use eleven_api::edge;
use eleven_api::secret::{self, AUDITOR, CLIENT, HOLDER_FORM, Secret};
use eleven_core::disclosure::overlap;
use eleven_core::encoding::{Object, Value, tokens};
use eleven_core::event::{About, Place, Record};
use eleven_core::form::FormError;
use eleven_core::hash::Sha3;
use eleven_core::id;
use eleven_core::limits::{MAX_IDENTITY_LIFE, MAX_POLICY, MAX_RUN, REVOKED_KEPT};
use eleven_core::lineage::issued_data;
use eleven_core::name;
use eleven_core::policy::PolicyBundle;
use eleven_core::registry::exposure::Exposure;
use eleven_core::registry::retention::Retention;
use eleven_core::registry::{
    ApprovedInterface, ContainmentRecord, ContainmentState, GrantedKey, InterfaceRecord, Item as _, PolicyRecord,
    PublishedPolicy, ViewKey,
};
use eleven_core::root::{KeyRecord, KeyUse, TrustRoot};
use eleven_core::signature::Signer;
use eleven_core::time::Time;
use std::sync::Arc;

/// Why nothing is done that rests on what the ledger shows of a lineage.
const FORGED: &str = "what answers at the ledger's address shows an event that is of another lineage, or that its producer did not sign: \
                      nothing was done, look at who answers there";

/// The events of an act, and what it answers besides.
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) answer: Object,
}

/// A compiled policy and the canonical bytes of its bundle.
pub(super) type Compiled = (Arc<Policy>, Vec<u8>);

/// One event of an act.
pub(super) struct Step {
    pub(super) event: &'static str,
    pub(super) place: Place,
    pub(super) data: Object,
    pub(super) about: About,
    pub(super) blobs: Vec<Vec<u8>>,
}

impl Step {
    fn alone(event: &'static str, data: Object) -> Self {
        Self { event, place: Place::Alone, data, about: About::default(), blobs: Vec::new() }
    }
}

impl Plan {
    fn one(step: Step) -> Self {
        Self { steps: vec![step], answer: Object::new() }
    }

    fn answering(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.answer.insert(name, value);
        self
    }
}

/// Plans an act of this operator's; a policy that it publishes is `compiled`. Nothing has happened yet when this returns.
pub(super) async fn of(
    authority: &Authority,
    current: &Current,
    act: Act,
    compiled: Option<Compiled>,
    operator: Option<&Operator>,
) -> Result<Plan, ActError> {
    let one = |event, data| Ok(Plan::one(Step::alone(event, data)));
    match act {
        Act::PolicyPublish { .. } => publish(authority, current, compiled),
        Act::PolicyRetire { reference } => one("policy.retired", Object::new().with("ref", reference)),
        Act::ArtifactRevoke { artifact, why } => revoke(authority, current, artifact, why).await,
        Act::KeyRegister { key } => {
            one("key.registered", GrantedKey::sign(key, role(authority, current, KeyUse::Registry)?).to_object())
        }
        Act::KeyRetire { kid } => keys::retire(authority, current, kid).await,
        Act::KeyCompromise { kid, since } => keys::compromise(authority, current, kid, since).await,
        Act::RootPublish { root } => publish_root(authority, current, &root).await,
        Act::RuntimeRegister { record } => points::register(current.view.lists(), &record),
        Act::RuntimeRemove { point } => one("runtime.removed", Object::new().with("point", point)),
        Act::SourceRegister { record } => {
            operators::check_rows(current, &record.name, Some(&record), operator)?;
            operators::check_name(current, &record.name)?;
            rows::check(&record, current.view.lists())?;
            one("source.registered", record.to_value().into_object())
        }
        Act::SourceRemove { name } => remove_source(current, name, operator),
        Act::ClientAdd { client, identity, hash } => add_secret(current, CLIENT, &client, &identity, hash),
        Act::ClientRevoke { client } => revoke_secret(current, secret::client_row(&client), operator),
        Act::AuditorAdd { auditor, identity, hash } => add_secret(current, AUDITOR, &auditor, &identity, hash),
        Act::AuditorRevoke { auditor } => revoke_secret(current, secret::auditor_row(&auditor), operator),
        Act::OperatorAdd { record } => operators::add(current, &record),
        Act::OperatorRemove { operator: name } => operators::remove(current, &name, operator),
        Act::ExposureSet { exposure } => expose(authority, current, exposure),
        Act::IdentityIssue { identity } => issue_identity(authority, current, &identity, operator),
        Act::RetentionSet { retention } => set_retention(authority, current, &retention),
        Act::Hold { hold, placed } => {
            let record = hold.record(current.view.domain(), current.view.lists(), placed);
            approve(authority, current, record.map_err(ActError::Impossible)?)
        }
        Act::SubjectContain { kind, subject } => {
            operators::check_subject(current, &kind, &subject)?;
            transitions(authority, current, &["lifecycle.contained"], &kind, &subject).await
        }
        Act::SubjectLift { kind, subject } => lift(authority, current, &kind, &subject).await,
    }
}

/// A root under which this authority or the ledger could not go on, or a policy in force would be kept by nothing, is found before
/// it is durable.
async fn publish_root(authority: &Authority, current: &Current, root: &TrustRoot) -> Result<Plan, ActError> {
    let now = authority.clock.now();
    let signs = root.role_at(KeyUse::Registry, now);
    let held = |key: &KeyRecord| authority.signers.registry.first_of(std::iter::once(key)).is_some();
    if signs.is_some_and(|key| !held(key)) {
        return Err(ActError::Impossible(
            "the root first names a registry key that this authority does not hold, so that it could sign no epoch any more: \
             where its keystore has that key, restart the authority first; else make the next root with the registry key \
             of the one in force",
        ));
    }
    // Which head keys the ledger holds only itself knows.
    let heads = authority.ledger.head_keys().await?;
    let heads = heads.ok_or(ActError::Impossible(
        "the ledger does not say which head keys it holds, as one of an earlier version does not, so that this root could leave it \
         without one that signs: bring the ledger to this version first",
    ))?;
    let holds = |key: &KeyRecord| heads.iter().any(|head| head.kid == key.kid && head.public == key.public);
    if !root.roles_at(KeyUse::Head, now).any(holds) {
        return Err(ActError::Impossible(
            "the root names no head key that counts and that the ledger holds, so that it could sign no head any more: where \
             its keystore has one, restart the ledger first; else make the next root with a head key of the one in force",
        ));
    }
    if root.witnesses.keys.is_empty() && current.policies_in_force().any(|policy| waits_for_witnesses(&policy.bundle)) {
        return Err(ActError::Impossible(
            "a policy in force asks for the durability D4 or D5, which this root, without witnesses, lets nothing reach: \
             replace that policy first",
        ));
    }
    let published = Object::new().with("root", root.to_value());
    Ok(Plan::one(Step::alone("root.published", published)).answering("version", root.version))
}

/// What signs for the authority's part in the trust root in force.
fn role<'a>(authority: &'a Authority, current: &Current, usage: KeyUse) -> Result<&'a dyn Signer, ActError> {
    let held = authority.signers.role(usage, current.view.root(), authority.clock.now());
    held.ok_or(ActError::Impossible(
        "the trust root in force names no key for this that counts now and that the authority holds: publish a root with a \
         renewed one",
    ))
}

/// An approved interface: what the policy key signs and the registry lists.
fn approve(authority: &Authority, current: &Current, record: InterfaceRecord) -> Result<Plan, ActError> {
    let approved = ApprovedInterface::sign(current.view.domain(), record, role(authority, current, KeyUse::Policy)?);
    Ok(Plan::one(Step::alone("interface.approved", approved.to_object())))
}

/// What is in force for its regime already is not set again, and what was in force before a longer one not any more.
fn set_retention(authority: &Authority, current: &Current, retention: &Retention) -> Result<Plan, ActError> {
    let (record, lists) = (retention.record(current.view.domain()), current.view.lists());
    if lists.interfaces.contains(&record.name()) {
        let lower = Retention::in_force(lists).is_some_and(|set| retention.days < set.days);
        return Err(ActError::Impossible(if lower {
            "a retention is only ever raised"
        } else {
            "it is set so already"
        }));
    }
    Ok(approve(authority, current, record)?.answering("days", retention.days))
}

/// What is not in the registry, with what shows what is.
fn listed(what: &str) -> String {
    format!("{what}: `eleven registry show` lists what there is")
}

fn present(found: bool, what: impl FnOnce() -> String) -> Result<(), ActError> {
    if found { Ok(()) } else { Err(ActError::Unknown(what())) }
}

/// A policy that decides nothing, or only by mistake, is found before it is published.
fn publish(authority: &Authority, current: &Current, compiled: Option<Compiled>) -> Result<Plan, ActError> {
    let (policy, bytes) = compiled.ok_or(ActError::Broken("the policy was not compiled: nothing was done"))?;
    let bundle = &policy.bundle;
    if let Some(why) = unenforced(bundle, current.view.root().witnesses.keys.len()) {
        return Err(ActError::Impossible(why));
    }
    let record = PolicyRecord::read(PolicyRecord::of(bundle).to_value())?;
    let published = PublishedPolicy::sign(current.view.domain(), record, role(authority, current, KeyUse::Policy)?);
    let step = Step { blobs: vec![bytes], ..Step::alone("policy.published", published.to_object()) };
    Ok(Plan::one(step).answering("policy", bundle.id().to_value()))
}

/// Why a policy is not published where the trust root names so many witnesses: a term that this version reads and does not enforce, or
/// that can't be kept.
#[must_use]
pub fn unenforced(bundle: &PolicyBundle, witnesses: usize) -> Option<&'static str> {
    let terms = &bundle.terms;
    let durability = terms.durability.as_deref();
    if durability == Some("D2") {
        Some("there is no quorum of machines here, so the term `durability` may be D1, D3, D4 or D5")
    } else if waits_for_witnesses(bundle) && witnesses == 0 {
        Some("the trust root names no witnesses, so that nothing would ever reach this `durability`: ask for D3")
    } else if terms.envelope.is_some() {
        Some("the term `envelope` is not enforced by this version: leave it out")
    } else if terms.delegates.is_some() {
        Some("the term `delegates` is not enforced by this version: leave it out")
    } else if overlap(&terms.sensitive) {
        Some(
            "of the pointers in `sensitive` one leads into what another names, which is committed whole: leave the longer one out",
        )
    } else {
        unkept(bundle)
    }
}

/// A term that nothing could keep, or that keeps nothing. What was published before this was refused stays readable.
fn unkept(bundle: &PolicyBundle) -> Option<&'static str> {
    let terms = &bundle.terms;
    let needed = |pointer: &String| {
        let member = tokens(pointer).nth(2);
        member.is_some_and(|member| matches!(member.as_str(), "name" | "scope" | "params"))
    };
    if bundle.reference.len() > MAX_POLICY {
        Some(
            "the policy's `ref` is longer than 512 bytes, with which what a call leaves could be too large to be recorded: give it \
             a shorter path",
        )
    } else if !terms.sensitive.iter().all(|pointer| is_escaped(pointer)) {
        Some(
            "an entry of `sensitive` is no JSON pointer, so that nothing would stand there: write ~0 for ~ and ~1 for / in \
             a name",
        )
    } else if terms.sensitive.iter().any(needed) {
        Some(
            "`sensitive` names `name`, `scope` or `params`, without which there is no operation to decide about: \
             leave it out",
        )
    } else if terms.max_run.is_some_and(|seconds| seconds > MAX_RUN) {
        Some("the term `max_run` is more than an hour, the longest that anything runs: set 3600 or less")
    } else {
        None
    }
}

/// Whether each `~` of a JSON pointer is the first half of `~0` or `~1` (RFC 6901).
fn is_escaped(pointer: &str) -> bool {
    pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}

/// Whether a policy's evidence has to be cosigned before an answer is released.
fn waits_for_witnesses(bundle: &PolicyBundle) -> bool {
    matches!(bundle.terms.durability.as_deref(), Some("D4" | "D5"))
}

/// The expiry is the one that the ledger has, not one that somebody remembers.
async fn revoke(authority: &Authority, current: &Current, artifact: String, why: String) -> Result<Plan, ActError> {
    let op = id::operation_of_artifact(&artifact).unwrap_or_default();
    let lineage = authority.ledger.lineage(op).await?;
    let issued =
        lineage.as_ref().and_then(|events| events.first()).filter(|event| event.event == "authorization.issued");
    let issued = issued.ok_or_else(|| ActError::Unknown(format!("artifact {artifact}")))?;
    // By another expiry than the artifact's the registry would let go of the revocation while the artifact counts.
    check_signed(current, op, issued)?;
    if issued.by != authority.name {
        return Err(ActError::Impossible("the artifact was issued by another authority: only the issuer revokes"));
    }
    if current.view.is_revoked(&artifact) {
        return Err(ActError::Impossible("the artifact is revoked already"));
    }
    let data = issued_data(&issued.data).ok_or_else(|| ActError::Unknown("expiry of the artifact".into()))?;
    if is_forgotten(data.exp, authority.clock.now()) {
        return Err(ActError::Impossible(
            "the artifact ended more than a day ago: no point admits it, and the registry lists no revocation of one for longer",
        ));
    }
    let about = About { artifact_id: Some(artifact.clone()), issuer: Some(authority.name.clone()), ..About::default() };
    let revoked = Object::new().with("artifact", &artifact).with("exp", data.exp.to_seconds_value()).with("why", why);
    let step = Step { about, ..Step::alone("authorization.revoked", revoked) };
    Ok(Plan::one(step).answering("artifact", artifact))
}

/// An event that the ledger shows of a lineage, and that an act goes by, is its producer's, as each entry is from which the registry
/// is folded: whoever answers at the ledger's address could show any.
fn check_signed(current: &Current, op: &str, record: &Record) -> Result<(), ActError> {
    let of_producer = |key: &&ViewKey| key.record.usage == KeyUse::Event && key.record.owner == record.by;
    let key = current.view.key(&record.kid).filter(of_producer);
    let signed = key.is_some_and(|key| key.verifying.verifies(record.body(), &record.sig.val));
    if signed && record.op == op && record.hashes_follow() { Ok(()) } else { Err(ActError::NotBegun(FORGED)) }
}

/// Whether the registry lists no revocation any more of an artifact that ended so. Whether it was revoked is not seen there then, and
/// the ledger takes no second one: that would be a record that it refused, and a discontinuity.
fn is_forgotten(exp: Time, now: Time) -> bool {
    exp.plus_seconds(REVOKED_KEPT) <= now
}

/// The setting in force changes; approving it once more would only make an epoch.
fn expose(authority: &Authority, current: &Current, exposure: Exposure) -> Result<Plan, ActError> {
    let (domain, lists) = (current.view.domain(), current.view.lists());
    let record = exposure.record(domain, lists);
    let set = record.version != "1";
    if set && Exposure::in_force(domain, lists) == exposure {
        return Err(ActError::Impossible("the exposure is that already"));
    }
    Ok(approve(authority, current, record)?.answering("exposure", exposure.name()))
}

fn revoke_secret(current: &Current, name: String, by: Option<&Operator>) -> Result<Plan, ActError> {
    present(current.view.lists().sources.contains(&name), || listed(&name.replacen('.', " ", 1)))?;
    remove_source(current, name, by)
}

fn remove_source(current: &Current, name: String, by: Option<&Operator>) -> Result<Plan, ActError> {
    operators::check_rows(current, &name, None, by)?;
    if current.view.lists().sources.get(&name).is_some_and(identity::keys::is_key) {
        return Err(ActError::Impossible(
            "an identity key ends by `eleven key retire` or `eleven key compromise`, and its row stays, so that this is not taken back",
        ));
    }
    Ok(Plan::one(Step::alone("source.removed", Object::new().with("name", name))))
}

/// What becomes durable is a secret's hash. Where that did not come with the act, the secret is made here: it is in the answer, which
/// may be lost, and nowhere else.
fn add_secret(
    current: &Current,
    kind: &str,
    holder: &str,
    identity: &str,
    hash: Option<Sha3>,
) -> Result<Plan, ActError> {
    let wrong = || FormError(format!("the name of the {kind} is not {HOLDER_FORM}"));
    if !secret::is_holder(holder) {
        return Err(wrong().into());
    }
    let made = if hash.is_none() { Secret::new(holder, &edge::random()) } else { None };
    let hash = hash.or_else(|| made.as_ref().map(Secret::hash)).ok_or_else(wrong)?;
    let record = secret::source_of(kind, holder, identity, &hash);
    if current.view.lists().sources.contains(&record.name) {
        return Err(ActError::Impossible("there is one of that name: revoke it first"));
    }
    let plan = Plan::one(Step::alone("source.registered", record.to_value().into_object()));
    Ok(match made {
        Some(made) => plan.answering("secret", made.reveal()),
        None => plan,
    })
}

/// No event says that it was issued: the token itself names the operator, and stands as long as that one.
fn issue_identity(
    authority: &Authority,
    current: &Current,
    identity: &str,
    operator: Option<&Operator>,
) -> Result<Plan, ActError> {
    let (now, random) = (authority.clock.now(), edge::random::<16>());
    let signer = authority.signers.identity(&authority.name, current, now);
    let signer = signer.ok_or(ActError::Impossible(identity::NO_KEY))?;
    let jti = operator.map_or_else(|| id::base32(&random), |operator| operator.token_id(&random));
    let token = identity::issue(signer, &authority.name, identity, now, MAX_IDENTITY_LIFE, jti);
    let plan = Plan { steps: Vec::new(), answer: Object::new() };
    Ok(plan.answering("token", token).answering("expires_in", MAX_IDENTITY_LIFE))
}

/// Back to governed: over recovering, as the lifecycle has it.
async fn lift(authority: &Authority, current: &Current, kind: &str, subject: &str) -> Result<Plan, ActError> {
    let row = current.view.lists().containments.get(&ContainmentRecord::name_of(kind, subject));
    let events: &[&'static str] = match row.map(|row| row.state) {
        Some(ContainmentState::Contained) => &["lifecycle.recovering", "lifecycle.governed"],
        Some(ContainmentState::Recovering) => &["lifecycle.governed"],
        Some(ContainmentState::Revoked) => {
            return Err(ActError::Impossible("the subject was revoked for good: it returns under a new name"));
        }
        None => return Err(ActError::Unknown(listed(&format!("containment of {kind} {subject}")))),
    };
    transitions(authority, current, events, kind, subject).await
}

/// The transition that contains what drifted by the ledger's word; `None` where the subject's lineage ends in that already.
pub(super) async fn containment(
    authority: &Authority,
    subject: &Subject,
    cause: &'static str,
) -> Result<Option<Step>, ActError> {
    let current = authority.registry.current();
    let current = current.ok_or_else(|| ActError::Unavailable("the registry is not at hand".into()))?;
    let (op, last) = subject_lineage(authority, &current, &subject.kind, &subject.name).await?;
    let ends = |last: &Record| match last.event.as_str() {
        "lifecycle.contained" => name::authority_domain(&last.by).is_some(),
        event => event == "lifecycle.revoked",
    };
    if last.as_ref().is_some_and(ends) {
        return Ok(None);
    }
    Ok(Some(transition("lifecycle.contained", next_place(op, last.as_ref()), &subject.kind, &subject.name, cause)))
}

/// An operator's transitions of a subject, which continue its lineage where it has one.
async fn transitions(
    authority: &Authority,
    current: &Current,
    events: &[&'static str],
    kind: &str,
    subject: &str,
) -> Result<Plan, ActError> {
    let (op, last) = subject_lineage(authority, current, kind, subject).await?;
    let place = next_place(op, last.as_ref());
    let step = |event: &&'static str| transition(event, place.clone(), kind, subject, "operator");
    Ok(Plan { steps: events.iter().map(step).collect(), answer: Object::new() })
}

/// A subject's lineage and its last event, where it has one.
async fn subject_lineage(
    authority: &Authority,
    current: &Current,
    kind: &str,
    subject: &str,
) -> Result<(String, Option<Record>), ActError> {
    let op = id::subject_op(kind, subject);
    let lineage = authority.ledger.lineage(&op).await?;
    let last = lineage.and_then(|mut events| events.pop());
    if let Some(last) = &last {
        check_signed(current, &op, last)?;
    }
    Ok((op, last))
}

fn next_place(op: String, last: Option<&Record>) -> Place {
    match last {
        Some(last) => Place::After { op, tip: last.tip() },
        None => Place::First { op },
    }
}

fn transition(event: &'static str, place: Place, kind: &str, subject: &str, cause: &str) -> Step {
    let data = Object::new().with("kind", kind).with("subject", subject).with("cause", cause);
    Step { place, ..Step::alone(event, data) }
}

#[cfg(test)]
mod tests;
