//! The form of a signed act, and that each is taken once.

use eleven_api::problem::Problem;
use eleven_core::encoding::{Object, parse};
use eleven_core::form::{Form, FormError};
use eleven_core::name;
use eleven_core::reason::Reason;
use eleven_core::signature::{Signer, VerifyingKey, base64_value, bytes64};
use eleven_core::time::Time;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How old an act may be, in milliseconds.
const MAX_AGE_MS: i64 = 10_000;
/// How far ahead of our clock an act may be dated, in milliseconds: whoever reaches this machine's loopback from another has another
/// clock.
const MAX_AHEAD_MS: i64 = 1_000;
/// Acts that are remembered.
const REMEMBERED: usize = 4096;

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
    /// The operator's identity is contained.
    Contained,
    /// Signed more than ten seconds ago, or dated ahead of our clock.
    Time,
    /// Signed before this process began, or before the last act that it has forgotten.
    Before,
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
            Self::Contained => "the operator's identity is contained: another operator has to lift that",
            Self::Time => {
                "the act was signed more than ten seconds ago, or a second ahead, by this authority's clock: sign it again, and \
                 where that is refused too, set the clock of the machine that signs"
            }
            Self::Before => {
                "the act was signed before this authority's process began, and the one before it may have taken it: sign it \
                 again; where that is refused too, the clock was set back since: restart the authority"
            }
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
            Self::Contained => Reason::RuntimeContained,
            Self::Unknown | Self::Time | Self::Before | Self::Signature | Self::Replayed => {
                Reason::IdentityUnauthenticated
            }
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

    /// How long to wait until the time of an act has come that `key` signed; `None` where it has, or is so far ahead that it is not
    /// waited for. What anybody could have sent is not held for that long.
    ///
    /// No act is taken before its time: the process that takes this one's place knows by it whether it may have been taken.
    ///
    /// # Errors
    /// Where its time is one to wait for, and `key` did not sign it.
    pub fn ahead(&self, key: &VerifyingKey, now: Time) -> Result<Option<Duration>, SignedError> {
        let ahead = self.time.since(now);
        if !(1..=MAX_AHEAD_MS).contains(&ahead) {
            return Ok(None);
        }
        self.verify(key, self.time)?;
        Ok(Some(Duration::from_millis(ahead.unsigned_abs())))
    }

    /// Whether `key` signed it in the ten seconds before `now`.
    ///
    /// # Errors
    /// What does not hold.
    pub fn verify(&self, key: &VerifyingKey, now: Time) -> Result<(), SignedError> {
        if !(0..=MAX_AGE_MS).contains(&now.since(self.time)) {
            return Err(SignedError::Time);
        }
        if key.verifies(&self.body().canonical(), &self.sig) { Ok(()) } else { Err(SignedError::Signature) }
    }
}

/// The last acts, so that none is taken twice. They are told apart by their own times, so that it changes nothing where the clock is
/// set.
pub struct Replays(Mutex<Taken>);

struct Taken {
    /// Acts of this time and before may have been taken: by the process before this one, or by this one, which forgot them.
    since: Time,
    acts: BTreeSet<(Time, [u8; 64])>,
}

impl Replays {
    /// Nothing taken yet, by a process that begins at `since`.
    #[must_use]
    pub const fn new(since: Time) -> Self {
        Self(Mutex::new(Taken { since, acts: BTreeSet::new() }))
    }

    /// Takes an act, once. Its signature has been verified, and its time has come: strict signatures have one form.
    ///
    /// # Errors
    /// Where it was taken before, or may have been.
    pub fn take(&self, signed: &SignedAct) -> Result<(), SignedError> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if signed.time <= taken.since {
            return Err(SignedError::Before);
        }
        if !taken.acts.insert((signed.time, signed.sig)) {
            return Err(SignedError::Replayed);
        }
        if taken.acts.len() > REMEMBERED
            && let Some((oldest, _)) = taken.acts.pop_first()
        {
            taken.since = oldest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
