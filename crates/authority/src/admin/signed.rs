//! The form of a signed act, and that each is taken once.

use eleven_api::problem::Problem;
use eleven_core::encoding::{Object, parse};
use eleven_core::form::{Form, FormError};
use eleven_core::name;
use eleven_core::reason::Reason;
use eleven_core::signature::{Signer, VerifyingKey, base64_value, bytes64};
use eleven_core::time::Time;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// How far an act's time may lie from ours, in milliseconds.
const MAX_APART_MS: i64 = 10_000;

/// An act as it is sent: `{"act","args","time","kid","sig"}`.
#[derive(Clone, Debug)]
pub struct SignedAct {
    /// Its name.
    pub act: String,
    /// Its arguments.
    pub args: Object,
    /// When it was signed.
    pub time: Time,
    /// The operator's key.
    pub kid: String,
    sig: [u8; 64],
}

/// Why an act is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedError {
    /// The registry is too old here to tell whose key it is.
    Stale,
    /// No operator has a key of that name.
    Unknown,
    /// Signed more than ten seconds from our clock, or before this process began.
    Time,
    /// Not that key's signature.
    Signature,
    /// It was taken before.
    Replayed,
}

impl fmt::Display for SignedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stale => {
                "the ledger is not heard from, so that nobody can be known as an operator now: see that it runs (where it \
                 does, this authority's log says why it is not followed), then sign the act again"
            }
            Self::Unknown => "no operator's key of that name is known here: add the operator first",
            Self::Time => "the act was signed more than ten seconds away from this authority's clock: sign it again",
            Self::Signature => "the signature is not the operator's over this act",
            Self::Replayed => "this very act was taken before: sign it again",
        })
    }
}

impl std::error::Error for SignedError {}

impl SignedError {
    pub(super) fn problem(self) -> Problem {
        let reason = match self {
            Self::Stale => Reason::AuditUnavailable,
            Self::Unknown | Self::Time | Self::Signature | Self::Replayed => Reason::IdentityUnauthenticated,
        };
        Problem::refused(reason, self.to_string())
    }
}

impl SignedAct {
    /// Signs an act: what a command line sends.
    #[must_use]
    pub fn sign(act: &str, args: Object, time: Time, signer: &dyn Signer) -> Self {
        let mut signed = Self { act: act.to_owned(), args, time, kid: signer.kid().to_owned(), sig: [0; 64] };
        signed.sig = signer.sign(&signed.body().canonical());
        signed
    }

    /// Reads exactly the five members.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub fn read(bytes: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::of(parse(bytes)?, "act")?;
        let (act, args, time) = (form.string("act")?, form.object("args")?, form.millis("time")?);
        let kid = form.named("kid", "a key's name", name::is_key)?;
        let sig = bytes64(&form.string("sig")?).ok_or_else(|| form.wrong("sig", "not 64 bytes in base64"))?;
        form.finish()?;
        Ok(Self { act, args, time, kid, sig })
    }

    /// The document's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.body().with("sig", base64_value(&self.sig)).canonical()
    }

    fn body(&self) -> Object {
        Object::new()
            .with("act", &self.act)
            .with("args", self.args.clone())
            .with("time", self.time.to_millis_value())
            .with("kid", &self.kid)
    }

    /// Whether `key` signed it within ten seconds of `now`.
    ///
    /// # Errors
    /// What does not hold.
    pub fn verify(&self, key: &VerifyingKey, now: Time) -> Result<(), SignedError> {
        if now.since(self.time).saturating_abs() > MAX_APART_MS {
            return Err(SignedError::Time);
        }
        if key.verifies(&self.body().canonical(), &self.sig) { Ok(()) } else { Err(SignedError::Signature) }
    }
}

/// The acts of the last seconds, so that none is taken twice.
pub struct Replays {
    /// Acts signed before this process began may have been taken by the one before it.
    since: Time,
    taken: Mutex<BTreeMap<[u8; 64], Time>>,
}

impl Replays {
    /// Nothing taken yet, by a process that begins at `since`.
    #[must_use]
    pub const fn new(since: Time) -> Self {
        Self { since, taken: Mutex::new(BTreeMap::new()) }
    }

    /// Takes an act, once. Its signature has been verified: strict signatures have one form.
    ///
    /// # Errors
    /// Where it was taken before, or may have been.
    pub fn take(&self, signed: &SignedAct, now: Time) -> Result<(), SignedError> {
        if signed.time < self.since {
            return Err(SignedError::Time);
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|_, time| now.since(*time) <= 2 * MAX_APART_MS);
        if taken.insert(signed.sig, signed.time).is_some() { Err(SignedError::Replayed) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
