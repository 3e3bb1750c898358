//! The folder: what stands in it under which name, written with a hash of each file and read back by that hash.

use eleven_core::hash::{Sha3, Sha3Stream};
use eleven_core::limits::MAX_BUNDLE;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::io::{BufRead as _, BufReader, BufWriter, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The list of all others.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The entries of the range.
pub(crate) const RANGE: &str = "range/entries.jsonl";
/// What shows that they are all, and in the ledger.
pub(crate) const RANGE_PROOF: &str = "range/proof.json";
/// The events of the registry.
pub(crate) const REGISTRY: &str = "registry/entries.jsonl";
/// That the ledger holds each of them.
pub(crate) const REGISTRY_PROOFS: &str = "registry/proofs.json";
/// The events of the lineages that were asked for.
pub(crate) const RECORDS: &str = "records/events.jsonl";
/// The heads that proof files stand under, and that they are of one history.
pub(crate) const HEADS: &str = "proofs/heads.json";
/// Keys and their history.
pub(crate) const KEYS: &str = "keys.json";
/// Policies and their time.
pub(crate) const POLICIES: &str = "policies.json";
/// How far the records reach back.
pub(crate) const RETENTION: &str = "retention.json";
/// The same for machines of examiners.
pub(crate) const OSCAL: &str = "oscal/assessment-results.json";
/// The same for people.
pub(crate) const PAGE: &str = "index.html";

/// The files that every export has beside its manifest.
pub(crate) const ALWAYS: [&str; 11] =
    [RANGE, RANGE_PROOF, REGISTRY, REGISTRY_PROOFS, RECORDS, HEADS, KEYS, POLICIES, RETENTION, OSCAL, PAGE];
/// Bytes of a file that is no list of lines: no honest one comes near.
const MAX_FILE: u64 = 1024 * 1024 * 1024;
/// Bytes of a line: an entry of the ledger, with a record of 16 KiB in it.
const MAX_LINE: usize = 64 * 1024;

/// How the name of a proof file ends.
pub(crate) const PROOF: &str = ".proof.json";

/// The proof file of an operation.
pub(crate) fn proof(op: &str) -> String {
    format!("proofs/{op}{PROOF}")
}

/// The bundle of a policy.
pub(crate) fn policy(hash: Sha3) -> String {
    format!("policies/{}.json", hash.hex())
}

/// The questions of a regime.
pub(crate) fn regime(id: &str) -> String {
    format!("regimes/{id}.json")
}

/// Whether an export may have a file of this name. Which of them it has follows from what it shows.
pub(crate) fn may_have(name: &str) -> bool {
    let is_in = |folder: &str, end: &str| {
        let of = name.strip_prefix(folder).and_then(|name| name.strip_suffix(end));
        of.is_some_and(|of| !of.is_empty() && !of.contains('/'))
    };
    let numbered = is_in("proofs/", PROOF) || is_in("policies/", ".json") || is_in("regimes/", ".json");
    ALWAYS.contains(&name) || numbered
}

/// More bytes than this no honest file of that name has: a proof file is a bundle's canonical bytes, and only the lists of
/// entries and events grow with the range.
fn most_bytes(name: &str) -> u64 {
    match name {
        RANGE | REGISTRY | RECORDS => u64::MAX,
        name if name.ends_with(PROOF) => MAX_BUNDLE as u64,
        _ => MAX_FILE,
    }
}

/// More values than this no honest file of so many bytes has. A value takes many times the bytes that a hostile one is written in.
pub(crate) fn most_values(bytes: &[u8]) -> usize {
    bytes.len() / 16 + 65_536
}

/// Bytes and hash of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its length.
    pub(crate) bytes: u64,
    /// Its hash.
    pub(crate) hash: Sha3,
}

impl Listed {
    /// Of these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX), hash: Sha3::of(&[bytes]) }
    }
}

/// A folder that is being written.
pub(crate) struct Writer {
    dir: PathBuf,
    /// What was written.
    pub(crate) files: BTreeMap<String, Listed>,
}

/// A file that is being written line by line.
pub(crate) struct Lines {
    name: String,
    file: BufWriter<File>,
    hash: Sha3Stream,
    bytes: u64,
}

impl Writer {
    /// Whether there is nothing yet where the folder is to be, so that it may be made; it is not made.
    ///
    /// # Errors
    /// Where it holds something, or is no folder.
    pub(crate) fn may_make(dir: &Path) -> Result<(), String> {
        match fs::read_dir(dir).map(|mut holds| holds.next().is_none()) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("{} is not empty: name a folder that is, or that is not there", dir.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(at(dir, &error)),
        }
    }

    /// Makes the folder, for its owner alone: it holds who called what. One that is there stays as open as it is.
    ///
    /// # Errors
    /// As [`Writer::may_make`], and where it can't be made.
    pub(crate) fn make(dir: &Path) -> Result<Self, String> {
        Self::may_make(dir)?;
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| at(dir, &error))?;
        Ok(Self { dir: dir.to_owned(), files: BTreeMap::new() })
    }

    /// Writes a file.
    ///
    /// # Errors
    /// Where that fails.
    pub(crate) fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.place(name)?;
        fs::write(&path, bytes).map_err(|error| at(&path, &error))?;
        self.files.insert(name.to_owned(), Listed::of(bytes));
        Ok(())
    }

    /// Begins a file of lines.
    ///
    /// # Errors
    /// Where that fails.
    pub(crate) fn lines(&self, name: &str) -> Result<Lines, String> {
        let path = self.place(name)?;
        let file = File::create(&path).map_err(|error| at(&path, &error))?;
        Ok(Lines { name: name.to_owned(), file: BufWriter::new(file), hash: Sha3Stream::default(), bytes: 0 })
    }

    /// Ends it.
    ///
    /// # Errors
    /// Where that fails.
    pub(crate) fn end(&mut self, mut lines: Lines) -> Result<(), String> {
        lines.file.flush().map_err(|error| at(Path::new(&lines.name), &error))?;
        self.files.insert(lines.name, Listed { bytes: lines.bytes, hash: lines.hash.finish() });
        Ok(())
    }

    /// Writes the manifest, which lists the others, and returns its hash.
    ///
    /// # Errors
    /// Where that fails.
    pub(crate) fn close(self, manifest: &[u8]) -> Result<Sha3, String> {
        let path = self.dir.join(MANIFEST);
        fs::write(&path, manifest).map_err(|error| at(&path, &error))?;
        Ok(Sha3::of(&[manifest]))
    }

    /// Where a file goes. A name may come from the ledger, and never leads out of the folder.
    fn place(&self, name: &str) -> Result<PathBuf, String> {
        if !is_name(name) {
            return Err(format!("{name:?} is no name of a file in this folder: nothing was written under it"));
        }
        let path = self.dir.join(name);
        let parent = path.parent().unwrap_or(&self.dir);
        fs::create_dir_all(parent).map_err(|error| at(parent, &error))?;
        Ok(path)
    }
}

impl Lines {
    /// Adds a line.
    ///
    /// # Errors
    /// Where that fails.
    pub(crate) fn add(&mut self, line: &[u8]) -> Result<(), String> {
        for piece in [line, b"\n"] {
            self.file.write_all(piece).map_err(|error| at(Path::new(&self.name), &error))?;
            self.hash.update(piece);
            self.bytes += u64::try_from(piece.len()).unwrap_or(0);
        }
        Ok(())
    }
}

/// A folder that is read. It may come from a stranger: nothing in it is read but plain files, and no more than they hold.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder, which holds a manifest at least.
    ///
    /// # Errors
    /// Where it does not.
    pub(crate) fn open(dir: &Path) -> Result<Self, String> {
        let manifest = dir.join(MANIFEST);
        if manifest.is_file() { Ok(Self(dir.to_owned())) } else { Err(format!("{} is not there", manifest.display())) }
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// Where it can't be read, or is larger than any that an export writes.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let (file, length) = self.file(name)?;
        if length > most_bytes(name).min(MAX_FILE) {
            return Err(too_large(name, length));
        }
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes).map_err(|error| format!("{name}: {error}"))?;
        Ok(bytes)
    }

    /// A file, opened, and how long it is.
    fn file(&self, name: &str) -> Result<(File, u64), String> {
        let (path, length) = self.plain(name)?;
        Ok((File::open(&path).map_err(|error| format!("{name}: {error}"))?, length))
    }

    /// Where a plain file lies, and how long it is. A link may lead anywhere, and a pipe or a device has no end.
    fn plain(&self, name: &str) -> Result<(PathBuf, u64), String> {
        let fails = |error: std::io::Error| format!("{name}: {error}");
        let refused = || format!("{name} is no plain file, and was not read: put the file itself there");
        // The folders on the way, too.
        let mut path = self.0.clone();
        let mut found = None;
        for part in Path::new(name) {
            path.push(part);
            let here = fs::symlink_metadata(&path).map_err(fails)?;
            if here.is_symlink() {
                return Err(refused());
            }
            found = Some(here);
        }
        let found = found.filter(fs::Metadata::is_file).ok_or_else(refused)?;
        Ok((path, found.len()))
    }

    /// Takes a file's lines, one after the other.
    ///
    /// # Errors
    /// Where it can't be read, a line is longer than any entry, the last has no end, or one is refused.
    pub(crate) fn each_line(
        &self,
        name: &str,
        mut take: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let failed = |what: &dyn std::fmt::Display| format!("{name}: {what}");
        let (file, length) = self.file(name)?;
        let mut file = BufReader::new(file.take(length));
        let (mut line, most) = (Vec::new(), MAX_LINE as u64 + 1);
        while (&mut file).take(most).read_until(b'\n', &mut line).map_err(|error| failed(&error))? > 0 {
            if line.len() > MAX_LINE {
                return Err(failed(&"a line is longer than any entry"));
            }
            let whole = line.strip_suffix(b"\n").ok_or_else(|| failed(&"the last line has no end"))?;
            take(whole).map_err(|error| failed(&error))?;
            line.clear();
        }
        Ok(())
    }

    /// Whether a file is there.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.plain(name).is_ok()
    }

    /// Whether a file is the one that was listed. None is hashed that is larger than any of its name.
    ///
    /// # Errors
    /// How it differs.
    pub(crate) fn is_listed(&self, name: &str, listed: Listed) -> Result<(), String> {
        let differs = || format!("{name} is not the file that the manifest lists");
        let (file, length) = self.file(name)?;
        if length != listed.bytes {
            return Err(differs());
        }
        if length > most_bytes(name) {
            return Err(too_large(name, length));
        }
        let mut file = file.take(length);
        let (mut hash, mut bytes, mut buffer) = (Sha3Stream::default(), 0, vec![0; 64 * 1024]);
        loop {
            let read = file.read(&mut buffer).map_err(|error| format!("{name}: {error}"))?;
            let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else { break };
            hash.update(piece);
            bytes += u64::try_from(read).unwrap_or(0);
        }
        let found = Listed { bytes, hash: hash.finish() };
        if found == listed { Ok(()) } else { Err(differs()) }
    }

    /// The names of all files, the manifest's apart.
    ///
    /// # Errors
    /// Where the folder can't be read.
    pub(crate) fn names(&self) -> Result<BTreeSet<String>, String> {
        let mut names = BTreeSet::new();
        let mut open = vec![self.0.clone()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(&dir).map_err(|error| at(&dir, &error))? {
                let path = entry.map_err(|error| at(&dir, &error))?.path();
                if path.is_dir() && !path.is_symlink() {
                    open.push(path);
                } else if let Ok(name) = path.strip_prefix(&self.0) {
                    names.insert(name.to_string_lossy().into_owned());
                }
            }
        }
        names.remove(MANIFEST);
        Ok(names)
    }
}

/// Whether a name of a file stays within the folder, and is not the manifest's.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |part: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        !part.is_empty() && part != "." && part != ".." && part.bytes().all(allowed)
    };
    name != MANIFEST && name.split('/').all(plain)
}

fn too_large(name: &str, length: u64) -> String {
    format!("{name} has {length} bytes, more than any file of that name in an export")
}

fn at(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
