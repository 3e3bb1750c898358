//! `evidence export`: asks a ledger for all of a range, checks what comes back, and writes the folder.
//!
//! In the order in which it has to be: a head that reaches to the end of the range; the entries up to it, each following
//! from the one before; from them the operations, and for each its proof file; the registry's history; what is from before
//! the range. Last comes what is made of all this: the answers to the regimes' questions, and the manifest over everything.

use super::Export;
use super::ask::{Signed, Source};
use super::controls;
use super::facts::Facts;
use super::folder::{self, Writer};
use super::gaps;
use super::history::{History, policies_value};
use super::lineage::Lineage;
use super::manifest::{self, Gap, Manifest, Query};
use super::regime::Regime;
use super::retention::{Sample, Samples, due, numbers};
use super::side::by_side;
use super::stretch::Stretch;
use super::verifier::Verifier;
use super::{oscal, page};
use crate::call::{self, At, Base as _};
use crate::config::Config;
use crate::output::{EXIT_DONE, EXIT_FAILED, Failure, Output, Paint, shown, word};
use crate::progress::Shown;
use crate::verify_cmd;
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_core::encoding::{Object, Value};
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::time::Time;
use eleven_core::tree::proof_value;
use eleven_verify::Pinned;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

/// Proof files that are asked for at the same time.
const AT_ONCE: usize = 8;
/// Proof files that are verified at the same time.
const VERIFIED_AT_ONCE: usize = 128;

/// Exports, and says what was written and what is missing.
///
/// # Errors
/// Where the ledger does not answer, or shows what does not stand under its own head.
pub(crate) fn run(args: &Export, file: &Path, output: Output) -> Result<ExitCode, Failure> {
    let regimes = Regime::all(&args.regime, &args.regime_file).map_err(Failure::usage)?;
    let ledger = At::of(args.ledger.as_deref(), args.secret_file.as_deref(), file)?;
    let root = root(args, file)?;
    Writer::may_make(&args.out).map_err(Failure::usage)?;
    let exported = call::wait(exported(args, Source::new(&ledger), root, &regimes, output))?;
    let (manifest, hash) = exported.map_err(|refused| ledger.advised(refused))?;
    let unproven = manifest.gaps.iter().filter(|gap| gap.control.is_none()).count();
    output.either(|| said(args, &manifest, hash), || told(args, &manifest, hash, output));
    Ok(ExitCode::from(if unproven == 0 { EXIT_DONE } else { EXIT_FAILED }))
}

/// The pinned root: the named one, or the configuration's where there is one.
fn root(args: &Export, file: &Path) -> Result<Option<Pinned>, Failure> {
    match &args.root {
        Some(root) => verify_cmd::read_root(root).map(Some),
        None if args.ledger.is_some() => Ok(None),
        None => verify_cmd::read_root(&Config::load(file)?.root).map(Some),
    }
}

/// Asks, and writes what comes back; where the question is refused no folder is made.
async fn exported(
    args: &Export,
    source: Source,
    root: Option<Pinned>,
    regimes: &[Regime],
    output: Output,
) -> Result<(Manifest, Sha3), Failure> {
    let now = SystemClock.now();
    let (query, signed) = asked(&source, args, regimes, now).await?;
    let writer = Writer::make(&args.out).map_err(Failure::usage)?;
    let far = Shown::new(output);
    Exporting { source, root, writer, gaps: Vec::new(), far }.all(query, signed, regimes, now).await
}

/// The question, and a head that reaches to the end of its range.
async fn asked(source: &Source, args: &Export, regimes: &[Regime], now: Time) -> Result<(Query, Signed), Failure> {
    if let Some(to) = args.to.filter(|to| *to > now) {
        return Err(Failure::usage(format!("the range ends at {to}, in the future: name a moment that is past")));
    }
    args.from.zip(args.to).map_or(Ok(()), |(from, to)| is_range(from, to))?;
    let signed = source.head(args.to).await?;
    let begins = source.entry(0).await?.header.at;
    let query = Query {
        from: args.from.unwrap_or(begins),
        to: args.to.unwrap_or(signed.head.at),
        identity: args.identity.clone(),
        operation: args.operation.clone(),
        regimes: regimes.iter().map(|regime| regime.id.clone()).collect(),
    };
    is_range(query.from, query.to)?;
    Ok((query, signed))
}

fn is_range(from: Time, to: Time) -> Result<(), Failure> {
    let none = || Failure::usage(format!("the range from {from} to {to} is none: --from is before --to"));
    if from < to { Ok(()) } else { Err(none()) }
}

/// An export on its way.
struct Exporting {
    source: Source,
    root: Option<Pinned>,
    writer: Writer,
    gaps: Vec<Gap>,
    far: Shown,
}

impl Exporting {
    async fn all(
        mut self,
        query: Query,
        signed: Signed,
        regimes: &[Regime],
        now: Time,
    ) -> Result<(Manifest, Sha3), Failure> {
        let stretch = self.range(&query, &signed).await?;
        let history = self.registry(&signed).await?;
        let lineages = self.lineages(&stretch, &history, &signed).await?;
        self.gaps.extend(gaps::of_head(&signed.head, &signed.checkpoint, &history).map(Gap::plain));
        let samples = self.samples(regimes, &signed, stretch.begins()).await?;
        let (from, to) = (query.from, query.to);
        let facts = Facts { stretch, lineages, history, samples, from, to };
        self.policies(&facts).await?;
        self.close(query, signed, &facts, regimes, now)
    }

    /// The entries of the range with the one before and the one after it, proven to be all there are.
    async fn range(&mut self, query: &Query, signed: &Signed) -> Result<Stretch, Failure> {
        let size = signed.head.commitment.size;
        let first = self.first_at(query.from, size).await?;
        let mut stretch = Stretch::new(query);
        let mut lines = self.writer.lines(folder::RANGE).map_err(Failure::new)?;
        let mut next = first.saturating_sub(1);
        while next < size && stretch.after.is_none() {
            self.far.tell(|_| format!("entry {next} of {size}"));
            let page = self.source.page(next, false).await?;
            let mut shown = page.entries.iter().filter(|entry| entry.header.seq < size).peekable();
            if shown.peek().is_none() {
                return Err(Failure::new(format!("the ledger does not show entry {next}, which its head covers")));
            }
            for entry in shown {
                let bytes = entry.to_value().canonical();
                stretch.take(&bytes).map_err(Failure::new)?;
                lines.add(&bytes).map_err(Failure::new)?;
                next = entry.header.seq + 1;
                if stretch.after.is_some() {
                    break;
                }
            }
        }
        self.writer.end(lines).map_err(Failure::new)?;
        let before = self.source.inclusion(stretch.range.first(), size).await?;
        let after = self.source.inclusion(stretch.range.end() - 1, size).await?;
        stretch.range.stands_under(&signed.head.commitment, &before, &after).map_err(Failure::new)?;
        stretch.has_both_ends(size, signed.head.at).map_err(Failure::new)?;
        let proof = Object::new()
            .with("v", "1")
            .with("first", proof_value(&before))
            .with("last", proof_value(&after))
            .with("size", size);
        self.put(folder::RANGE_PROOF, &proof.canonical())?;
        Ok(stretch)
    }

    /// The number of the first entry that is not before a moment.
    async fn first_at(&self, moment: Time, size: u64) -> Result<u64, Failure> {
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.source.entry(middle).await?.header.at < moment {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        Ok(low)
    }

    /// The proof file of each operation that is asked for, verified, and its events.
    async fn lineages(
        &mut self,
        stretch: &Stretch,
        history: &History,
        signed: &Signed,
    ) -> Result<Vec<Lineage>, Failure> {
        let mut records = self.writer.lines(folder::RECORDS).map_err(Failure::new)?;
        let (mut lineages, mut known, mut unshown) = (Vec::new(), BTreeSet::new(), Vec::new());
        let (verifier, size) = (Verifier::new(self.root.clone()), signed.head.commitment.size);
        let asked = stretch.asked();
        for (at, ops) in asked.chunks(VERIFIED_AT_ONCE).enumerate() {
            self.far.tell(|_| format!("proof file {} of {}", at * VERIFIED_AT_ONCE + 1, asked.len()));
            let mut bundles = Vec::new();
            for (op, bundle) in fetched(&self.source, ops, size).await? {
                match bundle {
                    Ok(bundle) => bundles.push(bundle),
                    Err(why) => unshown.push((op, why)),
                }
            }
            let verified = |bundle: &Value| verifier.verify(bundle, bundle.get("op").and_then(Value::as_str));
            let reports = by_side(&bundles, verified);
            for (bundle, report) in bundles.iter().zip(reports) {
                let (lineage, entries) = Lineage::of(bundle)?;
                if !known.insert(lineage.op.clone()) {
                    continue;
                }
                self.gaps.extend(gaps::of_proof(&lineage, &report, history, size).map(Gap::plain));
                self.put(&folder::proof(&lineage.op), &bundle.canonical())?;
                entries.iter().try_for_each(|bytes| records.add(bytes)).map_err(Failure::new)?;
                lineages.push(lineage);
            }
        }
        self.gaps.extend(missing(unshown, &known));
        self.writer.end(records).map_err(Failure::new)?;
        self.one_history(&lineages, signed).await?;
        Ok(lineages)
    }

    /// The heads that proof files stand under, each with the proof that it goes on from the manifest's.
    async fn one_history(&mut self, lineages: &[Lineage], signed: &Signed) -> Result<(), Failure> {
        let size = signed.head.commitment.size;
        let heads: BTreeMap<u64, Sha256> = lineages.iter().map(|lineage| lineage.head).collect();
        let mut shown = Vec::new();
        for (other, root) in heads {
            let proof = if other == size { Vec::new() } else { self.source.consistency(size, other).await? };
            shown.push(Value::Object(
                Object::new().with("size", other).with("root", root).with("proof", proof_value(&proof)),
            ));
        }
        self.put(folder::HEADS, &Object::new().with("v", "1").with("heads", shown).canonical())
    }

    /// The registry's events up to the head, folded, and the proof that the ledger holds each.
    async fn registry(&mut self, signed: &Signed) -> Result<History, Failure> {
        let size = signed.head.commitment.size;
        let entries = self.source.registry(size).await?;
        let history = History::of(&entries).map_err(Failure::new)?;
        history.is_under(signed.head.commitment.registry).map_err(Failure::new)?;
        let mut lines = self.writer.lines(folder::REGISTRY).map_err(Failure::new)?;
        let mut proofs = Vec::new();
        for entry in &entries {
            let seq = entry.header.seq;
            lines.add(&entry.to_value().canonical()).map_err(Failure::new)?;
            let proof = self.source.inclusion(seq, size).await?;
            proofs.push(Value::Object(Object::new().with("seq", seq).with("proof", proof_value(&proof))));
        }
        self.writer.end(lines).map_err(Failure::new)?;
        let proofs = Object::new().with("v", "1").with("size", size).with("proofs", proofs);
        self.put(folder::REGISTRY_PROOFS, &proofs.canonical())?;
        self.put(folder::KEYS, &history.keys_value().canonical())?;
        Ok(history)
    }

    /// The entries from before the range that the regimes' times of retention ask for.
    async fn samples(&mut self, regimes: &[Regime], signed: &Signed, range: u64) -> Result<Samples, Failure> {
        let size = signed.head.commitment.size;
        let mut wanted = BTreeSet::new();
        for regime in regimes {
            let first = self.first_at(due(regime.retention_days, signed.head.at), size).await?;
            wanted.extend([0].into_iter().chain(numbers(first, range)).filter(|seq| *seq < size));
        }
        let mut samples = Samples::default();
        for seq in wanted {
            let sample =
                Sample { entry: self.source.entry(seq).await?, proof: self.source.inclusion(seq, size).await? };
            samples.0.insert(seq, sample);
        }
        self.put(folder::RETENTION, &samples.canonical())?;
        Ok(samples)
    }

    async fn policies(&mut self, facts: &Facts) -> Result<(), Failure> {
        let policies = facts.policies();
        for policy in &policies {
            let bytes = self.source.blob(policy.id.hash).await?;
            self.put(&folder::policy(policy.id.hash), &bytes)?;
        }
        self.put(folder::POLICIES, &policies_value(&policies).canonical())
    }

    /// What is made of the facts, and the manifest over all of it.
    fn close(
        mut self,
        query: Query,
        signed: Signed,
        facts: &Facts,
        regimes: &[Regime],
        made: Time,
    ) -> Result<(Manifest, Sha3), Failure> {
        let mut gaps = controls::gaps(regimes, facts, &signed.head);
        gaps.append(&mut self.gaps);
        let mut manifest = Manifest {
            tool: manifest::tool(),
            made,
            query,
            range: facts.stretch.numbers(),
            head: signed.head,
            checkpoint: signed.checkpoint,
            counts: facts.counts(),
            gaps,
            files: BTreeMap::new(),
        };
        for regime in regimes {
            self.put(&folder::regime(&regime.id), &regime.source)?;
        }
        self.put(folder::OSCAL, &oscal::results(&manifest, facts, regimes, &self.writer.files).canonical())?;
        self.put(folder::PAGE, page::page(&manifest, facts, regimes).as_bytes())?;
        manifest.files.clone_from(&self.writer.files);
        let hash = self.writer.close(&manifest.canonical()).map_err(Failure::new)?;
        Ok((manifest, hash))
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.writer.put(name, bytes).map_err(Failure::new)
    }
}

/// The proof files of some operations, a few asked for at the same time, given in their order, none under a head of less than
/// `least` entries.
async fn fetched(source: &Source, ops: &[&str], least: u64) -> Result<Vec<(String, Result<Value, String>)>, Failure> {
    let mut fetched = Vec::new();
    for ops in ops.chunks(AT_ONCE) {
        let ask = |op: &&str| {
            let (source, [op, used]) = (source.clone(), gaps::shown_by(op));
            tokio::spawn(async move {
                let bundle = match source.bundle(&op, least).await {
                    Ok(Err(why)) => source.bundle(&used, least).await.map(|used| used.map_err(|_| why)),
                    other => other,
                };
                bundle.map(|bundle| (op, bundle))
            })
        };
        for one in ops.iter().map(ask).collect::<Vec<_>>() {
            fetched.push(one.await.map_err(Failure::new)??);
        }
    }
    Ok(fetched)
}

/// The gaps of the operations of which no proof file was shown, and why. One that came after all shows an artifact by its first use,
/// and so does whoever verifies see it.
fn missing(unshown: Vec<(String, String)>, known: &BTreeSet<String>) -> impl Iterator<Item = Gap> {
    let missing = unshown.into_iter().filter(move |(op, _)| gaps::is_missing(op, known));
    missing.map(|(op, why)| Gap { why: Some(why), ..Gap::plain(gaps::missing(&op)) })
}

fn said(args: &Export, manifest: &Manifest, hash: Sha3) -> Value {
    let gaps: Vec<Value> = manifest.gaps.iter().map(|gap| Value::from(gap.said())).collect();
    let object = Object::new()
        .with("dir", args.out.display().to_string())
        .with("manifest", hash)
        .with("counts", manifest.counts.clone())
        .with("gaps", gaps);
    Value::Object(object)
}

fn told(args: &Export, manifest: &Manifest, hash: Sha3, output: Output) -> String {
    let count = |name: &str| manifest.counts.get(name).and_then(Value::as_int).unwrap_or(0);
    let dir = args.out.display();
    let mut lines = vec![
        format!("{} from {} to {}", manifest.head.commitment.ledger, manifest.query.from, manifest.query.to),
        format!(
            "  {} entries, complete under the head of {} entries; {} lineages: {} executed, {} refused, {} unused, {} open, \
             {} with events after the range",
            count("entries"),
            manifest.head.commitment.size,
            count("lineages"),
            count("execution"),
            count("denial"),
            count("unused"),
            count("open"),
            count("later"),
        ),
    ];
    for gap in &manifest.gaps {
        lines.push(format!("  {} {}", output.paint(Paint::Warn, "gap"), shown(&gap.said())));
    }
    lines.push(format!("{dir}: {} files and their manifest, {hash}", manifest.files.len()));
    let typed = word(&dir);
    lines.push(format!("read {dir}/{}; check it anywhere: eleven evidence verify {typed} --root ROOT", folder::PAGE));
    lines.join("\n")
}

#[cfg(test)]
mod tests;
