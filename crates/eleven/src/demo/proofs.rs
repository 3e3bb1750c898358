//! What the ledger proves about a call: fetched as anybody would, verified offline against the pinned root.

use super::caller::Caller;
use super::system::{Part, System};
use crate::verify_cmd;
use eleven_core::encoding::Value;
use eleven_verify::{Caller as Verifier, Kind, Pinned, Report, Verdict, verify};
use std::time::{Duration, Instant};

/// How long a proof may take: the journal is forwarded, a second of counted denials ends, a head is signed.
const PATIENCE: Duration = Duration::from_secs(8);

/// A proof that was verified.
#[derive(Clone)]
pub(crate) struct Proof {
    /// The bundle.
    pub(crate) bundle: Value,
    /// The entry of the lineage's last event.
    pub(crate) seq: i64,
    /// How many entries the signed head covers.
    pub(crate) size: i64,
}

/// Verifies a bundle against a root, as `eleven verify` does.
pub(crate) fn verified(bundle: &Value, root: &Pinned) -> Report {
    verify(bundle, &Verifier { root: Some(root), replay: Some(&verify_cmd::replay), ..Verifier::default() })
}

/// Fetches the proof of an operation once it is of the kind asked for, and verifies it.
///
/// # Errors
/// Where there is none in time, or a check fails.
pub(crate) fn of(system: &System, caller: &Caller, root: &Pinned, op: &str, kind: Kind) -> Result<Proof, String> {
    let begun = Instant::now();
    loop {
        let answer = caller.get(system.url(Part::Ledger), &format!("/v1/proof/bundle/{op}"));
        let why = match answer {
            Ok(bundle) if bundle.get("kind").and_then(Value::as_str) == Some(kind.name()) => {
                return checked(bundle, root);
            }
            Ok(bundle) => format!("its proof is of kind {}", bundle.get("kind").unwrap_or(&Value::Null)),
            Err(error) => error.to_string(),
        };
        if begun.elapsed() > PATIENCE {
            return Err(why);
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn checked(bundle: Value, root: &Pinned) -> Result<Proof, String> {
    let report = verified(&bundle, root);
    if report.verdict != Verdict::Verified {
        let failed: Vec<&str> = report.failed().map(|check| check.name).collect();
        return Err(format!("its proof fails: {}", failed.join(" ")));
    }
    let last = bundle.get("entries").and_then(Value::as_array).and_then(<[Value]>::last);
    let seq = last.and_then(|entry| entry.get("seq")).and_then(Value::as_int).unwrap_or(-1);
    let size = report.size.unwrap_or(-1);
    Ok(Proof { bundle, seq, size })
}

/// The event that counts refusals for `reason`, at or after entry `from`: refusals of callers without identity or
/// artifact are counted by the second, not one event each.
///
/// # Errors
/// Where none comes in time.
pub(crate) fn counted(system: &System, caller: &Caller, reason: &str, from: i64) -> Result<String, String> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let path = format!("/v1/audit/entries?from={from}");
        let answer = caller.get(system.url(Part::Ledger), &path).map_err(|error| error.to_string())?;
        let entries = answer.get("entries").and_then(Value::as_array).unwrap_or_default();
        let found = entries.iter().filter_map(|entry| entry.get("record")).find(|record| {
            record.get("reason").and_then(Value::as_str) == Some(reason) && record.pointer("/data/count").is_some()
        });
        if let Some(op) = found.and_then(|record| record.get("op")).and_then(Value::as_str) {
            return Ok(op.to_owned());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("no event counts {reason}"))
}

/// The bundle with one byte of its evidence flipped: a digit of the result's digest, in the event that tells the outcome.
/// Gives the changed bundle, and where the byte lies in the file.
pub(crate) fn with_a_flipped_byte(bundle: &Value) -> Option<(Vec<u8>, usize)> {
    const DIGEST: &str = "\"digest\":\"sha3-512:";
    let mut bytes = bundle.canonical();
    let text = std::str::from_utf8(&bytes).ok()?;
    // An event's data stands before its name.
    let outcome = text.find("\"event\":\"execution.completed\"")?;
    let at = text.get(..outcome)?.rfind(DIGEST)? + DIGEST.len();
    let digit = bytes.get_mut(at)?;
    *digit = if *digit == b'0' { b'1' } else { b'0' };
    Some((bytes, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use eleven_core::encoding::parse;
    use eleven_verify::Status;

    #[test]
    fn a_flipped_byte_makes_a_check_fall() {
        let file = |name: &str| {
            let path = format!("{}/../../spec/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
            parse(&std::fs::read(path).expect("a vector")).expect("I-JSON")
        };
        let (bundle, root) = (file("bundle.proof.json"), Pinned::new(file("root.json")));
        assert_eq!(verified(&bundle, &root).verdict, Verdict::Verified);
        let (changed, at) = with_a_flipped_byte(&bundle).expect("it has an outcome");
        let (before, after) = (bundle.canonical()[at], changed[at]);
        assert_ne!(before, after);
        let report = verified(&parse(&changed).expect("still I-JSON"), &root);
        for check in ["lineage.chain", "lineage.signatures", "ledger.inclusion", "attestation.binding"] {
            assert_eq!(report.status(check), Some(Status::Failed), "{check}");
        }
    }
}
