//! A root key in a file, for people: it signs trust roots and recoveries, and lies on no corner's machine.

use crate::disk::open_file;
use crate::keystore::write_new;
use crate::output::Failure;
use eleven_api::edge;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::form::{Form, FormError};
use eleven_core::name;
use eleven_core::signature::{SeedSigner, Signer as _, base64_value, bytes32};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const TYPE: &str = "11-11/root-key";
/// Bytes of such a file at most.
const MAX_FILE: u64 = 4096;

/// Makes a root key of this name and its file.
///
/// # Errors
/// Where the file is there already, or can't be written.
pub(crate) fn create(file: &Path, kid: String) -> Result<SeedSigner, Failure> {
    let seed = Zeroizing::new(edge::random::<32>());
    let signer = SeedSigner::new(kid, &seed);
    let text = Zeroizing::new(base64_value(&*seed));
    let document =
        Object::new().with("v", "1").with("type", TYPE).with("kid", signer.kid()).with("seed", text.as_str());
    write_new(file, &Zeroizing::new(document.canonical()))?;
    Ok(signer)
}

/// Reads a root key. Its file must be its owner's alone.
///
/// # Errors
/// Where it can't be read, others may read it, or it is not of its form.
pub(crate) fn load(file: &Path) -> Result<SeedSigner, Failure> {
    let failed = |what: &dyn std::fmt::Display| Failure::about(file, what);
    let mode = std::fs::metadata(file).map_err(|error| failed(&error))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(failed(&"others may read this key: chmod 600 it"));
    }
    let bytes = Zeroizing::new(std::fs::read(file).map_err(|error| failed(&error))?);
    let value = parse(&bytes).map_err(|error| failed(&error))?;
    read(value).map_err(|error| failed(&error))
}

/// The root keys that lie in a folder, whatever they are called; of what can't be read the name has to tell.
pub(crate) fn lying_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut keys: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|file| is_one(file)).collect();
    keys.sort();
    keys
}

fn is_one(file: &Path) -> bool {
    // A folder may hold anything: what is looked into is no larger than such a key.
    if !std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.len() <= MAX_FILE) {
        return false;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(8192));
    match open_file(file).and_then(|opened| opened.take(MAX_FILE).read_to_end(&mut bytes)) {
        Ok(_) => bytes.windows(TYPE.len()).any(|part| part == TYPE.as_bytes()),
        Err(_) => file.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("root-key")),
    }
}

fn read(value: Value) -> Result<SeedSigner, FormError> {
    let mut form = Form::of(value, "root key")?;
    form.version()?;
    form.named("type", "\"11-11/root-key\"", |kind| kind == TYPE)?;
    let kid = form.named("kid", "a key's name", name::is_key)?;
    let seed = Zeroizing::new(form.string("seed")?);
    let seed = bytes32(&seed).map(Zeroizing::new).ok_or_else(|| form.wrong("seed", "not 32 bytes in base64"))?;
    form.finish()?;
    Ok(SeedSigner::new(kid, &seed))
}
