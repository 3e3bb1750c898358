//! The rules of the house that a compiler does not check, each as a function from text to findings. `tests/tidy.rs`
//! applies all of them to this repository; the tests beside each rule show that it can fail.
//!
//! [`edges`] which crate may use which · [`pure`] what the pure crates may not call, and where time and randomness enter ·
//! [`proofs`] where an admission, a permit and a receipt are made · [`switches`] what may be set from outside · [`size`] how long
//! a file may be · [`spec`] that every reason, limit, path and metric stands on its page · [`links`] that links lead somewhere ·
//! [`locks`] that projects outside the workspace have locked what its crates use · [`words`] what no tracked file may say.

use std::fmt;

pub mod code;
pub mod edges;
pub mod links;
pub mod locks;
pub mod proofs;
pub mod pure;
pub mod size;
pub mod spec;
pub mod switches;
pub mod words;

/// One file of the repository: its path from the top, with `/`, and its text.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// For example `crates/core/src/lib.rs`.
    pub path: &'a str,
    /// The whole text.
    pub text: &'a str,
}

/// A place where a rule does not hold, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The path, and the line where there is one.
    pub place: String,
    /// What is wrong and what to do, in lower case without a full stop.
    pub what: String,
}

impl Finding {
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }

    pub(crate) fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self::new(format!("{path}:{line}"), what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Whether a file is a test: `tests.rs`, anything under a `tests` folder, benchmarks and fuzz targets.
#[must_use]
pub fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|part| matches!(part, "tests" | "benches" | "fuzz"))
}
