//! Every target under the seeded mutator, for five seconds each (a minute with `ELEVEN_LONG`).
//!
//! The gate takes the same seed each time, so that what it says is about the change; `ELEVEN_LONG` takes another at each
//! run, and `ELEVEN_SEED=<number>` makes the inputs of one again. A failure prints the seed, how many inputs came before,
//! and the input itself in base64.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use eleven_core::hash::base64;
use eleven_fuzz_targets::mutate::Mutator;
use eleven_fuzz_targets::{TARGETS, Target, find};

const SEED: u64 = 11;

fn seed() -> u64 {
    if let Ok(text) = std::env::var("ELEVEN_SEED") {
        return text.parse().expect("ELEVEN_SEED is not a number below 2^64");
    }
    if std::env::var_os("ELEVEN_LONG").is_none() {
        return SEED;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970");
    u64::from(now.subsec_nanos()) ^ (now.as_secs() << 20) ^ u64::from(std::process::id())
}

/// Shown even where the test passes: a test's captured output would hide the seed of a run that hung.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("standard error");
}

fn run(target: &Target, input: &[u8], about: &str) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        say(&format!("{}: failed ({about}) on the input, in base64: {}", target.name, base64(input)));
        resume_unwind(panic);
    }
}

fn fuzz(name: &str) {
    let target = find(name).expect("a target of that name");
    let seed = seed();
    say(&format!("{name}: ELEVEN_SEED={seed}"));
    let corpus = (target.corpus)();
    for input in &corpus {
        run(target, input, "of the corpus");
    }
    let mut mutator = Mutator::new(seed, target.shape, corpus);
    let lasts = Duration::from_secs(if std::env::var_os("ELEVEN_LONG").is_some() { 60 } else { 5 });
    let (begun, mut executions, mut slowest) = (Instant::now(), 0_u64, Duration::ZERO);
    while begun.elapsed() < lasts {
        let input = mutator.input();
        let before = Instant::now();
        run(target, &input, &format!("ELEVEN_SEED={seed}, input {executions}"));
        slowest = slowest.max(before.elapsed());
        executions += 1;
    }
    say(&format!("{name}: {executions} inputs, the slowest took {} ms", slowest.as_millis()));
    assert!(executions > 0, "nothing was run");
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            fuzz(stringify!($name));
        })*

        #[test]
        fn every_target_is_run_here_and_by_the_guided_fuzzer() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
            let manifest = include_str!("../../Cargo.toml");
            for name in names {
                assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not in fuzz/Cargo.toml");
            }
        }
    };
}

targets! {
    encoding artifact token event registry journal entry checkpoint policy decision bundle admission admission_case
    identity identity_claims http signature
}
