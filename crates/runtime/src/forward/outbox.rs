//! What of a journal goes to the ledger next: in order, from the oldest record on, until it is acknowledged. Without IO;
//! [`super::Forwarder`] carries it out by HTTP, the simulation over a network that loses and delays.

use eleven_api::audit::{Append, Cursor};
use eleven_core::hash::Sha3;
use eleven_core::time::Time;
use eleven_enforce::journal::{Forward, Line};
use eleven_store::ReadLog;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

#[cfg(test)]
mod tests;

/// Records of one POST.
const BATCH: usize = 1024;
/// Bytes of one POST.
const BATCH_BYTES: usize = 1 << 20;

/// Where a journal stands towards the ledger.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The journal was read up to here.
    position: u64,
    /// What the ledger said of this key's stream; nothing at start and after a refusal.
    known: Option<Known>,
    /// The newest event read.
    newest: Option<Event>,
    /// The position of the newest registry epoch read.
    epoch: Option<u64>,
    /// Consumptions before `position` whose artifacts may not have expired.
    uses: VecDeque<(u64, Time)>,
    /// Where some of the events before `position` stand: the first of each read.
    stand: VecDeque<Event>,
    /// How far the journal was durable when the last step was taken.
    durable: u64,
    sent: Option<Sent>,
}

/// The ledger's word on a stream.
#[derive(Clone, Copy, Debug)]
struct Known {
    next: u64,
    /// The hash of the record before `next`, while it is not yet found in the journal.
    last: Option<Sha3>,
}

/// What is under way.
#[derive(Debug)]
struct Sent {
    newest: Event,
    read: Read,
}

/// What was read at once.
#[derive(Debug)]
struct Read {
    /// Up to here.
    position: u64,
    /// The first event of it.
    first: Option<Event>,
    epoch: Option<u64>,
    uses: Vec<(u64, Time)>,
}

/// An event in the journal.
#[derive(Clone, Copy, Debug)]
struct Event {
    position: u64,
    number: u64,
    ts: Time,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask the ledger where this key's stream stands, then [`Outbox::told`].
    Ask,
    /// Send this append, then [`Outbox::taken`] or [`Outbox::refused`]. Where no answer came the same step comes again.
    Send(Vec<u8>),
}

/// How far the ledger has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// All that was durable when the step was taken.
    All,
    /// All up to a record of this time.
    Until(Time),
    /// Nothing can be said yet.
    Open,
}

/// Why a journal can't be forwarded: not the ledger's fault, and not to be repaired by trying again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxError {
    /// The journal can't be read.
    Journal(String),
    /// The ledger has a record under this number that is not the journal's.
    Foreign {
        /// The number.
        number: u64,
    },
}

impl fmt::Display for OutboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(why) => write!(f, "the journal cannot be read: {why}"),
            Self::Foreign { number } => write!(
                f,
                "the ledger has another record {number} of this point than its journal: the journal was replaced, or its key \
                 is used elsewhere; the point returns under new keys only: `eleven runtime key replace`"
            ),
        }
    }
}

impl std::error::Error for OutboxError {}

impl Outbox {
    /// Makes sure that a journal is the stream that the ledger tells of, as far as both have it.
    ///
    /// # Errors
    /// [`OutboxError::Foreign`] where it is another, [`OutboxError::Journal`] where it can't be read.
    pub(crate) fn agree(journal: &dyn ReadLog, cursor: &Cursor) -> Result<(), OutboxError> {
        let mut outbox = Self::default();
        outbox.told(cursor);
        outbox.next(journal).map(drop)
    }

    /// What is to be done next.
    ///
    /// # Errors
    /// [`OutboxError`], at each further call as well.
    pub fn next(&mut self, journal: &dyn ReadLog) -> Result<Step, OutboxError> {
        self.sent = None;
        self.durable = journal.durable();
        self.position = self.position.max(journal.first());
        loop {
            let Some(known) = self.known else { return Ok(Step::Ask) };
            // What became durable meanwhile may have been read with the rest.
            if self.position >= self.durable {
                let beyond = known.next > self.newest.map_or(0, |newest| newest.number + 1);
                return if beyond { Err(OutboxError::Foreign { number: known.next - 1 }) } else { Ok(Step::Ask) };
            }
            if let Some(body) = self.read(journal, known)? {
                return Ok(Step::Send(body));
            }
        }
    }

    /// Reads the next records; `None` where the ledger has all of them.
    fn read(&mut self, journal: &dyn ReadLog, mut known: Known) -> Result<Option<Vec<u8>>, OutboxError> {
        let failed = |error: &dyn fmt::Display| OutboxError::Journal(error.to_string());
        let read = journal.read_from(self.position, BATCH, BATCH_BYTES).map_err(|error| failed(&error))?;
        let mut unsent: Vec<&[u8]> = Vec::new();
        let mut done = Read { position: self.position, first: None, epoch: self.epoch, uses: Vec::new() };
        let mut newest = self.newest;
        for (position, bytes) in &read {
            done.position = position + 1;
            let Some(line) = Forward::of(bytes).map_err(|error| failed(&error))? else {
                done.epoch = Some(*position).filter(|_| Line::is_epoch(bytes)).or(done.epoch);
                continue;
            };
            done.uses.extend(line.exp.map(|exp| (*position, exp)));
            newest = Some(Event { position: *position, number: line.src_seq, ts: line.ts });
            done.first = done.first.or(newest);
            if line.src_seq >= known.next {
                unsent.push(line.record);
            } else if line.src_seq + 1 == known.next
                && let Some(last) = known.last.take()
                && last != Sha3::of(&[line.record])
            {
                return Err(OutboxError::Foreign { number: line.src_seq });
            }
        }
        self.known = Some(known);
        let read_last = newest;
        match newest.filter(|_| !unsent.is_empty()) {
            Some(newest) => {
                let body = Append::body(&unsent, &BTreeMap::new());
                self.sent = Some(Sent { newest, read: done });
                Ok(Some(body))
            }
            None => {
                self.newest = read_last;
                self.advance(done);
                Ok(None)
            }
        }
    }

    /// The ledger told where the stream stands.
    pub fn told(&mut self, cursor: &Cursor) -> Acknowledged {
        if self.newest.is_some_and(|newest| newest.number >= cursor.next) {
            // It has less than it had acknowledged: what the journal still holds is sent again.
            self.refused();
        }
        self.known = Some(Known { next: cursor.next, last: cursor.hash });
        if self.position >= self.durable { Acknowledged::All } else { Acknowledged::Open }
    }

    /// The ledger took what was sent, and expects `next`.
    pub fn taken(&mut self, next: u64) -> Acknowledged {
        let Some(sent) = self.sent.take().filter(|sent| next > sent.newest.number) else {
            self.refused();
            return Acknowledged::Open;
        };
        self.known = Some(Known { next, last: None });
        self.newest = Some(sent.newest);
        self.advance(sent.read);
        // Everything that was durable when we began is acknowledged, or all up to the newest record that was sent.
        if self.position >= self.durable { Acknowledged::All } else { Acknowledged::Until(sent.newest.ts) }
    }

    /// The ledger dealt with what was sent and refused some of it, or expects another number: it is asked where the stream
    /// stands, and the journal is read again from its oldest record.
    pub fn refused(&mut self) {
        *self = Self { durable: self.durable, ..Self::default() };
    }

    /// Whether something durable waits to be sent.
    #[must_use]
    pub fn is_behind(&self, journal: &dyn ReadLog) -> bool {
        self.position < journal.durable()
    }

    /// The position below which the journal may forget: what is acknowledged, whose artifacts have expired, and of which
    /// nothing is open; that is so of events below number `open_from`, as the journal says at this moment or said before
    /// ([`Journal::open_from`](eleven_enforce::journal::Journal::open_from)). The newest event is always kept, since an empty
    /// journal beside a ledger that knows this key is a lost one; and the newest epoch, below which no view may ever be.
    /// Expired is what is so by the newest event's time: that stays, and no admission comes before it, whatever the clock
    /// shows.
    pub fn unwanted_before(&mut self, open_from: u64) -> u64 {
        let Some(newest) = self.newest else { return 0 };
        while self.uses.front().is_some_and(|(_, exp)| *exp <= newest.ts) {
            self.uses.pop_front();
        }
        while self.stand.get(1).is_some_and(|event| event.number <= open_from) {
            self.stand.pop_front();
        }
        let open = match self.stand.front() {
            _ if open_from > newest.number => newest.position,
            Some(event) if event.number <= open_from => event.position,
            _ => 0,
        };
        let kept = [self.uses.front().map(|(position, _)| *position), self.epoch];
        kept.into_iter().flatten().fold(open.min(newest.position), u64::min)
    }

    fn advance(&mut self, read: Read) {
        self.position = read.position;
        self.epoch = read.epoch;
        self.uses.extend(read.uses);
        self.stand.extend(read.first);
    }
}
