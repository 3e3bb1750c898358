//! Many seeds, one run each; and that what is broken on purpose is found.
#![allow(clippy::print_stderr, reason = "what a run came to, and the seed of a failure")]

use eleven_sim::{Flaw, Options, Report, run};

/// How many seeds `make test` runs, and `make test-long`.
const SEEDS: u64 = 300;
const MANY_SEEDS: u64 = 10_000;

fn add(all: &mut Report, one: &Report) {
    let Report { entries, heads, executions, interrupted, refused, open_fates, repeats, .. } = *one;
    all.entries += entries;
    all.heads += heads;
    all.executions += executions;
    all.interrupted += interrupted;
    all.refused += refused;
    all.open_fates += open_fates;
    all.repeats += repeats;
    all.crashes += one.crashes;
    all.overlapped += one.overlapped;
    all.failed_commits += one.failed_commits;
    all.full_disks += one.full_disks;
    all.steps_back += one.steps_back;
    all.cosignatures += one.cosignatures;
}

/// Runs seeds from `first` on and adds up what they came to.
fn runs(first: u64, count: u64) -> Report {
    let mut all = Report::default();
    for seed in first..first + count {
        match run(seed, &Options::default()) {
            Ok(report) => add(&mut all, &report),
            Err(failure) => panic!("\n{failure}"),
        }
    }
    all
}

#[test]
fn many_seeds() {
    let seeds = if std::env::var_os("ELEVEN_LONG").is_some() { MANY_SEEDS } else { SEEDS };
    let all = runs(1, seeds);
    eprintln!("{all:?}");
    // A world in which nothing goes wrong, or nothing happens, shows nothing.
    let Report { entries, heads, executions, interrupted, refused, open_fates, repeats, .. } = all;
    for (what, count) in [
        ("entries", entries / seeds / 20),
        ("heads", heads / seeds / 5),
        ("executions", executions / seeds),
        ("interrupted", interrupted),
        ("refused", refused),
        ("open fates", open_fates),
        ("repeats", repeats),
        ("crashes", all.crashes / seeds),
        ("overlapped commits", all.overlapped),
        ("failed commits", all.failed_commits),
        ("full disks", all.full_disks),
        ("steps back", all.steps_back),
        ("cosignatures", all.cosignatures / seeds),
    ] {
        assert!(count > 0, "too few {what}: {all:?}");
    }
}

/// `ELEVEN_SEED=7 cargo nextest run -p eleven-sim one_seed --run-ignored all --no-capture`.
#[test]
#[ignore = "the run of the seed that ELEVEN_SEED names"]
fn one_seed() {
    let seed = std::env::var("ELEVEN_SEED").expect("ELEVEN_SEED names the seed");
    let seed = seed.parse().expect("ELEVEN_SEED is a number below 2^64");
    match run(seed, &Options::default()) {
        Ok(report) => eprintln!("seed {seed}: {report:?}"),
        Err(failure) => panic!("\n{failure}"),
    }
}

#[test]
fn a_seed_is_a_run() {
    let twice = [11, 12].map(|seed| {
        let [one, two] = [0, 1].map(|_| run(seed, &Options::default()).unwrap_or_else(|failure| panic!("\n{failure}")));
        assert_eq!(one, two, "seed {seed}");
        one
    });
    assert_ne!(twice[0], twice[1]);
}

/// The first of a few seeds, of more trouble each, in which a broken part is noticed says what is wrong with it.
fn found(flaw: Flaw) -> String {
    let options = Options { flaw: Some(flaw), trouble: 20_000, ..Options::default() };
    let failure = (1..=60).find_map(|seed| run(seed, &options).err());
    failure.unwrap_or_else(|| panic!("{flaw:?} was not noticed")).to_string()
}

#[test]
fn acknowledging_before_the_sync_is_noticed() {
    let what = found(Flaw::LazySync);
    let lost = ["entries are left of", "is another than before", "the ledger does not recover"];
    assert!(lost.iter().any(|lost| what.contains(lost)), "{what}");
    let again = what.lines().last().expect("how to see it again");
    assert!(again.contains("ELEVEN_SEED=") && again.contains(" one_seed --run-ignored all "), "{what}");
}

#[test]
fn running_before_the_commit_is_noticed() {
    let what = found(Flaw::EagerPermit);
    assert!(what.contains("ran and no journal has its start"), "{what}");
}

#[test]
fn a_number_given_twice_is_noticed() {
    let what = found(Flaw::NumberGivenTwice);
    assert!(what.contains("two records under number"), "{what}");
}

#[test]
fn a_witness_that_forgets_is_noticed() {
    let what = found(Flaw::ForgetfulWitness);
    let lost = ["after its restart", "does not recover"];
    assert!(what.contains("witness") && lost.iter().any(|lost| what.contains(lost)), "{what}");
}

#[test]
fn a_point_that_does_not_go_on_after_a_refusal_is_noticed() {
    let what = found(Flaw::StubbornPoint);
    assert!(what.contains("nothing comes to rest"), "{what}");
}
