//! What the caller brings: whom it trusts and what it needs shown.

use crate::bundle::Kind;
use core::fmt;
use eleven_core::encoding::Value;
use eleven_core::policy::PolicyBundle;
use eleven_core::reason::Reason;
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

/// Whom the caller trusts and what it asks. The default trusts nobody and asks nothing: then the best verdict is
/// `unpinned`.
#[derive(Clone, Copy, Default)]
pub struct Caller<'a> {
    /// A version of the domain's trust root that the caller has from elsewhere. Without it nothing is `verified`.
    pub root: Option<&'a Value>,
    /// What time it is, for [`Caller::max_age`].
    pub now: Option<Time>,
    /// How old the head may be, in seconds; it may lie up to 2 s ahead.
    pub max_age: Option<u64>,
    /// The kind that has to be shown: who needs an execution says so.
    pub kind: Option<Kind>,
    /// The operation that has to be shown.
    pub op: Option<&'a str>,
    /// Evaluates a policy over a decision input. Without it `policy.replay` is not checked.
    pub replay: Option<&'a Replay<'a>>,
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
            .finish()
    }
}
