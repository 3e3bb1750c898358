//! The trust root (PROTOCOL 3 and 11): who may sign for a domain at all. It is the one thing a verifier is given; all
//! other keys follow from it.
//!
//! A root is signed by a threshold of its own keys and by a threshold of the version before, so that a chain of versions
//! leads from the one that somebody pinned to the one in force.

mod key;

use crate::encoding::{Object, Value};
use crate::form::{Form, FormError, require};
use crate::hash::Sha3;
use crate::head::checkpoint::{self, Note};
use crate::limits::{MAX_INTEGER, MAX_ROOT_KEYS, MAX_WITNESSES};
use crate::name;
use crate::signature::{Signer, VerifyingKey, base64_value, bytes32, bytes64};
use crate::time::Time;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use key::{KeyRecord, KeyStatus, KeyUse};

/// A version of a domain's trust root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustRoot {
    /// The domain.
    pub domain: String,
    /// Its number: 1 is the first.
    pub version: u64,
    /// How many of `keys` have to sign a root.
    pub threshold: u64,
    /// The keys that sign roots.
    pub keys: Vec<KeyRecord>,
    /// The keys of the roles `head`, `policy` and `registry`: at least one of each.
    pub roles: Vec<KeyRecord>,
    /// Who cosigns heads.
    pub witnesses: Witnesses,
    /// In force from this second on.
    pub nbf: Time,
    /// In force before this second.
    pub exp: Time,
    /// The hash of the version before; none at version 1.
    pub prev: Option<Sha3>,
    /// Signatures by keys of this version and of the one before.
    pub sigs: Vec<RootSignature>,
}

/// The witnesses of a domain's ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witnesses {
    /// How many distinct witnesses have to cosign a head; 0 where there are none.
    pub quorum: u64,
    /// How many of them have to be auditors that replay the ledger.
    pub auditors: u64,
    /// The witnesses.
    pub keys: Vec<Witness>,
}

/// A witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its name, as it stands in the cosignature's line.
    pub name: String,
    /// Its Ed25519 public key.
    pub public: [u8; 32],
    /// Whether it replays the ledger before it cosigns.
    pub audits: bool,
}

/// A signature on a root: `{"kid","val"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootSignature {
    /// The key that made it.
    pub kid: String,
    /// R and S.
    pub val: [u8; 64],
}

/// Why a root is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootError {
    /// It is not of its form.
    Form(FormError),
    /// Fewer of its own keys signed than it asks for.
    OwnThreshold,
    /// Fewer keys of the version before signed than that asks for.
    PreviousThreshold,
    /// It is another domain's than the version before.
    Domain,
    /// It is not the next version.
    Version,
    /// Its `prev` is not the hash of the version before.
    Prev,
    /// It begins before the version before.
    Begins,
    /// The record of this key is missing or is another than the version before has.
    Record(String),
}

impl fmt::Display for RootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form(error) => return error.fmt(f),
            Self::OwnThreshold => "the root is not signed by a threshold of its own keys: collect more signatures",
            Self::PreviousThreshold => {
                "the root is not signed by a threshold of the version before: collect signatures of its keys"
            }
            Self::Domain => "the root is of another domain than the version before",
            Self::Version => "the root is not the next version: number it one above the version in force",
            Self::Prev => "the root's `prev` is not the hash of the version before",
            Self::Begins => "the root's `nbf` is before that of the version before: sign it anew, by a clock that is right",
            Self::Record(kid) => {
                return write!(
                    f,
                    "the record of `{kid}` is not that of the version before: repeat every record, and change no more than \
                     a status, from active to retired or compromised"
                );
            }
        })
    }
}

impl core::error::Error for RootError {}

impl From<FormError> for RootError {
    fn from(error: FormError) -> Self {
        Self::Form(error)
    }
}

impl TrustRoot {
    /// Reads a root. Its form is all that is checked; signatures are [`TrustRoot::verify_own`] and
    /// [`TrustRoot::succeeds`], its window is [`TrustRoot::in_force`].
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form, or the rules of [`TrustRoot::check`] do not hold.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "root")?;
        form.version()?;
        let root = Self {
            domain: form.named("domain", "a domain", name::is_domain)?,
            version: form.positive("version")?,
            threshold: form.positive("threshold")?,
            keys: form.array("keys")?.into_iter().map(KeyRecord::read).collect::<Result<_, _>>()?,
            roles: form.array("roles")?.into_iter().map(KeyRecord::read).collect::<Result<_, _>>()?,
            witnesses: Witnesses::read(form.take("witnesses")?)?,
            nbf: form.seconds("nbf")?,
            exp: form.seconds("exp")?,
            prev: form.sha3_or_null("prev")?,
            sigs: form.array("sigs")?.into_iter().map(RootSignature::read).collect::<Result<_, _>>()?,
        };
        form.finish()?;
        root.check()?;
        Ok(root)
    }

    /// The rules of PROTOCOL 3 and 11 that span members: uses and owners of the keys, thresholds and quorums between 1
    /// and the number of distinct public keys, no name and no public key twice, `prev` null at version 1 and only there, no
    /// list past its limit.
    ///
    /// # Errors
    /// Where one does not hold.
    pub fn check(&self) -> Result<(), FormError> {
        // First of all: what follows looks at every key.
        let lists = [self.keys.len(), self.roles.len(), self.witnesses.keys.len(), self.sigs.len()];
        require(
            lists.iter().all(|keys| *keys <= MAX_ROOT_KEYS),
            "root: a list holds more than 256 keys or signatures",
        )?;
        require(self.nbf < self.exp, "root: `nbf` is not before `exp`")?;
        require((self.version == 1) == self.prev.is_none(), "root: `prev` is null at version 1 and only there")?;
        require(self.version <= MAX_INTEGER, "root: `version` is past 2^53-1")?;
        require(self.keys.iter().all(|key| key.usage == KeyUse::Root), "root: a key in `keys` is not of use `root`")?;
        require(self.roles.iter().all(|key| self.is_role(key)), "root: a role's use or owner is not this domain's")?;
        for usage in [KeyUse::Head, KeyUse::Policy, KeyUse::Registry] {
            let named = self.roles.iter().any(|key| key.usage == usage);
            require(named, "root: `roles` lacks one of head, policy and registry")?;
        }
        require(within(self.threshold, self.keys.len()), "root: `threshold` is not between 1 and the number of keys")?;
        self.witnesses.check()?;
        self.check_unique()
    }

    /// What a version is held to besides that is signed or published anew: no more witnesses than a checkpoint has lines for, and
    /// none of them named as the ledger's checkpoints. One that was before, or another's, may be otherwise and is read: a ledger that
    /// has it in its log could not be opened, followed or verified any more.
    ///
    /// # Errors
    /// Where one does not hold.
    pub fn check_new(&self) -> Result<(), FormError> {
        self.witnesses.check_new(&self.origin())
    }

    fn is_role(&self, key: &KeyRecord) -> bool {
        match key.usage {
            KeyUse::Head => name::ledger_domain(&key.owner) == Some(&self.domain),
            KeyUse::Policy | KeyUse::Registry => name::authority_domain(&key.owner) == Some(&self.domain),
            _ => false,
        }
    }

    fn check_unique(&self) -> Result<(), FormError> {
        require(self.records().all(KeyRecord::is_sound), "root: a public key is not one that a key generation gives")?;
        require(all_differ(self.records().map(|key| &key.kid)), "root: a key's name stands twice")?;
        require(all_differ(self.publics()), "root: a public key stands twice")?;
        require(all_differ(self.sigs.iter().map(|sig| &sig.kid)), "root: a key signed twice")
    }

    /// The record of every key of this root, those of the roles included.
    pub fn records(&self) -> impl Iterator<Item = &KeyRecord> {
        self.keys.iter().chain(&self.roles)
    }

    /// Every public key in this root, witnesses' included.
    pub fn publics(&self) -> impl Iterator<Item = &[u8; 32]> {
        let witnesses = self.witnesses.keys.iter().map(|witness| &witness.public);
        self.records().map(|key| &key.public).chain(witnesses)
    }

    /// The value as it is published.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let sigs: Vec<Value> = self.sigs.iter().map(RootSignature::to_value).collect();
        Value::Object(self.body().with("sigs", sigs))
    }

    fn body(&self) -> Object {
        let records = |keys: &[KeyRecord]| keys.iter().map(KeyRecord::to_value).collect::<Vec<Value>>();
        Object::new()
            .with("v", "1")
            .with("domain", &self.domain)
            .with("version", self.version)
            .with("threshold", self.threshold)
            .with("keys", records(&self.keys))
            .with("roles", records(&self.roles))
            .with("witnesses", self.witnesses.to_value())
            .with("nbf", self.nbf.to_seconds_value())
            .with("exp", self.exp.to_seconds_value())
            .with("prev", self.prev.map(Value::from))
    }

    /// What is signed: all but `sigs`.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        self.body().canonical()
    }

    /// The hash that the next version's `prev` holds: signatures apart.
    #[must_use]
    pub fn hash_for_prev(&self) -> Sha3 {
        Sha3::of(&[&self.payload()])
    }

    /// Whether this root is in force: `nbf <= at < exp`. One that has expired voids nothing that was committed before.
    #[must_use]
    pub fn in_force(&self, at: Time) -> bool {
        self.nbf <= at && at < self.exp
    }

    /// The newest of some versions that was in force at a moment, in whatever order they stand.
    #[must_use]
    pub fn in_force_among(roots: &[Self], at: Time) -> Option<&Self> {
        roots.iter().filter(|root| root.in_force(at)).max_by_key(|root| root.version)
    }

    /// Whether a threshold of this root's own keys signed it, each active in it and judged at its `nbf`.
    ///
    /// # Errors
    /// [`RootError::OwnThreshold`].
    pub fn verify_own(&self) -> Result<(), RootError> {
        if self.signers_among(self) >= self.threshold { Ok(()) } else { Err(RootError::OwnThreshold) }
    }

    /// Whether this root follows `previous`: the same domain, the next version, its hash, no earlier `nbf`, every record of
    /// its keys, and signed by a threshold of both, each key active in its version and judged at this root's `nbf`.
    ///
    /// # Errors
    /// What does not hold.
    pub fn succeeds(&self, previous: &Self) -> Result<(), RootError> {
        if self.domain != previous.domain {
            return Err(RootError::Domain);
        }
        if previous.version.checked_add(1) != Some(self.version) {
            return Err(RootError::Version);
        }
        if self.prev != Some(previous.hash_for_prev()) {
            return Err(RootError::Prev);
        }
        if self.nbf < previous.nbf {
            return Err(RootError::Begins);
        }
        let records: BTreeMap<&str, &KeyRecord> = self.records().map(|key| (key.kid.as_str(), key)).collect();
        let kept = |before: &KeyRecord| records.get(before.kid.as_str()).is_some_and(|record| record.follows(before));
        if let Some(lost) = previous.records().find(|before| !kept(before)) {
            return Err(RootError::Record(lost.kid.clone()));
        }
        if self.signers_among(previous) < previous.threshold {
            return Err(RootError::PreviousThreshold);
        }
        self.verify_own()
    }

    /// How many distinct keys of `holders` signed this root, of those that are active there and count at its `nbf`.
    fn signers_among(&self, holders: &Self) -> u64 {
        holders.signers_of(&self.payload(), &self.sigs, self.nbf)
    }

    /// How many distinct keys of this root signed a payload, of those that are active and in their window at `at`. Whoever
    /// signs says what `at` is, so of a key that was taken out of service no moment counts: it could name one before that.
    #[must_use]
    pub(crate) fn signers_of(&self, payload: &[u8], sigs: &[RootSignature], at: Time) -> u64 {
        let signed = |key: &KeyRecord| {
            let counts = key.status == KeyStatus::Active && key.counts_at(at);
            let verifying = key.verifying().filter(|_| counts);
            let mut sigs = sigs.iter().filter(|sig| sig.kid == key.kid);
            verifying.is_some_and(|verifying| sigs.any(|sig| verifying.verifies(payload, &sig.val)))
        };
        let publics: BTreeSet<&[u8; 32]> = self.keys.iter().filter(|key| signed(key)).map(|key| &key.public).collect();
        u64::try_from(publics.len()).unwrap_or(0)
    }

    /// The record of a role's key that counts at `at`; `None` where the name is unknown, of another use, or does not
    /// count then. That the owner is this domain's is part of the root's form.
    #[must_use]
    pub fn role(&self, usage: KeyUse, kid: &str, at: Time) -> Option<&KeyRecord> {
        self.roles.iter().find(|key| key.kid == kid).filter(|key| key.usage == usage && key.counts_at(at))
    }

    /// The role's key of that name, ready to verify what is judged at `at`.
    #[must_use]
    pub fn role_key(&self, usage: KeyUse, kid: &str, at: Time) -> Option<VerifyingKey> {
        self.role(usage, kid, at)?.verifying()
    }

    /// The origin of the checkpoints of this domain's ledger (PROTOCOL 7).
    #[must_use]
    pub fn origin(&self) -> String {
        checkpoint::origin(&self.domain)
    }

    /// The keys that may sign for a role at `at`, in the root's order: the first is to be used where it is held.
    pub fn roles_at(&self, usage: KeyUse, at: Time) -> impl Iterator<Item = &KeyRecord> {
        self.roles.iter().filter(move |key| key.usage == usage && key.counts_at(at))
    }

    /// The key that signs for a role at `at`: the first that counts.
    #[must_use]
    pub fn role_at(&self, usage: KeyUse, at: Time) -> Option<&KeyRecord> {
        self.roles_at(usage, at).next()
    }

    /// This root with a signature of each of `signers`; one that signed before is replaced. Whether they are enough is
    /// [`TrustRoot::verify_own`] and [`TrustRoot::succeeds`].
    ///
    /// # Errors
    /// Where the rules of [`TrustRoot::check`] or [`TrustRoot::check_new`] do not hold: such a root is not signed.
    pub fn signed(mut self, signers: &[&dyn Signer]) -> Result<Self, FormError> {
        self.check()?;
        self.check_new()?;
        let payload = self.payload();
        for signer in signers {
            let kid = signer.kid();
            self.sigs.retain(|sig| sig.kid != kid);
            self.sigs.push(RootSignature { kid: kid.into(), val: signer.sign(&payload) });
        }
        Ok(self)
    }
}

impl Witnesses {
    /// How many of these witnesses cosigned a checkpoint, and how many of those audit. A public key counts once.
    #[must_use]
    pub fn cosigned(&self, note: &Note) -> (u64, u64) {
        let cosigners = note.cosigners(self.keys.iter().map(|key| (key.name.as_str(), &key.public)));
        let auditors = self.keys.iter().filter(|key| key.audits && cosigners.contains(&&key.public));
        (cosigners.len() as u64, auditors.count() as u64)
    }

    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "witnesses")?;
        let (quorum, auditors) = (form.uint("quorum")?, form.uint("auditors")?);
        let keys = form.array("keys")?.into_iter().map(Witness::read).collect::<Result<_, _>>()?;
        form.finish()?;
        Ok(Self { quorum, auditors, keys })
    }

    /// What they are held to by themselves, in whichever root: their numbers, names and keys.
    ///
    /// # Errors
    /// Where it does not hold.
    pub fn check(&self) -> Result<(), FormError> {
        let named = self.keys.iter().all(|key| is_witness(&key.name));
        require(named, "root: a witness's name is not printable ASCII without white space and `+`")?;
        require(all_differ(self.keys.iter().map(|key| &key.name)), "root: a witness stands twice")?;
        require(all_differ(self.keys.iter().map(|key| &key.public)), "root: a witness's public key stands twice")?;
        let quorum = if self.keys.is_empty() { self.quorum == 0 } else { within(self.quorum, self.keys.len()) };
        require(quorum, "root: `quorum` is not between 1 and the number of witnesses, or 0 where there are none")?;
        let auditors = self.keys.iter().filter(|key| key.audits).count();
        let enough = u64::try_from(auditors).is_ok_and(|auditors| self.auditors <= auditors);
        require(enough, "root: `auditors` is more than there are witnesses that audit")?;
        let sound = self.keys.iter().all(|key| VerifyingKey::new(&key.public).is_some_and(|key| key.is_torsion_free()));
        require(sound, "root: a witness's public key is not one that a key generation gives")
    }

    /// What those of a root that is signed or published anew are held to besides ([`TrustRoot::check_new`]), where the ledger's
    /// checkpoints are named `origin`.
    ///
    /// # Errors
    /// Where it does not hold.
    pub fn check_new(&self, origin: &str) -> Result<(), FormError> {
        let room = self.keys.len() <= MAX_WITNESSES;
        require(room, "root: more than 99 witnesses, whose lines no checkpoint has room for")?;
        // A line of a checkpoint says by its name whose it is.
        let apart = self.keys.iter().all(|key| key.name != origin);
        require(apart, "root: a witness has the name under which the ledger signs its checkpoints: name it otherwise")
    }

    fn to_value(&self) -> Value {
        let keys: Vec<Value> = self.keys.iter().map(Witness::to_value).collect();
        Value::Object(Object::new().with("quorum", self.quorum).with("auditors", self.auditors).with("keys", keys))
    }
}

impl Witness {
    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "witness")?;
        let name = form.named("name", "a witness's name", is_witness)?;
        let public = bytes32(&form.string("public")?).ok_or_else(|| form.wrong("public", "not 32 bytes in base64"))?;
        let audits = form.boolean("audits")?;
        form.finish()?;
        Ok(Self { name, public, audits })
    }

    fn to_value(&self) -> Value {
        let public = base64_value(&self.public);
        Value::Object(Object::new().with("name", &self.name).with("public", public).with("audits", self.audits))
    }
}

impl RootSignature {
    pub(crate) fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "root signature")?;
        let kid = form.named("kid", "a key's name", name::is_key)?;
        let val = bytes64(&form.string("val")?).ok_or_else(|| form.wrong("val", "not 64 bytes in base64"))?;
        form.finish()?;
        Ok(Self { kid, val })
    }

    pub(crate) fn to_value(&self) -> Value {
        Value::Object(Object::new().with("kid", &self.kid).with("val", base64_value(&self.val)))
    }
}

/// A witness's name stands in a line of a signed note, whose names hold neither spaces nor a plus.
fn is_witness(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b'+')
}

fn within(number: u64, most: usize) -> bool {
    number >= 1 && u64::try_from(most).is_ok_and(|most| number <= most)
}

fn all_differ<T: Ord>(items: impl Iterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    items.into_iter().all(|item| seen.insert(item))
}

#[cfg(test)]
mod tests;
