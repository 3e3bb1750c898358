//! What is asked of a bundle before it is published, beyond that it compiles. What was published before decides as ever.

use crate::bounds;
use crate::compile::{CompiledPolicy, PolicyError};
use eleven_core::policy::PolicyBundle;

impl CompiledPolicy {
    /// Compiles a bundle that is to be published, of so many canonical bytes.
    ///
    /// # Errors
    /// As [`CompiledPolicy::compile`] and [`CompiledPolicy::takes_params`], and where no proof of a use would have room for it.
    pub fn publishable(bundle: &PolicyBundle, size: usize) -> Result<Self, PolicyError> {
        bounds::published(size)?;
        let policy = Self::compile(bundle)?;
        if bundle.terms.bind_params {
            policy.takes_params()?;
        }
        Ok(policy)
    }
}

#[cfg(test)]
mod tests;
