//! The policies in force, found by operation and runtime.

use crate::compile::{CompiledPolicy, PolicyError};
use core::fmt;
use eleven_core::hash::Sha3;
use eleven_core::policy::PolicyBundle;
use eleven_core::reason::Reason;
use std::collections::HashMap;
use std::sync::Arc;

/// An immutable set of policies. A new epoch makes a new set with [`InForce::next`], and the old one is dropped whole.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    /// The policies that cover an operation. A lookup touches no policy of another operation.
    by_operation: HashMap<String, Vec<Arc<CompiledPolicy>>>,
    by_hash: HashMap<Sha3, Arc<CompiledPolicy>>,
}

/// A bundle that can't be put in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotInForce {
    /// Its reference.
    pub reference: String,
    /// Why.
    pub error: PolicyError,
}

impl fmt::Display for NotInForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reference, self.error)
    }
}

impl core::error::Error for NotInForce {}

impl InForce {
    /// The set of some compiled policies; of two with one hash, one.
    #[must_use]
    pub fn of(policies: impl IntoIterator<Item = Arc<CompiledPolicy>>) -> Self {
        let mut set = Self::default();
        for policy in policies {
            if set.by_hash.insert(policy.id().hash, Arc::clone(&policy)).is_some() {
                continue;
            }
            for operation in policy.operations() {
                set.by_operation.entry(operation.to_owned()).or_default().push(Arc::clone(&policy));
            }
        }
        set
    }

    /// The set of exactly these bundles, in which what this set compiled already is shared.
    ///
    /// # Errors
    /// Where a bundle does not compile; this set is as it was.
    pub fn next<'a>(&self, bundles: impl IntoIterator<Item = &'a PolicyBundle>) -> Result<Self, NotInForce> {
        let policies: Result<Vec<_>, _> = bundles.into_iter().map(|bundle| self.shared_or_compiled(bundle)).collect();
        Ok(Self::of(policies?))
    }

    fn shared_or_compiled(&self, bundle: &PolicyBundle) -> Result<Arc<CompiledPolicy>, NotInForce> {
        match self.by_hash.get(&bundle.hash) {
            Some(policy) => Ok(Arc::clone(policy)),
            None => CompiledPolicy::compile(bundle)
                .map(Arc::new)
                .map_err(|error| NotInForce { reference: bundle.reference.clone(), error }),
        }
    }

    /// The one policy that covers `operation` on `runtime`.
    ///
    /// # Errors
    /// `policy.none` where no policy does, `policy.ambiguous` where more than one does.
    pub fn resolve(&self, operation: &str, runtime: &str) -> Result<&Arc<CompiledPolicy>, Reason> {
        let candidates = self.by_operation.get(operation).map(Vec::as_slice).unwrap_or_default();
        let mut covering = candidates.iter().filter(|policy| policy.covers_runtime(runtime));
        match (covering.next(), covering.next()) {
            (Some(policy), None) => Ok(policy),
            (Some(_), Some(_)) => Err(Reason::PolicyAmbiguous),
            (None, _) => Err(Reason::PolicyNone),
        }
    }

    /// The policy with this hash, where it is in force.
    #[must_use]
    pub fn get(&self, hash: &Sha3) -> Option<&Arc<CompiledPolicy>> {
        self.by_hash.get(hash)
    }

    /// How many policies there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }
}

#[cfg(test)]
mod tests;
