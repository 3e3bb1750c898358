//! Verifying many proof files of one domain.

use crate::verify_cmd::replay;
use eleven_core::encoding::Value;
use eleven_core::registry::KeyTables;
use eleven_core::root::KeyRecord;
use eleven_verify::{Caller, Pinned, Report, verify};
use std::sync::{Mutex, PoisonError};

/// Who verifies them, on as many threads as like: the root was looked at once, and the domain's few keys are kept.
pub(crate) struct Verifier {
    root: Option<Pinned>,
    keys: Mutex<KeyTables>,
}

impl Verifier {
    /// One who pins `root`, or trusts nobody.
    pub(crate) fn new(root: Option<Pinned>) -> Self {
        Self { root, keys: Mutex::default() }
    }

    /// What the checks of a proof file come to, where it is to be of operation `op`.
    pub(crate) fn verify(&self, bundle: &Value, op: Option<&str>) -> Report {
        let keys = |record: &KeyRecord| self.keys.lock().unwrap_or_else(PoisonError::into_inner).key(record);
        let root = self.root.as_ref();
        verify(bundle, &Caller { root, op, replay: Some(&replay), keys: Some(&keys), ..Caller::default() })
    }
}
