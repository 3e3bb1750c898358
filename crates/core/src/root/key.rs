//! The record of a key (PROTOCOL 3): what it may sign, for whom, from when to when.

use crate::encoding::{Object, Value};
use crate::form::{Form, FormError, require};
use crate::name;
use crate::signature::{VerifyingKey, base64_value, bytes32};
use crate::time::Time;
use alloc::string::String;

/// What a key may sign: one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyUse {
    /// Trust roots.
    Root,
    /// Policies and what else stands by them: interfaces, peer statements.
    Policy,
    /// Grants of keys, registry headers and stamps.
    Registry,
    /// Heads and checkpoints.
    Head,
    /// Authorization artifacts.
    Issuer,
    /// Events.
    Event,
    /// Attestations.
    Attestation,
    /// Cosignatures of heads.
    Witness,
    /// Identity tokens and approvals.
    Identity,
}

impl KeyUse {
    /// The name of the use, as it stands in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Policy => "policy",
            Self::Registry => "registry",
            Self::Head => "head",
            Self::Issuer => "issuer",
            Self::Event => "event",
            Self::Attestation => "attestation",
            Self::Witness => "witness",
            Self::Identity => "identity",
        }
    }

    /// The use of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "root" => Self::Root,
            "policy" => Self::Policy,
            "registry" => Self::Registry,
            "head" => Self::Head,
            "issuer" => Self::Issuer,
            "event" => Self::Event,
            "attestation" => Self::Attestation,
            "witness" => Self::Witness,
            "identity" => Self::Identity,
            _ => return None,
        })
    }

    /// Whether keys of this use stand in the trust root.
    #[must_use]
    pub const fn stands_in_root(self) -> bool {
        matches!(self, Self::Root | Self::Policy | Self::Registry | Self::Head)
    }

    /// Whether keys of this use stand in the registry. Those of witnesses and for identities stand beside both.
    #[must_use]
    pub const fn stands_in_registry(self) -> bool {
        matches!(self, Self::Issuer | Self::Event | Self::Attestation)
    }

    /// Whether `owner` is the name of a party that can own a key of this use: a signature counts only for its owner, so
    /// a key of another's form could never count.
    #[must_use]
    pub fn allows_owner(self, owner: &str) -> bool {
        match self {
            Self::Root | Self::Identity => name::is_identity(owner) || name::is_authority(owner),
            Self::Policy | Self::Registry | Self::Issuer => name::is_authority(owner),
            Self::Head => name::is_ledger(owner),
            Self::Event => name::is_authority(owner) || name::is_ledger(owner) || name::is_point(owner),
            Self::Attestation => name::is_point(owner),
            Self::Witness => !owner.is_empty(),
        }
    }
}

/// Whether a key may still sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// It may.
    Active,
    /// It was taken out of service at this moment, its producer's journal drained.
    Retired(Time),
    /// It is in other hands, from this moment at the latest.
    Compromised(Time),
}

/// A key's record. Records are added and change their status; they are never removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its name, `key:<domain>/<role>/<label>`.
    pub kid: String,
    /// The Ed25519 public key.
    pub public: [u8; 32],
    /// What it may sign.
    pub usage: KeyUse,
    /// The party whose signatures it makes.
    pub owner: String,
    /// It counts from this second on.
    pub nbf: Time,
    /// It counts before this second.
    pub exp: Time,
    /// Whether it may still sign.
    pub status: KeyStatus,
}

impl KeyRecord {
    /// Reads exactly the nine members of a record.
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form; where the owner can't own a key of this use; where the
    /// window is empty; where `since` does not fit the status.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "key")?;
        let kid = form.named("kid", "a key's name", name::is_key)?;
        form.named("alg", "ed25519", |alg| alg == "ed25519")?;
        let public = bytes32(&form.string("public")?).ok_or_else(|| form.wrong("public", "not 32 bytes in base64"))?;
        let usage = KeyUse::parse(&form.string("use")?).ok_or_else(|| form.wrong("use", "not a use of keys"))?;
        let owner = form.named("owner", "a party that owns such a key", |owner| usage.allows_owner(owner))?;
        let (nbf, exp) = (form.seconds("nbf")?, form.seconds("exp")?);
        require(nbf < exp, "key: `nbf` is not before `exp`")?;
        let status = read_status(&mut form)?;
        form.finish()?;
        Ok(Self { kid, public, usage, owner, nbf, exp, status })
    }

    /// The value that stands in roots, registries and grants.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let (status, since) = match self.status {
            KeyStatus::Active => ("active", None),
            KeyStatus::Retired(since) => ("retired", Some(since)),
            KeyStatus::Compromised(since) => ("compromised", Some(since)),
        };
        let record = Object::new()
            .with("kid", &self.kid)
            .with("alg", "ed25519")
            .with("public", base64_value(&self.public))
            .with("use", self.usage.name())
            .with("owner", &self.owner)
            .with("nbf", self.nbf.to_seconds_value())
            .with("exp", self.exp.to_seconds_value())
            .with("status", status)
            .with("since", since.map(Time::to_millis_value));
        Value::Object(record)
    }

    /// Whether a signature that is judged at `t` counts, as far as the key goes: `nbf <= t < exp`, and `t < since` where
    /// the key is not active.
    #[must_use]
    pub fn counts_at(&self, t: Time) -> bool {
        let in_service = match self.status {
            KeyStatus::Active => true,
            KeyStatus::Retired(since) | KeyStatus::Compromised(since) => t < since,
        };
        self.nbf <= t && t < self.exp && in_service
    }

    /// Whether this may stand where `before` stood: the same record, or the same with a status that went on. No record is
    /// ever removed, and what was taken out of service does not come back (PROTOCOL 3).
    #[must_use]
    pub fn follows(&self, before: &Self) -> bool {
        let went_on = match (before.status, self.status) {
            (KeyStatus::Active, _) => true,
            (KeyStatus::Retired(retired), KeyStatus::Compromised(since)) => since <= retired,
            (then, now) => then == now,
        };
        went_on && *self == Self { status: self.status, ..before.clone() }
    }

    /// The key that verifies, without a table.
    #[must_use]
    pub fn verifying(&self) -> Option<VerifyingKey> {
        VerifyingKey::new(&self.public)
    }

    /// Whether the public key is one that an honest key generation gives: a canonical point of the prime-order group.
    /// Asked once, where a key enters a root or a registry.
    #[must_use]
    pub(crate) fn is_sound(&self) -> bool {
        self.verifying().is_some_and(|key| key.is_torsion_free())
    }
}

fn read_status(form: &mut Form<'_>) -> Result<KeyStatus, FormError> {
    let status = form.string("status")?;
    let since = match form.take("since")? {
        Value::Null => None,
        value => {
            let at = value.as_str().and_then(Time::parse_millis);
            Some(at.ok_or_else(|| form.wrong("since", "neither a time to the millisecond nor null"))?)
        }
    };
    match (status.as_str(), since) {
        ("active", None) => Ok(KeyStatus::Active),
        ("retired", Some(since)) => Ok(KeyStatus::Retired(since)),
        ("compromised", Some(since)) => Ok(KeyStatus::Compromised(since)),
        ("active" | "retired" | "compromised", _) => Err(form.wrong("since", "not what the status asks for")),
        _ => Err(form.wrong("status", "none of active, retired, compromised")),
    }
}
