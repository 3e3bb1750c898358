//! A reader who trusts nothing: from the entries' bytes alone it computes chains, tree, index and registry again, follows
//! every stream and every lineage, and says what is wrong.

use eleven_core::attestation::Envelope;
use eleven_core::chain::{ChainValue, EntryHeader, advance};
use eleven_core::encoding::{Value, parse_canonical};
use eleven_core::event::Record;
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::head::{Commitment, RegistryRef};
use eleven_core::id;
use eleven_core::index::{self, OperationIndex};
use eleven_core::limits::MAX_ISSUED_LATE_MS;
use eleven_core::lineage::{Lineage, Stage};
use eleven_core::registry::Fold;
use eleven_core::time::Time;
use eleven_core::tree::{self, MemoryTree};
use std::collections::BTreeMap;

/// What the entries say so far.
#[derive(Default)]
pub struct Replica {
    leaves: Vec<Sha256>,
    chains: Vec<ChainValue>,
    tree: MemoryTree,
    index: OperationIndex,
    registry: Option<Fold>,
    at: Option<Time>,
    /// Each key's stream: the digest of every record, and whether it was refused.
    streams: BTreeMap<String, Vec<(Sha3, bool)>>,
    lineages: BTreeMap<String, Lineage>,
    /// Operations that a point consumed, and when.
    consumed: BTreeMap<String, Time>,
    /// The index and the registry of the last seal, and its number.
    seals: BTreeMap<u64, (Sha256, RegistryRef)>,
}

impl Replica {
    /// How many entries were read.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// The leaf of an entry.
    #[must_use]
    pub fn leaf(&self, seq: u64) -> Option<&Sha256> {
        self.leaves.get(usize::try_from(seq).ok()?)
    }

    /// Lineages that were begun and are not closed.
    pub fn open_lineages(&self) -> impl Iterator<Item = &str> {
        let open = |lineage: &Lineage| !matches!(lineage.stage, Stage::Issued | Stage::Closed);
        self.lineages.iter().filter(move |(_, lineage)| open(lineage)).map(|(op, _)| op.as_str())
    }

    /// The number that comes next under a key.
    #[must_use]
    pub fn next_of(&self, kid: &str) -> u64 {
        self.streams.get(kid).map_or(0, Vec::len) as u64
    }

    /// What stands under a key's number: the record's digest, and whether it was refused.
    #[must_use]
    pub fn standing(&self, kid: &str, number: u64) -> Option<&(Sha3, bool)> {
        self.streams.get(kid)?.get(usize::try_from(number).ok()?)
    }

    /// How many records were refused under their numbers.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.streams.values().flatten().filter(|(_, refused)| *refused).count()
    }

    /// The number of the last entry that is not a seal.
    #[must_use]
    pub fn last_news(&self) -> u64 {
        let mut last = self.size().saturating_sub(1);
        while last > 0 && self.seals.contains_key(&last) {
            last -= 1;
        }
        last
    }

    /// Reads the next entry.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.entry(bytes).map_err(|why| format!("entry {}: {why}", self.size()))
    }

    fn entry(&mut self, bytes: &[u8]) -> Result<(), String> {
        let (header, canonical) = EntryHeader::split(bytes).map_err(|error| error.to_string())?;
        ensure(header.seq == self.size(), || format!("it is numbered {}", header.seq))?;
        ensure(header.prev == self.chains.last().copied(), || "its chain values are not those before".to_owned())?;
        ensure(self.at.is_none_or(|at| at <= header.at), || "its time falls".to_owned())?;
        let record = Record::read(parse_canonical(canonical).map_err(|error| error.to_string())?);
        let record = record.map_err(|error| error.to_string())?;
        ensure(record.hashes_follow(), || "its event hashes do not follow".to_owned())?;
        self.stream(&record, canonical)?;
        self.lineage(&record)?;
        let late = record.event == "authorization.issued" && header.at.since(record.ts) > MAX_ISSUED_LATE_MS;
        ensure(!late, || "it was issued long before".to_owned())?;
        if record.event == "ledger.sealed" {
            self.seal(&record)?;
        }
        self.registry(&record, header.at)?;
        self.note(&record);
        self.at = Some(header.at);
        self.chains.push(advance(header.prev.as_ref(), bytes));
        let leaf = tree::leaf_hash(bytes);
        self.leaves.push(leaf);
        self.tree.append(leaf);
        Ok(())
    }

    /// Every key's numbers without gaps and without doubles, those of refused records among them.
    fn stream(&mut self, record: &Record, canonical: &[u8]) -> Result<(), String> {
        let stream = self.streams.entry(record.kid.clone()).or_default();
        let next = stream.len() as u64;
        ensure(record.src_seq == next, || format!("{} has number {}, {next} comes next", record.kid, record.src_seq))?;
        stream.push((Sha3::of(&[canonical]), false));
        if record.event != "ledger.refused" {
            return Ok(());
        }
        let (kid, hash) = (record.data_str("kid"), record.data_str("hash").and_then(Sha3::parse));
        let number = record.data.get("src_seq").and_then(Value::as_uint);
        let (Some(kid), Some(hash), Some(number)) = (kid, hash, number) else { return Ok(()) };
        let reason = record.data_str("reason").unwrap_or_default();
        let stream = self.streams.entry(kid.to_owned()).or_default();
        if number == stream.len() as u64 {
            stream.push((hash, true));
            return Ok(());
        }
        Err(format!("{kid} has sent two records under number {number} ({reason})"))
    }

    fn lineage(&mut self, record: &Record) -> Result<(), String> {
        let failed = |error: eleven_core::lineage::LineageError| format!("{} of {}: {error}", record.event, record.op);
        if record.event == "authorization.issued" {
            let begun = Lineage::begin(record).map_err(failed)?;
            ensure(self.lineages.insert(record.op.clone(), begun).is_none(), || "issued twice".to_owned())?;
        } else if eleven_ledger::rules::is_of_operation(&record.event) {
            let base = id::split_operation(&record.op).map(|(content, _)| content).unwrap_or_default();
            let before = self.lineages.get(&record.op).or_else(|| self.lineages.get(base));
            let before = before.ok_or_else(|| format!("{} was never issued", record.op))?;
            let next = before.advance(record).map_err(failed)?;
            self.lineages.insert(record.op.clone(), next);
        }
        if record.event == "authorization.consumed" {
            let before = self.consumed.insert(record.op.clone(), record.ts);
            ensure(before.is_none(), || format!("{} was consumed twice", record.op))?;
        }
        if record.event == "attestation.signed" {
            self.attested(record)?;
        }
        Ok(())
    }

    /// What ran did so after it was consumed and before it was attested, whatever the point's clock did: no verifier takes it
    /// otherwise.
    fn attested(&self, record: &Record) -> Result<(), String> {
        let envelope = Envelope::read(record.data.get("envelope").cloned().unwrap_or(Value::Null));
        let statement = envelope.and_then(|envelope| envelope.statement()).map_err(|error| error.to_string())?;
        let consumed = self.consumed.get(&record.op).copied().ok_or("it attests what nobody consumed")?;
        let times = [consumed, statement.started, statement.finished, record.ts];
        ensure(times.is_sorted(), || format!("{} is attested with times that fall: {times:?}", record.op))
    }

    /// The seal names the index over the entries before it, and the registry in force.
    fn seal(&mut self, record: &Record) -> Result<(), String> {
        let index = self.index.rehash();
        let named = record.data_str("index").and_then(Sha256::parse);
        ensure(named == Some(index), || "the seal names another index".to_owned())?;
        let registry = self.registry.as_ref().ok_or("a seal before the genesis")?;
        ensure(record.data.get("registry") == Some(&registry.reference()), || {
            "the seal names another registry".to_owned()
        })?;
        let registry = RegistryRef { epoch: registry.epoch(), hash: registry.hash() };
        self.seals.insert(self.size(), (index, registry));
        Ok(())
    }

    fn registry(&mut self, record: &Record, at: Time) -> Result<(), String> {
        match &mut self.registry {
            None => {
                let fold = Fold::genesis(at, &record.by, &record.data).map_err(|error| error.to_string())?;
                self.registry = Some(fold);
            }
            Some(fold) => {
                fold.apply(at, &record.event, &record.by, &record.data).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    fn note(&mut self, record: &Record) {
        if record.event.starts_with("ledger.") {
            return;
        }
        let value = index::op_value(&record.op, record.n, &record.hash, &record.hash_alt);
        self.index.insert(index::op_key(&record.op), value);
        if record.event == "authorization.revoked"
            && let Some(artifact) = record.data_str("artifact")
        {
            self.index.insert(index::revoked_key(artifact), index::revoked_value(&record.hash));
        }
    }

    /// Whether a head commits to these entries.
    ///
    /// # Errors
    /// In what it does not.
    pub fn agrees(&self, head: &Commitment) -> Result<(), String> {
        let size = head.size;
        let last = size.checked_sub(1).ok_or("a head over nothing")?;
        let at = usize::try_from(last).map_err(|error| error.to_string())?;
        let chain = self.chains.get(at).ok_or_else(|| format!("a head over {size} of {} entries", self.size()))?;
        let (index, registry) = self.seals.get(&last).ok_or_else(|| format!("entry {last} under a head is no seal"))?;
        ensure(head.chain == *chain, || format!("the head of {size} names other chain values"))?;
        ensure(Some(head.root) == self.tree.root_at(size), || format!("the head of {size} names another root"))?;
        ensure(head.index == *index, || format!("the head of {size} names another index"))?;
        ensure(head.registry == *registry, || format!("the head of {size} names another registry"))
    }

    /// The root at a size, where there are so many entries.
    #[must_use]
    pub fn root_at(&self, size: u64) -> Option<Sha256> {
        self.tree.root_at(size)
    }

    /// The same root by RFC 9162's own definition, without the tree that was kept.
    #[must_use]
    pub fn root_by_definition(&self, size: u64) -> Option<Sha256> {
        Some(merkle(self.leaves.get(..usize::try_from(size).ok()?)?))
    }
}

/// MTH of RFC 9162, section 2.1.1.
fn merkle(leaves: &[Sha256]) -> Sha256 {
    match leaves {
        [] => Sha256::of(&[b""]),
        [leaf] => *leaf,
        _ => {
            let half = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(half);
            Sha256::of(&[&[1], &merkle(left).0, &merkle(right).0])
        }
    }
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}
