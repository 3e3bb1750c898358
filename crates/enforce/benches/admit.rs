//! What admission costs in process: steps 1 to 16 with both signatures, and step 17, the use, each time of another
//! artifact, beside a hundred thousand uses that are remembered; without the disk. To stay below: 80 us at the median and
//! 120 us at the 99th percentile. Run with `cargo bench -p eleven-enforce --bench admit`.
#![allow(missing_docs, reason = "criterion's macros make items")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark of the vectors' own situation, which is readable"
)]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use eleven_core::artifact::{self, Artifact, Draft, Environment, Operation, RequestBinding, Token, Use};
use eleven_core::attestation::{Outcome, StatementResult};
use eleven_core::encoding::{Value, parse};
use eleven_core::event::{self, About, Place};
use eleven_core::hash::Sha3;
use eleven_core::registry::{KeyTables, Snapshot, Stamp, View};
use eleven_core::root::TrustRoot;
use eleven_core::signature::{SeedSigner, bytes32};
use eleven_core::time::Time;
use eleven_enforce::admission::{Admitted, Asked, Held, admit};
use eleven_enforce::journal::{Journal, Point};
use eleven_enforce::permit::{DurableReceipt, Ending};
use eleven_enforce::uses::Uses;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Artifacts that are admitted in turn.
const TOKENS: usize = 20_000;
/// Uses that the point remembers beside them.
const REMEMBERED: usize = 100_000;

fn file(bytes: &[u8]) -> Value {
    parse(bytes).expect("I-JSON")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).expect(name)
}

fn member(value: &Value, name: &str) -> Value {
    value.get(name).expect(name).clone()
}

/// A point's situation, from the base of the vectors of admission.
struct World {
    view: View,
    point: Point,
    caller: String,
    operation: Operation,
    request: RequestBinding,
    environment: Environment,
    now: Time,
    tokens: Vec<String>,
}

impl World {
    fn new() -> Self {
        let admission = file(include_bytes!("../../../spec/vectors/admission.json"));
        let ledger = file(include_bytes!("../../../spec/vectors/ledger.json"));
        let base = member(&admission, "base");
        let signer = |kid: &str, role: &str| {
            let seed = bytes32(text(ledger.get("seeds").expect("seeds"), role)).expect("a seed");
            Arc::new(SeedSigner::new(kid, &seed))
        };
        let root = TrustRoot::read(member(&base, "root")).expect("a root");
        let snapshot = Snapshot::read(member(&base, "registry")).expect("a snapshot");
        let stamp = Stamp::read(member(&base, "stamp")).expect("a stamp");
        let view = View::open(&root, snapshot, stamp, &mut KeyTables::new()).expect("a view");
        let good = Token::read(text(&base, "token")).expect("a token");
        let issuer = signer(&good.artifact.sig.kid, "issuer");
        let recorder = signer(&good.issued.kid, "authority");
        let tokens = (0..TOKENS).map(|n| another(&good, n, &issuer, &recorder).text()).collect();
        let request = member(&base, "request");
        let sha3 = |value: &Value, name: &str| Sha3::parse(text(value, name)).expect(name);
        Self {
            view,
            point: Point {
                name: text(&base, "point").to_owned(),
                event: signer("key:11-11/gw-0/2026-q2", "gw-0"),
                attestation: signer("key:11-11/attest-0/2026-q2", "attest-0"),
                binary: sha3(&base, "binary"),
                config: sha3(&base, "config"),
                predicate_type: "https://11-11.example/attestation/execution/v1".to_owned(),
            },
            caller: text(&base, "caller").to_owned(),
            operation: Operation::read(member(&base, "operation")).expect("an operation"),
            request: RequestBinding {
                body: sha3(&request, "body"),
                method: text(&request, "method").to_owned(),
                path: text(&request, "path").to_owned(),
            },
            environment: Environment::read(member(&base, "environment")).expect("an environment"),
            now: Time::parse_millis(text(&base, "now")).expect("a time"),
            tokens,
        }
    }

    /// Steps 1 to 16.
    fn admit(&self, token: &str) -> Admitted {
        let held = Held {
            view: Some(&self.view),
            stamped: Some(self.view.stamp().issued),
            held_ms: 0,
            point: &self.point.name,
            binary: &self.point.binary,
            config: &self.point.config,
            signs: &self.point.signs(),
            last_now: Some(self.now),
            dated: None,
            unknown: false,
            seen_epoch: self.view.epoch(),
            uses_since: None,
            bundles: Some(&|_| true),
            backlog_ms: 0,
            backlog_bound_ms: 5000,
            unproven_ms: None,
        };
        let asked = Asked {
            now: self.now,
            caller: &self.caller,
            holder: None,
            operation: &self.operation,
            request: Some(&self.request),
            environment: &self.environment,
        };
        admit(&held, &asked, Some(token)).expect("admitted")
    }

    /// Steps 1 to 17.
    fn admit_and_take(&self, token: &str, uses: &mut Uses) {
        let admitted = self.admit(black_box(token));
        black_box(uses.take(&admitted.token().artifact, self.now).expect("not used before"));
    }

    /// What a busy point remembers.
    fn remembered(&self) -> Uses {
        let mut uses = Uses::default();
        for n in 0..REMEMBERED {
            uses.restore(format!("auth_{n:032}"), self.now.plus_seconds(300), self.now);
        }
        uses
    }
}

/// The same authorisation under another nonce, with its own issuance record.
fn another(good: &Token, n: usize, issuer: &SeedSigner, recorder: &SeedSigner) -> Token {
    let of = &good.artifact;
    let mut random = [0; 17];
    random[..8].copy_from_slice(&n.to_be_bytes());
    let draft = Draft {
        iss: of.iss.clone(),
        sub: of.sub.clone(),
        op: of.op.clone(),
        pol: of.pol.clone(),
        env: of.env.clone(),
        nbf: of.nbf,
        exp: of.exp,
        usage: Use::Single { nonce: artifact::nonce(&random) },
        parent: None,
        holder: None,
    };
    let artifact: Artifact = draft.issue(issuer).expect("an artifact");
    let data = good.issued.data.clone().with("chash", artifact.chash).with("exp", artifact.exp.seconds());
    let draft = event::Draft {
        event: "authorization.issued",
        place: Place::First { op: artifact.content_id().to_owned() },
        ts: good.issued.ts,
        by: good.issued.by.clone(),
        src_seq: good.issued.src_seq,
        data,
        about: About::artifact(&artifact),
    };
    Token { issued: draft.sign(recorder).expect("a record"), artifact, salt: good.salt.clone() }
}

struct Durable(u64);

impl DurableReceipt for Durable {
    fn count(&self) -> u64 {
        self.0
    }
}

fn admission(c: &mut Criterion) {
    let world = World::new();
    let mut uses = world.remembered();
    let mut tokens = world.tokens.iter();
    c.bench_function("admit: steps 1 to 16, and the use", |b| {
        b.iter_custom(|rounds| {
            let mut took = Duration::ZERO;
            for _ in 0..rounds {
                let token = tokens.next().unwrap_or_else(|| {
                    // All were used once; from here on they would be replays.
                    uses = world.remembered();
                    tokens = world.tokens[1..].iter();
                    &world.tokens[0]
                });
                let begun = Instant::now();
                world.admit_and_take(token, &mut uses);
                took += begun.elapsed();
            }
            took
        });
    });
    c.bench_function("admit: steps 1 to 16", |b| b.iter(|| world.admit(black_box(&world.tokens[0]))));
    quantiles(&world);
}

/// Criterion tells means and medians of batches; what a single caller waits at worst, single calls tell.
fn quantiles(world: &World) {
    let mut uses = world.remembered();
    let mut nanos: Vec<u128> = Vec::with_capacity(TOKENS);
    for token in &world.tokens {
        let begun = Instant::now();
        world.admit_and_take(token, &mut uses);
        nanos.push(begun.elapsed().as_nanos());
    }
    nanos.sort_unstable();
    let at = |percent: usize| nanos[nanos.len() * percent / 100] as f64 / 1000.0;
    println!("admit, {TOKENS} single calls: p50 {:.1} us, p90 {:.1} us, p99 {:.1} us\n", at(50), at(90), at(99));
}

fn lineage(c: &mut Criterion) {
    let world = World::new();
    let mut next = 0;
    let mut admitted = || {
        next += 1;
        world.admit(&world.tokens[next % TOKENS])
    };
    let workload = Sha3([7; 64]);
    c.bench_function("open: consumed, granted, started, signed", |b| {
        b.iter_batched(
            || (Journal::new(world.point.clone()), admitted()),
            |(mut journal, admitted)| journal.open(admitted, workload, world.now).is_ok(),
            BatchSize::SmallInput,
        );
    });
    let result = StatementResult { digest: Sha3([1; 64]), bytes: 1000, status: 200 };
    let ending = Ending { outcome: Outcome::Completed, cause: None, result, finished: world.now.plus_millis(20) };
    c.bench_function("close: attestation, outcome, evidence, signed", |b| {
        b.iter_batched(
            || {
                let mut journal = Journal::new(world.point.clone());
                let opened = journal.open(admitted(), workload, world.now).expect("opened");
                let count = u64::try_from(opened.records().len()).expect("three");
                (journal, opened.permit(&Durable(count)).expect("a permit").run())
            },
            |(mut journal, execution)| journal.close(execution, &ending).is_ok(),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(group, admission, lineage);
criterion_main!(group);
