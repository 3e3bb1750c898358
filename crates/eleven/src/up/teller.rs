//! What the supervisor says, and passes on of its corners, written by a thread of its own: whoever does not read it, or reads
//! no more, stops neither the supervisor nor a corner.

use crate::corner::Which;
use crate::output::{Failure, Output, Paint, shown};
use eleven_core::encoding::{Object, Value};
use rustix::process::Pid;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Lines that wait to be read. What comes on top of them is dropped, and counted.
const WAITING: usize = 4096;
/// How long the last lines may take to be read.
const LAST: Duration = Duration::from_secs(1);

/// Takes lines, and never waits.
#[derive(Clone)]
pub(super) struct Teller {
    output: Output,
    lines: SyncSender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

/// The thread that writes; it ends when all tellers are gone.
pub(super) struct Writer(Receiver<()>);

impl Teller {
    /// Begins to write to standard output.
    ///
    /// # Errors
    /// Where there is no thread to be had, or no standard output.
    pub(super) fn start(output: Output) -> Result<(Self, Writer), Failure> {
        let failed = |error| Failure::new(format!("nothing can be said on standard output: {error}"));
        // Not by the handle of the standard library: its lock would be held for as long as nobody reads.
        let out = std::io::stdout().as_fd().try_clone_to_owned().map_err(failed)?;
        Self::writing(output, File::from(out), WAITING).map_err(failed)
    }

    fn writing(output: Output, mut out: File, waiting: usize) -> std::io::Result<(Self, Writer)> {
        let (lines, waits) = sync_channel::<Vec<u8>>(waiting);
        let (ends, ended) = sync_channel(0);
        std::thread::Builder::new().name("teller".to_owned()).spawn(move || {
            for mut line in waits {
                line.push(b'\n');
                // Whoever reads no more wants no more, and a full disk may have room again.
                let _ = out.write_all(&line);
            }
            drop(ends);
        })?;
        Ok((Self { output, lines, dropped: Arc::default() }, Writer(ended)))
    }

    /// How to speak.
    pub(super) const fn output(&self) -> Output {
        self.output
    }

    /// Says `value` to machines, or what `text` makes to people.
    pub(super) fn either(&self, value: impl FnOnce() -> Value, text: impl FnOnce() -> String) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 && !self.put(self.gap(dropped)) {
            self.dropped.fetch_add(dropped, Ordering::Relaxed);
        }
        if !self.put(self.output.line(value, text)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says what happened to a corner, on one line: who answers in its place has named himself.
    pub(super) fn say(&self, which: Which, event: &str, text: &str, pid: Option<Pid>) {
        let value = || {
            let object = Object::new().with("corner", which.name()).with("event", event).with("detail", text);
            Value::Object(object.with_some("pid", pid.map(|pid| i64::from(pid.as_raw_nonzero().get()))))
        };
        self.either(value, || format!("{} {}", self.prefix(which), self.output.paint(Paint::Bold, &shown(text))));
    }

    /// Passes on a line of a corner.
    pub(super) fn pass_on(&self, which: Which, line: &str) {
        let value = || Value::Object(Object::new().with("corner", which.name()).with("line", line));
        self.either(value, || format!("{} {line}", self.prefix(which)));
    }

    fn prefix(&self, which: Which) -> String {
        self.output.paint(Paint::Dim, &format!("{:9} |", which.name()))
    }

    fn gap(&self, dropped: u64) -> Vec<u8> {
        let text = format!("{dropped} lines were not read in time, and are not here");
        let object = Object::new().with("event", "dropped").with("detail", &text).with("lines", dropped);
        self.output.line(|| Value::Object(object), || self.output.paint(Paint::Warn, &text))
    }

    fn put(&self, line: Vec<u8>) -> bool {
        self.lines.try_send(line).is_ok()
    }
}

impl Writer {
    /// Waits a moment for the last lines to be written. All tellers have to be gone.
    pub(super) fn end(self) {
        // It says nothing, and is gone when the thread is.
        let _ = self.0.recv_timeout(LAST);
    }
}

#[cfg(test)]
mod tests;
