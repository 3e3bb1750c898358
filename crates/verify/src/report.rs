//! What verifying comes to: the verdict and the status of each check (PROTOCOL 11.1).

use crate::checks::{Judged, Stop};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use eleven_core::encoding::{Object, Value};

/// The exit status for a wrong command line.
pub const EXIT_USAGE: u8 = 2;
/// The exit status for a file that is not I-JSON.
pub const EXIT_NOT_I_JSON: u8 = 3;

/// What all checks together say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The caller gave its root, and nothing failed.
    Verified,
    /// Something failed.
    Failed,
    /// Nothing failed, but the caller gave no root: the bundle agrees with itself, and anybody can make one that does.
    Unpinned,
}

impl Verdict {
    /// The word that stands in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Unpinned => "unpinned",
        }
    }

    /// The exit status of a command that verifies: 0 only where it is verified.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Failed | Self::Unpinned => 1,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    Passed,
    /// It does not hold, or what it reads is malformed or missing.
    Failed,
    /// It does not apply, or there was no input for it.
    NotChecked,
}

impl Status {
    /// The word that stands in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotChecked => "not_checked",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A check that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// What it came to.
    pub status: Status,
    /// For people: what was expected and what was found, or why it was not checked.
    pub detail: Option<String>,
}

impl Check {
    pub(crate) fn of(name: &'static str, judged: Judged) -> Self {
        let (status, detail) = match judged {
            Ok(()) => (Status::Passed, None),
            Err(Stop::Failed(detail)) => (Status::Failed, Some(detail)),
            Err(Stop::NotChecked(detail)) => (Status::NotChecked, Some(detail.into())),
        };
        Self { name, status, detail }
    }

    fn to_value(&self) -> Value {
        let object = Object::new().with("name", self.name).with("status", self.status.name());
        Value::Object(object.with_some("detail", self.detail.as_ref()))
    }
}

/// The result of verifying a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What all checks together say.
    pub verdict: Verdict,
    /// The bundle's `kind`, where it names one.
    pub kind: Option<String>,
    /// The bundle's `op`, where it names one.
    pub op: Option<String>,
    /// The head's size: how many entries the ledger had.
    pub size: Option<i64>,
    /// The head's time: as of when this holds.
    pub at: Option<String>,
    /// Every check, in the protocol's order.
    pub checks: Vec<Check>,
}

impl Report {
    pub(crate) fn new(bundle: &Value, pinned: bool, checks: Vec<Check>) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(String::from);
        let head = bundle.get("head");
        let size = head.and_then(|head| head.get("size")).and_then(Value::as_int);
        let at = text(head.and_then(|head| head.get("at")));
        Self::over(pinned, text(bundle.get("kind")), text(bundle.get("op")), size, at, checks)
    }

    /// The verdict over checks, and what they were run on.
    pub(crate) fn over(
        pinned: bool,
        kind: Option<String>,
        op: Option<String>,
        size: Option<i64>,
        at: Option<String>,
        checks: Vec<Check>,
    ) -> Self {
        let failed = checks.iter().any(|check| check.status == Status::Failed);
        let verdict = match (failed, pinned) {
            (true, _) => Verdict::Failed,
            (false, true) => Verdict::Verified,
            (false, false) => Verdict::Unpinned,
        };
        Self { verdict, kind, op, size, at, checks }
    }

    /// The status of the check of that name; `None` where there is no such check.
    #[must_use]
    pub fn status(&self, name: &str) -> Option<Status> {
        self.checks.iter().find(|check| check.name == name).map(|check| check.status)
    }

    /// The checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.status == Status::Failed)
    }

    /// The exit status of a command that verifies.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        self.verdict.exit_code()
    }

    /// The result document. What the bundle does not name is null.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let text = |text: &Option<String>| text.as_ref().map(Value::from);
        let document = Object::new()
            .with("verdict", self.verdict.name())
            .with("kind", text(&self.kind))
            .with("op", text(&self.op))
            .with("size", self.size.map(Value::Int))
            .with("at", text(&self.at))
            .with("checks", self.checks.iter().map(Check::to_value).collect::<Vec<_>>());
        Value::Object(document)
    }
}
