//! How far something is that takes a while: one line of a terminal, which is gone when it is done.

use crate::output::Output;
use eleven_ledger::Pass;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often it is told.
const EVERY: Duration = Duration::from_millis(250);

/// Tells it on standard error, where that is a terminal and people read it. Of the terminal it asks no more than to go back to the
/// beginning of the line, so that any does.
pub(crate) struct Shown {
    wanted: bool,
    started: Instant,
    last: Option<Instant>,
    /// How wide the line is that stands there.
    width: usize,
}

impl Shown {
    /// Nothing is told yet.
    pub(crate) fn new(output: Output) -> Self {
        let wanted = !output.json && std::io::stderr().is_terminal();
        Self { wanted, started: Instant::now(), last: None, width: 0 }
    }

    /// Tells what `line` makes of the time that it took so far, where it is time to.
    pub(crate) fn tell(&mut self, line: impl FnOnce(Duration) -> String) {
        if self.wanted && self.last.is_none_or(|last| last.elapsed() >= EVERY) {
            self.last = Some(Instant::now());
            let line = line(self.started.elapsed());
            // Nobody is left to tell where this fails.
            let _ = write!(std::io::stderr(), "{}", over(&line, self.width));
            self.width = line.chars().count();
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if self.width > 0 {
            let _ = write!(std::io::stderr(), "{}\r", over("", self.width));
        }
    }
}

/// How far something is that goes over a log.
pub(crate) fn far(Pass { doing, done, of }: Pass) -> String {
    let percent = done.saturating_mul(100) / of.max(1);
    format!("{doing}: {percent:3} %  {done} of {of} records")
}

/// A line in the place of one that is so wide.
fn over(line: &str, width: usize) -> String {
    format!("\r{line:width$}")
}

#[cfg(test)]
mod tests;
