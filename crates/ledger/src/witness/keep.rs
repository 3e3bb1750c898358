//! The witness's log: one writer, what is judged is durable before it is answered, and the newest records alone are kept.

use super::state::{Judgement, Signed, Witness};
use eleven_core::encoding::{Object, Value};
use eleven_core::time::Time;
use eleven_store::{Batch, Durable, Log as _, SegmentLog, Stage};

/// After so many records all that is remembered is written again, so that the log lets go of those before.
const RENEW_AFTER: u64 = 4096;

/// What the writer is asked for.
pub(super) enum Request {
    /// What stands against a checkpoint that came then: it is not cosigned by that.
    Weigh(Signed, Time),
    /// A checkpoint that is to be cosigned, and when it came.
    Add(Signed, Time),
    /// What is remembered.
    Show,
}

/// The writer's answer; it leaves after the commit.
pub(super) enum Answer {
    /// What was made of a checkpoint, and from which position on the log is still needed.
    Judged(Judgement, u64),
    /// What is remembered.
    Shown {
        /// The last checkpoint of each log.
        logs: Vec<Value>,
        /// What contradicts itself.
        evidence: Vec<Value>,
    },
}

/// The writer's state.
pub(super) struct Keeper {
    witness: Witness,
    /// Where all that is remembered begins in the log.
    needed_from: u64,
}

impl Keeper {
    /// Takes back what the log holds.
    ///
    /// # Errors
    /// What of the log can't be read.
    pub(super) fn restore(log: &SegmentLog) -> Result<Self, String> {
        let reader = log.reader();
        let (mut witness, mut position) = (Witness::new(), reader.first());
        let needed_from = position;
        loop {
            let records = reader.read_from(position, 1024, 1 << 20).map_err(|error| error.to_string())?;
            let Some((last, _)) = records.last() else { return Ok(Self { witness, needed_from }) };
            position = last + 1;
            for (at, record) in &records {
                witness.restore(record).map_err(|error| format!("record {at}: {error}"))?;
            }
        }
    }

    /// The size of the largest checkpoint that was cosigned.
    pub(super) fn size(&self) -> u64 {
        self.witness.seen().map(super::state::Seen::size).max().unwrap_or(0)
    }

    /// Puts what a judgement has to keep behind `records`, of which the first stands at `first` in the log.
    fn remember(&mut self, mut judgement: Judgement, first: u64, records: &mut Vec<Vec<u8>>) -> Judgement {
        let kept = std::mem::take(&mut judgement.records);
        let renew = !kept.is_empty() && first - self.needed_from > RENEW_AFTER;
        records.extend(kept);
        if renew {
            self.needed_from = first + records.len() as u64;
            records.extend(self.witness.to_records());
        }
        judgement
    }

    /// The answer to whoever asked for a judgement, with its records in the commit.
    fn answer(&mut self, judgement: Judgement, batch: &mut Batch) -> Answer {
        let mut records = Vec::new();
        let judgement = self.remember(judgement, batch.next(), &mut records);
        records.into_iter().for_each(|record| stage(batch, record));
        Answer::Judged(judgement, self.needed_from)
    }

    fn show(&self) -> Answer {
        let seen = |seen: &super::state::Seen| {
            let checkpoint = &seen.note.checkpoint;
            let object = Object::new().with("origin", &checkpoint.origin).with("size", checkpoint.size);
            let object = object.with("root", checkpoint.root).with("at", seen.at.to_millis_value());
            Value::Object(object.with("checkpoint", seen.note.to_string()))
        };
        Answer::Shown {
            logs: self.witness.seen().map(seen).collect(),
            evidence: self.witness.evidence().map(super::state::Evidence::to_value).collect(),
        }
    }
}

/// Adds a record to the commit: notes of bounded length, far fewer than one commit takes.
fn stage(batch: &mut Batch, record: Vec<u8>) {
    #[expect(clippy::expect_used, reason = "a commit takes a thousand requests, each of a bounded number of bytes")]
    let _ = batch.push(record).expect("room for what is bounded");
}

impl Stage for Keeper {
    type Request = Request;
    type Answer = Answer;
    type Pending = ();

    fn stage(&mut self, request: Request, batch: &mut Batch) -> Answer {
        match request {
            Request::Weigh(signed, now) => {
                let judgement = self.witness.weigh(&signed, now);
                self.answer(judgement, batch)
            }
            Request::Add(signed, now) => {
                let judgement = self.witness.judge(signed, now);
                self.answer(judgement, batch)
            }
            Request::Show => self.show(),
        }
    }

    fn staged(&mut self) {}

    fn committed((): (), durable: &Durable) {
        debug_assert!(durable.count() > 0, "a commit has records");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tree, logs};
    use super::*;
    use crate::witness::Log;
    use crate::world::start;

    #[test]
    fn the_log_of_a_busy_witness_lets_go_of_what_was_written_again() {
        let mut keeper = Keeper { witness: Witness::new(), needed_from: 0 };
        let (tree, mut log) = (Tree::new(2 * RENEW_AFTER), Vec::new());
        for size in 1..2 * RENEW_AFTER {
            let signed = Log::signed(&logs(), tree.request(size - 1, size)).expect("signed");
            let mut records = Vec::new();
            let judgement = keeper.witness.judge(signed, start());
            keeper.remember(judgement, log.len() as u64, &mut records).outcome.expect("cosigned");
            log.extend(records);
        }
        assert!(keeper.needed_from > RENEW_AFTER, "{}", keeper.needed_from);
        let needed = usize::try_from(keeper.needed_from).expect("small");
        let mut again = Witness::new();
        log[needed..].iter().for_each(|record| again.restore(record).expect("a record"));
        assert_eq!(again.to_records(), keeper.witness.to_records(), "what is kept says all");
    }
}
