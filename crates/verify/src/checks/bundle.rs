//! `bundle.form`: it is a bundle, of the kind and the operation that were asked for.

use super::{Judged, failed};
use crate::bundle;
use crate::shown::Shown;
use alloc::format;

/// All members are there and known, down to the last; and it is what the caller asked for.
pub(super) fn form(shown: &Shown<'_>) -> Judged {
    bundle::form(shown.value, shown.policy_as_read())?;
    let kind = shown.kind();
    if let Some(asked) = shown.caller.kind.filter(|asked| asked.name() != kind) {
        return failed(format!("this shows an operation that is `{kind}`, and `{asked}` was asked for"));
    }
    let op = shown.op()?;
    match shown.caller.op.filter(|asked| *asked != op.whole) {
        Some(asked) => failed(format!("this shows the operation `{}`, and `{asked}` was asked for", op.whole)),
        None => Ok(()),
    }
}
