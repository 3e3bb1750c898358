//! What nodes are to each other: names, messages, and effects as data that the world carries out.

use crate::Flaw;
use crate::history::History;
use eleven_api::edge::Moment;
use eleven_core::artifact::Token;
use eleven_core::registry::{Snapshot, Stamp};
use eleven_core::time::Time;
use eleven_ledger::WireAnswer;
use eleven_ledger::witness::Refusal;
use eleven_store::SegmentOptions;
use eleven_store::faulty::Dice;
use std::fmt;
use std::sync::Arc;

/// A process on a machine of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Node {
    Ledger,
    Issuer,
    Point(usize),
    Witness(usize),
}

/// What goes over the network. A call's answer bears its number.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Append {
        call: u64,
        body: Arc<Vec<u8>>,
    },
    Cursor {
        call: u64,
        kid: String,
    },
    Registry {
        call: u64,
        from: u64,
    },
    Answer {
        call: u64,
        answer: WireAnswer,
    },
    /// Entries that made a registry epoch, by their numbers.
    Entries {
        call: u64,
        entries: Vec<(u64, Vec<u8>)>,
    },
    /// The body of an `add-checkpoint`.
    Checkpoint {
        call: u64,
        body: String,
    },
    /// The line of a cosignature, or a witness's refusal.
    Witnessed {
        call: u64,
        outcome: Result<String, Refusal>,
    },
    Token(Arc<Token>),
    View(Arc<(Snapshot, Stamp)>),
}

/// Something that a node asked to be woken for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    /// Ledger: commit what waits.
    Commit,
    /// Ledger: seal, sign, ask the witnesses.
    Seal,
    /// Issuer: make an event.
    Issue,
    /// Issuer: ask for new epochs.
    Follow,
    /// Issuer: renew the stamp.
    Stamp,
    /// Point: admit or refuse something.
    Act,
    /// Point: forward the journal.
    Forward,
    /// Point: an execution ends.
    Finish(String),
    /// A call got no answer.
    Deadline(u64),
}

/// What a node wants done.
#[derive(Debug)]
pub(crate) enum Effect {
    Send(Node, Message),
    Wake(u64, Timer),
}

/// How a node stands after what it did.
#[derive(Debug)]
pub(crate) enum Fate {
    Runs,
    /// The process stops, as it must: its state is ahead of its disk.
    Stops(String),
}

/// A broken property.
pub(crate) type Checked<T> = Result<T, String>;

/// What a node may see and do in one step.
pub(crate) struct Context<'a> {
    /// The node's own clock.
    pub(crate) now: Time,
    /// Milliseconds since the world began, which no trouble with clocks changes.
    pub(crate) steady: i64,
    pub(crate) dice: &'a mut Dice,
    pub(crate) history: &'a mut History,
    /// Whether trouble is over: nothing new is begun.
    pub(crate) calm: bool,
    pub(crate) flaw: Option<Flaw>,
    pub(crate) calls: &'a mut u64,
    pub(crate) effects: Vec<Effect>,
}

impl Context<'_> {
    /// The present moment by both of the node's clocks.
    pub(crate) fn moment(&self) -> Moment {
        Moment { at: self.now, steady: self.steady }
    }

    pub(crate) fn send(&mut self, to: Node, message: Message) {
        self.effects.push(Effect::Send(to, message));
    }

    /// In so many milliseconds, or up to `spread` more.
    pub(crate) fn wake(&mut self, after: u64, spread: u64, timer: Timer) {
        let after = after + self.dice.below(spread + 1);
        self.effects.push(Effect::Wake(after, timer));
    }

    /// The number of a new call, whose deadline comes after `deadline` milliseconds.
    pub(crate) fn call(&mut self, deadline: u64) -> u64 {
        *self.calls += 1;
        let call = *self.calls;
        self.wake(deadline, 0, Timer::Deadline(call));
        call
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append { call, body } => write!(f, "append {call} of {} bytes", body.len()),
            Self::Cursor { call, kid } => write!(f, "cursor {call} of {kid}"),
            Self::Registry { call, from } => write!(f, "registry {call} from {from}"),
            Self::Answer { call, answer } => write!(f, "answer {call}: {}", answer.status),
            Self::Entries { call, entries } => write!(f, "answer {call}: {} entries", entries.len()),
            Self::Checkpoint { call, body } => {
                write!(f, "checkpoint {call}, {}", body.lines().next().unwrap_or_default())
            }
            Self::Witnessed { call, outcome } => write!(f, "answer {call}: {outcome:?}"),
            Self::Token(token) => write!(f, "token {}", token.artifact.id),
            Self::View(view) => write!(f, "view of epoch {}", view.0.header.epoch),
        }
    }
}

/// Whether a failure is the disk's word, and not what the code found wrong.
pub(crate) fn is_the_disks(what: &str) -> bool {
    what.contains("the machine has stopped") || what.contains("os error")
}

/// Segments of a few commits each, and every operation of the disk in order.
pub(crate) const SEGMENTS: SegmentOptions =
    SegmentOptions { smallest: 8 << 10, largest: 64 << 10, ahead: false, pack: false, recent: 0 };
/// For logs of few and small records.
pub(crate) const SMALL_SEGMENTS: SegmentOptions = SegmentOptions { smallest: 4 << 10, largest: 8 << 10, ..SEGMENTS };
