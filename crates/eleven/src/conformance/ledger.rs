//! `ledger.json` (PROTOCOL 5, 6), `append.json` (PROTOCOL 6.1) and this project's own `append-own.json`, through the rules by
//! which the ledger appends.

use super::Folder;
use super::report::{Outcome, Report, Wrong, holds, items, member, number, read, same, text};
use eleven_core::chain::{self, ChainValue, Entry};
use eleven_core::encoding::Value;
use eleven_core::hash::{Blake2b, Sha3, Sha256};
use eleven_core::time::Time;
use eleven_core::tree::{self, MemoryTree};
use eleven_ledger::conformance;
use eleven_ledger::rules::{Book, Refusal};

/// A ledger that grows entry by entry as the file says.
struct Grown {
    book: Book,
    tree: MemoryTree,
    tip: Option<ChainValue>,
}

/// Every entry is accepted where it stands, and both chains, the leaf and the root follow; then the proofs.
pub(super) fn replay(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    let file = folder.read("ledger.json")?;
    let (roots, leaves) = (hashes(&file, "roots")?, hashes(&file, "leaf_hashes")?);
    let mut grown = Grown { book: Book::new(), tree: MemoryTree::new(), tip: None };
    report.check("the empty tree", same(&Some(&grown.tree.root()), &roots.first()));
    for (seq, entry) in items(&file, "entries")?.iter().enumerate() {
        let name = format!("entry {seq} {}", text(member(entry, "record")?, "event")?);
        let wanted = items(&file, "chain")?.get(seq).zip(leaves.get(seq)).zip(roots.get(seq + 1));
        let result = wanted
            .ok_or_else(|| Wrong::from("`chain`, `leaf_hashes` or `roots` is too short"))
            .and_then(|((chain, leaf), root)| append_entry(&mut grown, entry, chain, leaf, root));
        report.check(&name, result);
    }
    for case in items(&file, "inclusion")? {
        let name = format!("inclusion of {} in {}", number(case, "seq")?, number(case, "size")?);
        report.check(&name, inclusion(&grown.tree, case, &leaves, &roots));
    }
    for case in items(&file, "consistency")? {
        let name = format!("consistency of {} with {}", number(case, "first")?, number(case, "second")?);
        report.check(&name, consistency(&grown.tree, case, &roots));
    }
    Ok(())
}

fn append_entry(grown: &mut Grown, entry: &Value, chain: &Value, leaf: &Sha256, root: &Sha256) -> Result<(), Wrong> {
    conformance::replay(&mut grown.book, entry)?;
    let Entry { header, record } = Entry::read(entry.clone())?;
    same(&header.prev, &grown.tip)?;
    let bytes = header.bytes(&record.canonical());
    same(&bytes, &entry.canonical())?;
    let tip = chain::advance(grown.tip.as_ref(), &bytes);
    grown.tip = Some(tip);
    same(&tip, &chain_value(chain).ok_or("`chain` is not two hashes")?)?;
    same(&tree::leaf_hash(&bytes), leaf)?;
    grown.tree.append(*leaf);
    same(&grown.tree.root(), root)
}

fn chain_value(value: &Value) -> Option<ChainValue> {
    let [hash, hash_alt] = value.as_array()? else { return None };
    Some(ChainValue { hash: Sha3::parse(hash.as_str()?)?, hash_alt: Blake2b::parse(hash_alt.as_str()?)? })
}

fn hashes(file: &Value, name: &str) -> Result<Vec<Sha256>, Wrong> {
    let read = |value: &Value| value.as_str().and_then(Sha256::parse);
    let all: Option<Vec<Sha256>> = items(file, name)?.iter().map(read).collect();
    all.ok_or_else(|| Wrong(format!("`{name}` is not an array of hashes")))
}

fn at(hashes: &[Sha256], place: u64) -> Result<&Sha256, Wrong> {
    let place = usize::try_from(place).map_err(|_| Wrong::from("a number beyond this machine"))?;
    hashes.get(place).ok_or_else(|| Wrong(format!("there is no hash {place}")))
}

fn inclusion(tree: &MemoryTree, case: &Value, leaves: &[Sha256], roots: &[Sha256]) -> Result<(), Wrong> {
    let (seq, size) = (number(case, "seq")?, number(case, "size")?);
    let proof = tree::read_proof(member(case, "proof")?)?;
    same(&tree::inclusion_proof(tree, seq, size).as_ref(), &Some(&proof))?;
    holds(tree::verify_inclusion(at(leaves, seq)?, seq, size, &proof, at(roots, size)?), "the proof does not verify")
}

fn consistency(tree: &MemoryTree, case: &Value, roots: &[Sha256]) -> Result<(), Wrong> {
    let (first, second) = (number(case, "first")?, number(case, "second")?);
    let proof = tree::read_proof(member(case, "proof")?)?;
    same(&tree::consistency_proof(tree, first, second).as_ref(), &Some(&proof))?;
    let (old, new) = (at(roots, first)?, at(roots, second)?);
    holds(tree::verify_consistency(first, second, old, new, &proof), "the proof does not verify")?;
    let other = Sha256::of(&[&new.0]);
    holds(!tree::verify_consistency(first, second, old, &other, &proof), "the proof verifies against another root")
}

/// Records that are, or are not, appended after the first `prefix` entries. The cases do not build on each other.
pub(super) fn append(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    let (file, ledger) = (folder.read("append.json")?, folder.read("ledger.json")?);
    let prefix = usize::try_from(number(&file, "prefix")?).map_err(|_| Wrong::from("`prefix` is too large"))?;
    let entries = items(&ledger, "entries")?.get(..prefix).ok_or("ledger.json has fewer entries than `prefix`")?;
    let book = grown(entries)?;
    for case in items(&file, "cases")? {
        report.case(text(case, "what")?, appended(&book, case));
    }
    Ok(())
}

/// The same after all of ledger.json and the entries that a case names itself: an addition of this project's.
pub(super) fn append_own(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    if !folder.has("append-own.json") {
        return Ok(());
    }
    let (file, ledger) = (folder.read("append-own.json")?, folder.read("ledger.json")?);
    let entries = items(&ledger, "entries")?;
    for case in items(&file, "cases")? {
        let book = grown(entries.iter().chain(items(case, "before")?));
        report.case(text(case, "what")?, book.and_then(|book| appended(&book, case)));
    }
    Ok(())
}

fn grown<'a>(entries: impl IntoIterator<Item = &'a Value>) -> Result<Book, Wrong> {
    let mut book = Book::new();
    for entry in entries {
        conformance::replay(&mut book, entry)?;
    }
    Ok(book)
}

fn appended(book: &Book, case: &Value) -> Outcome {
    let at = read(case, "at", Time::parse_millis)?;
    let (outcome, why) = conformance::append(book, member(case, "record")?.clone(), at);
    same(&outcome, &text(case, "expect")?)?;
    Ok(why.map(|why: Refusal| why.to_string()))
}
