//! Admission (PROTOCOL 4.1), steps 1 to 16: the one place where it is decided whether an operation may run.
//!
//! The order is the protocol's, and the first check that fails is the reason. Steps 17 and 18, the use and its durability,
//! are [`crate::journal`] and [`crate::permit`].

use crate::containment;
use crate::denial::Denial;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use eleven_core::artifact::{Artifact, Environment, Operation, RequestBinding, Token};
use eleven_core::event::{About, Record};
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::limits::{MAX_ISSUED_LATE_MS, MAX_SEEN_EARLY_MS, MAX_STAMP_AHEAD_MS};
use eleven_core::lineage::issued_data;
use eleven_core::name;
use eleven_core::reason::Reason;
use eleven_core::registry::{RuntimeRecord, View, ViewError, ViewKey};
use eleven_core::root::KeyUse;
use eleven_core::signature::{Signer, VerifyingKey};
use eleven_core::time::Time;

/// What a point holds when a request comes: its view of the registry, itself, and what it remembers.
#[derive(Clone, Copy)]
pub struct Held<'a> {
    /// The registry as last verified against the pinned trust root; `None` where none could be.
    pub view: Option<&'a View>,
    /// When the newest stamp was issued, whether or not it verified.
    pub stamped: Option<Time>,
    /// For how many milliseconds the view's stamp has been held here, by a clock that nobody sets: an age by the time of day
    /// comes out too small where that was set back.
    pub held_ms: i64,
    /// This point's name.
    pub point: &'a str,
    /// Digest of the running binary.
    pub binary: &'a Sha3,
    /// Digest of the effective configuration.
    pub config: &'a Sha3,
    /// What this point signs with, and as what: a signature by a key that does not count proves nothing of what runs here.
    pub signs: &'a [(KeyUse, &'a dyn Signer)],
    /// The last moment that this point has seen.
    pub last_now: Option<Time>,
    /// Between which times the ledger would date an entry that is made now, as far as its last word tells; `None` where it said
    /// nothing yet.
    pub dated: Option<(Time, Time)>,
    /// Whether the ledger answered last that it does not know this point by its signature, so that by which time it dates entries
    /// is not known here: the two clocks are far apart, or the point's key counts as compromised there. Not where the view says the
    /// latter: of that step 5 tells.
    pub unknown: bool,
    /// The highest registry epoch whose view this point has held, here or before a restart.
    pub seen_epoch: u64,
    /// Since when this point knows what was used here; `None` where it always did. A point that lost its journal and
    /// returned under another key does not know what was used before; nor does one that took another's place.
    pub uses_since: Option<Time>,
    /// Hashes of the policy bundles that this point holds; `None` where it needs none of them to enforce.
    pub bundles: Option<&'a dyn Fn(&Sha3) -> bool>,
    /// Milliseconds since the ledger had acknowledged everything.
    pub backlog_ms: i64,
    /// How many of them are allowed.
    pub backlog_bound_ms: i64,
    /// Where acknowledged records have to come under heads of a certain durability: milliseconds for which the oldest has
    /// waited for one, and how many are allowed.
    pub unproven_ms: Option<(i64, i64)>,
}

/// What is asked of the point.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The present moment.
    pub now: Time,
    /// The authenticated caller, an identity by its name (PROTOCOL 2): no artifact is for another, and no denial names one.
    pub caller: &'a str,
    /// SHA-256 of the key by which the caller is authenticated.
    pub holder: Option<Sha256>,
    /// The operation that is about to run, as the point framed it from the request; without `params`.
    pub operation: &'a Operation,
    /// The exact request.
    pub request: Option<&'a RequestBinding>,
    /// Where it is about to run.
    pub environment: &'a Environment,
}

/// An operation that passed steps 1 to 16, by the view and at the time that it was asked with. Its use is not taken yet: that
/// follows at once, and where another view came before it runs, [`interrupts`](crate::containment::interrupts) is asked with that.
#[derive(Debug)]
pub struct Admitted {
    token: Token,
    epoch: u64,
    registry: Sha3,
}

impl Admitted {
    /// What was presented.
    #[must_use]
    pub const fn token(&self) -> &Token {
        &self.token
    }

    /// Epoch and hash of the registry under which it was admitted.
    #[must_use]
    pub const fn registry(&self) -> (u64, Sha3) {
        (self.epoch, self.registry)
    }

    pub(crate) fn into_token(self) -> Token {
        self.token
    }
}

/// Steps 1 to 16 for a token's text; `None` where nothing was presented. Linear, in the order of the protocol; each check
/// is named by its number.
///
/// # Errors
/// The denial of the first check that fails.
pub fn admit(held: &Held<'_>, asked: &Asked<'_>, token: Option<&str>) -> Result<Admitted, Denial> {
    // 1: present.
    let text = token.ok_or_else(|| Denial::new(Reason::ArtifactMissing, NO_ARTIFACT))?;
    // 2: form, limits, canonical token, algorithm.
    let token = Token::read(text).map_err(|error| Denial::new(Reason::ArtifactMalformed, format!("{error}")))?;
    admit_read(held, asked, token)
}

/// Steps 3 to 16 for a token whose parts were read, each by its form: an artifact that was just issued inline.
///
/// Signatures are held against the bytes that were read, and all else against the members: a token of which one was set since is
/// not the one that was signed. What came from outside is for [`admit`].
///
/// # Errors
/// The denial of the first check that fails.
pub fn admit_read(held: &Held<'_>, asked: &Asked<'_>, token: Token) -> Result<Admitted, Denial> {
    let view = admit_token(held, asked, &token).map_err(|Failed(reason, detail)| Denial {
        reason,
        detail,
        about: about(held, asked, &token.artifact),
    })?;
    let (epoch, registry) = (view.epoch(), view.hash());
    Ok(Admitted { token, epoch, registry })
}

const NO_ARTIFACT: &str = "no authorization artifact was presented; send one in Eleven-Authorization";

/// The reason and what a person should know.
struct Failed(Reason, String);

fn check(holds: bool, reason: Reason, detail: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(Failed(reason, detail())) }
}

fn admit_token<'a>(held: &Held<'a>, asked: &Asked<'_>, token: &Token) -> Result<&'a View, Failed> {
    let Token { artifact, issued, salt } = token;
    let now = asked.now;
    // 3: the clock.
    clock(held, now)?;
    // 4: the registry view.
    let view = registry(held, artifact, now)?;
    // 5: this point.
    let point = view.runtime(held.point).ok_or_else(|| {
        Failed(Reason::RuntimeUnregistered, format!("{} is not in the registry; register it", held.point))
    })?;
    check(point.binary == *held.binary && point.config == *held.config, Reason::RuntimeIntegrity, || {
        "this point runs another binary or configuration than was registered; register the new one".into()
    })?;
    let uncounted = uncounted_key(view, held.point, held.signs, now);
    uncounted.map_or(Ok(()), |why| Err(Failed(Reason::RuntimeIntegrity, why)))?;
    // 6: the keys.
    let issuer = key(view, &artifact.sig.kid, KeyUse::Issuer, &artifact.iss, now)?;
    let recorder = key(view, &issued.kid, KeyUse::Event, &artifact.iss, now)?;
    // 7: both signatures, each by itself; one inversion serves both.
    let signatures = [(issuer, artifact.payload(), &artifact.sig.val), (recorder, issued.body(), &issued.sig.val)];
    let [of_issuer, of_recorder] = <[bool; 2]>::try_from(VerifyingKey::verify_each(&signatures)).unwrap_or_default();
    check(of_issuer, Reason::ArtifactSignatureInvalid, || {
        format!("the artifact is not signed by {}", artifact.sig.kid)
    })?;
    check(of_recorder, Reason::ArtifactSignatureInvalid, || {
        format!("the issuance record is not signed by {}", issued.kid)
    })?;
    // 8: digests, and the issuance record is this artifact's.
    let (of_artifact, of_record) = token.digests_follow();
    check(of_artifact, Reason::ArtifactDigestMismatch, || "id or chash is not that of the artifact's content".into())?;
    check(of_record && is_issuance_of(issued, artifact), Reason::ArtifactDigestMismatch, || {
        "the issuance record is not this artifact's".into()
    })?;
    // 9: the window.
    check(now >= artifact.nbf, Reason::ArtifactNotYetValid, || format!("valid from {}", artifact.nbf.seconds()))?;
    check(now < artifact.exp, Reason::ArtifactExpired, || {
        format!("expired at {}; ask for a new one", artifact.exp.seconds())
    })?;
    // 10: the caller.
    check(artifact.sub == asked.caller, Reason::IdentityMismatch, || {
        format!("bound to {}, presented by {}", artifact.sub, asked.caller)
    })?;
    check(artifact.holder.is_none() || artifact.holder == asked.holder, Reason::IdentityMismatch, || {
        "bound to a key that the caller did not show".into()
    })?;
    // 11: the operation.
    operation(artifact, salt, asked)?;
    // 12: the environment.
    environment(artifact, asked.environment, point)?;
    // 13: the policy.
    policy(view, artifact)?;
    // 14: revocation.
    check(!containment::is_revoked(view, artifact), Reason::ArtifactRevoked, || {
        "the artifact, or one it was delegated from, is revoked".into()
    })?;
    // 15: containment.
    check(!containment::is_contained(view, held.point, artifact), Reason::RuntimeContained, || {
        "a containment covers this operation; see the registry's containments".into()
    })?;
    // 16: the audit bound, and the window for heads of the required durability.
    audit_bound(held)?;
    // 17, as far as it needs no journal: what may have been used under a journal that is lost is taken as used.
    check(held.uses_since.is_none_or(|since| issued.ts >= since), Reason::ArtifactReplayed, || {
        "it is older than this point's journal, so that it may have been used; ask for a new one".into()
    })?;
    Ok(view)
}

/// Why every operation is denied at this moment, whatever is presented: what of steps 3, 4, 15 and 16 no artifact has a say in.
/// Whether the view is fresh and approves this point (steps 4 and 5) is told apart from that.
#[must_use]
pub fn denies_all(held: &Held<'_>, now: Time) -> Option<(Reason, String)> {
    let checks = || -> Result<(), Failed> {
        clock(held, now)?;
        if let Some(view) = held.view {
            forwards(held, view)?;
            if let Some(row) = containment::of_point(view, held.point) {
                let (kind, subject) = (&row.kind, &row.subject);
                let what = format!("{kind} {subject} is contained; `eleven subject lift {kind} {subject}` ends that");
                return Err(Failed(Reason::RuntimeContained, what));
            }
        }
        audit_bound(held)
    };
    checks().err().map(|Failed(reason, detail)| (reason, detail))
}

/// Step 3: no moment before one that was seen, no stamp from a time to come, and none that the ledger is too far from.
fn clock(held: &Held<'_>, now: Time) -> Result<(), Failed> {
    let seen = held.last_now.unwrap_or(now);
    check(now >= seen, Reason::RuntimeClock, || {
        format!(
            "the clock shows {now}, this point has seen {seen}, and admits nothing before that; where the clock was ahead then, \
             `eleven runtime restart`, and where its journal bears that time, `eleven runtime key replace`"
        )
    })?;
    // Of the stamp that was heard last and of the one that is held: after a clock went back they are not the same.
    let stamps = [held.stamped, held.view.map(|view| view.stamp().issued)];
    let ahead = stamps.into_iter().flatten().map(|stamped| stamped.since(now)).fold(0, i64::max);
    check(ahead <= MAX_STAMP_AHEAD_MS, Reason::RuntimeClock, || {
        format!("the registry's stamp lies {ahead} ms ahead of this point's clock")
    })?;
    // What the ledger sees too long before or after its own time no verifier takes (PROTOCOL 11.1, `artifact.window`).
    check(!held.unknown, Reason::RuntimeClock, || {
        "the ledger does not know this point by its signature: the two clocks are more than ten seconds apart, or the point's key \
         counts as compromised there; what runs now could not be proven"
            .into()
    })?;
    // Of the time after it half is left for the way there, as for an issuance.
    let Some((earliest, latest)) = held.dated else { return Ok(()) };
    let (ahead, behind) = (now.since(latest), earliest.since(now));
    check(ahead <= MAX_SEEN_EARLY_MS, Reason::RuntimeClock, || {
        format!("this point's clock lies {ahead} ms ahead of the ledger's: what runs now could not be proven")
    })?;
    check(behind <= MAX_ISSUED_LATE_MS, Reason::RuntimeClock, || {
        format!("the ledger dates what comes now {behind} ms later than this point: what runs now could not be proven")
    })
}

/// Step 16.
fn audit_bound(held: &Held<'_>) -> Result<(), Failed> {
    check(held.backlog_ms <= held.backlog_bound_ms, Reason::AuditDiscontinuity, || {
        let (since, most) = (held.backlog_ms, held.backlog_bound_ms);
        format!("that the ledger has all of this point's records was known last {since} ms ago, {most} ms are allowed")
    })?;
    let (waits, most) = held.unproven_ms.unwrap_or((0, 0));
    check(waits <= most, Reason::AuditDiscontinuity, || {
        format!("no head of the required durability covers what was acknowledged {waits} ms ago, {most} are allowed")
    })
}

/// What a person should know of a registry at `epoch` where the point has seen `seen`: by it nothing is admitted. `None` where
/// it did not go back.
#[must_use]
pub fn went_back(epoch: u64, seen: u64) -> Option<String> {
    (epoch < seen).then(|| {
        format!(
            "the registry went back from epoch {seen} to {epoch}: the ledger went back; do again what was done since, until \
             epoch {seen} is reached"
        )
    })
}

/// Of step 4: the view is not older than one that was seen.
fn forwards(held: &Held<'_>, view: &View) -> Result<(), Failed> {
    let why = went_back(view.epoch(), held.seen_epoch);
    why.map_or(Ok(()), |why| Err(Failed(Reason::RuntimeContained, why)))
}

/// Of step 4: the root is in force, the registry's keys count, and the view, its stamp held for `held_ms`, is not older than it
/// may be by either clock.
fn usable(view: &View, held_ms: i64, now: Time) -> Result<(), ViewError> {
    let overdue = if held_ms > view.fresh_ms() { Err(ViewError::Stale) } else { Ok(()) };
    view.usable_at(now).and(overdue)
}

/// Whether a view, its stamp held for `held_ms`, may be used now: steps 3 and 4, as far as neither an artifact nor what the point
/// remembers has a say in them.
#[must_use]
pub fn is_fresh(view: &View, held_ms: i64, now: Time) -> bool {
    usable(view, held_ms, now).is_ok() && view.stamp_ahead_ms(now) <= MAX_STAMP_AHEAD_MS
}

/// Step 4: the root in force, the view signed, of its domain, fresh, with the policy's bundle held, and not older than one
/// that was seen.
fn registry<'a>(held: &Held<'a>, artifact: &Artifact, now: Time) -> Result<&'a View, Failed> {
    let stale = |what: &str| Failed(Reason::IssuerUnavailable, what.into());
    let view =
        held.view.ok_or_else(|| stale("this point has no verified view of the registry; is the authority up?"))?;
    usable(view, held.held_ms, now).map_err(|error| stale(&format!("{error}; is the authority up?")))?;
    // A policy that is no longer in force is step 13's matter.
    let in_force = view.lists().policies.get(&artifact.pol.reference).is_some_and(|policy| policy.id == artifact.pol);
    let held_by_hash = held.bundles.is_none_or(|holds| holds(&artifact.pol.hash));
    check(!in_force || held_by_hash, Reason::IssuerUnavailable, || {
        format!("this point does not hold the bundle of {}", artifact.pol.reference)
    })?;
    forwards(held, view)?;
    Ok(view)
}

/// Step 6: a key that is known, for this use, of this owner, and counts now.
fn key<'a>(view: &'a View, kid: &str, usage: KeyUse, owner: &str, now: Time) -> Result<&'a VerifyingKey, Failed> {
    let counts = |key: &&ViewKey| key.record.usage == usage && key.record.owner == owner && key.record.counts_at(now);
    view.key(kid)
        .filter(counts)
        .map(|key| &*key.verifying)
        .ok_or_else(|| Failed(Reason::ArtifactIssuerUntrusted, format!("{kid} is no key of {owner} that counts now")))
}

/// Of step 5: what a person should know where a key that a point signs with does not count now as what it signs, or where its
/// registration names another event key: two processes under one name count uses by a journal each.
#[must_use]
pub fn uncounted_key(view: &View, point: &str, signs: &[(KeyUse, &dyn Signer)], now: Time) -> Option<String> {
    let counts = |(usage, signer): &(KeyUse, &dyn Signer)| {
        view.key(signer.kid()).is_some_and(|ViewKey { record, .. }| {
            record.usage == *usage && record.owner == point && record.public == signer.public() && record.counts_at(now)
        })
    };
    if let Some((usage, signer)) = signs.iter().find(|signing| !counts(signing)) {
        let (usage, kid) = (usage.name(), signer.kid());
        // A key counts from the moment on at which it was registered: before that it is the clock that is wrong, as of a machine that
        // starts without one.
        if let Some(from) = view.key(kid).map(|key| key.record.nbf).filter(|nbf| now < *nbf) {
            return Some(format!(
                "this point's {usage} key {kid} counts from {from} on, and the clock shows {now}: set the clock"
            ));
        }
        return Some(format!(
            "this point's {usage} key {kid} does not count now: it is not registered as that, outside its window, retired or \
             compromised; replace it by `eleven runtime key replace`"
        ));
    }
    let named = view.runtime(point)?.kid.as_str();
    let (_, signer) = signs.iter().find(|(usage, signer)| *usage == KeyUse::Event && signer.kid() != named)?;
    // What may have been used under that key is known by its end: registered while that counts, this one would take what was used there
    // and issued since its own key counts.
    Some(format!(
        "the registration of this point names the event key {named} and not {}: where its keys were being replaced, go on with \
         `eleven runtime key replace`; else another process stands under its name: stop that one, and where this is the one that \
         is meant, `eleven key retire {named}` and then `eleven runtime register`",
        signer.kid()
    ))
}

/// Step 8: whether a record is the `authorization.issued` of an artifact: the members of PROTOCOL 5.1 and no others.
fn is_issuance_of(issued: &Record, artifact: &Artifact) -> bool {
    let Some(data) = issued_data(&issued.data) else { return false };
    issued.event == "authorization.issued"
        && issued.op == artifact.content_id()
        && issued.n == 1
        && issued.by == artifact.iss
        && issued.about == About::artifact(artifact)
        && data.chash == artifact.chash
        && data.exp == artifact.exp
}

/// Step 11: the same operation and parameters both ways, no more scope than granted, the very request that was bound.
fn operation(artifact: &Artifact, salt: &str, asked: &Asked<'_>) -> Result<(), Failed> {
    let (granted, wanted) = (&artifact.op, asked.operation);
    let mismatch = Reason::OperationMismatch;
    check(granted.name == wanted.name, mismatch, || format!("for {}, not for {}", granted.name, wanted.name))?;
    check(granted.parameters().eq(wanted.parameters()), mismatch, || {
        "the operation's parameters are not those that were authorised".into()
    })?;
    let beyond: Vec<&String> = wanted.scope.iter().filter(|entry| !granted.scope.contains(entry)).collect();
    check(beyond.is_empty(), mismatch, || format!("scope that was not granted: {beyond:?}"))?;
    let bound = |params: &Sha3| asked.request.is_some_and(|request| request.digest(salt) == *params);
    check(granted.params.as_ref().is_none_or(bound), mismatch, || {
        "the request is not the one that was authorised: another body, method or path".into()
    })
}

/// Step 12: the artifact's environment is the request's, and this point's registration.
fn environment(artifact: &Artifact, asked: &Environment, point: &RuntimeRecord) -> Result<(), Failed> {
    let env = &artifact.env;
    let registered = env.runtime == point.runtime && env.region == point.region && env.tenancy == point.tenancy;
    check(env == asked && registered, Reason::EnvironmentMismatch, || {
        let RuntimeRecord { point, region, tenancy, .. } = point;
        format!("bound to {} in {} ({}), this is {point} in {region} ({tenancy})", env.runtime, env.region, env.tenancy)
    })
}

/// Step 13: exactly one policy in force covers operation and runtime, and it is the artifact's.
fn policy(view: &View, artifact: &Artifact) -> Result<(), Failed> {
    let mut in_force = view.policies_in_force(&artifact.op.name, &artifact.env.runtime);
    let (first, second) = (in_force.next(), in_force.next());
    let only = first.filter(|_| second.is_none()).map(|policy| &policy.id);
    check(only == Some(&artifact.pol), Reason::PolicyMismatch, || match (first, second) {
        (None, _) => format!("no policy in force covers {} on {}", artifact.op.name, artifact.env.runtime),
        (Some(first), None) => {
            format!(
                "authorised under {}, {} is in force; ask for a new artifact",
                artifact.pol.reference, first.id.reference
            )
        }
        _ => format!("more than one policy covers {} on {}", artifact.op.name, artifact.env.runtime),
    })
}

/// The policy that an operation on a runtime is to be authorised under, as a denial names it.
#[must_use]
pub fn policy_required(view: &View, operation: &str, runtime: &str) -> Option<String> {
    let mut in_force = view.policies_in_force(operation, runtime);
    in_force.next().map(|policy| policy.id.reference.clone())
}

/// What a denial event says it is about: the caller, the operation that was asked for, and what the artifact claims.
fn about(held: &Held<'_>, asked: &Asked<'_>, artifact: &Artifact) -> About {
    let (operation, runtime) = (&asked.operation.name, &asked.environment.runtime);
    // What is no name is left out: the denial could not be recorded with it.
    let named = |text: &str, formed: fn(&str) -> bool| formed(text).then(|| String::from(text));
    About {
        identity: named(asked.caller, name::is_identity),
        operation: named(operation, name::is_operation),
        runtime: named(runtime, name::is_runtime),
        policy_required: held.view.and_then(|view| policy_required(view, operation, runtime)),
        ..About::artifact(artifact)
    }
}

#[cfg(test)]
mod tests;
