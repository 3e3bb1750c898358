//! What proofs cost under a ledger that a load has filled: made warm, in memory, and verified.

use super::{Domain, signer};
use crate::audit::Request;
use crate::state::read;
use crate::{Ledger, lineage, proof};
use eleven_core::encoding::{Value, parse_canonical};
use eleven_core::hash::Sha256;
use eleven_core::index::{self, Proves};
use eleven_core::registry::KeyTables;
use eleven_core::root::KeyRecord;
use eleven_core::tree;
use eleven_verify::{Caller, Pinned, Report, verify};
use std::cell::RefCell;
use std::hint::black_box;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// How long the last head may take to cover everything.
const PATIENCE: Duration = Duration::from_secs(10);
/// Proofs that take less than a microsecond are timed so many at once.
const AT_ONCE: usize = 64;

/// Medians, in nanoseconds, and sizes.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProofCosts {
    /// An inclusion proof, made.
    pub inclusion: u64,
    /// The proof that an operation is not in the index, made.
    pub exclusion: u64,
    /// The same, verified.
    pub exclusion_verified: u64,
    /// The largest of those, as canonical JSON.
    pub exclusion_bytes: u64,
    /// The bundle of an execution, made and encoded, its records read lately.
    pub bundle: u64,
    /// The same, its records not read lately.
    pub bundle_cold: u64,
    /// The same, verified.
    pub bundle_verified: u64,
    /// A bundle as canonical JSON.
    pub bundle_bytes: u64,
}

/// Makes and verifies `count` proofs of each kind, spread over the ledger. Nothing else may be appended meanwhile.
///
/// # Errors
/// Where there is no head over all, or a proof does not verify.
pub fn proof_costs(ledger: &Ledger, domain: &Domain, count: usize) -> Result<ProofCosts, String> {
    settle(ledger)?;
    let mut costs = ProofCosts::default();
    of_trees(ledger, count, &mut costs)?;
    of_bundles(ledger, domain, count, &mut costs)?;
    Ok(costs)
}

/// Signs the registry as the domain's authority would, and waits for the head over everything.
fn settle(ledger: &Ledger) -> Result<(), String> {
    let shared = &ledger.inner.shared;
    let signed = read(&shared.book).registry().map(|fold| fold.snapshot(&signer("registry")));
    let signed = signed.ok_or("there is no registry")?.map_err(|error| error.to_string())?;
    let bytes = signed.to_value().get("header").map(Value::canonical).ok_or("the registry has no header")?;
    let (done, committed) = channel();
    let request = Request::Header { header: signed.header, bytes };
    ledger.inner.group.submit(request, move |outcome| {
        // Who asked waits below.
        let _ = done.send(outcome.is_ok());
    });
    committed.recv().map_err(|error| error.to_string())?;
    let since = Instant::now();
    loop {
        let published = shared.published();
        let whole = |head: &crate::state::Published| {
            head.head.commitment.size == shared.size() && proof::has_registry(shared, head)
        };
        if published.is_some_and(|head| whole(&head)) {
            return Ok(());
        }
        if since.elapsed() > PATIENCE {
            return Err("no head covers everything".to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn of_trees(ledger: &Ledger, count: usize, costs: &mut ProofCosts) -> Result<(), String> {
    let shared = &ledger.inner.shared;
    let size = shared.size();
    let seq = |n: usize| {
        Sha256::of(&[b"entry", &n.to_be_bytes()]).0.first_chunk().map_or(0, |b| u64::from_be_bytes(*b)) % size
    };
    let key = |n: usize| index::op_key(&format!("an operation that is none, number {n}"));
    let sealed = read(&shared.sealed);
    let root = sealed.index.root();
    let (mut inclusion, mut exclusion, mut verified) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..count.div_ceil(AT_ONCE) {
        let numbers = round * AT_ONCE..(round + 1) * AT_ONCE;
        inclusion.push(each(AT_ONCE, || {
            let tree = read(&shared.tree);
            numbers.clone().for_each(|n| drop(black_box(tree::inclusion_proof(&*tree, seq(n), size))));
        }));
        let keys: Vec<Sha256> = numbers.map(key).collect();
        exclusion.push(each(AT_ONCE, || keys.iter().for_each(|key| drop(black_box(sealed.index.prove(key))))));
        let proofs: Vec<_> = keys.iter().map(|key| (sealed.index.prove(key), *key)).collect();
        let mut absent = true;
        verified.push(each(AT_ONCE, || {
            absent = proofs.iter().all(|(proof, key)| matches!(proof.proves(&root, key), Proves::Absent));
        }));
        if !absent {
            return Err("an exclusion proof does not verify".to_owned());
        }
        let bytes = proofs.iter().map(|(proof, _)| proof.to_value().canonical().len() as u64).max();
        costs.exclusion_bytes = costs.exclusion_bytes.max(bytes.unwrap_or(0));
    }
    (costs.inclusion, costs.exclusion) = (median(inclusion), median(exclusion));
    costs.exclusion_verified = median(verified);
    Ok(())
}

fn of_bundles(ledger: &Ledger, domain: &Domain, count: usize, costs: &mut ProofCosts) -> Result<(), String> {
    let shared = &ledger.inner.shared;
    let root = Pinned::new(domain.root().map_err(|error| error.to_string())?.to_value());
    // As whoever verifies many: the root is looked at once, the keys are kept.
    let tables = RefCell::new(KeyTables::new());
    let keys = |record: &KeyRecord| tables.borrow_mut().key(record);
    let caller = Caller { root: Some(&root), keys: Some(&keys), ..Caller::default() };
    let size = shared.size();
    let step = (size / count.max(1) as u64).max(1);
    let (mut cold, mut warm, mut verified) = (Vec::new(), Vec::new(), Vec::new());
    // From the middle of each step on, the next event that ends an execution.
    for from in (0..size).step_by(usize::try_from(step).unwrap_or(1)) {
        let ends = (from + step / 2..size).take(256).filter_map(|seq| lineage::standing(shared, seq).ok());
        let Some(op) = ends.map(|at| at.record).find(|record| record.event == "evidence.committed") else { continue };
        let make = || proof::bundle(shared, &op.op).map(|bundle| bundle.canonical());
        let mut made = None;
        // The search has read what ends the lineage: what is cold is the rest of it.
        cold.push(each(1, || made = Some(make())));
        warm.push(each(1, || drop(black_box(make()))));
        let bundle = made.ok_or("nothing was made")?.map_err(|error| error.to_string())?;
        costs.bundle_bytes = costs.bundle_bytes.max(bundle.len() as u64);
        let bundle = parse_canonical(&bundle).map_err(|error| error.to_string())?;
        let mut report = None;
        verified.push(each(1, || report = Some(verify(&bundle, &caller))));
        let failed: Vec<&str> = report.iter().flat_map(Report::failed).map(|check| check.name).collect();
        // A load is signed before it runs, and a long one reaches the ledger later than an execution may.
        if failed.iter().any(|name| *name != "artifact.window") {
            return Err(format!("the bundle of {} fails {}", op.op, failed.join(", ")));
        }
    }
    (costs.bundle_cold, costs.bundle, costs.bundle_verified) = (median(cold), median(warm), median(verified));
    Ok(())
}

/// Nanoseconds of each of `times` things that `all` does.
fn each(times: usize, all: impl FnOnce()) -> u64 {
    let begun = Instant::now();
    all();
    u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX) / times.max(1) as u64
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}
