//! Threads for what nobody waits for.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread of this name that gives way to all others: commits and answers come first wherever the machine has to
/// choose. Where a thread may not lower itself, the machine chooses as it likes.
///
/// # Errors
/// Where there is no thread to be had.
pub fn background(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(move || {
        let _ = rustix::process::nice(10);
        work();
    })
}
