//! How many connections there is room for. Each takes one of the files that the process may have open, and so do the segments
//! and databases that the corner works on: strangers who connect may not take those.

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::time::Duration;
use tokio::time::Instant;

/// Connections that are served at once; further ones wait to be accepted.
const MAX_CONNECTIONS: u32 = 4096;
/// Files besides connections that a corner has open at most, and the connections that it keeps with nothing to do.
const OWN: u64 = 256;
/// How often it is said at most that all are taken: strangers who come and go at that number make no flood of lines.
const FULL: Duration = Duration::from_secs(60);
/// As many files as are ever of use.
const ENOUGH: u64 = 65_536;

/// How many connections a listener serves at once, after this process was allowed as many open files as it may allow itself.
pub(super) fn connections() -> u32 {
    let files = raised();
    let connections = within(files);
    if connections < MAX_CONNECTIONS {
        tracing::warn!(
            files,
            connections,
            "few files may be open at once: raise LimitNOFILE, or `ulimit -n`, to serve more"
        );
    }
    connections
}

/// The limit on open files, raised.
fn raised() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let now = limit.current.unwrap_or(ENOUGH);
    let wanted = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if wanted <= now {
        return now;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, "the limit on open files could not be raised");
            now
        }
    }
}

/// How many connections leave the corner the files that it needs, where so many may be open: half of the rest, since for each
/// there may be one to another corner or to an upstream, one at a time.
fn within(files: u64) -> u32 {
    let rest = files.saturating_sub(OWN).max(files / 4);
    u32::try_from(rest / 2).unwrap_or(MAX_CONNECTIONS).clamp(1, MAX_CONNECTIONS)
}

/// When it was said last that every connection is taken.
#[derive(Default)]
pub(super) struct Full(Option<Instant>);

impl Full {
    /// Whether it is to be said now.
    pub(super) fn is_news(&mut self, now: Instant) -> bool {
        let news = self.0.is_none_or(|said| now.saturating_duration_since(said) >= FULL);
        if news {
            self.0 = Some(now);
        }
        news
    }
}

/// What to do where a connection could not be accepted.
pub(super) fn advice(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE) => {
            "a connection could not be accepted: too many, or too low a limit on open files: raise LimitNOFILE, or `ulimit -n`"
        }
        _ => "a connection could not be accepted",
    }
}

#[cfg(test)]
mod tests;
