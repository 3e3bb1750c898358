//! What the world saw: who was told what. Each thing told is a promise, and is held against what stands in the ledger.

use crate::domain::{POINTS, WITNESSES, domain, kid, witness_name};
use crate::node::Checked;
use crate::replica::Replica;
use eleven_api::audit::{Append, Appended};
use eleven_core::encoding::{Encoded, parse};
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::head::Head;
use eleven_core::head::checkpoint::{Checkpoint, Line, Note};
use eleven_core::signature::{Signer as _, VerifyingKey};
use eleven_ledger::{SteppedLedger, WireAnswer};
use std::collections::{BTreeMap, BTreeSet};

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries in the ledger at the end.
    pub entries: u64,
    /// Heads that were shown.
    pub heads: u64,
    /// Operations that reached the upstream.
    pub executions: u64,
    /// Lineages that a restart closed as interrupted.
    pub interrupted: u64,
    /// Records that were refused under their numbers.
    pub refused: u64,
    /// Records of the authority whose fate was open for a time.
    pub open_fates: u64,
    /// Of those, the ones that turned out to stand in the ledger already.
    pub repeats: u64,
    /// Crashes of machines and processes.
    pub crashes: u64,
    /// Commits of the ledger behind which the next was judged before they were written.
    pub overlapped: u64,
    /// Commits of the ledger that failed.
    pub failed_commits: u64,
    /// Times that a disk was full.
    pub full_disks: u64,
    /// Times that a clock stepped back.
    pub steps_back: u64,
    /// Cosignatures.
    pub cosignatures: u64,
}

/// A record as it was sent: whose, under which number, which.
type Sent = (String, u64, Sha3);

/// The promises.
#[derive(Default)]
pub struct History {
    /// The counts of this run.
    pub report: Report,
    replica: Replica,
    /// The records of each append that is under way.
    calls: BTreeMap<u64, Vec<Sent>>,
    /// What the ledger acknowledged.
    acknowledged: BTreeMap<(String, u64), Sha3>,
    /// The largest size that an answer named.
    told_size: u64,
    head: Option<Head>,
    heads: BTreeMap<u64, Head>,
    /// What each witness signed, in order.
    signed: [Vec<Checkpoint>; WITNESSES],
    cosigning: BTreeMap<(usize, u64), Checkpoint>,
    /// What is durable in a point's journal.
    journals: BTreeMap<(String, u64), Sha3>,
    newest: BTreeMap<String, u64>,
    epochs: [u64; POINTS],
    /// Operations whose start is durable in a journal.
    started: BTreeSet<String>,
    /// Operations that reached the upstream, by point.
    executed: BTreeMap<String, usize>,
}

impl History {
    /// An append leaves its producer.
    pub(crate) fn sent(&mut self, call: u64, body: &[u8]) -> Checked<()> {
        let append = Append::read(body).map_err(|error| error.to_string())?;
        let sent = append.records.iter().map(|record| {
            let read = Encoded::of(record).ok()?;
            let number = u64::try_from(read.int("src_seq")?).ok()?;
            Some((read.text("kid")?.into_owned(), number, Sha3::of(&[record])))
        });
        let sent = sent.collect::<Option<_>>().ok_or("a record without kid or number was sent")?;
        self.calls.insert(call, sent);
        Ok(())
    }

    /// An answer of the ledger leaves it.
    pub(crate) fn answered(&mut self, call: u64, answer: &WireAnswer, durable: u64) -> Checked<()> {
        let Some(sent) = self.calls.get(&call).filter(|_| answer.status == 200) else { return Ok(()) };
        let appended = parse(&answer.body).map_err(|error| error.to_string())?;
        let appended = Appended::read(appended).map_err(|error| error.to_string())?;
        if appended.size > durable {
            return Err(format!("call {call} was told of {} entries, {durable} are durable", appended.size));
        }
        self.told_size = self.told_size.max(appended.size);
        for (kid, number, digest) in sent {
            self.acknowledged.insert((kid.clone(), *number), *digest);
        }
        Ok(())
    }

    /// The ledger committed: what is durable now is read.
    pub(crate) fn committed(&mut self, ledger: &SteppedLedger) -> Checked<()> {
        for seq in self.replica.size()..ledger.size() {
            let bytes = ledger.entry(seq).ok_or_else(|| format!("entry {seq} is durable and cannot be read"))?;
            self.replica.read(&bytes)?;
        }
        Ok(())
    }

    /// The ledger recovered: all that was ever durable is there, and as it was.
    pub(crate) fn ledger_started(&mut self, ledger: &SteppedLedger) -> Checked<()> {
        if ledger.size() < self.replica.size().max(self.told_size) {
            return Err(format!("{} entries are left of {}", ledger.size(), self.replica.size()));
        }
        for seq in 0..self.replica.size() {
            let leaf = ledger.entry(seq).map(|bytes| eleven_core::tree::leaf_hash(&bytes));
            if leaf.as_ref() != self.replica.leaf(seq) {
                return Err(format!("entry {seq} is another than before the restart"));
            }
        }
        self.committed(ledger)?;
        self.check_acknowledged()
    }

    fn check_acknowledged(&self) -> Checked<()> {
        for ((kid, number), digest) in &self.acknowledged {
            if self.replica.standing(kid, *number) != Some(&(*digest, false)) {
                return Err(format!("record {number} of {kid} was acknowledged and is not in the ledger"));
            }
        }
        Ok(())
    }

    /// The ledger shows a head to whoever asks.
    pub(crate) fn head_shown(&mut self, ledger: &SteppedLedger) -> Checked<()> {
        let Some((head, note)) = ledger.head() else {
            return if self.head.is_some() { Err("a head was shown and is gone".to_owned()) } else { Ok(()) };
        };
        if self.head.as_ref() == Some(&head) {
            return Ok(());
        }
        let size = head.commitment.size;
        if let Some(last) = &self.head
            && (size < last.commitment.size || head.at < last.at)
        {
            return Err(format!(
                "a head of {size} at {} follows one of {} at {}",
                head.at, last.commitment.size, last.at
            ));
        }
        if !head.verify(&domain().head_key) {
            return Err(format!("the head of {size} is not signed by the head key"));
        }
        let same = Note::parse(&note).is_ok_and(|note| {
            note.signed_by(&domain().head_key) && note.checkpoint == Checkpoint::of(&head.commitment)
        });
        if !same {
            return Err(format!("the checkpoint beside the head of {size} is another"));
        }
        self.replica.agrees(&head.commitment)?;
        if let Some(other) = self.heads.get(&size)
            && (other.equivocates(&head) || other.commitment != head.commitment)
        {
            return Err(format!("two heads of {size} differ"));
        }
        self.heads.insert(size, head.clone());
        self.head = Some(head);
        self.report.heads += 1;
        Ok(())
    }

    /// A witness signs.
    pub(crate) fn signed(&mut self, witness: usize, call: u64, checkpoint: &Checkpoint) -> Checked<()> {
        if self.replica.root_at(checkpoint.size) != Some(checkpoint.root) {
            return Err(format!("witness {witness} signed {} entries of another history", checkpoint.size));
        }
        if let Some(last) = self.signed[witness].last().filter(|last| last.size > checkpoint.size) {
            return Err(format!("witness {witness} signed {} after {}", checkpoint.size, last.size));
        }
        self.signed[witness].push(checkpoint.clone());
        self.cosigning.insert((witness, call), checkpoint.clone());
        Ok(())
    }

    /// A cosignature reached the ledger; gives the size that it is for.
    pub(crate) fn cosigned(&mut self, witness: usize, call: u64, line: &Line) -> Checked<u64> {
        let checkpoint = self.cosigning.remove(&(witness, call)).ok_or("a cosignature that no witness made")?;
        let key = crate::domain::signer(&format!("witness-{witness}")).public();
        let key = VerifyingKey::new(&key).ok_or("a witness's key is no key")?;
        let (size, note) = (checkpoint.size, Note { checkpoint, lines: vec![line.clone()] });
        if note.cosigned_by(&witness_name(witness), &key).is_none() {
            return Err(format!("the cosignature of witness {witness} does not verify"));
        }
        self.report.cosignatures += 1;
        Ok(size)
    }

    /// A witness recovered at a size: all that it signed is before it.
    pub(crate) fn witness_started(&self, witness: usize, size: u64) -> Checked<()> {
        let signed = self.signed[witness].last().map_or(0, |last| last.size);
        if size < signed {
            return Err(format!("witness {witness} signed {signed} entries and knows {size} after its restart"));
        }
        Ok(())
    }

    /// Records became durable in a point's journal, or were found there at its start.
    pub(crate) fn journaled(&mut self, kid: &str, number: u64, digest: Sha3, started: Option<&str>) -> Checked<()> {
        let known = self.journals.insert((kid.to_owned(), number), digest);
        if known.is_some_and(|known| known != digest) {
            return Err(format!("record {number} in the journal of {kid} is another than before"));
        }
        let newest = self.newest.entry(kid.to_owned()).or_default();
        *newest = (*newest).max(number + 1);
        self.started.extend(started.map(str::to_owned));
        Ok(())
    }

    /// A registry epoch is durable in a point's journal.
    pub(crate) fn saw_epoch(&mut self, point: usize, epoch: u64) {
        self.epochs[point] = self.epochs[point].max(epoch);
    }

    /// A point recovered with `next` as its next number and `epoch` as the highest seen: nothing that was durable is lost,
    /// and all that ran had begun.
    pub(crate) fn point_started(&self, point: usize, kid: &str, next: u64, epoch: u64) -> Checked<()> {
        if epoch < self.epochs[point] {
            return Err(format!("{kid} had seen epoch {} and knows {epoch} after its restart", self.epochs[point]));
        }
        let newest = self.newest.get(kid).copied().unwrap_or(0);
        if next < newest {
            return Err(format!("the journal of {kid} stands at {next}, {newest} were durable"));
        }
        let mut ran = self.executed.iter().filter(|(_, at)| **at == point);
        match ran.find(|(op, _)| !self.started.contains(*op)) {
            Some((op, _)) => Err(format!("{op} ran and no journal has its start")),
            None => Ok(()),
        }
    }

    /// The upstream was reached.
    pub(crate) fn executed(&mut self, op: &str, point: usize) -> Checked<()> {
        self.report.executions += 1;
        if self.executed.insert(op.to_owned(), point).is_some() {
            return Err(format!("{op} ran twice"));
        }
        Ok(())
    }

    /// What is still to come before everything is at rest; nothing where it is.
    pub(crate) fn unrest(&self, ledger: &SteppedLedger, witnesses: &[u64]) -> Option<String> {
        for point in 0..POINTS {
            let kid = kid(&format!("gw-{point}"));
            let (there, journal) = (self.replica.next_of(&kid), self.newest.get(&kid).copied().unwrap_or(0));
            if there < journal {
                return Some(format!("{there} of {journal} records of {kid} are in the ledger"));
            }
        }
        if let Some(op) = self.replica.open_lineages().next() {
            return Some(format!("the lineage {op} is open"));
        }
        let covered = self.head.as_ref().map_or(0, |head| head.commitment.size);
        if covered <= self.replica.last_news() || self.replica.size() != ledger.size() {
            return Some(format!("the head covers {covered} of {} entries", ledger.size()));
        }
        let behind = witnesses.iter().enumerate().find(|(_, size)| **size != covered);
        behind.map(|(witness, size)| format!("witness {witness} stands at {size} of {covered}"))
    }

    /// All that must hold once everything is at rest; where `thorough`, the ledger also checks itself as `fsck` does.
    pub(crate) fn conclude(&mut self, ledger: &SteppedLedger, thorough: bool) -> Checked<Report> {
        self.check_acknowledged()?;
        for ((kid, number), digest) in &self.journals {
            if self.replica.standing(kid, *number).is_none_or(|(there, _)| there != digest) {
                return Err(format!("record {number} of {kid} was durable in its journal and is not in the ledger"));
            }
        }
        for head in self.heads.values() {
            self.replica.agrees(&head.commitment)?;
        }
        let size = self.replica.size();
        let sizes = [1, size / 3, size / 2, size].into_iter().chain(self.heads.keys().copied().step_by(7));
        for size in sizes.filter(|size| *size > 0) {
            let (kept, defined): (Option<Sha256>, _) =
                (self.replica.root_at(size), self.replica.root_by_definition(size));
            if kept.is_none() || kept != defined {
                return Err(format!("the root at {size} is not that of RFC 9162"));
            }
        }
        if thorough {
            ledger.check().map_err(|error| error.to_string())?;
        }
        self.report.entries = size;
        self.report.refused = self.replica.refused() as u64;
        Ok(self.report)
    }
}
