//! Until when the certificates count by which corners are reached: from then on whoever calls there refuses.

use super::{Finding, bad, good, warn};
use crate::call;
use crate::config::Config;
use crate::corner::Which;
use crate::expiry::DAY;
use crate::health::Health;
use crate::output::Failure;
use eleven_api::client::{CallError, counts_since, handshake_in};
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_core::time::Time;
use std::time::Duration;

/// How far ahead it is told, fourteen days. Many a certificate is made for ninety, and is renewed thirty before its end.
pub(super) const MOST: Duration = Duration::from_secs(14 * DAY.unsigned_abs());
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);

/// Where a corner answers by HTTPS. One that is not trusted now is told with its listener.
pub(super) fn look(which: Which, config: &Config, health: &Health) -> Result<Option<Finding>, Failure> {
    let url = &which.of(config).url;
    if !url.starts_with("https:") || !matches!(health, Health::Ours(_)) {
        return Ok(None);
    }
    let shaken = call::wait(handshake_in(url, MOST, CONNECT))?;
    let ends = matches!(shaken, Err(CallError::Untrusted(_)));
    let since = if ends { call::wait(counts_since(url, CONNECT))? } else { None };
    match since.map(|since| ahead(since, SystemClock.now())) {
        Some(ahead) if ahead < MOST => Ok(found(which, url, ahead, call::wait(handshake_in(url, ahead, CONNECT))?)),
        _ => Ok(found(which, url, MOST, shaken)),
    }
}

/// How far ahead the end of a certificate is told that counts since then: in the last third of its life, which comes to half of what
/// has passed of that. Of one that is made for a day, and is renewed in time, nothing is ever told.
pub(super) fn ahead(since: Time, now: Time) -> Duration {
    let passed = u64::try_from(now.since(since)).unwrap_or(0);
    MOST.min(Duration::from_millis(passed / 2))
}

/// The same, for whoever does not look at the listener besides: of one that is not trusted any more it is told, too.
pub(super) fn ending(which: Which, config: &Config, health: &Health) -> Option<Finding> {
    match health {
        Health::Untrusted(why) => Some(bad(subject(which), why.as_str())),
        _ => look(which, config, health).ok().flatten(),
    }
}

/// What is said of it, by how a handshake ends that far ahead.
pub(super) fn found(which: Which, url: &str, ahead: Duration, shaken: Result<(), CallError>) -> Option<Finding> {
    let (what, ahead) = (subject(which), span(ahead));
    match shaken {
        Ok(()) => Some(good(what, format!("that of {url} counts for {ahead} at least"))),
        Err(error @ CallError::Untrusted(_)) => Some(warn(what, format!("before {ahead} are over {error}"))),
        // It ends this moment.
        Err(_) => None,
    }
}

/// A time in words.
fn span(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match minutes {
        0..120 => format!("{minutes} minutes"),
        120..2880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}

fn subject(which: Which) -> String {
    format!("{} certificate", which.name())
}
