//! A corner's data folder: whose it is, which format it has, and that one process at a time writes to it.

use std::{
    collections::BTreeSet,
    fmt,
    fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::disk::{Directory, Disk};

#[cfg(test)]
mod tests;

/// The version of the layout of data folders that this build writes and reads.
pub const DATA_FORMAT: u32 = 1;

const FORMAT_FILE: &str = "FORMAT";
/// What becomes `FORMAT`, until it is durable.
const FORMAT_DRAFT: &str = "FORMAT.tmp";
const LOCK_FILE: &str = "LOCK";
/// Where the kernel says who holds which lock.
const KERNEL_LOCKS: &str = "/proc/locks";
/// What is being done where the lock is taken, as an error names it.
const LOCKING: &str = "lock";
/// A `FORMAT` file has three short lines; more is not one.
const FORMAT_FILE_BYTES: u64 = 4096;

/// A data folder that this process holds alone, until this value and every log opened in it are gone. The kernel lets
/// go of the lock when the process ends, however it ends.
#[derive(Debug)]
pub struct Folder {
    held: Arc<Held>,
}

/// The lock, shared by the folder and the writers of its logs.
#[derive(Debug)]
struct Held {
    path: PathBuf,
    /// Locked for as long as it is open.
    _lock: Option<[File; 2]>,
    /// Whether what is in it may be changed.
    writes: bool,
    /// Names of the places that have a writer.
    claimed: Mutex<BTreeSet<String>>,
}

/// Where a log is kept, claimed for one writer: a part of a [`Folder`], or any [`Disk`] that a test made.
pub struct Place {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) claim: Option<Claim>,
}

/// Keeps the folder locked and its place without a second writer.
#[derive(Debug)]
pub(crate) struct Claim {
    held: Arc<Held>,
    name: String,
}

impl Folder {
    /// Opens the folder of `corner` (`authority`, `runtime`, `ledger`) at `path`. An absent folder is made, for its
    /// owner only (mode 0700), and marked with the corner and the format. Another user's folder is left as it is: what is
    /// written into it would be ours, and closed to its owner.
    ///
    /// # Errors
    /// [`FolderError`]: another user's, held by another process, another corner's, or of a format that this build does not
    /// know.
    pub fn open(path: impl AsRef<Path>, corner: &str) -> Result<Folder, FolderError> {
        let path = path.as_ref();
        check_owner(path)?;
        make_private(path).map_err(|cause| FolderError::io("make", path, cause))?;
        let lock = lock(path)?;
        match read_format(path)? {
            Some(found) => check_format(path, &found, corner)?,
            None => write_format(path, corner).map_err(|cause| FolderError::io("write FORMAT in", path, cause))?,
        }
        Ok(Folder::held(path, Some(lock), true))
    }

    fn held(path: &Path, lock: Option<[File; 2]>, writes: bool) -> Folder {
        let held = Held { path: path.to_owned(), _lock: lock, writes, claimed: Mutex::default() };
        Folder { held: Arc::new(held) }
    }

    /// Opens the folder of `corner` at `path`, and makes none where there is none: for whoever does not begin one.
    ///
    /// # Errors
    /// [`FolderError::Absent`], and those of [`Folder::open`].
    pub fn open_existing(path: impl AsRef<Path>, corner: &str) -> Result<Folder, FolderError> {
        let path = path.as_ref();
        match path.join(FORMAT_FILE).try_exists() {
            Ok(true) => Self::open(path, corner),
            Ok(false) => Err(FolderError::Absent { path: path.to_owned(), wanted: corner.to_owned() }),
            Err(cause) => Err(FolderError::io("look into", path, cause)),
        }
    }

    /// Opens the folder of `corner` at `path`, or begins one where there is none or an empty one: for whoever is told by a person
    /// where that is. What is in a folder of another kind is left as it is.
    ///
    /// # Errors
    /// [`FolderError::Taken`], and those of [`Folder::open`].
    pub fn open_or_begin(path: impl AsRef<Path>, corner: &str) -> Result<Folder, FolderError> {
        let path = path.as_ref();
        check_owner(path)?;
        match path.join(FORMAT_FILE).try_exists().and_then(|begun| Ok(begun || is_empty(path)?)) {
            Ok(true) => Self::open(path, corner),
            Ok(false) => Err(FolderError::Taken { path: path.to_owned(), wanted: corner.to_owned() }),
            Err(cause) => Err(FolderError::io("look into", path, cause)),
        }
    }

    /// Opens the folder of `corner` at `path` as [`Folder::open_existing`] does, and where nothing can be written there, a copy on
    /// a medium that is for reading alone, as it lies: then nothing is opened in its places but to read.
    ///
    /// # Errors
    /// As [`Folder::open_existing`].
    pub fn open_to_read(path: impl AsRef<Path>, corner: &str) -> Result<Folder, FolderError> {
        let path = path.as_ref();
        match Self::open_existing(path, corner) {
            Err(FolderError::Io { doing: LOCKING, cause, .. }) if refuses_writing(&cause) => {
                Self::as_it_lies(path, corner)
            }
            opened => opened,
        }
    }

    /// Opens a folder in which nothing is written, its own lock included: that is taken where there is one.
    fn as_it_lies(path: &Path, corner: &str) -> Result<Folder, FolderError> {
        let lock = match File::open(path.join(LOCK_FILE)) {
            Ok(file) => {
                take(path, &file)?;
                let folder = File::open(path).map_err(|cause| FolderError::io(LOCKING, path, cause))?;
                take(path, &folder)?;
                Some([file, folder])
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(FolderError::io(LOCKING, path, error)),
        };
        Self::check(path, corner)?;
        Ok(Folder::held(path, lock, false))
    }

    /// Whether a folder of `corner` is at `path`, whoever holds it. Nothing is taken or written for that.
    ///
    /// # Errors
    /// [`FolderError::Absent`]; another corner's, or of a format that this build does not know.
    pub fn check(path: impl AsRef<Path>, corner: &str) -> Result<(), FolderError> {
        let path = path.as_ref();
        let absent = || FolderError::Absent { path: path.to_owned(), wanted: corner.to_owned() };
        check_format(path, &read_format(path)?.ok_or_else(absent)?, corner)
    }

    /// The process that holds the folder at `path` now; `None` where none does, or where its lock is no file of its own. Nothing is
    /// taken or written for that: who opens the folder meanwhile is not refused because somebody asked.
    ///
    /// # Errors
    /// [`FolderError::Io`] where the folder, or the kernel's list of locks, can't be read.
    pub fn holder(path: impl AsRef<Path>) -> Result<Option<u32>, FolderError> {
        let path = path.as_ref();
        let failed = |cause| FolderError::io("see who holds", path, cause);
        let lock = match std::fs::symlink_metadata(path.join(LOCK_FILE)) {
            // A link leads to anybody's lock: whoever signals the holder, root perhaps, would signal anybody's process.
            Ok(lock) if !lock.is_file() => return Ok(None),
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        // The number in the file is the last holder's, whether or not it still holds it.
        let named = std::fs::read_to_string(path.join(LOCK_FILE)).map_err(failed)?.trim().parse().ok();
        let locks = std::fs::read_to_string(KERNEL_LOCKS);
        let locks = locks.map_err(|cause| FolderError::io("see who holds", Path::new(KERNEL_LOCKS), cause))?;
        Ok(locks.lines().find_map(|line| holder_in(line, &lock, named)))
    }

    /// Takes back that the folder was begun: its mark and its lock are gone then, and what else is in it stays.
    ///
    /// # Errors
    /// [`FolderError::Io`] where one of them can't be removed.
    pub fn abandon(self) -> Result<(), FolderError> {
        let path = self.path();
        let remove = |name| std::fs::remove_file(path.join(name));
        let removed = remove(FORMAT_FILE).and_then(|()| remove(LOCK_FILE));
        removed.map_err(|cause| FolderError::io("abandon", path, cause))
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.held.path
    }

    /// The place for the log `name` (a plain file name) within the folder, made if absent and the folder is not only read. It
    /// is claimed until what was opened there is gone.
    ///
    /// # Errors
    /// [`FolderError::Claimed`] where it has a writer already; [`FolderError::Io`] where it can't be made, or the name is not plain.
    pub fn place(&self, name: &str) -> Result<Place, FolderError> {
        let path = self.held.path.join(name);
        // Under two names for one folder a log would have two writers.
        let plain = Path::new(name).file_name().filter(|plain| *plain == name);
        plain.ok_or_else(|| FolderError::io("open", &path, io::ErrorKind::InvalidFilename.into()))?;
        let claim = Claim::take(&self.held, name).ok_or_else(|| FolderError::Claimed { path: path.clone() })?;
        let open = || {
            if !self.held.writes {
                return Directory::to_read(&path);
            }
            make_private(&path)?;
            File::open(&self.held.path)?.sync_all()?;
            Directory::open(&path)
        };
        let disk = open().map_err(|cause| FolderError::io("open", &path, cause))?;
        Ok(Place { disk: Arc::new(disk), claim: Some(claim) })
    }
}

impl Place {
    /// A place on `disk`. Whoever calls this answers for there being one writer; what is on the file system comes
    /// from [`Folder::place`] instead.
    pub fn on(disk: impl Disk + 'static) -> Place {
        Place { disk: Arc::new(disk), claim: None }
    }
}

impl Claim {
    fn take(held: &Arc<Held>, name: &str) -> Option<Claim> {
        let fresh = held.claimed.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        fresh.then(|| Claim { held: Arc::clone(held), name: name.to_owned() })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.held.claimed.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// The process that a line of the kernel's list says holds this file's lock: `1: FLOCK ADVISORY WRITE 4711 fe:00:1234 0 EOF`.
fn holder_in(line: &str, lock: &Metadata, named: Option<u32>) -> Option<u32> {
    let mut words = line.split_ascii_whitespace().skip(1);
    // One that waits for a lock has an arrow here.
    if (words.next(), words.nth(1)) != (Some("FLOCK"), Some("WRITE")) {
        return None;
    }
    let pid = words.next()?.parse().ok()?;
    let (device, inode) = words.next()?.rsplit_once(':')?;
    let at = format!("{:02x}:{:02x}", rustix::fs::major(lock.dev()), rustix::fs::minor(lock.dev()));
    // Some file systems show another device there than here; then the file itself has to name the process.
    let same = inode.parse() == Ok(lock.ino()) && (device == at || named == Some(pid));
    same.then_some(pid)
}

fn check_owner(path: &Path) -> Result<(), FolderError> {
    let owner = match std::fs::metadata(path) {
        Ok(folder) => folder.uid(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(FolderError::io("look at", path, error)),
    };
    if owner == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(FolderError::Owner { path: path.to_owned(), owner })
}

/// Whether nothing is there but what is left of a process that ended before the folder was marked.
fn is_empty(path: &Path) -> io::Result<bool> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        if name != LOCK_FILE && name != FORMAT_DRAFT {
            return Ok(false);
        }
    }
    Ok(true)
}

fn make_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Takes the lock and leaves this process's number in it for whoever is refused. The folder itself is locked, too: its file may be
/// taken away or replaced while it is held, as by who unpacks a copy over it, and the folder not without what is in it.
fn lock(path: &Path) -> Result<[File; 2], FolderError> {
    let failed = |cause| FolderError::io(LOCKING, path, cause);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(path.join(LOCK_FILE)).map_err(failed)?;
    take(path, &file)?;
    let folder = File::open(path).map_err(failed)?;
    if !is_taken(path, &folder)? {
        return Err(FolderError::Locked { path: path.to_owned(), pid: None });
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
    Ok([file, folder])
}

/// Takes the lock on an open file; where another has it, says who.
fn take(path: &Path, file: &File) -> Result<(), FolderError> {
    if is_taken(path, file)? {
        return Ok(());
    }
    let mut holder = String::new();
    // A lock that was taken this moment may not name its holder yet.
    let pid = file.take(32).read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse().ok());
    Err(FolderError::Locked { path: path.to_owned(), pid })
}

/// Takes the lock on an open file or folder; false where another has it.
fn is_taken(path: &Path, file: &File) -> Result<bool, FolderError> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(cause)) => Err(FolderError::io(LOCKING, path, cause)),
    }
}

/// Whether the file system refused because nothing may be written there.
fn refuses_writing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

fn read_format(path: &Path) -> Result<Option<String>, FolderError> {
    let file = match File::open(path.join(FORMAT_FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FolderError::io("read FORMAT in", path, error)),
    };
    let mut text = String::new();
    match file.take(FORMAT_FILE_BYTES).read_to_string(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(FolderError::Unmarked { path: path.to_owned() })
        }
        Err(error) => Err(FolderError::io("read FORMAT in", path, error)),
    }
}

fn check_format(path: &Path, text: &str, corner: &str) -> Result<(), FolderError> {
    let value = |key: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once(" = "));
        pairs.find(|(found, _)| *found == key).map(|(_, value)| value.to_owned())
    };
    let unmarked = || FolderError::Unmarked { path: path.to_owned() };
    // The format first: another one may mark its corner in another way.
    let format: u32 = value("format").and_then(|found| found.parse().ok()).ok_or_else(unmarked)?;
    if format != DATA_FORMAT {
        return Err(FolderError::Format { path: path.to_owned(), found: format });
    }
    let found = value("corner").ok_or_else(unmarked)?;
    if found != corner {
        return Err(FolderError::Corner { path: path.to_owned(), found, wanted: corner.to_owned() });
    }
    Ok(())
}

/// Durable before it has its name, so that a crash leaves a whole `FORMAT` or none.
fn write_format(path: &Path, corner: &str) -> io::Result<()> {
    let draft = path.join(FORMAT_DRAFT);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    write!(file, "eleven data folder\ncorner = {corner}\nformat = {DATA_FORMAT}\n")?;
    file.sync_all()?;
    std::fs::rename(&draft, path.join(FORMAT_FILE))?;
    File::open(path)?.sync_all()
}

/// Why a data folder can't be used.
#[derive(Debug)]
pub enum FolderError {
    /// The file system refused.
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        cause: io::Error,
    },
    /// There is no data folder.
    Absent {
        /// Where it was looked for.
        path: PathBuf,
        /// Whose it should be.
        wanted: String,
    },
    /// There is no data folder, and something else is there.
    Taken {
        /// Where.
        path: PathBuf,
        /// Whose folder was to be begun.
        wanted: String,
    },
    /// The folder is another user's.
    Owner {
        /// The folder.
        path: PathBuf,
        /// The number of the user whose it is.
        owner: u32,
    },
    /// Another process, or another part of this one, holds the folder.
    Locked {
        /// The folder.
        path: PathBuf,
        /// The process that holds it, where it left its number.
        pid: Option<u32>,
    },
    /// The folder is another corner's. No corner opens another's folder.
    Corner {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Who tried to open it.
        wanted: String,
    },
    /// Written by a build with another data format.
    Format {
        /// The folder.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It has a `FORMAT` file that is none.
    Unmarked {
        /// The folder.
        path: PathBuf,
    },
    /// The log there has a writer already.
    Claimed {
        /// The log's folder.
        path: PathBuf,
    },
}

impl FolderError {
    fn io(doing: &'static str, path: &Path, cause: io::Error) -> FolderError {
        FolderError::Io { doing, path: path.to_owned(), cause }
    }
}

impl fmt::Display for FolderError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FolderError::Io { doing, path, cause } => {
                write!(out, "can't {doing} {} ({cause}): check the path, its owner and the disk", path.display())
            }
            FolderError::Absent { path, wanted } => {
                write!(out, "{} is no data folder: name the folder of {wanted}", path.display())
            }
            FolderError::Taken { path, wanted } => write!(
                out,
                "{} holds something else: name an empty folder, or the folder of {wanted}; nothing was done",
                path.display()
            ),
            FolderError::Owner { path, owner } => write!(
                out,
                "{} is the user's with the number {owner}: run this as that user (`sudo -u '#{owner}' …`); nothing was \
                 done",
                path.display()
            ),
            FolderError::Locked { path, pid: Some(pid) } => {
                write!(out, "{} is held by process {pid}: stop it, or name another folder", path.display())
            }
            FolderError::Locked { path, pid: None } => {
                write!(out, "{} is held by another process: stop it, or name another folder", path.display())
            }
            FolderError::Corner { path, found, wanted } => {
                write!(out, "{} is the folder of {found}: name the folder of {wanted}", path.display())
            }
            FolderError::Format { path, found } => write!(
                out,
                "{} has data format {found}, this build knows {DATA_FORMAT}: use the build that wrote it, or move its \
                 data over as the changelog says",
                path.display()
            ),
            FolderError::Unmarked { path } => write!(
                out,
                "{} has a FORMAT file that can't be read: restore it from a copy, or name another folder",
                path.display()
            ),
            FolderError::Claimed { path } => {
                write!(out, "{} has a writer in this process already: close that one first", path.display())
            }
        }
    }
}

impl std::error::Error for FolderError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FolderError::Io { cause, .. } => Some(cause),
            _ => None,
        }
    }
}
