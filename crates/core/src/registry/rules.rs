//! What each registry event must keep (PROTOCOL 5.3 and 6.1), and what it does.

use super::data::{ApprovedInterface, GrantedKey, PublishedPolicy};
use super::error::FoldError;
use super::fold::{Effect, Fold};
use super::peer::PeerStatement;
use super::records::{ContainmentRecord, ContainmentState, Item as _, RevokedRecord, RuntimeRecord, SourceRecord};
use super::retention;
use crate::artifact::is_artifact_id;
use crate::encoding::{Object, Value};
use crate::event::{Event, Producer};
use crate::form::{Form, FormError, require};
use crate::limits::REVOKED_KEPT;
use crate::name;
use crate::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot};
use crate::subject;
use crate::time::Time;
use alloc::format;
use alloc::string::String;

/// Nothing: the registry is not concerned. Something: the next epoch, with what changes, if anything does.
type Plan = Option<Option<Effect>>;

impl Fold {
    /// What an event would do.
    pub(super) fn plan(&self, at: Time, event: &str, by: &str, data: &Object) -> Result<Plan, FoldError> {
        let Some(known) = Event::parse(event).filter(|known| known.registry || known.is_lifecycle()) else {
            return Ok(None);
        };
        self.check_producer(known, by)?;
        let value = || Value::Object(data.clone());
        let effect = match event {
            "ledger.genesis" => return Err(FoldError::Known("genesis")),
            "root.published" => self.root_published(at, data)?,
            "key.registered" => self.key_registered(at, &GrantedKey::read(value())?)?,
            "key.retired" => self.key_retired(at, data)?,
            "key.compromised" => self.key_compromised(at, data)?,
            "policy.published" => self.policy_published(at, PublishedPolicy::read(value())?)?,
            "policy.retired" => {
                let policy = only(data, "ref", "policy.retired")?;
                present(self.lists.policies.contains(&policy), "policy")?;
                Effect::PolicyRetired(policy)
            }
            "runtime.registered" => self.runtime_registered(RuntimeRecord::read(value())?)?,
            "runtime.removed" => {
                let point = only(data, "point", "runtime.removed")?;
                present(self.lists.runtimes.contains(&point), "enforcement point")?;
                Effect::RuntimeRemoved(point)
            }
            "interface.approved" => self.interface_approved(at, ApprovedInterface::read(value())?)?,
            "source.registered" => Effect::Source(SourceRecord::read(value())?),
            "source.removed" => {
                let source = only(data, "name", "source.removed")?;
                present(self.lists.sources.contains(&source), "identity source")?;
                Effect::SourceRemoved(source)
            }
            "authorization.revoked" => self.authorization_revoked(data)?,
            "domain.stated" => self.domain_stated(at, data)?,
            _ => return self.lifecycle(at, known, by, data),
        };
        Ok(Some(Some(effect)))
    }

    /// The authority and the ledger are this domain's; a point is whichever the append rules let sign.
    fn check_producer(&self, event: &Event, by: &str) -> Result<(), FoldError> {
        let producer = Producer::of(by).filter(|producer| event.producers.contains(producer));
        let own = match producer {
            Some(Producer::Authority) => name::authority_domain(by) == Some(self.domain()),
            Some(Producer::Ledger) => name::ledger_domain(by) == Some(self.domain()),
            Some(Producer::Point) => true,
            None => false,
        };
        if own { Ok(()) } else { Err(FoldError::Producer) }
    }

    fn root_published(&self, at: Time, data: &Object) -> Result<Effect, FoldError> {
        let mut form = Form::of_object(data.clone(), "root.published");
        let root = TrustRoot::read(form.take("root")?)?;
        form.finish()?;
        root.succeeds(&self.root)?;
        // Heads are judged under the last root, and this epoch's header needs a key: it must hold from here on.
        if !root.in_force(at) || root.role_at(KeyUse::Registry, at).is_none() {
            return Err(FoldError::RootNotInForce);
        }
        // As in the registry, a status is set once.
        if root.records().any(|key| matches!(key.status, KeyStatus::Compromised(since) if since > at)) {
            return Err(FoldError::SinceAhead);
        }
        if root.publics().any(|public| self.publics.contains(public)) {
            return Err(FoldError::PublicKnown);
        }
        Ok(Effect::Root(root))
    }

    /// No policy key ends by a version of the root before what it published: who verifies a policy goes by the newest version that
    /// had begun when it was published, also where that version came later.
    pub(super) fn check_policy_keys(&self, root: &TrustRoot) -> Result<(), FoldError> {
        let ends = |kid: &str, at: Time| root.nbf <= at && root.role(KeyUse::Policy, kid, at).is_none();
        let ended = self.published_by.iter().find(|(kid, at)| ends(kid, **at));
        ended.map_or(Ok(()), |(kid, _)| Err(FoldError::PolicyKeyEnded(kid.clone())))
    }

    fn key_registered(&self, at: Time, granted: &GrantedKey) -> Result<Effect, FoldError> {
        self.check_root(at)?;
        self.check_key(granted, at)?;
        Ok(Effect::Key(granted.key.clone()))
    }

    /// Whether a key may enter the registry.
    pub(super) fn check_key(&self, granted: &GrantedKey, at: Time) -> Result<(), FoldError> {
        let key = &granted.key;
        if !key.usage.stands_in_registry() {
            return Err(FoldError::KeyUse);
        }
        if key.status != KeyStatus::Active {
            return Err(FoldError::KeyNotActive);
        }
        let in_a_root = |kid: &str| self.roots().any(|root| root.records().any(|known| known.kid == kid));
        if self.lists.keys.contains(&key.kid) || in_a_root(&key.kid) {
            return Err(FoldError::Known("key"));
        }
        let of_a_root = || self.roots().any(|root| root.publics().any(|public| *public == key.public));
        if self.publics.contains(&key.public) || of_a_root() {
            return Err(FoldError::PublicKnown);
        }
        if self.is_revoked("identity", &key.owner) || self.runtime_is_revoked(&key.owner) {
            return Err(FoldError::SubjectRevoked);
        }
        if !key.is_sound() {
            return Err(FoldError::KeyUnsound);
        }
        if granted.verifies(&self.root, at) { Ok(()) } else { Err(FoldError::Grant) }
    }

    fn key_retired(&self, at: Time, data: &Object) -> Result<Effect, FoldError> {
        let key = self.known_key(&only(data, "kid", "key.retired")?)?;
        match key.status {
            KeyStatus::Active => Ok(Effect::Key(KeyRecord { status: KeyStatus::Retired(at), ..key.clone() })),
            _ => Err(FoldError::KeyStatus),
        }
    }

    fn key_compromised(&self, at: Time, data: &Object) -> Result<Effect, FoldError> {
        let mut form = Form::of_object(data.clone(), "key.compromised");
        let (kid, since) = (form.string("kid")?, form.millis("since")?);
        form.finish()?;
        let key = self.known_key(&kid)?;
        match key.status {
            // One that counted until a moment to come could not be stopped any more: a status is set once.
            KeyStatus::Active if since > at => return Err(FoldError::SinceAhead),
            KeyStatus::Active => {}
            // A key that was taken out of service does not come back for a while by being called compromised.
            KeyStatus::Retired(retired) if since <= retired => {}
            _ => return Err(FoldError::KeyStatus),
        }
        Ok(Effect::Key(KeyRecord { status: KeyStatus::Compromised(since), ..key.clone() }))
    }

    fn known_key(&self, kid: &str) -> Result<&KeyRecord, FoldError> {
        self.key(kid).ok_or(FoldError::Unknown("key"))
    }

    fn policy_published(&self, at: Time, published: PublishedPolicy) -> Result<Effect, FoldError> {
        self.check_root(at)?;
        let policy = &published.record;
        if !published.verifies(&self.root, at) {
            return Err(FoldError::PolicySignature);
        }
        if self.is_revoked("policy", &policy.id.reference) {
            return Err(FoldError::SubjectRevoked);
        }
        let (path, version) = name::policy_version(&policy.id.reference)
            .ok_or_else(|| FormError("policy: `ref` is not a policy's reference".into()))?;
        // Those that were retired count, too. A version has fifteen digits at most.
        let next = self.versions.get(path).map_or(version, |last| last.saturating_add(1));
        if version != next {
            return Err(FoldError::PolicyVersion(format!("policy://{path}/v{next}")));
        }
        let replaced = self.policy_of_path(path);
        let others = self.lists.policies.iter().filter(|other| Some(*other) != replaced);
        match others.into_iter().find(|other| policy.overlaps(other)) {
            Some(other) => Err(FoldError::PolicyOverlap(other.id.reference.clone())),
            None => Ok(Effect::Policy { policy: published.record, kid: published.sig.kid, at }),
        }
    }

    fn runtime_registered(&self, runtime: RuntimeRecord) -> Result<Effect, FoldError> {
        if self.runtime_is_revoked(&runtime.point) {
            return Err(FoldError::SubjectRevoked);
        }
        let owned = |key: &KeyRecord| key.usage == KeyUse::Event && key.owner == runtime.point;
        if !self.key(&runtime.kid).is_none_or(owned) {
            return Err(FoldError::RuntimeKey);
        }
        Ok(Effect::Runtime(runtime))
    }

    fn interface_approved(&self, at: Time, approved: ApprovedInterface) -> Result<Effect, FoldError> {
        self.check_root(at)?;
        if !approved.verifies(&self.root, at) {
            return Err(FoldError::PolicySignature);
        }
        if self.lists.interfaces.contains(&approved.record.name()) {
            return Err(FoldError::Known("interface"));
        }
        retention::check(self.domain(), &self.lists, &approved.record).map_err(FoldError::Retention)?;
        Ok(Effect::Interface(approved.record))
    }

    fn authorization_revoked(&self, data: &Object) -> Result<Effect, FoldError> {
        let mut form = Form::of_object(data.clone(), "authorization.revoked");
        let artifact = form.named("artifact", "an artifact id", is_artifact_id)?;
        let until = form.seconds("exp")?.plus_seconds(REVOKED_KEPT);
        form.named("why", "a text", |why| !why.is_empty())?;
        form.finish()?;
        let written = Time::parse_seconds(&until.seconds()) == Some(until);
        require(written, "authorization.revoked: a day past `exp` is beyond what a time can say")?;
        if self.lists.revoked.contains(&artifact) {
            return Err(FoldError::Known("revocation"));
        }
        Ok(Effect::Revoked(RevokedRecord { artifact, until }))
    }

    fn domain_stated(&self, at: Time, data: &Object) -> Result<Effect, FoldError> {
        self.check_root(at)?;
        let mut form = Form::of_object(data.clone(), "domain.stated");
        let statement = PeerStatement::read(form.take("statement")?)?;
        form.finish()?;
        let key = self.root.role_key(KeyUse::Policy, &statement.sig.kid, at);
        if statement.iss != self.domain() || !key.is_some_and(|key| statement.verifies(&key)) {
            return Err(FoldError::PolicySignature);
        }
        if self.is_revoked("domain", &statement.sub) {
            return Err(FoldError::SubjectRevoked);
        }
        let follows = match self.lists.peers.get(&statement.name()) {
            None => statement.seq == 1,
            Some(last) => last.seq.checked_add(1) == Some(statement.seq) && statement.prev == Some(last.hash()),
        };
        if follows { Ok(Effect::Peer(statement)) } else { Err(FoldError::StatementOrder) }
    }

    /// A transition of a governed subject (PROTOCOL 14.2). Four of them are the registry's; none follows a revocation.
    /// Its data may say more than the registry lists.
    fn lifecycle(&self, at: Time, event: &Event, by: &str, data: &Object) -> Result<Plan, FoldError> {
        let mut form = Form::of_object(data.clone(), "lifecycle");
        let (kind, subject) = (form.string("kind")?, form.string("subject")?);
        if !subject::is_subject(&kind, &subject) {
            return Err(FoldError::Subject);
        }
        if self.is_revoked(&kind, &subject) {
            return Err(FoldError::SubjectRevoked);
        }
        let by_authority = Producer::of(by) == Some(Producer::Authority);
        let of_itself = kind == "runtime" && subject == by;
        if !by_authority && !of_itself {
            return Err(FoldError::SubjectProducer);
        }
        if !event.registry {
            return Ok(None);
        }
        let cause = form.named("cause", "a name", name::is_segment)?;
        let name = ContainmentRecord::name_of(&kind, &subject);
        let state = self.lists.containments.get(&name).map(|row| row.state);
        let may_lift = by_authority || !self.held_by_authority.contains(&name);
        let state = match (event.name, state) {
            ("lifecycle.contained", _) => ContainmentState::Contained,
            ("lifecycle.revoked", _) => ContainmentState::Revoked,
            ("lifecycle.recovering" | "lifecycle.governed", Some(_)) if !may_lift => {
                return Err(FoldError::SubjectProducer);
            }
            ("lifecycle.recovering", Some(ContainmentState::Contained)) => ContainmentState::Recovering,
            ("lifecycle.governed", Some(ContainmentState::Recovering)) => {
                return Ok(Some(Some(Effect::Lifted { kind, subject })));
            }
            // A subject that was never contained becomes governed: an epoch, and nothing in the lists.
            ("lifecycle.governed", None) => return Ok(Some(None)),
            _ => return Err(FoldError::SubjectState),
        };
        let row = ContainmentRecord { kind, subject, state, since: at, cause };
        Ok(Some(Some(Effect::Containment { row, by_authority })))
    }

    /// Whether a subject was revoked for good.
    #[must_use]
    pub fn is_revoked(&self, kind: &str, subject: &str) -> bool {
        let row = self.lists.containments.get(&ContainmentRecord::name_of(kind, subject));
        row.is_some_and(|row| row.state == ContainmentState::Revoked)
    }

    /// Whether a runtime or a point, or a path above it, was revoked for good.
    fn runtime_is_revoked(&self, point: &str) -> bool {
        let revoked = |row: &&ContainmentRecord| row.kind == "runtime" && row.state == ContainmentState::Revoked;
        self.lists.containments.iter().filter(revoked).any(|row| subject::holds(&row.subject, point))
    }

    fn check_root(&self, at: Time) -> Result<(), FoldError> {
        if self.root.in_force(at) { Ok(()) } else { Err(FoldError::RootNotInForce) }
    }
}

fn present(found: bool, what: &'static str) -> Result<(), FoldError> {
    if found { Ok(()) } else { Err(FoldError::Unknown(what)) }
}

/// The one member of an event's data.
fn only(data: &Object, member: &str, what: &'static str) -> Result<String, FormError> {
    let mut form = Form::of_object(data.clone(), what);
    let text = form.string(member)?;
    form.finish()?;
    Ok(text)
}

#[cfg(test)]
mod tests;
