//! How keys of the registry end. One without which nothing could be recorded any more, its successor neither, is found before its end
//! is durable: no act could undo it.

use super::{Plan, Step};
use crate::Authority;
use crate::admin::ActError;
use crate::identity::keys::{self, COMPROMISED, RETIRED};
use crate::registry::Current;
use eleven_core::encoding::Object;
use eleven_core::form::FormError;
use eleven_core::limits::MAX_STAMP_AHEAD_MS;
use eleven_core::name;
use eleven_core::registry::{Item as _, SourceRecord};
use eleven_core::root::{KeyRecord, KeyUse};
use eleven_core::signature::Signer as _;
use eleven_core::time::Time;

/// Takes a key out of service.
pub(super) async fn retire(authority: &Authority, current: &Current, kid: String) -> Result<Plan, ActError> {
    if let Some(row) = identity_row(current, &kid) {
        check_identity(authority, current, &kid)?;
        return end_identity(row, RETIRED, authority.clock.now());
    }
    check_events(authority, current, &kid, false).await?;
    check_issuers(authority, current, &kid)?;
    Ok(Plan::one(Step::alone("key.retired", Object::new().with("kid", kid))))
}

/// A key that is compromised counts until `since`: named ahead of time, it would go on counting, and be past retiring.
///
/// The ledger judges it once more by its own clock, which may be behind this one's: a `since` of now would be refused there after
/// it took its number. So one of the last two seconds becomes two seconds ago; earlier is the safe side.
pub(super) async fn compromise(
    authority: &Authority,
    current: &Current,
    kid: String,
    since: Time,
) -> Result<Plan, ActError> {
    let now = authority.clock.now();
    if since > now {
        return Err(ActError::Form(FormError(format!(
            "args: `since` is after {now}, which it is here: say from when the key may have been in other hands, or retire it"
        ))));
    }
    // Also the last: whoever has it authenticates as anybody.
    if let Some(row) = identity_row(current, &kid) {
        return Ok(end_identity(row, COMPROMISED, since)?.answering("since", since.to_millis_value()));
    }
    // An issuer's key that is in other hands has to end at once, also where it is the last: another can be registered then.
    check_events(authority, current, &kid, true).await?;
    let since = since.min(now.plus_millis(-MAX_STAMP_AHEAD_MS));
    let compromised = Object::new().with("kid", kid).with("since", since.to_millis_value());
    Ok(Plan::one(Step::alone("key.compromised", compromised)).answering("since", since.to_millis_value()))
}

/// Refuses the end of an event key that the authority or the ledger signs with now. Where the ledger does not say which that is and the
/// end is `urgent`, it is enough that another of its keys counts: it goes on by that where it holds it.
async fn check_events(authority: &Authority, current: &Current, kid: &str, urgent: bool) -> Result<(), ActError> {
    if authority.sequencer.key().kid() == kid {
        return Err(ActError::Impossible(
            "this authority signs its events by that key: without it nothing could be recorded any more, its successor \
             neither. Renew it first (`eleven authority key renew`, `eleven key register`, `eleven authority restart`), then end \
             the old one",
        ));
    }
    let now = authority.clock.now();
    let of_the_ledger = |key: &KeyRecord| {
        key.usage == KeyUse::Event
            && name::ledger_domain(&key.owner) == Some(current.fold.domain())
            && key.counts_at(now)
    };
    if !current.fold.key(kid).is_some_and(of_the_ledger) {
        return Ok(());
    }
    // Which of them it holds and uses only the ledger knows: one that is registered may be nobody's.
    let is_used = match authority.ledger.event_key().await {
        Ok(used) => used == kid,
        Err(_) if urgent => {
            let mut others = current.fold.lists().keys.iter().filter(|key| key.kid != kid);
            !others.any(of_the_ledger)
        }
        Err(error) => return Err(error.into()),
    };
    if is_used {
        return Err(ActError::Impossible(
            "the ledger signs its events by that key: without it no head could be signed any more. Renew it first \
             (`eleven ledger key renew`, `eleven key register`, `eleven ledger restart`), then end the old one",
        ));
    }
    Ok(())
}

/// Refuses the retirement of the last key that this authority issues with.
fn check_issuers(authority: &Authority, current: &Current, kid: &str) -> Result<(), ActError> {
    let now = authority.clock.now();
    let counting = |kid: &str| current.counting(kid, now);
    let issuers = &authority.signers.issuer;
    let remains = issuers.newest_of(|other| counting(other).filter(|_| other != kid)).is_some();
    if issuers.named(kid).is_some() && counting(kid).is_some() && !remains {
        return Err(ActError::Impossible(
            "it is the only issuer key of this authority that counts: without it every call would be refused. Renew it first \
             (`eleven authority key renew`, `eleven key register`, `eleven authority restart`), then retire the old one; one that \
             is in other hands ends at once by `eleven key compromise`",
        ));
    }
    Ok(())
}

/// The row of the identity key of this name, which stands in no list of keys.
fn identity_row<'a>(current: &'a Current, kid: &str) -> Option<&'a SourceRecord> {
    keys::row_of(current.view.lists(), kid).filter(|_| current.fold.key(kid).is_none())
}

/// Puts what says that it has ended in the place of an identity key's row: no token of it counts from then on, whenever it was signed.
fn end_identity(row: &SourceRecord, status: &str, since: Time) -> Result<Plan, ActError> {
    let ended = keys::ended(row, status, since);
    let ended = ended.ok_or(ActError::Impossible("the identity key has ended already, and not later than that"))?;
    let plan = Plan::one(Step::alone("source.registered", ended.to_value().into_object()));
    Ok(plan.answering("use", KeyUse::Identity.name()))
}

/// Refuses the retirement of the last key by which this authority's tokens count.
fn check_identity(authority: &Authority, current: &Current, kid: &str) -> Result<(), ActError> {
    let mut counting = authority.signers.token_keys(&authority.name, current).map(|signer| signer.kid()).peekable();
    let is_used = counting.peek().is_some();
    if is_used && counting.all(|held| held == kid) {
        return Err(ActError::Impossible(
            "it is the only identity key of this authority that counts: without it no client would be known. Renew it first \
             (`eleven authority key renew`, `eleven key register`, `eleven authority restart`), then retire the old one; one that \
             is in other hands ends at once by `eleven key compromise`",
        ));
    }
    Ok(())
}
