//! The registry's whole history: folded from its events as authority and ledger fold them, so that the hash under the head
//! says whether one is missing. Keys with what became of them, policies with the time in which they were in force.

use super::facts::{Fact, Place};
use super::setting::Set;
use eleven_api::token::JWT_ENDED;
use eleven_core::chain::{Entry, EntryHeader};
use eleven_core::encoding::{Object, Value};
use eleven_core::event::Record;
use eleven_core::hash::Sha3;
use eleven_core::head::RegistryRef;
use eleven_core::name;
use eleven_core::policy::PolicyId;
use eleven_core::registry::retention::{Hold, Retention};
use eleven_core::registry::{Fold, Item as _};
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse};
use eleven_core::time::Time;
use eleven_core::tree::leaf_hash;
use std::collections::BTreeSet;

/// The registry's history.
#[derive(Debug)]
pub(crate) struct History {
    fold: Fold,
    /// The registry's hash at each epoch, from the first on.
    epochs: Vec<Sha3>,
    /// Every event of it, in order.
    pub(crate) events: Vec<Fact>,
    /// Every key that was ever registered.
    pub(crate) keys: Vec<Life>,
    /// Every policy that was ever published.
    pub(crate) policies: Vec<PolicyLife>,
    /// Every registration of an enforcement point that ever was, with what it said.
    pub(crate) points: Vec<(Life, Value)>,
    /// Every source of identities that was ever registered; a key for identity tokens until it ended.
    pub(crate) sources: Vec<Life>,
    /// Every retention that was ever set, each longer than the one before.
    pub(crate) retentions: Vec<Set>,
    /// Every legal hold that was ever placed.
    pub(crate) holds: Vec<Life>,
    /// The names of those that are placed now.
    held: BTreeSet<String>,
}

/// Something of the registry: when it came, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    /// Its name.
    pub(crate) name: String,
    /// The entry that brought it.
    pub(crate) began: Place,
    /// The event that ended it, and where.
    pub(crate) ended: Option<(String, Place)>,
}

/// A policy: when it was published, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct PolicyLife {
    /// Its reference and the hash of its bundle.
    pub(crate) id: PolicyId,
    /// When.
    pub(crate) life: Life,
}

impl Life {
    /// Whether it was there at some moment of the range.
    pub(crate) fn in_force(&self, from: Time, to: Time) -> bool {
        self.began.at < to && self.ended.as_ref().is_none_or(|(_, place)| place.at >= from)
    }

    fn to_object(&self) -> Object {
        let ended = self.ended.as_ref().map(|(event, place)| Value::Object(place.to_object().with("event", event)));
        Object::new().with("began", self.began.to_object()).with("ended", ended)
    }
}

impl PolicyLife {
    /// Whether it was in force at some moment of the range.
    pub(crate) fn in_force(&self, from: Time, to: Time) -> bool {
        self.life.in_force(from, to)
    }
}

impl History {
    /// Folds the registry's entries, the first of which is the ledger's genesis.
    ///
    /// # Errors
    /// Where an entry is not one that the registry can have taken there.
    pub(crate) fn of(entries: &[Entry]) -> Result<Self, String> {
        let mut entries = entries.iter();
        let genesis = entries.next().ok_or("there are no entries of the registry")?;
        let (place, record) = standing(genesis)?;
        if place.seq != 0 || record.event != "ledger.genesis" {
            return Err("the registry's history does not begin with the ledger's genesis".to_owned());
        }
        let fold = Fold::genesis(place.at, &record.by, &record.data).map_err(|error| error.to_string())?;
        let began = |key: &KeyRecord| Life { name: key.kid.clone(), began: place, ended: None };
        let mut history = Self {
            keys: fold.lists().keys.iter().map(began).collect(),
            epochs: vec![fold.hash()],
            fold,
            events: vec![Fact::of(place, &record)],
            policies: Vec::new(),
            points: Vec::new(),
            sources: Vec::new(),
            retentions: Vec::new(),
            holds: Vec::new(),
            held: BTreeSet::new(),
        };
        for entry in entries {
            let (place, record) = standing(entry)?;
            let taken = history.fold.apply(place.at, &record.event, &record.by, &record.data);
            if taken.map_err(|error| format!("entry {}: {error}", place.seq))? {
                history.epochs.push(history.fold.hash());
            }
            history.note(place, &record);
            history.events.push(Fact::of(place, &record));
        }
        Ok(history)
    }

    fn note(&mut self, place: Place, record: &Record) {
        let text = |pointer: &str| {
            Value::Object(record.data.clone()).pointer(pointer).and_then(Value::as_str).map(str::to_owned)
        };
        let life = |name: String| Life { name, began: place, ended: None };
        let ended = || Some((record.event.clone(), place));
        match record.event.as_str() {
            "key.registered" => self.keys.extend(text("/key/kid").map(life)),
            "key.retired" | "key.compromised" => end(&mut self.keys, text("/kid"), ended()),
            "runtime.registered" => {
                end(self.points.iter_mut().map(|(life, _)| life), text("/point"), ended());
                let said = Value::Object(record.data.clone());
                self.points.extend(text("/point").map(|point| (life(point), said)));
            }
            "runtime.removed" => end(self.points.iter_mut().map(|(life, _)| life), text("/point"), ended()),
            "source.registered" => {
                end(&mut self.sources, text("/name"), ended());
                // What the end of an identity key leaves in its place is a source of nobody.
                let is_over = text("/mapping/kind").as_deref() == Some(JWT_ENDED);
                self.sources.extend(text("/name").filter(|_| !is_over).map(life));
            }
            "source.removed" => end(&mut self.sources, text("/name"), ended()),
            "policy.published" => {
                let published = self.fold.lists().policies.iter().find(|policy| Some(policy.name()) == text("/ref"));
                let Some(id) = published.map(|policy| policy.id.clone()) else { return };
                let path = |reference: &str| name::policy_version(reference).map(|(path, _)| path.to_owned());
                let before = self.policies.iter_mut().filter(|life| path(&life.id.reference) == path(&id.reference));
                before.filter(|before| before.life.ended.is_none()).for_each(|before| before.life.ended = ended());
                self.policies.push(PolicyLife { life: life(id.reference.clone()), id });
            }
            "policy.retired" => {
                let retired = text("/ref");
                let lives = self.policies.iter_mut().map(|policy| &mut policy.life);
                lives.filter(|life| Some(&life.name) == retired.as_ref()).for_each(|life| life.ended = ended());
            }
            "interface.approved" => self.note_kept(place, &record.event),
            _ => {}
        }
    }

    /// What an approved interface set about keeping, where it did.
    fn note_kept(&mut self, place: Place, event: &str) {
        let lists = self.fold.lists();
        if let Some(retention) = Retention::in_force(lists)
            && self.retentions.last().is_none_or(|set| set.retention != retention)
        {
            self.retentions.push(Set { retention, place });
        }
        let held = Hold::all(lists);
        let placed = held.difference(&self.held).map(|name| Life { name: name.clone(), began: place, ended: None });
        let lifted = self.holds.iter_mut().filter(|life| life.ended.is_none() && !held.contains(&life.name));
        lifted.for_each(|life| life.ended = Some((event.to_owned(), place)));
        self.holds.extend(placed);
        self.held = held;
    }

    /// Epoch and hash: what a head names.
    pub(crate) fn reference(&self) -> RegistryRef {
        RegistryRef { epoch: self.fold.epoch(), hash: self.fold.hash() }
    }

    /// Whether the head's registry is this one: then no event of it is missing.
    ///
    /// # Errors
    /// Where it is another.
    pub(crate) fn is_under(&self, named: RegistryRef) -> Result<(), String> {
        let folded = self.reference();
        if folded == named {
            return Ok(());
        }
        Err(format!(
            "the registry's events come to epoch {} with {}, the head names epoch {} with {}",
            folded.epoch, folded.hash, named.epoch, named.hash
        ))
    }

    /// The roots, each signed by the threshold of the one before.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &eleven_core::root::TrustRoot> {
        self.fold.roots()
    }

    /// The root that was published last.
    pub(crate) fn root(&self) -> &eleven_core::root::TrustRoot {
        self.fold.root()
    }

    /// A registered key as it stands now.
    pub(crate) fn key(&self, kid: &str) -> Option<&KeyRecord> {
        self.fold.key(kid)
    }

    /// What speaks against the signature of an event that stands there: no event key of its producer that is registered counted
    /// then, or it did not sign.
    pub(crate) fn unsigned(&self, header: &EntryHeader, record: &Record) -> Option<String> {
        let (EntryHeader { seq, at, .. }, kid) = (header, &record.kid);
        let key = self.key(kid);
        let counts = key.filter(|key| key.usage == KeyUse::Event && key.owner == record.by && key.counts_at(*at));
        let Some(key) = counts.and_then(KeyRecord::verifying) else {
            let by = &record.by;
            return Some(format!("entry {seq}: the registry has no event key `{kid}` of `{by}` that counts then"));
        };
        let signed = key.verifies(record.body(), &record.sig.val);
        (!signed).then(|| format!("entry {seq}: the signature by `{kid}` does not verify"))
    }

    /// Whether a use says that it was admitted by a registry that this one never was: whoever signs for the registry showed its point
    /// another, or the point says so.
    pub(crate) fn never_was(&self, record: &Record) -> bool {
        let named = record.data.get("registry").filter(|_| record.event == "authorization.consumed");
        let named = named.and_then(|named| RegistryRef::read(named.clone()).ok());
        named.is_some_and(|RegistryRef { epoch, hash }| {
            let epoch = epoch.checked_sub(1).and_then(|before| usize::try_from(before).ok());
            epoch.and_then(|epoch| self.epochs.get(epoch)) != Some(&hash)
        })
    }

    /// Whether a registered key counts at some moment of the range: in its window, and before it was taken out of service or
    /// came into other hands, which may be told long after.
    pub(crate) fn counts_in(&self, kid: &str, from: Time, to: Time) -> bool {
        self.key(kid).is_some_and(|key| {
            let end = match key.status {
                KeyStatus::Active => key.exp,
                KeyStatus::Retired(since) | KeyStatus::Compromised(since) => key.exp.min(since),
            };
            key.nbf.max(from) < end.min(to)
        })
    }

    /// The registration of a point that was in force at an entry: the entry that made it, and what it says.
    pub(crate) fn registration_at(&self, point: &str, seq: u64) -> Option<(u64, &Value)> {
        let (life, said) = self.points.iter().rev().find(|(life, _)| life.name == point && life.began.seq < seq)?;
        let ended = life.ended.as_ref().is_some_and(|(_, place)| place.seq < seq);
        (!ended).then_some((life.began.seq, said))
    }

    /// When the ledger began.
    pub(crate) fn began(&self) -> Time {
        self.events.first().map_or(Time(0), |genesis| genesis.place.at)
    }

    /// Whether an operation, or all that an identity did, is under a legal hold now.
    pub(crate) fn is_held(&self, op: &str, identity: Option<&str>) -> bool {
        let on = |kind: &str, subject: &str| Hold::on(kind, subject).is_ok_and(|hold| hold.is_in(&self.held));
        !self.held.is_empty() && (on("operation", op) || identity.is_some_and(|identity| on("identity", identity)))
    }

    /// The policies that were in force in a range.
    pub(crate) fn policies_in(&self, from: Time, to: Time) -> impl Iterator<Item = &PolicyLife> {
        self.policies.iter().filter(move |policy| policy.in_force(from, to))
    }

    /// `keys.json`: every root and every key, with what became of it.
    pub(crate) fn keys_value(&self) -> Value {
        let key = |life: &Life| {
            let record = self.key(&life.name).map(KeyRecord::to_value);
            Value::Object(life.to_object().with("record", record))
        };
        let roots: Vec<Value> = self.roots().map(eleven_core::root::TrustRoot::to_value).collect();
        let keys: Vec<Value> = self.keys.iter().map(key).collect();
        Value::Object(Object::new().with("v", "1").with("roots", roots).with("keys", keys))
    }
}

/// `policies.json`: the policies, with the files of their bundles.
pub(crate) fn policies_value(policies: &[&PolicyLife]) -> Value {
    let policy = |policy: &&PolicyLife| {
        let file = super::folder::policy(policy.id.hash);
        let id = policy.life.to_object().with("ref", &policy.id.reference).with("hash", policy.id.hash);
        Value::Object(id.with("file", file))
    };
    let policies: Vec<Value> = policies.iter().map(policy).collect();
    Value::Object(Object::new().with("v", "1").with("policies", policies))
}

fn end<'a>(lives: impl IntoIterator<Item = &'a mut Life>, name: Option<String>, ended: Option<(String, Place)>) {
    let open = lives.into_iter().filter(|life| life.ended.is_none());
    open.filter(|life| Some(&life.name) == name.as_ref()).for_each(|life| life.ended.clone_from(&ended));
}

/// The record of an entry, and where it stands.
pub(crate) fn standing(entry: &Entry) -> Result<(Place, Record), String> {
    let (seq, at) = (entry.header.seq, entry.header.at);
    let record = Record::read(entry.record.clone()).map_err(|error| format!("entry {seq}: {error}"))?;
    let leaf = leaf_hash(&entry.header.bytes(record.canonical()));
    Ok((Place { seq, at, leaf }, record))
}
