//! The ledger's process: the real corner without its threads, and its part of the talk with witnesses.

use crate::domain::{FRESH, START, WITNESSES, domain, kid, signer};
use crate::lazy::Lazy;
use crate::node::{Checked, Context, Fate, Message, Node, SEGMENTS, SMALL_SEGMENTS, Timer, is_the_disks};
use crate::{Flaw, domain};
use eleven_api::edge::{Clock, ManualClock};
use eleven_api::keyring::Keyring;
use eleven_core::head::checkpoint::{Line, Note};
use eleven_core::signature::Signer;
use eleven_ledger::witness::{AddCheckpoint, Refusal};
use eleven_ledger::{HeadError, LedgerError, Signers, SteppedLedger, WireAnswer};
use eleven_store::faulty::FaultyDisk;
use eleven_store::{OpenError, Place, SegmentLog};
use std::sync::{Arc, Mutex, PoisonError};

/// Between two seals.
const SEAL_EVERY: u64 = 500;
/// How long a witness may take.
const WITNESS_DEADLINE: u64 = 2000;

/// The ledger and the two disks of its machine.
pub(crate) struct LedgerNode {
    pub(crate) log: FaultyDisk,
    pub(crate) heads: FaultyDisk,
    pub(crate) clock: Arc<ManualClock>,
    up: Option<Up>,
}

struct Up {
    ledger: SteppedLedger,
    replies: Arc<Mutex<Vec<(Node, u64, WireAnswer)>>>,
    commit_due: bool,
    witnesses: [Standing; WITNESSES],
}

/// What the ledger knows of a witness.
#[derive(Clone, Copy, Default)]
struct Standing {
    size: u64,
    call: Option<u64>,
}

impl LedgerNode {
    /// A ledger with its genesis and the domain's first events.
    pub(crate) fn new(seed: u64) -> Self {
        let (log, heads) = (FaultyDisk::new(seed), FaultyDisk::new(seed ^ 1));
        let clock = Arc::new(ManualClock::new(START));
        let mut first = SegmentLog::open(Place::on(log.clone()), SEGMENTS).expect("an empty log");
        let keys = domain().genesis_keys();
        let signer = signer("audit");
        SteppedLedger::genesis(&mut first, &domain().root, FRESH, &keys, &*signer, START).expect("a genesis");
        let mut ledger = open(first, &heads, &clock).expect("a ledger");
        ledger.append(&domain().set_up().to_bytes(), |answer| {
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        });
        ledger.step(false).expect("committed");
        Self { log, heads, clock, up: None }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up.is_some()
    }

    pub(crate) fn down(&mut self) {
        self.up = None;
    }

    pub(crate) fn running(&self) -> Option<&SteppedLedger> {
        self.up.as_ref().map(|up| &up.ledger)
    }

    /// Starts the process: recovery by the code that commits.
    pub(crate) fn start(&mut self, ctx: &mut Context<'_>) -> Checked<Fate> {
        let log = if ctx.flaw == Some(Flaw::LazySync) {
            SegmentLog::open(Place::on(Lazy(self.log.clone())), SEGMENTS)
        } else {
            SegmentLog::open(Place::on(self.log.clone()), SEGMENTS)
        };
        let ledger = match log.map_err(LedgerError::Open).and_then(|log| open(log, &self.heads, &self.clock)) {
            Ok(ledger) => ledger,
            Err(LedgerError::Open(OpenError::Io { doing, cause })) => {
                return Ok(Fate::Stops(format!("could not {doing}: {cause}")));
            }
            Err(LedgerError::Replay(error)) if is_the_disks(&error.what) => return Ok(Fate::Stops(error.to_string())),
            Err(LedgerError::Head(HeadError::Store(what))) if is_the_disks(&what) => return Ok(Fate::Stops(what)),
            Err(error) => return Err(format!("the ledger does not recover: {error}")),
        };
        if self.log.is_down() || self.heads.is_down() {
            return Ok(Fate::Stops("its machine stopped".to_owned()));
        }
        self.log.unfailing(|| ctx.history.ledger_started(&ledger))?;
        ctx.history.head_shown(&ledger)?;
        self.up = Some(Up { ledger, replies: Arc::default(), commit_due: false, witnesses: Default::default() });
        ctx.wake(1, SEAL_EVERY, Timer::Seal);
        Ok(Fate::Runs)
    }

    pub(crate) fn receive(&mut self, ctx: &mut Context<'_>, from: Node, message: Message) -> Checked<Fate> {
        let Some(up) = &mut self.up else { return Ok(Fate::Runs) };
        let replies = Arc::clone(&up.replies);
        let reply = move |call| move |answer: WireAnswer| lock(&replies).push((from, call, answer));
        match message {
            Message::Append { call, body } => up.ledger.append(&body, reply(call)),
            Message::Cursor { call, kid } => up.ledger.cursor(&kid, reply(call)),
            Message::Registry { call, from: first } => {
                let numbers = up.ledger.registry_entries(first);
                let entries = numbers.into_iter().map(|seq| Some((seq, up.ledger.entry(seq)?)));
                // Where one can't be read there is no answer.
                if let Some(entries) = entries.collect() {
                    ctx.send(from, Message::Entries { call, entries });
                }
                return Ok(Fate::Runs);
            }
            Message::Witnessed { call, outcome } => {
                up.witnessed(ctx, from, call, outcome)?;
                return Ok(Fate::Runs);
            }
            other => return Err(format!("the ledger was sent {other}")),
        }
        if !up.commit_due {
            up.commit_due = true;
            ctx.wake(1, 4, Timer::Commit);
        }
        Ok(Fate::Runs)
    }

    pub(crate) fn wake(&mut self, ctx: &mut Context<'_>, timer: Timer) -> Checked<Fate> {
        let Some(up) = &mut self.up else { return Ok(Fate::Runs) };
        match timer {
            Timer::Commit => {
                up.commit_due = false;
                let waiting = up.ledger.waiting();
                if waiting > 1 && ctx.dice.coin() {
                    // As by two threads: what came last is judged before what came first is written.
                    let first = 1 + usize::try_from(ctx.dice.below(waiting as u64 - 1)).unwrap_or(0);
                    up.ledger.judge_apart(first, false);
                    ctx.history.report.overlapped += 1;
                    let fate = up.step(ctx, &self.log, false)?;
                    if matches!(fate, Fate::Stops(_)) {
                        return Ok(fate);
                    }
                }
                up.step(ctx, &self.log, false)
            }
            Timer::Seal => {
                ctx.wake(SEAL_EVERY, 20, Timer::Seal);
                let fate = up.step(ctx, &self.log, true)?;
                if matches!(fate, Fate::Stops(_)) {
                    return Ok(fate);
                }
                if let Err(error) = up.ledger.sign_head() {
                    return match error {
                        HeadError::Store(what) if is_the_disks(&what) => Ok(Fate::Stops(what)),
                        other => Err(format!("no head is signed: {other}")),
                    };
                }
                ctx.history.head_shown(&up.ledger)?;
                for witness in 0..WITNESSES {
                    up.ask_witness(ctx, witness);
                }
                Ok(Fate::Runs)
            }
            Timer::Deadline(call) => {
                for standing in &mut up.witnesses {
                    standing.call = standing.call.filter(|open| *open != call);
                }
                Ok(Fate::Runs)
            }
            other => Err(format!("the ledger was woken for {other:?}")),
        }
    }
}

impl Up {
    /// One commit. The answers leave after it; those of a failed one may leave or be lost with the process.
    fn step(&mut self, ctx: &mut Context<'_>, disk: &FaultyDisk, seal: bool) -> Checked<Fate> {
        let outcome = self.ledger.step(seal);
        let replies = std::mem::take(&mut *lock(&self.replies));
        for (to, call, answer) in replies {
            if outcome.is_err() && answer.status == 200 {
                return Err(format!("call {call} was acknowledged though its commit failed"));
            }
            ctx.history.answered(call, &answer, self.ledger.size())?;
            if outcome.is_ok() || ctx.dice.coin() {
                ctx.send(to, Message::Answer { call, answer });
            }
        }
        match outcome {
            Ok(()) if disk.is_down() => Ok(Fate::Stops("its machine stopped".to_owned())),
            Ok(()) => {
                disk.unfailing(|| ctx.history.committed(&self.ledger))?;
                Ok(Fate::Runs)
            }
            Err(error) => {
                ctx.history.report.failed_commits += 1;
                Ok(Fate::Stops(error.to_string()))
            }
        }
    }

    fn ask_witness(&mut self, ctx: &mut Context<'_>, witness: usize) {
        let Some((head, checkpoint)) = self.ledger.head() else { return };
        let standing = &mut self.witnesses[witness];
        let size = head.commitment.size;
        if standing.call.is_some() || standing.size >= size {
            return;
        }
        let old = standing.size;
        let Some(proof) = self.ledger.consistency(old, size) else { return };
        let Ok(note) = Note::parse(&checkpoint) else { return };
        let body = AddCheckpoint { old, proof, note }.to_string();
        let call = ctx.call(WITNESS_DEADLINE);
        standing.call = Some(call);
        ctx.send(Node::Witness(witness), Message::Checkpoint { call, body });
    }

    fn witnessed(
        &mut self,
        ctx: &mut Context<'_>,
        from: Node,
        call: u64,
        outcome: Result<String, Refusal>,
    ) -> Checked<()> {
        let Node::Witness(witness) = from else { return Err(format!("{from:?} is no witness")) };
        let standing = &mut self.witnesses[witness];
        if standing.call != Some(call) {
            return Ok(());
        }
        standing.call = None;
        match outcome {
            Ok(line) => {
                let line = Line::parse(line.trim_end()).ok_or("a cosignature is no line of a note")?;
                standing.size = ctx.history.cosigned(witness, call, &line)?;
            }
            Err(Refusal::Size(size)) => {
                if size > self.ledger.size() {
                    return Err(format!("witness {witness} saw {size} entries, the ledger has {}", self.ledger.size()));
                }
                standing.size = size;
                self.ask_witness(ctx, witness);
            }
            Err(why) => return Err(format!("witness {witness} refuses a head: {why}")),
        }
        Ok(())
    }
}

fn open(log: SegmentLog, heads: &FaultyDisk, clock: &Arc<ManualClock>) -> Result<SteppedLedger, LedgerError> {
    let heads = SegmentLog::open(Place::on(heads.clone()), SMALL_SEGMENTS)?;
    let held = |label| Keyring::one(domain::signer(label) as Arc<dyn Signer>);
    let signers = Signers { event: held("audit"), head: held("head") };
    debug_assert_eq!(signers.event.newest().kid(), kid("audit"), "a ledger's own key");
    SteppedLedger::open(log, heads, signers, Arc::clone(clock) as Arc<dyn Clock>)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
