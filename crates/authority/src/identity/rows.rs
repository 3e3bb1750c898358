//! What a row of the registry's sources keeps before it is registered. A row that stands is read as it is, and passed over
//! where it is of no use.

use super::Sources;
use super::keys::{self, text};
use eleven_api::secret::{AUDITOR, CLIENT, OPERATOR};
use eleven_core::form::{Form, FormError, require};
use eleven_core::name;
use eleven_core::registry::{Lists, SourceRecord};
use eleven_core::signature::Tables;

/// The kinds whose rows are named `<kind>.<holder>`: by that name they are found, and revoked.
const NAMED: [&str; 3] = [CLIENT, AUDITOR, OPERATOR];

/// Whether a row may come to those that stand.
///
/// # Errors
/// Where it would authenticate nobody, speaks for another domain's identity, is named as another kind's, has the key of another, or
/// would bring back an identity key that has ended.
pub(crate) fn check(row: &SourceRecord, lists: &Lists) -> Result<(), FormError> {
    Sources::default().take(row, &Tables::new(1))?;
    let kind = text(row, "kind").unwrap_or_default();
    if kind == AUDITOR {
        // The authority itself reads none of these.
        let mut form = Form::of_object(row.mapping.clone(), "identity source's mapping");
        form.string("kind")?;
        form.named("identity", "an identity", name::is_identity)?;
        form.sha3("hash")?;
        form.finish()?;
    }
    require(!keys::has_ended(row), "identity source's mapping: `kind` is what the end of a key leaves: end the key")?;
    let standing = lists.sources.get(&row.name);
    require(
        standing.is_none_or(|standing| standing == row || !keys::is_key(standing)),
        "identity source: an identity key stands under that name, in service or ended, and is not replaced: take another name",
    )?;
    let local = text(row, "identity").is_none_or(|identity| !identity.contains('@'));
    require(local, "identity source's mapping: `identity` is not one of this domain")?;
    let of = |kind: &str| row.name.strip_prefix(kind).is_some_and(|rest| rest.starts_with('.') && rest.len() > 1);
    let named = if NAMED.contains(&kind) { of(kind) } else { !NAMED.iter().any(|kind| of(kind)) };
    require(
        named,
        "identity source: `name` begins with client., auditor. or operator. where it is of that \
         kind, and only there",
    )?;
    let kid = text(row, "kid");
    let taken = |other: &SourceRecord| other.name != row.name && text(other, "kid") == kid;
    require(
        kid.is_none() || !lists.sources.iter().any(taken),
        "identity source's mapping: `kid` is that of another source: remove that first, or make a key of another name",
    )?;
    // Who has a key signs by each name that it has, and only one of them would be ended.
    let public = text(row, "public");
    let known = |other: &SourceRecord| other.name != row.name && keys::is_key(other) && text(other, "public") == public;
    require(
        public.is_none() || !lists.sources.iter().any(known),
        "identity source's mapping: `public` is that of another identity key, in service or ended: make another key",
    )
}

#[cfg(test)]
mod tests;
