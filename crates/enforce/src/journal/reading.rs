//! Reading a journal back from its bytes. A line says little of the state: under which number and key it was signed, whose
//! lineage it continues, which artifact it used. That is read where it stands; only of a lineage that is open at the end the
//! last event is read in full, since it has to be continued.

use super::line::{Forward, Line, LineError};
use super::recovery::{Said, Turn};
use super::{Begun, Journal, Point};
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use eleven_core::encoding::Encoded;
use eleven_core::event::Record;
use eleven_core::time::Time;

/// A journal that is being read back, line by line.
pub struct Reading {
    journal: Journal,
    open: BTreeMap<String, Unread>,
}

/// The last event of a lineage that is open so far.
struct Unread {
    /// Its canonical bytes.
    last: Vec<u8>,
    /// As in [`Begun`].
    from: u64,
}

impl Reading {
    /// Of the journal of this point; nothing of it is read yet.
    #[must_use]
    pub fn new(point: Point) -> Self {
        Self { journal: Journal::new(point), open: BTreeMap::new() }
    }

    /// Reads the next line, in the journal's order.
    ///
    /// # Errors
    /// Where the bytes are no line, or do not continue what was read before: the journal was changed.
    pub fn line(&mut self, bytes: &[u8]) -> Result<(), String> {
        match Forward::of(bytes).map_err(|error| error.to_string())? {
            Some(line) => self.event(&line),
            None if Line::is_epoch(bytes) => {
                if let Line::Epoch(epoch) = Line::decode(bytes).map_err(|error| error.to_string())? {
                    self.journal.seen_epoch = self.journal.seen_epoch.max(epoch);
                    self.journal.epoch_at = self.journal.next_seq;
                }
                Ok(())
            }
            None => {
                let last = bytes.get(1..).unwrap_or_default();
                let read = encoded(last)?;
                let number = number(&read).ok_or_else(|| wrong("a record without its number"))?;
                self.go_on(text(&read, "op")?, last, number);
                Ok(())
            }
        }
    }

    fn event(&mut self, line: &Forward<'_>) -> Result<(), String> {
        let read = encoded(line.record)?;
        let ts = read.text("ts").and_then(|ts| Time::parse_millis(&ts));
        if (number(&read), ts) != (Some(line.src_seq), Some(line.ts)) {
            return Err(wrong("a number or a time that is not the record's"));
        }
        let (event, kid, op) = (text(&read, "event")?, text(&read, "kid")?, text(&read, "op")?);
        let artifact = read.text("artifact_id");
        let said = Said {
            event: &event,
            kid: &kid,
            src_seq: line.src_seq,
            ts: line.ts,
            artifact: artifact.as_deref(),
            exp: line.exp,
        };
        match self.journal.note(&said)? {
            Turn::GoesOn => self.go_on(op, line.record, line.src_seq),
            Turn::Ends => {
                self.open.remove(&*op);
            }
            Turn::Stays => {}
        }
        Ok(())
    }

    fn go_on(&mut self, op: Cow<'_, str>, last: &[u8], number: u64) {
        if let Some(unread) = self.open.get_mut(&*op) {
            unread.last.clear();
            unread.last.extend_from_slice(last);
            unread.from = unread.from.min(number);
        } else {
            self.open.insert(op.into_owned(), Unread { last: last.to_vec(), from: number });
        }
    }

    /// The journal, once all of its lines were read.
    ///
    /// # Errors
    /// Where the last event of a lineage that is open is none.
    pub fn end(self) -> Result<Journal, String> {
        let Self { mut journal, open } = self;
        for (op, Unread { last, from }) in open {
            let last = Record::read_canonical(&last).map_err(|error| wrong(&error.to_string()))?;
            journal.open.insert(op, Begun { last, from });
        }
        Ok(journal)
    }
}

fn wrong(what: &str) -> String {
    LineError(what.to_string()).to_string()
}

fn encoded(record: &[u8]) -> Result<Encoded<'_>, String> {
    Encoded::of(record).map_err(|error| wrong(&error.to_string()))
}

fn text<'a>(record: &Encoded<'a>, member: &str) -> Result<Cow<'a, str>, String> {
    record.text(member).ok_or_else(|| wrong(&format!("a record without `{member}`")))
}

fn number(record: &Encoded<'_>) -> Option<u64> {
    record.int("src_seq").and_then(|number| u64::try_from(number).ok())
}
