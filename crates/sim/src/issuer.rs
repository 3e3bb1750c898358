//! The authority's event stream: no journal, its counter is the ledger's cursor. What was sent is sent again, the same
//! bytes, until the ledger has said what became of it; until then nothing new is made.

use crate::Flaw;
use crate::domain::{AUTHORITY, FRESH, IDENTITY, POINTS, START, by_authority, domain, kid, runtime, signer};
use crate::node::{Checked, Context, Fate, Message, Node, Timer};
use eleven_api::audit::{Append, Cursor};
use eleven_api::edge::ManualClock;
use eleven_core::artifact::{self, Artifact, Token, Use};
use eleven_core::chain::EntryHeader;
use eleven_core::encoding::{Object, parse, parse_canonical};
use eleven_core::event::{About, Place, Record};
use eleven_core::reason::Reason;
use eleven_core::registry::{Fold, Snapshot, Stamp};
use eleven_core::time::Time;
use eleven_ledger::WireAnswer;
use std::sync::Arc;

/// How long the ledger may take for a call.
const DEADLINE: u64 = 1200;
/// How long the cursor has to stand still before a new process takes it for its own.
const SETTLE: u64 = 150;

/// The authority, as far as the ledger sees it.
pub(crate) struct IssuerNode {
    pub(crate) clock: Arc<ManualClock>,
    up: Option<Up>,
}

#[derive(Default)]
struct Up {
    /// The next number, once it is known.
    next: Option<u64>,
    /// The cursor as it was told last, while it settles.
    settling: Option<u64>,
    asking: Option<u64>,
    outstanding: Option<Outstanding>,
    /// Artifacts that the ledger has and nobody revoked.
    issued: Vec<Artifact>,
    registry: Option<Fold>,
    from: u64,
    heard: Option<Time>,
    view: Option<Arc<Snapshot>>,
}

/// A record that was sent.
struct Outstanding {
    number: u64,
    body: Arc<Vec<u8>>,
    call: Option<u64>,
    /// Whether its caller was told that its fate is open.
    open: bool,
    then: Then,
}

/// What follows once the ledger has it.
enum Then {
    Nothing,
    HandOut(Box<Token>, usize),
}

impl IssuerNode {
    pub(crate) fn new() -> Self {
        Self { clock: Arc::new(ManualClock::new(START)), up: None }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up.is_some()
    }

    pub(crate) fn down(&mut self) {
        self.up = None;
    }

    /// Whether no fate is open.
    pub(crate) fn at_rest(&self) -> bool {
        self.up.as_ref().is_some_and(|up| up.outstanding.is_none())
    }

    pub(crate) fn start(&mut self, ctx: &mut Context<'_>) -> Fate {
        self.up = Some(Up::default());
        ctx.wake(SETTLE, 50, Timer::Issue);
        ctx.wake(1, 50, Timer::Follow);
        ctx.wake(100, 100, Timer::Stamp);
        Fate::Runs
    }

    pub(crate) fn receive(&mut self, ctx: &mut Context<'_>, message: Message) -> Checked<Fate> {
        let Some(up) = &mut self.up else { return Ok(Fate::Runs) };
        match message {
            Message::Answer { call, answer } => {
                up.heard = Some(ctx.now);
                if up.asking == Some(call) {
                    up.asking = None;
                    up.told(&answer)?;
                } else if up.outstanding.as_ref().is_some_and(|sent| sent.call == Some(call)) {
                    up.answered(ctx, &answer);
                }
            }
            Message::Entries { entries, .. } => {
                up.heard = Some(ctx.now);
                for (seq, bytes) in entries {
                    up.fold(seq, &bytes)?;
                }
            }
            other => return Err(format!("the authority was sent {other}")),
        }
        Ok(Fate::Runs)
    }

    pub(crate) fn wake(&mut self, ctx: &mut Context<'_>, timer: Timer) -> Checked<Fate> {
        let Some(up) = &mut self.up else { return Ok(Fate::Runs) };
        match timer {
            Timer::Issue => {
                ctx.wake(SETTLE, 300, Timer::Issue);
                up.issue(ctx)?;
            }
            Timer::Follow => {
                ctx.wake(300, 300, Timer::Follow);
                let call = ctx.call(DEADLINE);
                ctx.send(Node::Ledger, Message::Registry { call, from: up.from });
            }
            Timer::Stamp => {
                ctx.wake(700, 100, Timer::Stamp);
                up.stamp(ctx);
            }
            Timer::Deadline(call) => {
                up.asking = up.asking.filter(|open| *open != call);
                if let Some(sent) = up.outstanding.as_mut().filter(|sent| sent.call == Some(call)) {
                    sent.unknown(ctx);
                }
            }
            other => return Err(format!("the authority was woken for {other:?}")),
        }
        Ok(Fate::Runs)
    }
}

impl Outstanding {
    /// No answer, or one that says nothing: the caller is told so, and the same bytes go again.
    fn unknown(&mut self, ctx: &mut Context<'_>) {
        if !std::mem::replace(&mut self.open, true) {
            ctx.history.report.open_fates += 1;
        }
        self.call = None;
    }
}

impl Up {
    fn told(&mut self, answer: &WireAnswer) -> Checked<()> {
        if answer.status != 200 {
            self.settling = None;
            return Ok(());
        }
        let cursor = Cursor::read(parse(&answer.body).map_err(|error| error.to_string())?);
        let next = cursor.map_err(|error| error.to_string())?.next;
        if self.settling == Some(next) {
            self.next = Some(next);
        }
        self.settling = Some(next);
        Ok(())
    }

    fn issue(&mut self, ctx: &mut Context<'_>) -> Checked<()> {
        if let Some(sent) = &mut self.outstanding {
            if ctx.flaw == Some(Flaw::NumberGivenTwice) && sent.open {
                self.outstanding = None;
            } else if sent.call.is_none() {
                return send(ctx, sent);
            } else {
                return Ok(());
            }
        }
        let Some(number) = self.next else {
            if self.asking.is_none() {
                let call = ctx.call(DEADLINE);
                self.asking = Some(call);
                ctx.send(Node::Ledger, Message::Cursor { call, kid: kid("authority") });
            }
            return Ok(());
        };
        if ctx.calm || self.registry.is_none() {
            return Ok(());
        }
        let mut append = Append::default();
        let then = self.draft(ctx, number, &mut append);
        let body = Arc::new(append.to_bytes());
        let mut sent = Outstanding { number, body, call: None, open: false, then };
        send(ctx, &mut sent)?;
        self.outstanding = Some(sent);
        Ok(())
    }

    /// An issuance, a revocation or a denial.
    fn draft(&mut self, ctx: &mut Context<'_>, number: u64, append: &mut Append) -> Then {
        let now = ctx.now;
        let alone = |event, data, about| by_authority(event, Place::Alone, data, about, now, number);
        match ctx.dice.below(10) {
            0 | 1 if !self.issued.is_empty() => {
                let at = usize::try_from(ctx.dice.below(self.issued.len() as u64)).unwrap_or(0);
                let artifact = self.issued.swap_remove(at);
                let data = Object::new().with("artifact", &artifact.id).with("exp", artifact.exp.to_seconds_value());
                append.record(&alone("authorization.revoked", data.with("why", "operator"), About::default()));
                Then::Nothing
            }
            2 => {
                let about = About {
                    identity: Some(IDENTITY.to_owned()),
                    reason: Some(Reason::PolicyDenied),
                    runtime: Some(runtime(0)),
                    ..About::default()
                };
                let data = Object::new().with("details", format!("denial {number}"));
                append.record(&alone("execution.denied", data, about));
                Then::Nothing
            }
            _ => {
                let mut random = [0; 17];
                random[..8].copy_from_slice(&ctx.dice.roll().to_be_bytes());
                random[8..16].copy_from_slice(&ctx.dice.roll().to_be_bytes());
                let nonce = artifact::nonce(&random);
                let usage = if ctx.dice.one_in(3) { Use::Bounded { nonce, max: 2 } } else { Use::Single { nonce } };
                let point = usize::try_from(ctx.dice.below(POINTS as u64)).unwrap_or(0);
                let (artifact, issued) = domain().issue(point, usage, ctx.now, number, append);
                debug_assert_eq!(artifact.iss, AUTHORITY, "the authority's own artifact");
                Then::HandOut(Box::new(Token { artifact, issued, salt: String::new() }), point)
            }
        }
    }

    fn answered(&mut self, ctx: &mut Context<'_>, answer: &WireAnswer) {
        let Some(mut sent) = self.outstanding.take() else { return };
        match answer.status {
            200 => {
                ctx.history.report.repeats += u64::from(sent.open);
                self.next = Some(sent.number + 1);
                if let Then::HandOut(token, point) = sent.then {
                    self.issued.push(token.artifact.clone());
                    ctx.send(Node::Point(point), Message::Token(Arc::new(*token)));
                }
            }
            status if status >= 500 => {
                sent.unknown(ctx);
                self.outstanding = Some(sent);
            }
            _ => {
                // Refused: the ledger says where the stream stands.
                (self.next, self.settling) = (None, None);
            }
        }
    }

    fn fold(&mut self, seq: u64, bytes: &[u8]) -> Checked<()> {
        if seq < self.from {
            return Ok(());
        }
        self.from = seq + 1;
        let (header, record) = EntryHeader::split(bytes).map_err(|error| error.to_string())?;
        let record = parse_canonical(record).map_err(|error| error.to_string())?;
        let record = Record::read(record).map_err(|error| error.to_string())?;
        match &mut self.registry {
            None => {
                let fold = Fold::genesis(header.at, &record.by, &record.data).map_err(|error| error.to_string())?;
                self.registry = Some(fold);
            }
            Some(fold) => {
                fold.apply(header.at, &record.event, &record.by, &record.data).map_err(|error| error.to_string())?;
            }
        }
        self.view = None;
        Ok(())
    }

    /// Stamps the epoch that the ledger acknowledged, while it has been heard of within `fresh`.
    fn stamp(&mut self, ctx: &mut Context<'_>) {
        let heard = self.heard.is_some_and(|heard| ctx.now.since(heard) <= i64::try_from(FRESH * 1000).unwrap_or(0));
        let Some(registry) = self.registry.as_ref().filter(|_| heard) else { return };
        let signer = signer("registry");
        if self.view.is_none() {
            self.view = registry.snapshot(&*signer).ok().map(Arc::new);
        }
        let Some(snapshot) = &self.view else { return };
        let stamp = Stamp::sign(&snapshot.header, ctx.now, &*signer);
        let view = Arc::new(((**snapshot).clone(), stamp));
        for point in 0..POINTS {
            ctx.send(Node::Point(point), Message::View(Arc::clone(&view)));
        }
    }
}

fn send(ctx: &mut Context<'_>, sent: &mut Outstanding) -> Checked<()> {
    let call = ctx.call(DEADLINE);
    sent.call = Some(call);
    ctx.history.sent(call, &sent.body)?;
    ctx.send(Node::Ledger, Message::Append { call, body: Arc::clone(&sent.body) });
    Ok(())
}
