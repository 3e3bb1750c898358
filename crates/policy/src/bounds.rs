//! What of a bundle Cedar is given to read (PROTOCOL 13): everything is measured here before Cedar sees any of it.
//!
//! Cedar descends into rules, types and hierarchies by recursion, and what it does with a schema grows with products of its
//! parts. A text of some kilobytes could use up any stack, or an hour. What passes here needs a stack of a known size, which
//! [`crate::stack`] provides, and seconds at most. So two documents come to one verdict wherever they are read.

mod entities;
mod rules;
mod schema;
mod tokens;

pub(crate) use tokens::{Token, tokens};

use crate::compile::PolicyError;
use eleven_core::limits::{MAX_BINDING_CHECKS, MAX_ENTITY_CHECKS, MAX_ENTITY_READS, MAX_PUBLISHED, MAX_VALIDATION};
use eleven_core::policy::PolicyBundle;

/// The signs of the largest rule of a bundle, where Cedar may be given it.
///
/// # Errors
/// What of it is too much.
pub(crate) fn signs(bundle: &PolicyBundle) -> Result<usize, PolicyError> {
    let rules = rules::measure(&bundle.cedar)?;
    let entities = bundle.entities.as_ref().map(entities::measure).transpose()?.unwrap_or_default();
    // The larger of the two, and not both: what Cedar goes over is at most twice as much, and rules that ask in no others of the kind
    // come to what they always came to, so that a policy that is in force stays one.
    let size = rules.size.max(rules.copied);
    require((size as u64).saturating_mul(entities.largest as u64) <= MAX_ENTITY_READS, || {
        "one of its entities has too much for its rules to go over: make it several, or write fewer rules".into()
    })?;
    if let Some(schema) = &bundle.schema {
        let schema = schema::measure(schema)?;
        require(entities.values.saturating_mul(schema.entity) <= MAX_ENTITY_CHECKS, || {
            "there is too much to check of its entities against its schema: make it several, or its entity types smaller".into()
        })?;
        let checked = schema.size.saturating_add(schema.requests.saturating_mul(schema.largest));
        require(size.saturating_mul(checked) <= MAX_VALIDATION, || {
            "there is too much to check of its rules against its schema: make it several, each with the operations and types \
             that it needs"
                .into()
        })?;
    }
    Ok(rules.signs)
}

/// Whether a schema may be asked for what stands in the requests of each of so many operations: Cedar walks over all requests of the
/// schema for each.
///
/// # Errors
/// Where that is too much.
pub(crate) fn asking(operations: usize, requests: usize) -> Result<(), PolicyError> {
    require(operations.saturating_mul(requests) <= MAX_BINDING_CHECKS, || {
        "there is too much to check of its operations against the requests of its schema: make it several, each with the operations and types that it needs"
            .into()
    })
}

/// Whether a bundle of so many canonical bytes leaves room in a proof bundle for what proves a use of it.
///
/// # Errors
/// Where it does not.
pub(crate) fn published(size: usize) -> Result<(), PolicyError> {
    require(size <= MAX_PUBLISHED, || {
        format!(
            "it has {size} bytes and may have {MAX_PUBLISHED}: every proof of a use holds it whole, and has to stay below 4 MiB"
        )
    })
}

fn require(within: bool, why: impl FnOnce() -> String) -> Result<(), PolicyError> {
    if within { Ok(()) } else { Err(PolicyError::Size(why())) }
}

#[cfg(test)]
mod tests;
