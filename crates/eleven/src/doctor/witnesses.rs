//! Whether heads are cosigned as the trust root in force asks: the ledger goes on where they are not, and so does every call that asks
//! for less.

use super::{Finding, good, warn};
use crate::call;
use crate::config::Config;
use crate::corner::Which;
use crate::health::{self, Health, Said};
use crate::output::Failure;
use eleven_core::encoding::Value;
use eleven_core::root::{TrustRoot, Witnesses};
use std::time::{Duration, Instant};

/// How long the last head may take to be cosigned.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether it is.
const LOOK: Duration = Duration::from_millis(200);

/// Looks whether the last head is cosigned; nothing where the root names no witnesses, or the ledger does not answer.
pub(super) fn look(
    config: &Config,
    root: Option<&TrustRoot>,
    ledger: Option<&Health>,
) -> Result<Option<Finding>, Failure> {
    let (Some(root), Some(Health::Ours(said))) = (root, ledger) else { return Ok(None) };
    let asked = &root.witnesses;
    let Some(size) = number(said, "head").filter(|_| asked.quorum > 0) else { return Ok(None) };
    let member = if asked.auditors > 0 { "mirrored" } else { "cosigned" };
    let (until, mut reached) = (Instant::now() + PATIENCE, number(said, member));
    while reached.is_none_or(|reached| reached < size) && Instant::now() < until {
        std::thread::sleep(LOOK);
        if let Health::Ours(said) = call::wait(health::of(Which::Ledger, config))? {
            reached = number(&said, member);
        }
    }
    Ok(Some(found(asked, config.heads.witnesses.is_empty(), size, reached)))
}

/// What the ledger says of a number of entries.
fn number(said: &Said, member: &str) -> Option<i64> {
    said.value.get(member).and_then(Value::as_int)
}

/// A head over `size` entries, and how many stand under the last one that is cosigned. Where `nobody` is asked, that is why.
pub(super) fn found(asked: &Witnesses, nobody: bool, size: i64, reached: Option<i64>) -> Finding {
    let what = "witnesses";
    let mut quorum = format!("{} of {}", asked.quorum, asked.keys.len());
    if asked.auditors > 0 {
        quorum = format!("{quorum}, {} of them auditors", asked.auditors);
    }
    if reached.is_some_and(|reached| reached >= size) {
        return good(what, format!("heads are cosigned as the trust root asks, by {quorum}"));
    }
    let last = match reached {
        None => "none is".to_owned(),
        Some(reached) => format!("the last that is covers {reached}"),
    };
    let why = if nobody {
        "`ledger.witnesses` names none that is asked"
    } else {
        "the ledger's log says which of them does not cosign, and why"
    };
    warn(what, format!("a head over {size} entries is not cosigned as the trust root asks, by {quorum}; {last}: {why}"))
}
