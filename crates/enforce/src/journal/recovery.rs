//! What a journal that is read back knows, and how it closes truthfully what a crash left open (PROTOCOL 5.1).

use super::Journal;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use eleven_core::attestation::Envelope;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::{About, Place, Record, Tip};
use eleven_core::hash::Sha3;
use eleven_core::lineage::{Lineage, Stage};
use eleven_core::time::Time;

/// What the next event of a lineage continues.
struct Open {
    about: About,
    tip: Tip,
}

impl Open {
    fn after(last: &Record) -> Self {
        Self { about: last.about.binding(), tip: last.tip() }
    }
}

/// What an event in the journal says of the state.
pub(super) struct Said<'a> {
    pub(super) event: &'a str,
    pub(super) kid: &'a str,
    pub(super) src_seq: u64,
    pub(super) ts: Time,
    pub(super) artifact: Option<&'a str>,
    /// The artifact's expiry, beside a consumption.
    pub(super) exp: Option<Time>,
}

/// What becomes of the lineage of an event in the journal.
pub(super) enum Turn {
    /// It is open, and continues from here.
    GoesOn,
    /// It is closed.
    Ends,
    /// Nothing: what closes it is in the same commit, or it is no lineage that a point begins.
    Stays,
}

impl Journal {
    /// Takes over what an event says of all but its lineage, and says what becomes of that.
    pub(super) fn note(&mut self, said: &Said<'_>) -> Result<Turn, String> {
        if said.kid != self.point.event.kid() {
            return Err(format!("the journal holds a record of {}, another key than this point's", said.kid));
        }
        if self.next_seq > said.src_seq {
            return Err(format!("the journal's record {} stands after {}", said.src_seq, self.next_seq));
        }
        self.next_seq = said.src_seq + 1;
        self.last = self.last.max(Some(said.ts));
        if said.event == "authorization.consumed" {
            // Without either its use would be forgotten here, and what is for a single use be admitted again.
            let (Some(artifact), Some(exp)) = (said.artifact, said.exp) else {
                return Err(format!(
                    "the journal's record {} takes a use, and its line does not say of what, or until when that is remembered",
                    said.src_seq
                ));
            };
            self.uses.restore(artifact.to_string(), exp, said.ts);
        }
        Ok(match said.event {
            "authorization.consumed" | "admission.granted" | "execution.started" => Turn::GoesOn,
            "evidence.committed" => Turn::Ends,
            _ => Turn::Stays,
        })
    }

    /// Closes truthfully, after a crash, lineages that had begun, at most so many: `execution.interrupted` with the effect
    /// unknown, and `evidence.committed` without evidence (PROTOCOL 5.1). The records are one commit; there are none once
    /// nothing is open.
    ///
    /// # Errors
    /// Where a record can't be made.
    pub fn recover(&mut self, now: Time, most: usize) -> Result<Vec<Record>, String> {
        let mut records = Vec::new();
        for _ in 0..most {
            let Some((op, begun)) = self.open.pop_first() else { break };
            let ts = self.stamp(now);
            records.extend(self.interrupt(op, Open::after(&begun.last), "restart", ts)?);
        }
        Ok(records)
    }

    /// Closes truthfully what this point had begun under a key whose journal is lost, from the records of the lineage as the
    /// ledger holds them: what was attested by what was attested, everything else as [`Journal::recover`] does. None where
    /// nothing is to be closed.
    ///
    /// Whoever shows other records than there are gets a closing that continues nothing: it is refused wherever it goes.
    ///
    /// # Errors
    /// Where the records are no lineage that this point began, or a record can't be made.
    pub fn recover_lost(&mut self, lineage: &[Record], now: Time) -> Result<Vec<Record>, String> {
        let (first, rest) = lineage.split_first().ok_or("a lineage has records")?;
        let begun = Lineage::begin(first).map_err(|error| error.to_string())?;
        let lineage = rest.iter().try_fold(begun, |lineage, record| lineage.advance(record));
        let lineage = lineage.map_err(|error| error.to_string())?;
        let last = rest.last().ok_or("nobody began it")?;
        if lineage.point.as_deref() != Some(self.point.name.as_str()) {
            return Err(format!("{} is not this point's", last.op));
        }
        let before = self.next_seq;
        let closing = self.closing(last, &lineage, now);
        // Nothing of what could not be made whole leaves: its numbers are free again.
        closing.inspect_err(|_| self.next_seq = before)
    }

    fn closing(&mut self, last: &Record, lineage: &Lineage, now: Time) -> Result<Vec<Record>, String> {
        let (op, ts) = (last.op.clone(), self.stamp(now));
        let open = Open { about: last.about.binding(), tip: lineage.tip.clone() };
        match lineage.stage {
            Stage::Issued | Stage::Closed => Ok(Vec::new()),
            Stage::Consumed | Stage::Granted | Stage::Started => {
                self.interrupt(op, open, "journal.lost", ts).map(Vec::from)
            }
            Stage::Attested(digest) => {
                let (event, data) = attested(last)?;
                let place = Place::After { op: op.clone(), tip: open.tip };
                let ended = self.sign(event, place, data, open.about.clone(), ts)?;
                let open = Open::after(&ended);
                Ok(alloc::vec![ended, self.commit_evidence(op, open, Some(digest), ts)?])
            }
            Stage::Ended(digest) => Ok(alloc::vec![self.commit_evidence(op, open, digest, ts)?]),
        }
    }

    /// What had started was interrupted, to whatever effect, and there is no evidence of more.
    fn interrupt(&mut self, op: String, open: Open, cause: &str, ts: Time) -> Result<[Record; 2], String> {
        let data = Object::new().with("cause", cause).with("effect", "unknown");
        let place = Place::After { op: op.clone(), tip: open.tip };
        let interrupted = self.sign("execution.interrupted", place, data, open.about.clone(), ts)?;
        let open = Open::after(&interrupted);
        Ok([interrupted, self.commit_evidence(op, open, None, ts)?])
    }

    fn commit_evidence(&mut self, op: String, open: Open, digest: Option<Sha3>, ts: Time) -> Result<Record, String> {
        let data = Object::new().with("evidence", digest.map(Value::from)).with("events", open.tip.n + 1);
        self.sign("evidence.committed", Place::After { op, tip: open.tip }, data, open.about, ts)
    }
}

/// The outcome that an attestation attests, and the data of its event.
fn attested(record: &Record) -> Result<(&'static str, Object), String> {
    let envelope = record.data.get("envelope").cloned().unwrap_or(Value::Null);
    let statement = Envelope::read(envelope).and_then(|envelope| envelope.statement());
    let statement = statement.map_err(|error| error.to_string())?;
    Ok((statement.outcome.event(), Object::new().with("result", statement.result.to_value())))
}
