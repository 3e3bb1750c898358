//! An enforcement point: the real admission, journal, recovery and forwarding, on a disk of its own.

use crate::Flaw;
use crate::domain::{self, IDENTITY, START, domain, environment, operation, workload};
use crate::node::{Checked, Context, Fate, Message, Node, SEGMENTS, Timer};
use eleven_api::audit::{Appended, Cursor};
use eleven_api::edge::{ManualClock, Moment};
use eleven_core::artifact::{Token, result_digest};
use eleven_core::attestation::{Outcome, StatementResult};
use eleven_core::encoding::parse;
use eleven_core::event::Record;
use eleven_core::hash::Sha3;
use eleven_core::registry::{KeyTables, Snapshot, Stamp, View};
use eleven_core::time::Time;
use eleven_enforce::admission::{Asked, Held, admit_read};
use eleven_enforce::denial::Denial;
use eleven_enforce::journal::{Journal, Line, encode_event};
use eleven_enforce::permit::{DurableReceipt, Ending, Execution};
use eleven_ledger::WireAnswer;
use eleven_runtime::recover::{self, ReadBackError};
use eleven_runtime::{Acknowledged, Backlog, Outbox, Step};
use eleven_store::faulty::FaultyDisk;
use eleven_store::{AppendError, Durable, Log as _, OpenError, Place, SegmentLog};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long the ledger may take for a call.
const DEADLINE: u64 = 1500;
/// After how many events the epoch, and what is open, is written again: a few, so that it happens.
const RENEW: u64 = 12;
/// The audit bound in milliseconds.
const BOUND: i64 = 5000;

thread_local! {
    /// The keys are the same in every run.
    static TABLES: RefCell<KeyTables> = RefCell::new(KeyTables::new());
}

/// A point and its disk.
pub(crate) struct PointNode {
    number: usize,
    kid: String,
    pub(crate) disk: FaultyDisk,
    pub(crate) clock: Arc<ManualClock>,
    up: Option<Up>,
}

struct Up {
    log: SegmentLog,
    journal: Journal,
    outbox: Outbox,
    call: Option<(u64, bool)>,
    /// When the call was made.
    asked: Moment,
    backlog: Backlog,
    view: Option<View>,
    tokens: Vec<Arc<Token>>,
    running: BTreeMap<String, Execution>,
}

struct Receipt<'a>(&'a Durable);

impl DurableReceipt for Receipt<'_> {
    fn count(&self) -> u64 {
        self.0.count()
    }
}

fn unreadable() -> Fate {
    Fate::Stops("its disk cannot be read".to_owned())
}

impl PointNode {
    pub(crate) fn new(number: usize, seed: u64) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        Self { number, kid: domain::kid(&format!("gw-{number}")), disk: FaultyDisk::new(seed), clock, up: None }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up.is_some()
    }

    pub(crate) fn down(&mut self) {
        self.up = None;
    }

    /// Whether nothing runs here and nothing waits.
    pub(crate) fn at_rest(&self) -> bool {
        self.up.as_ref().is_some_and(|up| up.running.is_empty() && !up.outbox.is_behind(up.log.reader().as_ref()))
    }

    pub(crate) fn start(&mut self, ctx: &mut Context<'_>) -> Checked<Fate> {
        let mut log = match SegmentLog::open(Place::on(self.disk.clone()), SEGMENTS) {
            Ok(log) => log,
            Err(OpenError::Io { doing, cause }) => return Ok(Fate::Stops(format!("could not {doing}: {cause}"))),
            Err(error) => return Err(format!("{} does not recover: {error}", self.kid)),
        };
        let read_back = recover::read_back(&log, domain::point(self.number));
        let mut journal = match read_back {
            Ok(journal) => journal,
            Err(ReadBackError::Disk(error)) => return Ok(Fate::Stops(error.to_string())),
            Err(why) => return Err(format!("{} does not recover: {why}", self.kid)),
        };
        let first = log.first();
        if !self.note(ctx, &log, first)? {
            return Ok(unreadable());
        }
        ctx.history.point_started(self.number, &self.kid, journal.next_seq(), journal.seen_epoch())?;
        let (before, open) = (log.next(), journal.open_lineages() as u64);
        if let Err(why) = recover::close_open(&mut log, &mut journal, ctx.now) {
            return Ok(Fate::Stops(why));
        }
        ctx.history.report.interrupted += open;
        if !self.note(ctx, &log, before)? {
            return Ok(unreadable());
        }
        self.up = Some(Up {
            log,
            journal,
            outbox: Outbox::default(),
            call: None,
            asked: ctx.moment(),
            backlog: Backlog::new(ctx.moment()),
            view: None,
            tokens: Vec::new(),
            running: BTreeMap::new(),
        });
        ctx.wake(10, 200, Timer::Act);
        ctx.wake(10, 100, Timer::Forward);
        Ok(Fate::Runs)
    }

    /// Tells the world what is durable in the journal from a position on; `false` where its disk can't be read.
    fn note(&self, ctx: &mut Context<'_>, log: &SegmentLog, from: u64) -> Checked<bool> {
        let (reader, mut position) = (log.reader(), from);
        loop {
            let Ok(read) = self.disk.unfailing(|| reader.read_from(position, 256, 1 << 20)) else { return Ok(false) };
            let Some((last, _)) = read.last() else { return Ok(true) };
            position = last + 1;
            for (_, bytes) in &read {
                match Line::decode(bytes).map_err(|error| error.to_string())? {
                    Line::Epoch(epoch) => ctx.history.saw_epoch(self.number, epoch),
                    Line::Event { record, .. } => {
                        let started = (record.event == "execution.started").then_some(record.op.as_str());
                        let digest = Sha3::of(&[record.canonical()]);
                        ctx.history.journaled(&self.kid, record.src_seq, digest, started)?;
                    }
                    Line::Open(_) => {}
                }
            }
        }
    }

    pub(crate) fn receive(&mut self, ctx: &mut Context<'_>, message: Message) -> Checked<Fate> {
        let Some(up) = &mut self.up else { return Ok(Fate::Runs) };
        match message {
            Message::Token(token) => {
                up.tokens.push(token);
                Ok(Fate::Runs)
            }
            Message::View(view) => up.look(&view),
            Message::Answer { call, answer } => self.answered(ctx, call, &answer),
            other => Err(format!("point {} was sent {other}", self.number)),
        }
    }

    pub(crate) fn wake(&mut self, ctx: &mut Context<'_>, timer: Timer) -> Checked<Fate> {
        if self.up.is_none() {
            return Ok(Fate::Runs);
        }
        match timer {
            Timer::Act => {
                ctx.wake(60, 200, Timer::Act);
                self.act(ctx)
            }
            Timer::Forward => {
                ctx.wake(80, 250, Timer::Forward);
                self.forward(ctx)
            }
            Timer::Finish(op) => self.finish(ctx, &op),
            Timer::Deadline(call) => {
                if let Some(up) = self.up.as_mut().filter(|up| up.call.is_some_and(|(open, _)| open == call)) {
                    up.call = None;
                }
                Ok(Fate::Runs)
            }
            other => Err(format!("a point was woken for {other:?}")),
        }
    }

    /// Admits a token, now and then one that was used before.
    fn act(&mut self, ctx: &mut Context<'_>) -> Checked<Fate> {
        let Some(up) = &mut self.up else { return Ok(Fate::Runs) };
        up.journal.forget_expired();
        if up.tokens.is_empty() || ctx.calm {
            return Ok(Fate::Runs);
        }
        let at = usize::try_from(ctx.dice.below(up.tokens.len() as u64)).unwrap_or(0);
        let token = if ctx.dice.one_in(4) { Arc::clone(&up.tokens[at]) } else { up.tokens.swap_remove(at) };
        let admitted = up.admit(ctx.moment(), self.number, &token);
        let opened = admitted.and_then(|admitted| up.journal.open(admitted, workload(), ctx.now));
        match opened {
            Err(denial) => self.deny(ctx, &denial),
            Ok(opened) => {
                if ctx.flaw == Some(Flaw::EagerPermit) {
                    ctx.history.executed(&opened.records()[0].op, self.number)?;
                }
                let durable = match up.commit(opened.records(), Some(token.artifact.exp)) {
                    Ok(durable) => durable,
                    Err(error) => return Ok(Fate::Stops(error.to_string())),
                };
                let permit = opened.permit(&Receipt(&durable)).map_err(|_| "a receipt for other records".to_owned())?;
                let execution = permit.run();
                if ctx.flaw != Some(Flaw::EagerPermit) {
                    ctx.history.executed(&execution.op, self.number)?;
                }
                ctx.wake(50, 900, Timer::Finish(execution.op.clone()));
                up.running.insert(execution.op.clone(), execution);
                self.noted(ctx, durable.first())
            }
        }
    }

    fn deny(&mut self, ctx: &mut Context<'_>, denial: &Denial) -> Checked<Fate> {
        let Some(up) = &mut self.up else { return Ok(Fate::Runs) };
        let record = up.journal.deny(denial, ctx.now)?;
        match up.commit(&[record], None) {
            Ok(durable) => self.noted(ctx, durable.first()),
            Err(error) => Ok(Fate::Stops(error.to_string())),
        }
    }

    fn finish(&mut self, ctx: &mut Context<'_>, op: &str) -> Checked<Fate> {
        let Some(up) = &mut self.up else { return Ok(Fate::Runs) };
        let Some(execution) = up.running.remove(op) else { return Ok(Fate::Runs) };
        let outcome = if ctx.dice.one_in(5) { Outcome::Failed } else { Outcome::Completed };
        let digest = result_digest(&execution.salt, Sha3::of(&[b"result"]), 200);
        let result = StatementResult { digest, bytes: 6, status: 200 };
        let cause = (outcome == Outcome::Failed).then_some("upstream");
        let closing = up.journal.close(execution, &Ending { outcome, cause, result, finished: ctx.now })?;
        match up.commit(&closing.records, None) {
            Ok(durable) => self.noted(ctx, durable.first()),
            Err(error) => Ok(Fate::Stops(error.to_string())),
        }
    }

    fn noted(&mut self, ctx: &mut Context<'_>, from: u64) -> Checked<Fate> {
        let Some(up) = &self.up else { return Ok(Fate::Runs) };
        Ok(if self.note(ctx, &up.log, from)? { Fate::Runs } else { unreadable() })
    }

    fn forward(&mut self, ctx: &mut Context<'_>) -> Checked<Fate> {
        let Some(up) = &mut self.up else { return Ok(Fate::Runs) };
        if up.call.is_some() {
            return Ok(Fate::Runs);
        }
        up.asked = ctx.moment();
        let step = match up.outbox.next(up.log.reader().as_ref()) {
            Ok(step) => step,
            Err(eleven_runtime::OutboxError::Journal(why)) => return Ok(Fate::Stops(why)),
            Err(error) => return Err(format!("point {}: {error}", self.number)),
        };
        let call = ctx.call(DEADLINE);
        match step {
            Step::Ask => {
                up.call = Some((call, false));
                ctx.send(Node::Ledger, Message::Cursor { call, kid: self.kid.clone() });
            }
            Step::Send(body) => {
                up.call = Some((call, true));
                ctx.history.sent(call, &body)?;
                ctx.send(Node::Ledger, Message::Append { call, body: Arc::new(body) });
            }
        }
        Ok(Fate::Runs)
    }

    fn answered(&mut self, ctx: &mut Context<'_>, call: u64, answer: &WireAnswer) -> Checked<Fate> {
        let Some(up) = &mut self.up else { return Ok(Fate::Runs) };
        let Some((_, append)) = up.call.filter(|(open, _)| *open == call) else { return Ok(Fate::Runs) };
        up.call = None;
        let body = || parse(&answer.body).map_err(|error| error.to_string());
        let acknowledged = match (answer.status, append) {
            (200, true) => up.outbox.taken(Appended::read(body()?).map_err(|error| error.to_string())?.next),
            (200, false) => up.outbox.told(&Cursor::read(body()?).map_err(|error| error.to_string())?),
            (status, true) if status < 500 => {
                if ctx.flaw != Some(Flaw::StubbornPoint) {
                    up.outbox.refused();
                }
                Acknowledged::Open
            }
            _ => Acknowledged::Open,
        };
        up.backlog.advance(acknowledged, up.asked);
        for line in up.journal.again(RENEW) {
            if let Err(error) = up.log.append(up.log.next(), &[&line.encode()]) {
                return Ok(Fate::Stops(error.to_string()));
            }
        }
        // What can't be dropped now is dropped later.
        let _ = up.log.drop_before(up.outbox.unwanted_before(up.journal.open_from()));
        Ok(Fate::Runs)
    }
}

impl Up {
    /// A newer view: its epoch is durable before it is used.
    fn look(&mut self, view: &(Snapshot, Stamp)) -> Checked<Fate> {
        let (snapshot, stamp) = view;
        let view = match self.view.as_ref().filter(|held| held.epoch() == snapshot.header.epoch) {
            Some(held) if held.stamp().issued >= stamp.issued => return Ok(Fate::Runs),
            Some(held) => held.restamped(stamp.clone()),
            None => {
                TABLES.with_borrow_mut(|tables| View::open(&domain().root, snapshot.clone(), stamp.clone(), tables))
            }
        };
        let view = view.map_err(|error| format!("a view does not verify: {error}"))?;
        if view.epoch() < self.journal.seen_epoch() {
            return Ok(Fate::Runs);
        }
        if let Some(line) = self.journal.note_epoch(view.epoch())
            && let Err(error) = self.log.append(self.log.next(), &[&line.encode()])
        {
            return Ok(Fate::Stops(error.to_string()));
        }
        self.view = Some(view);
        Ok(Fate::Runs)
    }

    fn admit(&self, now: Moment, number: usize, token: &Token) -> Result<eleven_enforce::admission::Admitted, Denial> {
        let point = self.journal.point();
        let held = Held {
            view: self.view.as_ref(),
            stamped: self.view.as_ref().map(|view| view.stamp().issued),
            held_ms: 0,
            point: &point.name,
            binary: &point.binary,
            config: &point.config,
            signs: &point.signs(),
            last_now: self.journal.last_now(),
            dated: None,
            unknown: false,
            seen_epoch: self.journal.seen_epoch(),
            uses_since: None,
            bundles: None,
            backlog_ms: self.backlog.ms(now),
            backlog_bound_ms: BOUND,
            unproven_ms: None,
        };
        let (operation, environment) = (operation(), environment(number));
        let asked = Asked {
            now: now.at,
            caller: IDENTITY,
            holder: None,
            operation: &operation,
            request: None,
            environment: &environment,
        };
        admit_read(&held, &asked, token.clone())
    }

    fn commit(&mut self, records: &[Record], exp: Option<Time>) -> Result<Durable, AppendError> {
        let line = |record: &Record| encode_event(record, exp.filter(|_| record.event == "authorization.consumed"));
        let lines: Vec<Vec<u8>> = records.iter().map(line).collect();
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        self.log.append(self.log.next(), &lines)
    }
}
