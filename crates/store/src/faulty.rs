//! A disk in memory that fails as real ones do, by plan: for tests of anything that keeps a log.
//!
//! It tells apart what a running process sees from what a crash would leave. Writes and changes of names wait until
//! they are synced; [`FaultyDisk::reboot`] decides what of the waiting survives. A failed sync may have persisted all,
//! some or nothing of it, and what it did not persist is forgotten, as kernels do: it can still be read, the next sync
//! succeeds, and the crash after that loses it.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::disk::{Disk, DiskFile};

mod dice;
#[cfg(test)]
mod tests;

pub use dice::Dice;

/// Linux's numbers, so that messages read like those of a real disk.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// What is written as a whole or not at all where a crash scatters writes. Smaller than any real sector, to find more.
const SCATTER_BYTES: usize = 32;

/// The disk. Clones are the same disk; [`FaultyDisk::reboot`] leaves the clones from before it dead.
#[derive(Clone)]
pub struct FaultyDisk {
    machine: Arc<Mutex<Machine>>,
    boot: u64,
}

/// One thing that was asked of the disk; tests choose by it where to put a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// [`Disk::create`].
    Create(String),
    /// [`Disk::open`].
    Open(String),
    /// [`Disk::rename`], by the new name.
    Rename(String),
    /// [`Disk::remove`].
    Remove(String),
    /// [`Disk::list`].
    List,
    /// [`Disk::sync_dir`].
    SyncDir,
    /// [`DiskFile::write_at`] of so many bytes.
    Write(usize),
    /// [`DiskFile::read_at`] or [`DiskFile::length`].
    Read,
    /// [`DiskFile::sync_data`].
    Sync,
}

/// What an operation does instead of succeeding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Fails with EIO after this much of its effect.
    Eio(Effect),
    /// Fails with ENOSPC after this much of its effect.
    Enospc(Effect),
    /// A write takes only so many bytes and says so. Any other operation succeeds.
    Short(usize),
    /// The machine stops in the middle of it: all that waits may survive or not, by [`Survival`].
    Crash,
}

/// How much of its effect a failing operation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// None. A failed data sync has forgotten what waited for it.
    Nothing,
    /// So many bytes, of a write or of what waited for a sync; none for any other operation.
    Part(usize),
    /// All of it: failed, but persisted.
    All,
}

/// What of the unsynced survives a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// Nothing.
    Lost,
    /// Everything.
    Kept,
    /// In each file so many bytes, in the order in which they were written; and all changes of names.
    Torn(usize),
    /// Any part, in any order, by this seed; and any of the changes of names.
    Scattered(u64),
}

#[derive(Default)]
struct Machine {
    boot: u64,
    down: bool,
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    waiting_names: Vec<Change>,
    plan: BTreeMap<usize, Fault>,
    done: Vec<Op>,
    nonce: u64,
    unfailing: bool,
    /// How many bytes all files together may have, where the disk is not endless.
    room: Option<usize>,
}

#[derive(Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    waiting: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone)]
enum Change {
    Link(String, usize),
    Unlink(String),
    Rename(String, String, usize),
}

struct Handle {
    disk: FaultyDisk,
    inode: usize,
}

impl Default for FaultyDisk {
    fn default() -> FaultyDisk {
        FaultyDisk::new(0)
    }
}

impl FaultyDisk {
    /// An empty disk without faults, whose nonces follow from `seed`.
    pub fn new(seed: u64) -> FaultyDisk {
        let machine = Machine { nonce: seed, ..Machine::default() };
        FaultyDisk { machine: Arc::new(Mutex::new(machine)), boot: 0 }
    }

    /// Lets operation number `at` fail, counted from 0 over all operations of this disk, reboots included.
    pub fn plan(&self, at: usize, fault: Fault) {
        self.lock().plan.insert(at, fault);
    }

    /// Lets what `look` reads be neither counted nor failed: the world's own look at a disk, not its user's.
    pub fn unfailing<T>(&self, look: impl FnOnce() -> T) -> T {
        self.lock().unfailing = true;
        let seen = look();
        self.lock().unfailing = false;
        seen
    }

    /// Takes back every fault that was planned and has not come.
    pub fn forget_plan(&self) {
        self.lock().plan.clear();
    }

    /// All that was asked so far; the length of this is the number of the next operation.
    pub fn done(&self) -> Vec<Op> {
        self.lock().done.clone()
    }

    /// How many operations were asked so far: the number of the next one.
    pub fn operations(&self) -> usize {
        self.lock().done.len()
    }

    /// Bytes of all files together.
    pub fn used(&self) -> usize {
        self.lock().used()
    }

    /// From now on all files together may have so many bytes: a write that needs more takes what fits and fails with
    /// ENOSPC. With `None` the disk is endless, as a new one is.
    pub fn set_room(&self, room: Option<usize>) {
        self.lock().room = room;
    }

    /// Whether a planned crash has happened since the last reboot.
    pub fn is_down(&self) -> bool {
        self.lock().down
    }

    /// Turns the machine off and on: `survival` decides what the disk holds. All handles from before are dead.
    #[must_use]
    pub fn reboot(&self, survival: Survival) -> FaultyDisk {
        let mut machine = self.lock();
        let machine = &mut *machine;
        let mut dice = Dice::new(match survival {
            Survival::Scattered(seed) => seed,
            _ => 0,
        });
        for inode in &mut machine.inodes {
            inode.crash(survival, &mut dice);
        }
        for change in std::mem::take(&mut machine.waiting_names) {
            let survives = match survival {
                Survival::Lost => false,
                Survival::Kept | Survival::Torn(_) => true,
                Survival::Scattered(_) => dice.coin(),
            };
            if survives {
                change.apply(&mut machine.durable_names);
            }
        }
        machine.names = machine.durable_names.clone();
        machine.boot += 1;
        machine.down = false;
        FaultyDisk { machine: Arc::clone(&self.machine), boot: machine.boot }
    }

    /// What a reader of `name` sees, or none.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let machine = self.lock();
        let inode = *machine.names.get(name)?;
        machine.inodes.get(inode).map(|inode| inode.seen.clone())
    }

    /// The names of all files, in order.
    pub fn names(&self) -> Vec<String> {
        self.lock().names.keys().cloned().collect()
    }

    /// Puts `bytes` in place of the file `name`, durably and past all faults: damage, as a test wants it.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut machine = self.lock();
        let machine = &mut *machine;
        let inode = machine.inodes.len();
        machine.inodes.push(Inode { seen: bytes.clone(), durable: bytes, waiting: Vec::new() });
        machine.names.insert(name.to_owned(), inode);
        machine.durable_names.insert(name.to_owned(), inode);
    }

    /// Takes the file `name` away, durably and past all faults.
    pub fn lose(&self, name: &str) {
        let mut machine = self.lock();
        machine.names.remove(name);
        machine.durable_names.remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the operation, and says which fault meets it.
    fn begin(&self, op: Op) -> io::Result<(MutexGuard<'_, Machine>, Option<Fault>)> {
        let mut machine = self.lock();
        if machine.down || machine.boot != self.boot {
            return Err(stopped());
        }
        if machine.unfailing {
            return Ok((machine, None));
        }
        let number = machine.done.len();
        machine.done.push(op);
        let fault = machine.plan.remove(&number);
        machine.down = fault == Some(Fault::Crash);
        Ok((machine, fault))
    }

    /// An operation that reads: it has no effect to fail half-way through.
    fn look(&self, op: Op) -> io::Result<MutexGuard<'_, Machine>> {
        let (machine, fault) = self.begin(op)?;
        match fault {
            None | Some(Fault::Short(_)) => Ok(machine),
            Some(fault) => Err(fault.error()),
        }
    }

    /// A change of names.
    fn change(&self, op: Op, change: impl FnOnce(&mut Machine) -> io::Result<Change>) -> io::Result<()> {
        let (mut machine, fault) = self.begin(op)?;
        let happens = match fault {
            None | Some(Fault::Short(_) | Fault::Crash) => true,
            Some(Fault::Eio(effect) | Fault::Enospc(effect)) => effect == Effect::All,
        };
        if happens {
            let change = change(&mut machine)?;
            change.clone().apply(&mut machine.names);
            machine.waiting_names.push(change);
        }
        fault.map_or(Ok(()), Fault::outcome)
    }

    fn handle(&self, inode: usize) -> Arc<dyn DiskFile> {
        Arc::new(Handle { disk: self.clone(), inode })
    }
}

impl Disk for FaultyDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut made = 0;
        self.change(Op::Create(name.to_owned()), |machine| {
            made = machine.inodes.len();
            machine.inodes.push(Inode::default());
            Ok(Change::Link(name.to_owned(), made))
        })?;
        Ok(self.handle(made))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let machine = self.look(Op::Open(name.to_owned()))?;
        let inode = *machine.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(inode))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change(Op::Rename(to.to_owned()), |machine| {
            let inode = *machine.names.get(from).ok_or(io::ErrorKind::NotFound)?;
            Ok(Change::Rename(from.to_owned(), to.to_owned(), inode))
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change(Op::Remove(name.to_owned()), |machine| {
            machine.names.get(name).ok_or(io::ErrorKind::NotFound)?;
            Ok(Change::Unlink(name.to_owned()))
        })
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.look(Op::List)?.names.keys().cloned().collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let (mut machine, fault) = self.begin(Op::SyncDir)?;
        let happens = match fault {
            None | Some(Fault::Short(_)) => true,
            Some(Fault::Eio(effect) | Fault::Enospc(effect)) => effect == Effect::All,
            Some(Fault::Crash) => false,
        };
        if happens {
            for change in std::mem::take(&mut machine.waiting_names) {
                change.apply(&mut machine.durable_names);
            }
        }
        fault.map_or(Ok(()), Fault::outcome)
    }

    fn nonce(&self) -> u64 {
        let mut machine = self.lock();
        let mut dice = Dice::new(machine.nonce);
        machine.nonce = dice.roll();
        machine.nonce
    }
}

impl DiskFile for Handle {
    fn length(&self) -> io::Result<u64> {
        let machine = self.disk.look(Op::Read)?;
        Ok(machine.inodes.get(self.inode).map_or(0, |inode| inode.seen.len() as u64))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let (mut machine, fault) = self.disk.begin(Op::Write(bytes.len()))?;
        let taken = match fault {
            None | Some(Fault::Crash) => bytes.len(),
            Some(Fault::Short(most)) => most.min(bytes.len()),
            Some(Fault::Eio(effect) | Fault::Enospc(effect)) => effect.of(bytes.len()),
        };
        let fits = taken.min(machine.fits(self.inode, offset as usize));
        if let (Some(inode), Some(taken)) = (machine.inodes.get_mut(self.inode), bytes.get(..fits)) {
            patch(&mut inode.seen, offset as usize, taken);
            inode.waiting.push((offset as usize, taken.to_vec()));
        }
        if fits < taken {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        fault.map_or(Ok(()), Fault::outcome).map(|()| taken)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let machine = self.disk.look(Op::Read)?;
        let seen = machine.inodes.get(self.inode).and_then(|inode| inode.seen.get(offset as usize..));
        let seen = seen.unwrap_or_default();
        let length = seen.len().min(into.len());
        if let (Some(into), Some(seen)) = (into.get_mut(..length), seen.get(..length)) {
            into.copy_from_slice(seen);
        }
        Ok(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        let (mut machine, fault) = self.disk.begin(Op::Sync)?;
        if let Some(inode) = machine.inodes.get_mut(self.inode) {
            match fault {
                None | Some(Fault::Short(_)) => inode.persist(usize::MAX),
                Some(Fault::Eio(effect) | Fault::Enospc(effect)) => inode.persist(effect.of(usize::MAX)),
                Some(Fault::Crash) => {}
            }
        }
        fault.map_or(Ok(()), Fault::outcome)
    }
}

impl Machine {
    fn used(&self) -> usize {
        self.names.values().filter_map(|inode| self.inodes.get(*inode)).map(|inode| inode.seen.len()).sum()
    }

    /// How many bytes can be written at `offset` of a file before the disk is full.
    fn fits(&self, inode: usize, offset: usize) -> usize {
        let Some(room) = self.room else { return usize::MAX };
        let length = self.inodes.get(inode).map_or(0, |inode| inode.seen.len());
        (length + room.saturating_sub(self.used())).saturating_sub(offset)
    }
}

impl Inode {
    /// Makes the first `most` waiting bytes durable and forgets the others.
    fn persist(&mut self, most: usize) {
        let mut left = most;
        for (offset, bytes) in self.waiting.drain(..) {
            let kept = left.min(bytes.len());
            left -= kept;
            patch(&mut self.durable, offset, bytes.get(..kept).unwrap_or_default());
        }
    }

    fn crash(&mut self, survival: Survival, dice: &mut Dice) {
        match survival {
            Survival::Lost => self.persist(0),
            Survival::Kept => self.persist(usize::MAX),
            Survival::Torn(most) => self.persist(most),
            Survival::Scattered(_) => {
                for (offset, bytes) in self.waiting.drain(..) {
                    for (piece, bytes) in bytes.chunks(SCATTER_BYTES).enumerate() {
                        if dice.coin() {
                            patch(&mut self.durable, offset + piece * SCATTER_BYTES, bytes);
                        }
                    }
                }
            }
        }
        self.seen.clone_from(&self.durable);
    }
}

impl Change {
    fn apply(self, names: &mut BTreeMap<String, usize>) {
        match self {
            Change::Link(name, inode) => {
                names.insert(name, inode);
            }
            Change::Unlink(name) => {
                names.remove(&name);
            }
            Change::Rename(from, to, inode) => {
                names.remove(&from);
                names.insert(to, inode);
            }
        }
    }
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Fault::Eio(_) | Fault::Short(_) => io::Error::from_raw_os_error(EIO),
            Fault::Enospc(_) => io::Error::from_raw_os_error(ENOSPC),
            Fault::Crash => stopped(),
        }
    }

    fn outcome(self) -> io::Result<()> {
        match self {
            Fault::Short(_) => Ok(()),
            fault => Err(fault.error()),
        }
    }
}

impl Effect {
    fn of(self, all: usize) -> usize {
        match self {
            Effect::Nothing => 0,
            Effect::Part(part) => part.min(all),
            Effect::All => all,
        }
    }
}

fn stopped() -> io::Error {
    io::Error::other("the machine has stopped")
}

fn patch(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    if file.len() < offset + bytes.len() {
        file.resize(offset + bytes.len(), 0);
    }
    if let Some(place) = file.get_mut(offset..offset + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}
