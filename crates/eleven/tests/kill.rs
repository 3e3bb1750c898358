//! Kill test: each corner is killed (SIGKILL) at seeded moments under load, twenty times; afterwards nothing that was
//! acknowledged is missing, nothing happened twice, and nothing is left open.
//!
//! The moments are printed; `ELEVEN_KILL_SEED` repeats them. What this does not test is the loss of power: the faulty store
//! does.
#![allow(clippy::print_stdout, reason = "the moments are printed, so that they can be repeated")]

#[allow(dead_code, reason = "the demo uses more of it")]
#[path = "../src/demo/caller.rs"]
mod caller;
#[path = "../src/demo/port.rs"]
mod port;
#[allow(dead_code, reason = "the demo and the benchmark use more of it")]
#[path = "../src/demo/system.rs"]
mod system;

/// The model of the upstream.
mod upstream {
    pub(crate) const MODEL: &str = "demo-summarizer";
}

use caller::Caller;
use eleven_api::client::Client;
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_core::encoding::{Value, parse};
use eleven_core::time::Time;
use eleven_enforce::journal::Line;
use eleven_store::{Folder, Log as _, SegmentLog, SegmentOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use system::{Part, Plan, System};

/// How often something is killed.
const KILLS: usize = 20;
/// How many of them must find a request between consumption and evidence.
const LEAST_HITS: usize = 15;
/// Callers at once.
const CALLERS: u64 = 8;
/// What the model takes for an answer: the time in which a kill finds a request running.
const MODEL_MS: &str = "30";
/// Artifacts that a caller who presents them keeps in stock, for when there is no authority.
const STOCK: usize = 4;

/// What was acknowledged to callers.
#[derive(Default)]
struct Acknowledged {
    /// Operations answered with 200: their evidence is durable.
    executed: BTreeSet<String>,
    /// Operations whose artifact left the authority: their issuance is durable.
    issued: BTreeSet<String>,
    /// Lineages named by refusals: their event is durable.
    refused: BTreeSet<String>,
}

/// A stream of numbers from a seed (SplitMix64).
struct Seeded(u64);

impl Seeded {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost_and_nothing_runs_twice() {
    let seed = std::env::var("ELEVEN_KILL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::try_from(SystemClock.now().0).expect("after 1970"));
    println!("ELEVEN_KILL_SEED={seed}");
    let folder = Kept(tempfile::tempdir().expect("a folder").keep());
    let dir = folder.0.join("domain");
    let mut system = started(&dir);
    let app = Caller::add(&system, "demo-app", "svc:demo-app:dev").expect("a client");

    let load = Load::start(&app);
    let kills = kill(&mut system, &mut Seeded(seed), &load);
    let acknowledged = load.stop();
    println!(
        "{} executed, {} issued to a caller, {} refused with a lineage",
        acknowledged.executed.len(),
        acknowledged.issued.len(),
        acknowledged.refused.len()
    );
    let ledger = settled(&system, &acknowledged);
    for corner in [Part::Runtime, Part::Authority, Part::Ledger] {
        system.stop(corner);
    }
    check_acknowledged(&ledger, &acknowledged);
    check_uses(&ledger, &dir);
    check_closed(&ledger);
    check_upstream(&ledger, &dir.with_extension("logs").join("calls.log"), &acknowledged);
    system.run(&["ledger", "fsck"]).expect("the ledger verifies from its genesis");
    check_hits(&ledger, &kills);
}

/// A folder that goes when all went well, and stays to be looked at where it did not.
struct Kept(PathBuf);

impl Drop for Kept {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("what is left lies in {}", self.0.display());
        } else {
            // What cannot be removed stays.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

fn started(dir: &Path) -> System {
    let program = Path::new(env!("CARGO_BIN_EXE_eleven"));
    let upstream = ["--delay-ms", MODEL_MS];
    let settings = ["domain.fresh=5", "runtime.audit_bound=5", "ledger.head_interval=200"];
    let plan = Plan {
        dir,
        domain: "kill",
        exposure: "open",
        settings: &settings,
        upstream: &upstream,
        witnessed: false,
        log_calls: true,
    };
    let mut system = System::make(program, &plan).expect("a domain");
    system.start_corners().expect("running corners");
    system
}

/// Callers that call until they are told to stop: half of them inline, half with artifacts of their own.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    acknowledged: Arc<Mutex<Acknowledged>>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    fn start(app: &Caller) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicU64::new(0));
        let acknowledged = Arc::new(Mutex::new(Acknowledged::default()));
        let start = |n: u64| {
            let app = app.another().expect("a caller");
            let (stop, answered, acknowledged) = (Arc::clone(&stop), Arc::clone(&answered), Arc::clone(&acknowledged));
            std::thread::spawn(move || keep_calling(n, &app, &stop, &answered, &acknowledged))
        };
        let threads = (0..CALLERS).map(start).collect();
        Self { stop, answered, acknowledged, threads }
    }

    /// Waits until calls are answered with 200 again.
    fn answers(&self) {
        let (before, begun) = (self.answered.load(Ordering::SeqCst), Instant::now());
        while self.answered.load(Ordering::SeqCst) < before + CALLERS {
            assert!(begun.elapsed() < Duration::from_secs(30), "no call is answered any more");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn stop(self) -> Acknowledged {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().expect("a caller ends well");
        }
        std::mem::take(&mut self.acknowledged.lock().expect("not poisoned"))
    }
}

fn keep_calling(n: u64, app: &Caller, stop: &AtomicBool, answered: &AtomicU64, acknowledged: &Mutex<Acknowledged>) {
    let mut stock = Vec::new();
    let mut calls = 0u64;
    while !stop.load(Ordering::SeqCst) {
        calls += 1;
        let body = Caller::request(&format!("Caller {n}, call {calls}. Ice melts. Ice is water."));
        let answer = if n.is_multiple_of(2) {
            app.chat(&body)
        } else {
            if let Ok(token) = app.artifact(&body) {
                acknowledged.lock().expect("not poisoned").issued.insert(token.artifact.content_id().to_owned());
                stock.push((body, token));
            }
            if stock.len() < STOCK && !stock.is_empty() && calls < 20 {
                continue;
            }
            let Some((body, token)) = stock.pop() else {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            app.present(&body, &token.text())
        };
        let mut acknowledged = acknowledged.lock().expect("not poisoned");
        match (answer.status, answer.op()) {
            (200, Some(op)) => {
                acknowledged.executed.insert(op);
                answered.fetch_add(1, Ordering::SeqCst);
            }
            (401 | 403 | 503, Some(op)) => {
                acknowledged.refused.insert(op);
            }
            _ => {}
        }
        drop(acknowledged);
        std::thread::sleep(Duration::from_millis(if answer.status == 200 { 5 } else { 25 }));
    }
}

/// Kills corners at seeded moments and starts them again; gives back what was killed when.
fn kill(system: &mut System, seeded: &mut Seeded, load: &Load) -> Vec<(Part, Time)> {
    let mut kills = Vec::new();
    for n in 0..KILLS {
        load.answers();
        // Half of the kills are the point's, whose crash leaves lineages open.
        let part = [Part::Runtime, Part::Ledger, Part::Runtime, Part::Authority][n % 4];
        let after = seeded.next(300);
        std::thread::sleep(Duration::from_millis(after));
        let at = SystemClock.now();
        system.kill(part);
        println!("kill {n:2}: {:<9} {after:3} ms after calls were answered, at {at}", part.name());
        // Some stay down for a moment, so that the others meet their absence.
        std::thread::sleep(Duration::from_millis(seeded.next(150)));
        system.start(part).expect("it starts again");
        for corner in Part::CORNERS {
            system.wait_ready(corner).expect("ready again");
        }
        kills.push((part, at));
    }
    kills
}

/// The ledger's records by operation, once everything that was acknowledged had the time to arrive.
struct Ledger(BTreeMap<String, Vec<Value>>);

impl Ledger {
    fn read(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = Client::new();
        let mut records: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let mut from = 0;
        loop {
            let path = format!("/v1/audit/entries?from={from}");
            let answer = runtime.block_on(client.get_json(url, &path, Duration::from_secs(10))).expect("entries");
            let entries = answer.get("entries").and_then(Value::as_array).expect("entries");
            for entry in entries {
                from = entry.get("seq").and_then(Value::as_int).expect("seq") + 1;
                let record = entry.get("record").expect("a record").clone();
                records.entry(text(&record, "op").to_owned()).or_default().push(record);
            }
            if entries.is_empty() {
                return Self(records);
            }
        }
    }

    fn events(&self, op: &str) -> Vec<&str> {
        self.0.get(op).into_iter().flatten().map(|record| text(record, "event")).collect()
    }

    fn has(&self, op: &str, event: &str) -> bool {
        self.events(op).contains(&event)
    }

    /// The moment of an operation's event.
    fn ts(&self, op: &str, event: &str) -> Option<Time> {
        let record = self.0.get(op)?.iter().find(|record| text(record, "event") == event)?;
        Time::parse_millis(text(record, "ts"))
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Waits until the point's journal is in the ledger, and reads it all.
fn settled(system: &System, acknowledged: &Acknowledged) -> Ledger {
    let begun = Instant::now();
    loop {
        let ledger = Ledger::read(system.url(Part::Ledger));
        let arrived = |op: &String| ledger.has(op, "evidence.committed");
        let closed = |op: &String| !ledger.has(op, "execution.started") || arrived(op);
        let all = acknowledged.executed.iter().all(arrived) && ledger.0.keys().all(closed);
        if all || begun.elapsed() > Duration::from_secs(20) {
            return ledger;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Every acknowledged event is in the ledger.
fn check_acknowledged(ledger: &Ledger, acknowledged: &Acknowledged) {
    assert!(acknowledged.executed.len() > 100 && acknowledged.issued.len() > 50, "there was no load");
    for op in &acknowledged.executed {
        let whole = [
            "authorization.issued",
            "authorization.consumed",
            "admission.granted",
            "execution.started",
            "attestation.signed",
            "execution.completed",
            "evidence.committed",
        ];
        assert_eq!(ledger.events(op), whole, "{op} was answered with 200");
    }
    for op in &acknowledged.issued {
        assert!(ledger.has(op, "authorization.issued"), "the artifact of {op} left the authority");
    }
    for op in &acknowledged.refused {
        let events = ledger.events(op);
        assert!(!events.is_empty(), "a refusal named {op}, of which the ledger knows {events:?}");
    }
}

/// No use is twice, in the ledger or in the journal.
fn check_uses(ledger: &Ledger, dir: &Path) {
    let mut used = BTreeSet::new();
    for record in ledger.0.values().flatten().filter(|record| text(record, "event") == "authorization.consumed") {
        assert!(used.insert(text(record, "artifact_id").to_owned()), "used twice: {record}");
    }
    let folder = Folder::open(dir.join("runtime"), "runtime").expect("the point's folder");
    let log =
        SegmentLog::open(folder.place("journal").expect("a place"), SegmentOptions::default()).expect("the journal");
    let (reader, mut consumed) = (log.reader(), BTreeSet::new());
    let mut position = reader.first();
    loop {
        let lines = reader.read_from(position, 4096, 8 << 20).expect("readable");
        if lines.is_empty() {
            break;
        }
        for (at, bytes) in lines {
            position = at + 1;
            if let Line::Event { record, .. } = Line::decode(&bytes).expect("a line")
                && record.event == "authorization.consumed"
            {
                let artifact = record.about.artifact_id.clone().expect("an artifact");
                assert!(consumed.insert(artifact.clone()), "{artifact} is twice in the journal");
            }
        }
    }
    println!("{} uses in the ledger, {} in what the journal still holds", used.len(), consumed.len());
}

/// Each started lineage is closed.
fn check_closed(ledger: &Ledger) {
    let mut interrupted = 0;
    for op in ledger.0.keys().filter(|op| ledger.has(op, "authorization.consumed")) {
        let events = ledger.events(op);
        assert_eq!(events.last(), Some(&"evidence.committed"), "{op} is open: {events:?}");
        interrupted += usize::from(events.contains(&"execution.interrupted"));
    }
    println!("{interrupted} lineages were interrupted and closed truthfully");
}

/// The upstream's own log holds no call without `execution.started`, none twice, and each whose answer a caller has.
fn check_upstream(ledger: &Ledger, log: &Path, acknowledged: &Acknowledged) {
    let log = std::fs::read_to_string(log).expect("the upstream's log");
    let mut seen = BTreeSet::new();
    for line in log.lines() {
        let line = parse(line.as_bytes()).expect("a whole line");
        let op =
            text(&line, "lineage").strip_prefix("lineage://op/").expect("a call that names its lineage").to_owned();
        assert!(ledger.has(&op, "execution.started"), "a call reached the model without execution.started: {op}");
        assert!(seen.insert(op.clone()), "{op} reached the model twice");
    }
    // A log that holds nothing would show nothing.
    let unseen: Vec<&String> = acknowledged.executed.difference(&seen).collect();
    assert!(unseen.is_empty(), "answered, and never at the model: {unseen:?}");
    println!("{} calls reached the model", seen.len());
}

/// Enough kills found a request between consumption and evidence.
fn check_hits(ledger: &Ledger, kills: &[(Part, Time)]) {
    let spans: Vec<(Time, Time)> = ledger
        .0
        .keys()
        .filter_map(|op| Some((ledger.ts(op, "authorization.consumed")?, ledger.ts(op, "evidence.committed")?)))
        .collect();
    let hit = |(_, at): &&(Part, Time)| spans.iter().any(|(consumed, evidence)| consumed < at && at < evidence);
    let hits = kills.iter().filter(hit).count();
    println!("{hits} of {} kills found a request between consumption and evidence", kills.len());
    assert!(hits >= LEAST_HITS, "only {hits} of {} kills hit", kills.len());
}
