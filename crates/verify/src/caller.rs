//! What the caller brings: whom it trusts and what it needs shown.

use crate::bundle::Kind;
use alloc::sync::Arc;
use core::fmt;
use eleven_core::encoding::Value;
use eleven_core::policy::PolicyBundle;
use eleven_core::reason::Reason;
use eleven_core::root::{KeyRecord, TrustRoot};
use eleven_core::signature::VerifyingKey;
use eleven_core::time::Time;

/// What a policy comes to when a decision input is put to it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayResult {
    /// It permits.
    Permits,
    /// It denies, for this reason.
    Denies(Reason),
    /// The policy does not compile, or the input is no decision input.
    Unreadable,
}

/// Evaluates a policy over a decision input, as `eleven-policy` does.
pub type Replay<'a> = dyn Fn(&PolicyBundle, &Value) -> ReplayResult + 'a;

/// Makes the key of a record ready to verify; `None` where its bytes are no key. Who verifies many bundles of one ledger keeps the
/// keys, with tables: [`KeyTables`](eleven_core::registry::KeyTables) does. It lets go of none, and asked for is whatever a file
/// calls a key, verified or not: for files of strangers each has its own, or none is given.
pub type Keys<'a> = dyn Fn(&KeyRecord) -> Option<Arc<VerifyingKey>> + 'a;

/// A version of a domain's trust root that a caller has from elsewhere, looked at once and not in every bundle that shows
/// it: its form, its keys, and that a threshold of them signed it.
#[derive(Clone, Debug)]
pub struct Pinned {
    value: Value,
    /// The same, where all of that holds.
    sound: Option<TrustRoot>,
}

impl Pinned {
    /// Pins a root as it was published. One that is none, or is not signed, is still pinned: no bundle that shows it
    /// verifies, as without its having been looked at before.
    #[must_use]
    pub fn new(value: Value) -> Self {
        let sound = TrustRoot::read(value.clone()).ok().filter(|root| root.verify_own().is_ok());
        Self { value, sound }
    }

    /// The root as it was published.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// The root, where `value` is the very same, signatures included, and was found sound.
    pub(crate) fn sound(&self, value: &Value) -> Option<&TrustRoot> {
        self.sound.as_ref().filter(|_| self.value == *value)
    }

    /// Whether `root` is this one, signatures included, and was found to be signed by a threshold of its own keys.
    pub(crate) fn is_signed(&self, root: &TrustRoot) -> bool {
        self.sound.as_ref() == Some(root)
    }
}

/// Whom the caller trusts and what it asks. The default trusts nobody and asks nothing: then the best verdict is
/// `unpinned`.
#[derive(Clone, Copy, Default)]
pub struct Caller<'a> {
    /// A version of the domain's trust root that the caller has from elsewhere. Without it nothing is `verified`.
    pub root: Option<&'a Pinned>,
    /// What time it is, for [`Caller::max_age`], which fails without it.
    pub now: Option<Time>,
    /// How old the head may be, in seconds; it may lie up to 2 s ahead.
    pub max_age: Option<u64>,
    /// The kind that has to be shown: who needs an execution says so. Where it is asked for, or an age, evidence of
    /// equivocation fails.
    pub kind: Option<Kind>,
    /// The operation that has to be shown.
    pub op: Option<&'a str>,
    /// Evaluates a policy over a decision input. Without it `policy.replay` is not checked.
    pub replay: Option<&'a Replay<'a>>,
    /// Makes keys ready to verify. Without it each bundle makes its own.
    pub keys: Option<&'a Keys<'a>>,
}

impl Caller<'_> {
    pub(crate) fn ready(&self, record: &KeyRecord) -> Option<Arc<VerifyingKey>> {
        self.keys.map_or_else(|| record.verifying().map(Arc::new), |keys| keys(record))
    }
}

impl fmt::Debug for Caller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("root", &self.root.is_some())
            .field("now", &self.now)
            .field("max_age", &self.max_age)
            .field("kind", &self.kind)
            .field("op", &self.op)
            .field("replay", &self.replay.is_some())
            .field("keys", &self.keys.is_some())
            .finish()
    }
}
