//! Until when the certificates count by which corners are reached: from then on whoever calls there refuses.

use super::{Finding, bad, good, warn};
use crate::call;
use crate::config::Config;
use crate::corner::Which;
use crate::expiry::DAY;
use crate::health::Health;
use crate::output::Failure;
use eleven_api::client::{CallError, handshake_in};
use std::time::Duration;

/// How many days ahead it is told. Many a certificate is made for ninety, and is renewed thirty before its end.
const DAYS: u8 = 14;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);

/// Where a corner answers by HTTPS. One that is not trusted now is told with its listener.
pub(super) fn look(which: Which, config: &Config, health: &Health) -> Result<Option<Finding>, Failure> {
    let url = &which.of(config).url;
    if !url.starts_with("https:") || !matches!(health, Health::Ours(_)) {
        return Ok(None);
    }
    let ahead = Duration::from_secs(u64::from(DAYS) * DAY.unsigned_abs());
    Ok(found(which, url, call::wait(handshake_in(url, ahead, CONNECT))?))
}

/// The same, for whoever does not look at the listener besides: of one that is not trusted any more it is told, too.
pub(super) fn ending(which: Which, config: &Config, health: &Health) -> Option<Finding> {
    match health {
        Health::Untrusted(why) => Some(bad(subject(which), why.as_str())),
        _ => look(which, config, health).ok().flatten(),
    }
}

/// What is said of it, by how a handshake ends that far ahead.
pub(super) fn found(which: Which, url: &str, shaken: Result<(), CallError>) -> Option<Finding> {
    let what = subject(which);
    match shaken {
        Ok(()) => Some(good(what, format!("that of {url} counts for {DAYS} days at least"))),
        Err(error @ CallError::Untrusted(_)) => Some(warn(what, format!("in {DAYS} days {error}"))),
        // It ends this moment.
        Err(_) => None,
    }
}

fn subject(which: Which) -> String {
    format!("{} certificate", which.name())
}
