//! A witness: it cosigns a checkpoint that continues what it saw, and what it saw is durable before it answers.

use crate::Flaw;
use crate::domain::{START, domain, signer, witness_name};
use crate::node::{Checked, Context, Fate, Message, Node, SMALL_SEGMENTS, Witnessed};
use eleven_api::edge::ManualClock;
use eleven_core::hash::Sha256;
use eleven_core::head::checkpoint::Note;
use eleven_core::tree;
use eleven_store::faulty::FaultyDisk;
use eleven_store::{Log as _, OpenError, Place, SegmentLog};
use std::sync::Arc;

/// A witness and its disk.
pub(crate) struct WitnessNode {
    number: usize,
    pub(crate) disk: FaultyDisk,
    pub(crate) clock: Arc<ManualClock>,
    up: Option<Up>,
}

struct Up {
    log: SegmentLog,
    size: u64,
    root: Sha256,
}

impl WitnessNode {
    pub(crate) fn new(number: usize, seed: u64) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        Self { number, disk: FaultyDisk::new(seed), clock, up: None }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up.is_some()
    }

    pub(crate) fn down(&mut self) {
        self.up = None;
    }

    /// The size that it stands at.
    pub(crate) fn size(&self) -> u64 {
        self.up.as_ref().map_or(0, |up| up.size)
    }

    pub(crate) fn start(&mut self, ctx: &mut Context<'_>) -> Checked<Fate> {
        let log = match SegmentLog::open(Place::on(self.disk.clone()), SMALL_SEGMENTS) {
            Ok(log) => log,
            Err(OpenError::Io { doing, cause }) => return Ok(Fate::Stops(format!("could not {doing}: {cause}"))),
            Err(error) => return Err(format!("witness {} does not recover: {error}", self.number)),
        };
        let last = log.next().checked_sub(1).map(|last| log.reader().read_from(last, 1, 1));
        let (size, root) = match last {
            None => (0, tree::empty_root()),
            Some(Ok(read)) => read.first().and_then(|(_, bytes)| decode(bytes)).ok_or("a witness's record is none")?,
            Some(Err(error)) => return Ok(Fate::Stops(error.to_string())),
        };
        ctx.history.witness_started(self.number, size)?;
        self.up = Some(Up { log, size, root });
        Ok(Fate::Runs)
    }

    pub(crate) fn receive(&mut self, ctx: &mut Context<'_>, from: Node, message: Message) -> Checked<Fate> {
        let number = self.number;
        let Some(up) = &mut self.up else { return Ok(Fate::Runs) };
        let Message::Checkpoint { call, old, proof, note } = message else {
            return Err(format!("witness {number} was sent {message}"));
        };
        let outcome = match up.judge(old, &proof, &note) {
            Err(outcome) => outcome,
            Ok(note) => {
                let (size, root) = (note.checkpoint.size, note.checkpoint.root);
                let record = encode(size, &root);
                let forgets = ctx.flaw == Some(Flaw::ForgetfulWitness);
                if !forgets && let Err(error) = up.log.append(up.log.next(), &[&record]) {
                    return Ok(Fate::Stops(error.to_string()));
                }
                (up.size, up.root) = (size, root);
                let seconds = u64::try_from(ctx.now.0 / 1000).unwrap_or(0);
                let line =
                    note.checkpoint.cosign(&witness_name(number), seconds, &*signer(&format!("witness-{number}")));
                ctx.history.signed(number, call, &note.checkpoint)?;
                Witnessed::Cosigned(line)
            }
        };
        ctx.send(from, Message::Witnessed { call, outcome });
        Ok(Fate::Runs)
    }
}

impl Up {
    /// C2SP tlog-witness, `add-checkpoint`.
    fn judge(&self, old: u64, proof: &[Sha256], note: &str) -> Result<Note, Witnessed> {
        let note = Note::parse(note).map_err(|_| Witnessed::Refused("it is no checkpoint"))?;
        if !note.signed_by(&domain().head_key) {
            return Err(Witnessed::Refused("the ledger did not sign it"));
        }
        if old != self.size {
            return Err(Witnessed::Conflict(self.size));
        }
        let next = &note.checkpoint;
        let follows = old == 0 || tree::verify_consistency(old, next.size, &self.root, &next.root, proof);
        if next.size < old || !follows {
            return Err(Witnessed::Refused("it does not continue what was seen before"));
        }
        Ok(note)
    }
}

fn encode(size: u64, root: &Sha256) -> Vec<u8> {
    [size.to_be_bytes().as_slice(), &root.0].concat()
}

fn decode(bytes: &[u8]) -> Option<(u64, Sha256)> {
    let (size, root) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*size), Sha256(root.try_into().ok()?)))
}
