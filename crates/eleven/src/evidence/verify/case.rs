//! Everything in a folder, read once; what can't be read keeps its reason, for the verdict that needs it.

use super::super::facts::Facts;
use super::super::folder::{self, Folder};
use super::super::gaps;
use super::super::history::History;
use super::super::lineage::Lineage;
use super::super::manifest::Manifest;
use super::super::regime::Regime;
use super::super::retention::Samples;
use super::super::side::by_side;
use super::super::stretch::Stretch;
use super::super::verifier::Verifier;
use super::terms::{self, Terms};
use crate::progress::Shown;
use eleven_core::chain::Entry;
use eleven_core::encoding::{Value, parse_at_most};
use eleven_core::event::Record;
use eleven_core::hash::{Sha3, Sha3Stream};
use eleven_verify::{Pinned, Report, parse_file};
use std::collections::{BTreeMap, BTreeSet};

/// Proof files that are in memory at the same time.
const AT_ONCE: usize = 256;

/// A folder of evidence, read.
pub(super) struct Case {
    pub(super) manifest: Manifest,
    /// The hash of its file, which an export ends with.
    pub(super) hash: Sha3,
    /// The regimes that were asked for, where their terms are those that they have to be.
    pub(super) terms: Result<Terms, String>,
    /// Everything that was shown, where all of it could be read.
    pub(super) facts: Result<Facts, String>,
    /// The registry's entries, as they stand there.
    pub(super) registry: Vec<Entry>,
    /// The proof files, each with what its checks came to.
    pub(super) proofs: Vec<Proof>,
    /// The hash of the records as the proof files give them.
    pub(super) records: Sha3,
    /// Signatures of the range and of the registry that don't verify, or whose keys don't count, by their entries.
    pub(super) unsigned: BTreeMap<u64, String>,
    /// The entries of the range whose uses name a registry that its history does not have.
    pub(super) elsewhere: Vec<u64>,
    /// The parts of the range's proof: of its first and of its last entry.
    pub(super) range_proof: Result<Value, String>,
    pub(super) registry_proofs: Result<Value, String>,
    pub(super) heads: Result<Value, String>,
}

/// A proof file.
pub(super) struct Proof {
    pub(super) op: String,
    pub(super) report: Result<Report, String>,
}

impl Case {
    /// Reads a folder. The regimes in `given` are the verifier's own.
    ///
    /// # Errors
    /// Where its manifest can't be read.
    pub(super) fn read(
        folder: &Folder,
        root: Option<&Pinned>,
        given: &[Regime],
        mut far: Shown,
    ) -> Result<Self, String> {
        let bytes = folder.read(folder::MANIFEST)?;
        let manifest = Manifest::read(&bytes).map_err(|error| format!("{}: {error}", folder::MANIFEST))?;
        let registry = registry(folder);
        let history = registry.as_ref().map_err(Clone::clone).and_then(|entries| History::of(entries));
        let (mut unsigned, mut elsewhere) = (BTreeMap::new(), Vec::new());
        let stretch = stretch(folder, &manifest, history.as_ref().ok(), &mut |history, entry, record| {
            let seq = entry.header.seq;
            unsigned.extend(history.unsigned(&entry.header, record).map(|why| (seq, why)));
            elsewhere.extend(history.never_was(record).then_some(seq));
        });
        if let (Ok(entries), Ok(history)) = (&registry, &history) {
            unsigned.extend(of_registry(entries, history));
        }
        let mut hash = Sha3Stream::default();
        let (mut proofs, mut lineages) = (Vec::new(), Vec::new());
        let verifier = Verifier::new(root.cloned());
        let named = stretch.as_ref().map(|stretch| named(folder, stretch)).unwrap_or_default();
        for ops in named.chunks(AT_ONCE) {
            far.tell(|_| format!("proof file {} of {}", proofs.len() + 1, named.len()));
            for (op, read) in ops.iter().zip(by_side(ops, |op| proof(folder, op, &verifier))) {
                let Read { report, lineage, entries } = read;
                entries.iter().flat_map(|entry| [entry.as_slice(), b"\n"]).for_each(|piece| hash.update(piece));
                lineages.push(lineage);
                proofs.push(Proof { op: op.clone(), report });
            }
        }
        let facts = facts(folder, &manifest, stretch, history, lineages);
        Ok(Self {
            terms: terms::read(folder, &manifest, given),
            facts,
            registry: registry.unwrap_or_default(),
            proofs,
            records: hash.finish(),
            unsigned,
            elsewhere,
            range_proof: value(folder, folder::RANGE_PROOF),
            registry_proofs: value(folder, folder::REGISTRY_PROOFS),
            heads: value(folder, folder::HEADS),
            hash: Sha3::of(&[&bytes]),
            manifest,
        })
    }
}

fn value(folder: &Folder, name: &str) -> Result<Value, String> {
    let bytes = folder.read(name)?;
    parse_at_most(&bytes, folder::most_values(&bytes)).map_err(|error| format!("{name}: {error}"))
}

fn registry(folder: &Folder) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    folder.each_line(folder::REGISTRY, |line| {
        entries.push(Entry::parse(line).map_err(|error| error.to_string())?);
        Ok(())
    })?;
    Ok(entries)
}

/// The events of the registry that nobody signed who could. Most of them lie before the range, and all that is in it rests on them.
fn of_registry(entries: &[Entry], history: &History) -> BTreeMap<u64, String> {
    let unsigned = |entry: &Entry| {
        let record = Record::read(entry.record.clone()).ok()?;
        Some((entry.header.seq, history.unsigned(&entry.header, &record)?))
    };
    entries.iter().filter_map(unsigned).collect()
}

/// The entries of the range, each held against the registry's history, where there is one.
fn stretch(
    folder: &Folder,
    manifest: &Manifest,
    history: Option<&History>,
    hold: &mut dyn FnMut(&History, &Entry, &Record),
) -> Result<Stretch, String> {
    let mut stretch = Stretch::new(&manifest.query);
    folder.each_line(folder::RANGE, |line| {
        let (entry, record) = stretch.take(line)?;
        if let Some(history) = history {
            hold(history, &entry, &record);
        }
        Ok(())
    })?;
    Ok(stretch)
}

/// The proof files of the operations that were asked for, in the order of the range; one that is not there is missed by
/// completeness.
fn named(folder: &Folder, stretch: &Stretch) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let held = |op: &String| folder.holds(&folder::proof(op));
    let file_of = |op: &str| gaps::shown_by(op).into_iter().find(held);
    stretch.asked().into_iter().filter_map(file_of).filter(|op| seen.insert(op.clone())).collect()
}

/// What a proof file came to.
struct Read {
    report: Result<Report, String>,
    lineage: Result<Lineage, String>,
    /// The canonical bytes of its entries.
    entries: Vec<Vec<u8>>,
}

fn proof(folder: &Folder, op: &str, verifier: &Verifier) -> Read {
    let name = folder::proof(op);
    let read = folder.read(&name).and_then(|bytes| parse_file(&bytes).map_err(|error| format!("{name}: {error}")));
    let bundle = match read {
        Ok(bundle) => bundle,
        Err(error) => return Read { report: Err(error.clone()), lineage: Err(error), entries: Vec::new() },
    };
    let report = verifier.verify(&bundle, Some(op));
    let (lineage, entries) = match Lineage::of(&bundle) {
        Ok((lineage, entries)) => (Ok(lineage), entries),
        Err(error) => (Err(format!("{name}: {error}")), Vec::new()),
    };
    Read { report: Ok(report), lineage, entries }
}

fn facts(
    folder: &Folder,
    manifest: &Manifest,
    stretch: Result<Stretch, String>,
    history: Result<History, String>,
    lineages: Vec<Result<Lineage, String>>,
) -> Result<Facts, String> {
    let samples = folder.read(folder::RETENTION)?;
    let samples = Samples::read(&samples).map_err(|error| format!("{}: {error}", folder::RETENTION))?;
    Ok(Facts {
        stretch: stretch?,
        // A proof file that can't be read is missed by its own verdicts; the others say what they can.
        lineages: lineages.into_iter().flatten().collect(),
        history: history?,
        samples,
        from: manifest.query.from,
        to: manifest.query.to,
    })
}
