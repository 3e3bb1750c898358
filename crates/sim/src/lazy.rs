//! A disk that says that a sync is done and does nothing: a part that is broken on purpose.

use eleven_store::faulty::FaultyDisk;
use eleven_store::{Disk, DiskFile};
use std::io;
use std::sync::Arc;

/// The disk.
pub(crate) struct Lazy(pub(crate) FaultyDisk);

struct LazyFile(Arc<dyn DiskFile>);

impl Disk for Lazy {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(LazyFile(self.0.create(name)?)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(LazyFile(self.0.open(name)?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.0.sync_dir()
    }

    fn nonce(&self) -> u64 {
        self.0.nonce()
    }
}

impl DiskFile for LazyFile {
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_at(offset, bytes)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, into)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}
