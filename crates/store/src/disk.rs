//! What a log needs of a disk, and no more: a flat folder of files, written and read at offsets, synced by name.

use std::{
    fs::{File, OpenOptions},
    hash::{BuildHasher, Hasher, RandomState},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

#[cfg(test)]
mod tests;

/// A folder of files. Changes of names (create, rename, remove) are durable only after [`Disk::sync_dir`], contents
/// only after [`DiskFile::sync_data`]; until then a crash may keep any part of them.
///
/// A part of them, and nothing else. Of a rename a crash leaves the names as before it or as after it, and of a name that it
/// replaces never neither file. A write that a crash interrupts, or that fails, changes no byte outside its own range: a disk that
/// writes whole blocks anew, as one that encrypts them may, loses with a torn one records of it that were acknowledged before.
/// Whatever is not durable yet is seen by every handle of this disk as soon as the call returned.
pub trait Disk: Send + Sync {
    /// Makes `name` an empty file, replacing one that is there.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens `name` for reading, and for writing where files of this disk may be written.
    ///
    /// # Errors
    /// `NotFound` where there is no such file; else whatever the disk says.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives the file `from` the name `to`, replacing one that has it.
    ///
    /// # Errors
    /// `NotFound` where there is no `from`; else whatever the disk says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Takes the name away; who holds the file open can still read it.
    ///
    /// # Errors
    /// `NotFound` where there is no such file; else whatever the disk says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of all files, in no order.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes all changes of names durable.
    ///
    /// # Errors
    /// Whatever the disk says; it is then unknown which changes are durable.
    fn sync_dir(&self) -> io::Result<()>;

    /// A number that who writes records cannot foretell. It salts checksums and keeps nothing secret.
    fn nonce(&self) -> u64;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn length(&self) -> io::Result<u64>;

    /// Writes some of `bytes` at `offset` and says how many.
    ///
    /// # Errors
    /// Whatever the disk says; it is then unknown what was written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Reads some bytes at `offset` into `into` and says how many; 0 at the end of the file.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Makes all that was written durable, and the length that is needed to read it.
    ///
    /// # Errors
    /// Whatever the disk says; it is then unknown what is durable, and syncing again cannot tell: the kernel may have
    /// forgotten what it failed to write.
    fn sync_data(&self) -> io::Result<()>;
}

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_all(file: &dyn DiskFile, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(offset, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                bytes = bytes.get(written..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills `into` from `offset` on; `UnexpectedEof` where the file ends before.
pub(crate) fn read_exact(file: &dyn DiskFile, mut offset: u64, mut into: &mut [u8]) -> io::Result<()> {
    while !into.is_empty() {
        match file.read_at(offset, into) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                offset += read as u64;
                into = into.get_mut(read..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A folder of the file system.
pub(crate) struct Directory {
    path: PathBuf,
    handle: File,
    /// Whether it, and what is in it, is opened to be changed, too.
    writes: bool,
}

impl Directory {
    pub(crate) fn open(path: &Path) -> io::Result<Directory> {
        Ok(Directory { path: path.to_owned(), handle: File::open(path)?, writes: true })
    }

    /// Opens it for reading alone: nothing is asked of the disk that a folder refuses in which nobody may write.
    pub(crate) fn to_read(path: &Path) -> io::Result<Directory> {
        Ok(Directory { writes: false, ..Directory::open(path)? })
    }

    fn changes(&self) -> io::Result<()> {
        if self.writes { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl Disk for Directory {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.changes()?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        Ok(Arc::new(options.open(self.path.join(name))?))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OpenOptions::new().read(true).write(self.writes).open(self.path.join(name))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.changes()?;
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.changes()?;
        std::fs::remove_file(self.path.join(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    fn nonce(&self) -> u64 {
        RandomState::new().build_hasher().finish()
    }
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, into, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }
}
