//! A witness's process: the real one without its threads.

use crate::Flaw;
use crate::domain::{START, domain, signer, witness_name};
use crate::lazy::Lazy;
use crate::node::{Checked, Context, Fate, Message, Node, SMALL_SEGMENTS, is_the_disks};
use eleven_api::edge::ManualClock;
use eleven_ledger::witness::{AddCheckpoint, Log, SteppedWitness, WitnessError};
use eleven_store::faulty::FaultyDisk;
use eleven_store::{OpenError, Place, SegmentLog};
use std::sync::Arc;

/// A witness and its disk.
pub(crate) struct WitnessNode {
    number: usize,
    pub(crate) disk: FaultyDisk,
    pub(crate) clock: Arc<ManualClock>,
    up: Option<SteppedWitness>,
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
        self.up.as_ref().map_or(0, SteppedWitness::size)
    }

    pub(crate) fn start(&mut self, ctx: &mut Context<'_>) -> Checked<Fate> {
        let number = self.number;
        // A witness that forgets answers before its state is durable, and its disk can lose it.
        let place = match ctx.flaw {
            Some(Flaw::ForgetfulWitness) => Place::on(Lazy(self.disk.clone())),
            _ => Place::on(self.disk.clone()),
        };
        let log = match SegmentLog::open(place, SMALL_SEGMENTS) {
            Ok(log) => log,
            Err(OpenError::Io { doing, cause }) => return Ok(Fate::Stops(format!("could not {doing}: {cause}"))),
            Err(error) => return Err(format!("witness {number} does not recover: {error}")),
        };
        let watched = Log { origin: domain().root.origin(), keys: vec![*domain().head_key.as_bytes()] };
        let key = signer(&format!("witness-{number}"));
        let witness = match SteppedWitness::open(witness_name(number), vec![watched], log, key) {
            Ok(witness) => witness,
            Err(WitnessError::Replay(what)) if is_the_disks(&what) => return Ok(Fate::Stops(what)),
            Err(error) => return Err(format!("witness {number} does not recover: {error}")),
        };
        ctx.history.witness_started(number, witness.size())?;
        self.up = Some(witness);
        Ok(Fate::Runs)
    }

    pub(crate) fn receive(&mut self, ctx: &mut Context<'_>, from: Node, message: Message) -> Checked<Fate> {
        let number = self.number;
        let Some(witness) = &mut self.up else { return Ok(Fate::Runs) };
        let Message::Checkpoint { call, body } = message else {
            return Err(format!("witness {number} was sent {message}"));
        };
        let outcome = match witness.add_checkpoint(body.as_bytes(), ctx.now) {
            Ok(outcome) => outcome,
            Err(WitnessError::Commit(why)) => return Ok(Fate::Stops(why)),
            Err(error) => return Err(format!("witness {number}: {error}")),
        };
        if outcome.is_ok() {
            let request = AddCheckpoint::read(body.as_bytes()).map_err(|error| error.to_string())?;
            ctx.history.signed(number, call, &request.note.checkpoint)?;
        }
        ctx.send(from, Message::Witnessed { call, outcome });
        Ok(Fate::Runs)
    }
}
