//! The upstream's own log of the calls that reached it: what the demo and the kill test hold the ledger against.

use eleven_api::edge::{Clock as _, SystemClock};
use eleven_core::encoding::{Object, Value};
use http::HeaderMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts calls, and writes a line for each where there is a file.
pub(super) struct CallLog {
    file: Option<File>,
    calls: AtomicU64,
}

impl CallLog {
    /// Opens or makes the file; lines are added to what is there.
    pub(super) fn open(path: Option<&Path>) -> std::io::Result<Self> {
        let file = path.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
        Ok(Self { file, calls: AtomicU64::new(0) })
    }

    /// How many calls reached the model.
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Notes a call and returns its number. The line is with the operating system before anything is answered, so it
    /// outlives this process however that ends.
    pub(super) fn note(&self, headers: &HeaderMap, body: &[u8]) -> std::io::Result<u64> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(mut file) = self.file.as_ref() {
            file.write_all(&line(number, headers, body))?;
        }
        Ok(number)
    }
}

/// One line of canonical JSON. It names the call and never repeats its content.
fn line(number: u64, headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(Value::from);
    let line = Object::new()
        .with("n", number)
        .with("at", SystemClock.now().millis())
        .with("bytes", u64::try_from(body.len()).unwrap_or(u64::MAX))
        .with_some("lineage", header("eleven-lineage"))
        .with_some("request", header("x-request-id"));
    let mut line = line.canonical();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_a_line_that_names_its_lineage() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("calls.log");
        let mut headers = HeaderMap::new();
        headers.insert("eleven-lineage", "lineage://op/ABC".parse().expect("a value"));
        CallLog::open(Some(&path)).expect("opens").note(&headers, b"{}").expect("noted");
        let log = CallLog::open(Some(&path)).expect("opens again");
        assert_eq!(log.note(&HeaderMap::new(), b"").expect("noted"), 1);
        let text = std::fs::read_to_string(&path).expect("a log");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() == 2 && lines[0].contains("\"lineage\":\"lineage://op/ABC\""), "{text}");
        assert!(!lines[1].contains("lineage"));
    }
}
