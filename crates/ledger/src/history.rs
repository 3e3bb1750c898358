//! The heads that were (PROTOCOL 7). Each closed with a `ledger.sealed`, so that what it committed to follows from the
//! entries for good; the signed documents of the last ones are kept beside.

use crate::proof::ProofError;
use crate::state::{LookError, Published, Shared, read};
use eleven_core::chain::ChainValue;
use eleven_core::encoding::{Object, Value};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

/// So many signed heads are kept as they were shown; older ones say nothing that the tree does not.
pub(crate) const KEPT: usize = 64;
/// The most heads in one answer, and how many where nobody says.
const MOST: u64 = 64;
const USUAL: u64 = 16;

/// The last heads as they were signed, one for each size.
#[derive(Default)]
pub(crate) struct Shown(RwLock<VecDeque<Arc<Published>>>);

impl Shown {
    /// Takes a head that was just shown. One of the same size replaces the one before: only its time is another, or it has
    /// been cosigned since.
    pub(crate) fn add(&self, published: Arc<Published>) {
        let mut heads = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let size = published.head.commitment.size;
        match heads.binary_search_by_key(&size, |head| head.size()) {
            Ok(at) => heads[at] = published,
            Err(at) => heads.insert(at, published),
        }
        if heads.len() > KEPT {
            heads.pop_front();
        }
    }

    pub(crate) fn of_size(&self, size: u64) -> Option<Arc<Published>> {
        let heads = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let at = heads.binary_search_by_key(&size, |published| published.head.commitment.size);
        at.ok().and_then(|at| heads.get(at)).cloned()
    }
}

/// The heads of size `from` and more in order, or the last ones; at most `count`.
pub(crate) fn heads(shared: &Shared, from: Option<u64>, count: Option<u64>) -> Result<Value, ProofError> {
    let last = shared.published().map(|published| published.head.commitment.size);
    let last = last.ok_or(ProofError::NotYet("there is no signed head yet"))?;
    let count = count.unwrap_or(USUAL).min(MOST);
    let (sizes, next) = {
        let places = read(&shared.places);
        let (known, before) = (places.seals_below(last), from.map(|from| places.seals_below(from.saturating_sub(1))));
        let first = before.unwrap_or(known.saturating_sub(count)).min(known);
        let end = first.saturating_add(count).min(known);
        let size = |at: u64| places.seal(at).map(|seq| seq + 1);
        let sizes: Vec<u64> = (first..end).filter_map(size).collect();
        (sizes, Some(end).filter(|end| *end < known).and_then(size))
    };
    let heads: Result<Vec<Value>, ProofError> = sizes.into_iter().map(|size| head_of(shared, size)).collect();
    Ok(Value::Object(Object::new().with("heads", heads?).with_some("next", next).with("size", last)))
}

/// What the head of a size committed to, from the entries; and the signed document, where it is still kept.
fn head_of(shared: &Shared, size: u64) -> Result<Value, ProofError> {
    let seal = crate::lineage::standing(shared, size - 1)?;
    let root = shared.root_at(size).ok_or(LookError::Absent)?;
    let chain = chain_after(shared, size)?;
    let member = |name: &str| seal.record.data.get(name).cloned();
    let signed = shared.shown.of_size(size);
    let object = Object::new()
        .with("size", size)
        .with("sealed", seal.header.at.to_millis_value())
        .with("root", root)
        .with("hash", chain.hash)
        .with("hash_alt", chain.hash_alt)
        .with_some("index", member("index"))
        .with_some("registry", member("registry"))
        .with_some("head", signed.as_ref().map(|signed| signed.head.to_value()))
        .with_some("checkpoint", signed.as_ref().map(|signed| &signed.checkpoint));
    Ok(Value::Object(object))
}

/// Both chains after so many entries: the next one names them, and after the last the head does.
fn chain_after(shared: &Shared, size: u64) -> Result<ChainValue, LookError> {
    let published = shared.published().filter(|published| published.head.commitment.size == size);
    match published {
        Some(published) => Ok(published.head.commitment.chain),
        None => shared.entry(size)?.header.prev.ok_or(LookError::Other("chain value")),
    }
}
