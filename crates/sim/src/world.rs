//! The world: one schedule, one clock, chance from one seed.

use crate::Options;
use crate::chaos::{self, Trouble};
use crate::domain::{POINTS, START, WITNESSES};
use crate::history::{History, Report};
use crate::issuer::IssuerNode;
use crate::ledger::LedgerNode;
use crate::node::{Checked, Context, Effect, Fate, Message, Node, Timer};
use crate::point::PointNode;
use crate::witness::WitnessNode;
use eleven_api::edge::ManualClock;
use eleven_store::faulty::{Dice, FaultyDisk};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The longest that a message is under way.
const LONGEST_WAY: u64 = 900;
/// How many of the last steps a failure shows.
const SHOWN: usize = 60;

/// A broken property, and how to see it again.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed of the run.
    pub seed: u64,
    /// What is broken.
    pub what: String,
    /// The last steps before it.
    pub steps: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        writeln!(f, "seed {}: {}", self.seed, self.what)?;
        let seed = self.seed;
        write!(
            f,
            "to see it again: ELEVEN_SEED={seed} cargo nextest run -p eleven-sim one_seed --run-ignored all --no-capture"
        )
    }
}

impl std::error::Error for Failure {}

/// Runs one seed.
///
/// # Errors
/// The first property that is broken. A panic of what is simulated is one.
pub fn run(seed: u64, options: &Options) -> Result<Report, Failure> {
    let mut world = World::new(seed, *options);
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
    let what = match outcome {
        Ok(Ok(report)) => return Ok(report),
        Ok(Err(what)) => what,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_else(|| "it panicked".to_owned())
        }
    };
    Err(Failure { seed, what, steps: world.steps.into() })
}

/// Something that is due.
#[derive(Debug)]
enum Due {
    Deliver {
        from: Node,
        to: Node,
        message: Message,
    },
    /// A node is woken, if it is the same process still.
    Wake {
        node: Node,
        life: u64,
        timer: Timer,
    },
    Start(Node),
    Trouble,
    Rejoin(Node),
    Room(Node),
    Calm,
}

struct World {
    seed: u64,
    options: Options,
    dice: Dice,
    now: u64,
    tie: u64,
    calls: u64,
    schedule: BTreeMap<(u64, u64), Due>,
    nodes: Vec<Node>,
    ledger: LedgerNode,
    issuer: IssuerNode,
    points: Vec<PointNode>,
    witnesses: Vec<WitnessNode>,
    /// How often each process was started.
    lives: BTreeMap<Node, u64>,
    offsets: BTreeMap<Node, i64>,
    cut: BTreeSet<Node>,
    calm: bool,
    history: History,
    steps: VecDeque<String>,
}

impl World {
    fn new(seed: u64, options: Options) -> Self {
        let mut dice = Dice::new(seed);
        let mut nodes = vec![Node::Ledger, Node::Issuer];
        nodes.extend((0..POINTS).map(Node::Point));
        nodes.extend((0..WITNESSES).map(Node::Witness));
        Self {
            seed,
            options,
            now: 0,
            tie: 0,
            calls: 0,
            schedule: BTreeMap::new(),
            ledger: LedgerNode::new(dice.roll()),
            issuer: IssuerNode::new(),
            points: (0..POINTS).map(|point| PointNode::new(point, dice.roll())).collect(),
            witnesses: (0..WITNESSES).map(|witness| WitnessNode::new(witness, dice.roll())).collect(),
            lives: nodes.iter().map(|node| (*node, 0)).collect(),
            offsets: nodes.iter().map(|node| (*node, 0)).collect(),
            nodes,
            cut: BTreeSet::new(),
            calm: false,
            history: History::default(),
            steps: VecDeque::new(),
            dice,
        }
    }

    fn run(&mut self) -> Checked<Report> {
        for node in self.nodes.clone() {
            self.at(0, Due::Start(node));
        }
        self.at(500, Due::Trouble);
        self.at(self.options.trouble, Due::Calm);
        let end = self.options.trouble + self.options.rest;
        while let Some(((now, _), due)) = self.schedule.pop_first() {
            self.now = now;
            self.take(due)?;
            if self.calm && self.unrest().is_none() {
                let ledger = self.ledger.running().ok_or("the ledger is down at rest")?;
                return self.history.conclude(ledger, self.seed.is_multiple_of(4));
            }
            if now > end {
                let unrest = self.unrest().unwrap_or_default();
                return Err(format!("nothing comes to rest: {unrest}"));
            }
        }
        Err("nothing is due any more".to_owned())
    }

    /// What is still to come; nothing once everything is at rest.
    fn unrest(&self) -> Option<String> {
        let Some(ledger) = self.ledger.running() else { return Some("the ledger is down".to_owned()) };
        if let Some(down) = self.nodes.iter().find(|node| !self.is_up(**node)) {
            return Some(format!("{down:?} is down"));
        }
        if !self.issuer.at_rest() {
            return Some("the fate of a record of the authority is open".to_owned());
        }
        if let Some(point) = (0..POINTS).find(|point| !self.points[*point].at_rest()) {
            return Some(format!("point {point} has something to run or to send"));
        }
        let sizes: Vec<u64> = self.witnesses.iter().map(WitnessNode::size).collect();
        self.history.unrest(ledger, &sizes)
    }

    fn take(&mut self, due: Due) -> Checked<()> {
        match due {
            Due::Deliver { from, to, message } => {
                if self.is_up(to) && !self.cut.contains(&to) {
                    self.say(|| format!("{to:?} gets from {from:?}: {message}"));
                    self.step(to, |world, ctx| match to {
                        Node::Ledger => world.ledger.receive(ctx, from, message),
                        Node::Issuer => world.issuer.receive(ctx, message),
                        Node::Point(at) => world.points[at].receive(ctx, message),
                        Node::Witness(at) => world.witnesses[at].receive(ctx, from, message),
                    })?;
                }
            }
            Due::Wake { node, life, timer } => {
                if self.is_up(node) && self.lives[&node] == life {
                    self.say(|| format!("{node:?} is woken: {timer:?}"));
                    self.step(node, |world, ctx| match node {
                        Node::Ledger => world.ledger.wake(ctx, timer),
                        Node::Issuer => world.issuer.wake(ctx, timer),
                        Node::Point(at) => world.points[at].wake(ctx, timer),
                        Node::Witness(_) => Ok(Fate::Runs),
                    })?;
                }
            }
            Due::Start(node) => self.start(node)?,
            Due::Trouble => self.trouble(),
            Due::Rejoin(node) => {
                self.cut.remove(&node);
            }
            Due::Room(node) => self.disks(node).iter().for_each(|disk| disk.set_room(None)),
            Due::Calm => self.heal(),
        }
        Ok(())
    }

    /// Lets a node act, carries out what it wants, and ends it where it must stop.
    fn step(&mut self, node: Node, act: impl FnOnce(&mut Self, &mut Context<'_>) -> Checked<Fate>) -> Checked<()> {
        let steady = i64::try_from(self.now).unwrap_or(0);
        let now = START.plus_millis(steady).plus_millis(self.offsets[&node]);
        self.clock(node).set(now);
        let mut dice = Dice::new(self.dice.roll());
        let (mut history, mut calls) = (std::mem::take(&mut self.history), self.calls);
        let mut ctx = Context {
            now,
            steady,
            dice: &mut dice,
            history: &mut history,
            calm: self.calm,
            flaw: self.options.flaw,
            calls: &mut calls,
            effects: Vec::new(),
        };
        let fate = act(self, &mut ctx);
        let effects = ctx.effects;
        (self.history, self.calls) = (history, calls);
        for effect in effects {
            self.carry_out(node, effect);
        }
        let down = self.disks(node).iter().any(FaultyDisk::is_down);
        match fate? {
            Fate::Runs if !down => {}
            Fate::Runs => self.end(node, "its machine stopped"),
            Fate::Stops(why) => self.end(node, &why),
        }
        Ok(())
    }

    fn carry_out(&mut self, node: Node, effect: Effect) {
        match effect {
            Effect::Wake(after, timer) => {
                let life = self.lives[&node];
                self.at(after, Due::Wake { node, life, timer });
            }
            Effect::Send(to, message) => {
                if self.cut.contains(&node) || (!self.calm && self.dice.one_in(25)) {
                    return;
                }
                if !self.calm && self.dice.one_in(25) {
                    let way = self.way();
                    self.at(way, Due::Deliver { from: node, to, message: message.clone() });
                }
                let way = self.way();
                self.at(way, Due::Deliver { from: node, to, message });
            }
        }
    }

    /// How long a message is under way.
    fn way(&mut self) -> u64 {
        if !self.calm && self.dice.one_in(8) { self.dice.below(LONGEST_WAY) } else { 1 + self.dice.below(8) }
    }

    fn start(&mut self, node: Node) -> Checked<()> {
        if self.is_up(node) {
            return Ok(());
        }
        self.boot(node);
        self.say(|| format!("{node:?} starts"));
        self.step(node, |world, ctx| match node {
            Node::Ledger => world.ledger.start(ctx),
            Node::Issuer => Ok(world.issuer.start(ctx)),
            Node::Point(at) => world.points[at].start(ctx),
            Node::Witness(at) => world.witnesses[at].start(ctx),
        })
    }

    /// Turns on a machine that is down.
    fn boot(&mut self, node: Node) {
        if self.disks(node).iter().any(FaultyDisk::is_down) {
            self.reboot(node);
        }
    }

    /// Ends a process. Its successor comes after a while: the authority's when nothing is under way any more.
    fn end(&mut self, node: Node, why: &str) {
        self.say(|| format!("{node:?} ends: {why}"));
        self.history.report.crashes += 1;
        *self.lives.entry(node).or_default() += 1;
        match node {
            Node::Ledger => self.ledger.down(),
            Node::Issuer => self.issuer.down(),
            Node::Point(at) => self.points[at].down(),
            Node::Witness(at) => self.witnesses[at].down(),
        }
        let least = if node == Node::Issuer { LONGEST_WAY + 100 } else { 50 };
        let after = least + self.dice.below(1500);
        self.at(after, Due::Start(node));
    }

    fn trouble(&mut self) {
        if self.calm {
            return;
        }
        let after = 300 + self.dice.below(1700);
        self.at(after, Due::Trouble);
        let trouble = Trouble::draw(&mut self.dice, &self.nodes);
        self.say(|| format!("trouble: {trouble:?}"));
        match trouble {
            Trouble::Kill(node) if self.is_up(node) => self.end(node, "killed"),
            Trouble::Crash(node) if self.is_up(node) => {
                self.end(node, "its machine crashed");
                self.reboot(node);
            }
            Trouble::Kill(_) | Trouble::Crash(_) => {}
            Trouble::Cut(node, millis) => {
                self.cut.insert(node);
                self.at(millis, Due::Rejoin(node));
            }
            Trouble::Fault(node) => {
                let disks = self.disks(node);
                let one = usize::try_from(self.dice.below(disks.len() as u64)).unwrap_or(0);
                if let Some(disk) = disks.get(one) {
                    let (at, fault) = chaos::plan(&mut self.dice, disk);
                    self.say(|| format!("operation {at} of disk {one} of {node:?} will be {fault:?}"));
                }
            }
            Trouble::Full(node, millis) => {
                self.history.report.full_disks += 1;
                let room = usize::try_from(self.dice.below(20_000)).unwrap_or(0);
                self.disks(node).iter().for_each(|disk| disk.set_room(Some(disk.used() + room)));
                self.at(millis, Due::Room(node));
            }
            Trouble::Step(node, millis) => {
                self.history.report.steps_back += u64::from(millis < 0);
                *self.offsets.entry(node).or_default() += millis;
            }
        }
    }

    /// Turns a machine off and on: chance says what of the unsynced is left.
    fn reboot(&mut self, node: Node) {
        let mut survival = || chaos::survival(&mut self.dice);
        match node {
            Node::Ledger => {
                self.ledger.log = self.ledger.log.reboot(survival());
                self.ledger.heads = self.ledger.heads.reboot(survival());
            }
            Node::Issuer => {}
            Node::Point(at) => self.points[at].disk = self.points[at].disk.reboot(survival()),
            Node::Witness(at) => self.witnesses[at].disk = self.witnesses[at].disk.reboot(survival()),
        }
    }

    /// Trouble is over: links, disks and clocks are in order from here on.
    fn heal(&mut self) {
        self.say(|| "calm".to_owned());
        self.calm = true;
        self.cut.clear();
        for node in self.nodes.clone() {
            for disk in self.disks(node) {
                disk.set_room(None);
                disk.forget_plan();
            }
        }
        self.offsets.values_mut().for_each(|offset| *offset = 0);
    }

    fn is_up(&self, node: Node) -> bool {
        match node {
            Node::Ledger => self.ledger.is_up(),
            Node::Issuer => self.issuer.is_up(),
            Node::Point(at) => self.points[at].is_up(),
            Node::Witness(at) => self.witnesses[at].is_up(),
        }
    }

    fn disks(&self, node: Node) -> Vec<FaultyDisk> {
        match node {
            Node::Ledger => vec![self.ledger.log.clone(), self.ledger.heads.clone()],
            Node::Issuer => Vec::new(),
            Node::Point(at) => vec![self.points[at].disk.clone()],
            Node::Witness(at) => vec![self.witnesses[at].disk.clone()],
        }
    }

    fn clock(&self, node: Node) -> &ManualClock {
        match node {
            Node::Ledger => &self.ledger.clock,
            Node::Issuer => &self.issuer.clock,
            Node::Point(at) => &self.points[at].clock,
            Node::Witness(at) => &self.witnesses[at].clock,
        }
    }

    fn at(&mut self, after: u64, due: Due) {
        self.tie += 1;
        self.schedule.insert((self.now + after, self.tie), due);
    }

    fn say(&mut self, step: impl FnOnce() -> String) {
        if self.steps.len() == SHOWN {
            self.steps.pop_front();
        }
        self.steps.push_back(format!("{:>7} ms  {}", self.now, step()));
    }
}
