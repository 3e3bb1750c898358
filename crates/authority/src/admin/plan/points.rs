//! Which enforcement points stand beside each other.

use super::{Plan, Step};
use crate::admin::ActError;
use eleven_core::limits::MAX_RUNTIME;
use eleven_core::name;
use eleven_core::registry::{Item as _, Lists, RuntimeRecord};
use eleven_core::root::{KeyStatus, KeyUse};

/// Approves a point: a new one, or one that stands in the registry, as it is now.
pub(super) fn register(lists: &Lists, record: &RuntimeRecord) -> Result<Plan, ActError> {
    if record.runtime.len() > MAX_RUNTIME {
        return Err(ActError::Impossible(
            "the runtime's name is longer than 512 bytes, so that no request could name it: give it a shorter one",
        ));
    }
    // Of two that an earlier version let in, each can still be registered as it is now.
    if !lists.runtimes.contains(&record.point) {
        check_alone(lists, record)?;
    }
    Ok(Plan::one(Step::alone("runtime.registered", record.to_value().into_object())))
}

/// Refuses a second point of a runtime. A point counts uses in its own journal, and points that share no count are registered under
/// different runtimes (PROTOCOL 4.1): what is for a single use would run at each of them. So it would at one that takes another's place
/// while the other's key counts: that key's end tells which artifacts may have been used there.
fn check_alone(lists: &Lists, record: &RuntimeRecord) -> Result<(), ActError> {
    if lists.runtimes.iter().any(|row| row.point != record.point && row.runtime == record.runtime) {
        return Err(ActError::Impossible(
            "another point of that runtime is registered, and each counts uses by itself, so that an artifact for a single use would \
             pass at both: name this one for a runtime of its own (`runtime.point`), or stop the other and take it out first, by \
             `eleven runtime remove` and `eleven key retire` of its event key",
        ));
    }
    let others = |point: &str| point != record.point && name::runtime_of_point(point) == record.runtime;
    let mut events = lists.keys.iter().filter(|key| key.usage == KeyUse::Event && others(&key.owner));
    if events.any(|key| matches!(key.status, KeyStatus::Active)) {
        return Err(ActError::Impossible(
            "another point of that runtime has an event key that was not ended, so that nothing tells until when artifacts were used \
             there: end it first, by `eleven key retire`, or name this one for a runtime of its own (`runtime.point`)",
        ));
    }
    Ok(())
}
