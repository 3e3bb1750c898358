//! The keys that sign identity tokens: rows of the registry's sources, which are renewed and end as the registry's keys do. One that
//! has ended keeps its row, of a kind that authenticates nobody: else whoever registers a file of public keys once more would bring
//! it back, and whoever has a copy of it with that.

use eleven_api::token::{JWT, JWT_ENDED};
use eleven_core::encoding::{Object, Value};
use eleven_core::registry::{Lists, SourceRecord};
use eleven_core::time::Time;

/// The status of a key that was taken out of service, as the records of the registry's keys have it.
pub(crate) const RETIRED: &str = "retired";
/// The status of one that is in other hands.
pub(crate) const COMPROMISED: &str = "compromised";

/// The name of the row of a key that comes after the one that a domain began with.
#[must_use]
pub fn jwt_row(kid: &str) -> String {
    format!("identity.{}", kid.rsplit('/').next().unwrap_or(kid))
}

/// Whether a row is that of a key which signs tokens, or did before it ended.
pub(crate) fn is_key(row: &SourceRecord) -> bool {
    matches!(text(row, "kind"), Some(JWT | JWT_ENDED))
}

/// Whether it is that of one which has ended.
pub(crate) fn has_ended(row: &SourceRecord) -> bool {
    text(row, "kind") == Some(JWT_ENDED)
}

/// The row of the key of this name, in service or not: of several, which an earlier version may have registered, one in service.
pub(crate) fn row_of<'a>(lists: &'a Lists, kid: &str) -> Option<&'a SourceRecord> {
    let rows = lists.sources.iter().filter(|row| is_key(row) && text(row, "kid") == Some(kid));
    rows.min_by_key(|row| has_ended(row))
}

/// The name of the key that a source is registered with, where its tokens count from then on.
pub(crate) fn registered(data: &Object) -> Option<&str> {
    let mapping = data.get("mapping").filter(|mapping| mapping.get("kind").and_then(Value::as_str) == Some(JWT));
    mapping.and_then(|mapping| mapping.get("kid")?.as_str())
}

/// What stands in the place of a key's row from its end on; `None` where it has ended before. As in the registry, one that was
/// retired may be said to have been in other hands before that.
pub(crate) fn ended(row: &SourceRecord, status: &str, since: Time) -> Option<SourceRecord> {
    let was_retired = || {
        let retired = text(row, "since").and_then(Time::parse_millis);
        text(row, "status") == Some(RETIRED) && retired.is_some_and(|retired| since <= retired)
    };
    let goes_on = !has_ended(row) || (status == COMPROMISED && was_retired());
    let ended = || {
        let mapping = row.mapping.clone().with("kind", JWT_ENDED);
        mapping.with("status", status).with("since", since.to_millis_value())
    };
    goes_on.then(|| SourceRecord { mapping: ended(), ..row.clone() })
}

/// A text of a row's mapping.
pub(super) fn text<'a>(row: &'a SourceRecord, member: &str) -> Option<&'a str> {
    row.mapping.get(member).and_then(Value::as_str)
}
