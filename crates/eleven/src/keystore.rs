//! Where a corner's keys lie. They are made in the corner's own process and never leave it: what others get is a
//! [`Signer`] and public keys.
//!
//! [`Keystore`] is the port; [`FileKeystore`] the one file that development uses: seeds sealed with ChaCha20-Poly1305
//! under a key that Argon2id makes of a passphrase. The public part lies open in the file, and is authenticated with it.

mod sealed;

use crate::disk::open_file;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use eleven_api::keyring::Keyring;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::form::{Form, FormError};
use eleven_core::name;
use eleven_core::root::KeyUse;
use eleven_core::signature::{Signer, base64_value, bytes32};
use sealed::{Cost, Sealed};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The keystore's file in a corner's folder.
pub(crate) const FILE: &str = "keystore.json";
/// The passphrase's file beside it, where no other is named.
pub(crate) const PASSPHRASE: &str = "keystore.pass";
/// Bytes of a passphrase, and of a file that one is read from.
const MAX_PASSPHRASE: u64 = 1024;
const MAX_FILE: u64 = 1024 * 1024;

/// A key as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey {
    /// Its name.
    pub(crate) kid: String,
    /// What it signs.
    pub(crate) usage: KeyUse,
    /// Whose signatures it makes.
    pub(crate) owner: String,
    /// The Ed25519 public key.
    pub(crate) public: [u8; 32],
}

/// What holds a corner's keys.
pub(crate) trait Keystore {
    /// The keys it holds.
    fn keys(&self) -> &[PublicKey];

    /// What signs with the corner's keys of this use: more than one while they are renewed.
    ///
    /// # Errors
    /// Where it holds none.
    fn ring(&self, usage: KeyUse) -> Result<Keyring, KeystoreError>;

    /// What signs with the corner's newest key of this use.
    ///
    /// # Errors
    /// Where it holds none.
    fn signer(&self, usage: KeyUse) -> Result<Arc<dyn Signer>, KeystoreError> {
        self.ring(usage).map(|ring| Arc::clone(ring.newest()))
    }
}

/// Keys in one encrypted file, open.
pub(crate) struct FileKeystore {
    path: PathBuf,
    keys: Vec<PublicKey>,
    signers: Vec<Arc<Held>>,
}

/// Why a keystore can't be made or opened. No text repeats a passphrase or a key.
#[derive(Debug)]
pub(crate) enum KeystoreError {
    /// A file can't be read or written.
    Io(PathBuf, std::io::Error),
    /// The passphrase's file lets others read it, or holds none.
    Passphrase(PathBuf, &'static str),
    /// There is one already.
    Exists(PathBuf),
    /// Somebody else adds keys to it now.
    Busy(PathBuf),
    /// It holds a key of this name already.
    Known(PathBuf, String),
    /// It is not of its form.
    Form(PathBuf, String),
    /// It is another corner's.
    Corner(PathBuf, String),
    /// The passphrase is another, or the file was changed.
    Sealed(PathBuf),
    /// It holds no key of this use.
    NoKey(PathBuf, KeyUse),
}

impl fmt::Display for KeystoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}: check the path and its owner", path.display()),
            Self::Passphrase(path, what) => write!(f, "{}: {what}", path.display()),
            Self::Exists(path) => {
                write!(f, "{} is there already: move it away, or name another place", path.display())
            }
            Self::Busy(path) => write!(f, "{}: somebody else adds keys to it now: try again", path.display()),
            Self::Known(path, kid) => {
                write!(f, "{} holds {kid} already: a name is never used for two keys, ask for it again", path.display())
            }
            Self::Form(path, what) => write!(f, "{} is no keystore ({what}): restore it from a copy", path.display()),
            Self::Corner(path, found) => {
                write!(f, "{} is the keystore of {found}: put this corner's own back from a copy", path.display())
            }
            Self::Sealed(path) => {
                write!(f, "{} does not open: the passphrase is another, or the file was changed", path.display())
            }
            Self::NoKey(path, usage) => write!(f, "{} holds no {} key", path.display(), usage.name()),
        }
    }
}

impl std::error::Error for KeystoreError {}

/// A key that is to be made.
pub(crate) struct Wanted {
    /// Its name.
    pub(crate) kid: String,
    /// What it is to sign.
    pub(crate) usage: KeyUse,
    /// For whom.
    pub(crate) owner: String,
}

/// A key in memory, in the library of primitives that TLS is made of: it signs in half the time that the portable one
/// takes, and wipes the key when it is dropped.
struct Held {
    kid: String,
    public: [u8; 32],
    pair: Ed25519KeyPair,
}

impl Held {
    /// The key of a seed; `None` where the library refuses it.
    fn new(kid: String, seed: &[u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let public = pair.public_key().as_ref().try_into().ok()?;
        Some(Self { kid, public, pair })
    }
}

/// The signer that a keystore hands out, of a key that lies in none: for measuring.
pub(crate) fn in_memory(kid: &str, seed: &[u8; 32]) -> Option<impl Signer> {
    Held::new(kid.to_owned(), seed)
}

impl Signer for Held {
    fn kid(&self) -> &str {
        &self.kid
    }

    fn public(&self) -> [u8; 32] {
        self.public
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(message);
        // An Ed25519 signature has 64 bytes; one that had not would be refused wherever it goes.
        signature.as_ref().try_into().unwrap_or([0; 64])
    }
}

impl FileKeystore {
    /// Makes a keystore with a new key for each of `wanted`; `seeds` and `random` come from the edge.
    ///
    /// # Errors
    /// Where there is one already, or it can't be written.
    pub(crate) fn create(
        path: &Path,
        corner: &str,
        passphrase: &[u8],
        wanted: Vec<Wanted>,
        random: impl Fn() -> Zeroizing<[u8; 32]>,
    ) -> Result<Self, KeystoreError> {
        let mut store = Self { path: path.to_owned(), keys: Vec::new(), signers: Vec::new() };
        let mut seeds = Zeroizing::new(Vec::with_capacity(wanted.len() * 32));
        store.make(wanted, &mut seeds, &random)?;
        write_new(path, &store.sealed(corner, passphrase, &seeds, &random)?)?;
        Ok(store)
    }

    /// Adds a new key for each of `wanted` to the keystore of `corner`, and gives back the public ones. The file is replaced as a
    /// whole, and stays its owner's; who has it open already goes on with what it held.
    ///
    /// # Errors
    /// As [`FileKeystore::open`], where it holds one of them already, and where it can't be written.
    pub(crate) fn add(
        path: &Path,
        corner: &str,
        passphrase: &[u8],
        wanted: Vec<Wanted>,
        random: impl Fn() -> Zeroizing<[u8; 32]>,
    ) -> Result<Vec<PublicKey>, KeystoreError> {
        // Until the new one stands in its place: of two who add at once the second would take away what the first has added.
        let _locked = lock(path)?;
        let (mut store, held) = Self::unsealed(path, corner, passphrase)?;
        // Whoever was before this one may have made them.
        if let Some(known) = store.keys.iter().find(|key| wanted.iter().any(|one| one.kid == key.kid)) {
            return Err(KeystoreError::Known(path.to_owned(), known.kid.clone()));
        }
        let before = store.keys.len();
        // With room for all of them: what it grows out of would not be wiped.
        let mut seeds = Zeroizing::new(Vec::with_capacity(held.len() + wanted.len() * 32));
        seeds.extend_from_slice(&held);
        store.make(wanted, &mut seeds, &random)?;
        write_over(path, &store.sealed(corner, passphrase, &seeds, &random)?)?;
        Ok(store.keys.split_off(before))
    }

    /// Makes a key for each of `wanted`; the seeds go to `seeds`.
    fn make(
        &mut self,
        wanted: Vec<Wanted>,
        seeds: &mut Vec<u8>,
        random: &impl Fn() -> Zeroizing<[u8; 32]>,
    ) -> Result<(), KeystoreError> {
        for Wanted { kid, usage, owner } in wanted {
            let seed = random();
            seeds.extend_from_slice(&*seed);
            let signer = Held::new(kid.clone(), &seed).ok_or_else(|| KeystoreError::Sealed(self.path.clone()))?;
            self.keys.push(PublicKey { kid, usage, owner, public: signer.public() });
            self.signers.push(Arc::new(signer));
        }
        Ok(())
    }

    /// The bytes of the file.
    fn sealed(
        &self,
        corner: &str,
        passphrase: &[u8],
        seeds: &[u8],
        random: &impl Fn() -> Zeroizing<[u8; 32]>,
    ) -> Result<Vec<u8>, KeystoreError> {
        let (salt, nonce) = (random(), random());
        let mut sealed = Sealed { cost: Cost::PRESET, salt: *salt, nonce: sealed::nonce(&nonce), bytes: Vec::new() };
        let open = open_part(corner, &self.keys, &sealed);
        sealed.seal(passphrase, &open.canonical(), seeds).map_err(|_| KeystoreError::Sealed(self.path.clone()))?;
        Ok(open.with("sealed", base64_value(&sealed.bytes)).canonical())
    }

    /// Opens the keystore of `corner`.
    ///
    /// # Errors
    /// Where it is not there, not of its form, another corner's, or does not open with this passphrase.
    pub(crate) fn open(path: &Path, corner: &str, passphrase: &[u8]) -> Result<Self, KeystoreError> {
        Self::unsealed(path, corner, passphrase).map(|(store, _)| store)
    }

    /// The keystore, and the seeds of its keys one after the other.
    fn unsealed(path: &Path, corner: &str, passphrase: &[u8]) -> Result<(Self, Zeroizing<Vec<u8>>), KeystoreError> {
        let (keys, sealed) = read(path, corner)?;
        let open = open_part(corner, &keys, &sealed);
        let shut = || KeystoreError::Sealed(path.to_owned());
        let seeds = sealed.unseal(passphrase, &open.canonical()).map_err(|_| shut())?;
        let (each, rest) = seeds.as_chunks::<32>();
        if each.len() != keys.len() || !rest.is_empty() {
            return Err(shut());
        }
        let signers = keys.iter().zip(each).map(|(key, seed)| Held::new(key.kid.clone(), seed).map(Arc::new));
        let signers = signers.collect::<Option<Vec<_>>>().ok_or_else(shut)?;
        if keys.iter().zip(&signers).any(|(key, signer)| key.public != signer.public()) {
            return Err(shut());
        }
        Ok((Self { path: path.to_owned(), keys, signers }, seeds))
    }
}

impl Keystore for FileKeystore {
    fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    fn ring(&self, usage: KeyUse) -> Result<Keyring, KeystoreError> {
        let of_use = self.keys.iter().zip(&self.signers).filter(|(key, _)| key.usage == usage);
        let ring = Keyring::new(of_use.map(|(_, signer)| Arc::clone(signer) as Arc<dyn Signer>));
        ring.ok_or_else(|| KeystoreError::NoKey(self.path.clone(), usage))
    }
}

/// The public keys of a keystore, without its passphrase. Unauthenticated: for showing.
///
/// # Errors
/// Where it is not there, not of its form, or another corner's.
pub(crate) fn public_keys(path: &Path, corner: &str) -> Result<Vec<PublicKey>, KeystoreError> {
    read(path, corner).map(|(keys, _)| keys)
}

/// Reads a passphrase. Its file must be its owner's alone.
///
/// # Errors
/// Where it can't be read, others may read it, or it holds none.
pub(crate) fn passphrase(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    passphrase_from(path, File::open(path))
}

/// The same, from what was opened at that path.
pub(crate) fn passphrase_from(path: &Path, file: std::io::Result<File>) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    let io = |error| KeystoreError::Io(path.to_owned(), error);
    let file = file.map_err(io)?;
    if others_may_read(&file.metadata().map_err(io)?) {
        return Err(KeystoreError::Passphrase(path.to_owned(), "others may read this passphrase: chmod 600 it"));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(2048));
    file.take(MAX_PASSPHRASE).read_to_end(&mut text).map_err(io)?;
    while text.last().is_some_and(u8::is_ascii_whitespace) {
        text.pop();
    }
    if text.len() < 16 {
        let what = "a passphrase has at least 16 characters: write a longer one";
        return Err(KeystoreError::Passphrase(path.to_owned(), what));
    }
    Ok(text)
}

/// Whether others than its owner, or than whom an administrator hands it to, may read a file.
///
/// # Errors
/// Where it can't be looked at.
pub(crate) fn is_open_to_others(path: &Path) -> std::io::Result<bool> {
    std::fs::metadata(path).map(|metadata| others_may_read(&metadata))
}

fn others_may_read(metadata: &std::fs::Metadata) -> bool {
    // What an administrator hands over (a systemd credential) is not ours, and read through a group or an access list.
    let handed_over = metadata.uid() != rustix::process::geteuid().as_raw();
    metadata.mode() & (if handed_over { 0o037 } else { 0o077 }) != 0
}

/// Makes a passphrase of random bytes where its file is not there yet.
///
/// # Errors
/// Where it can't be written.
pub(crate) fn make_passphrase(path: &Path, random: &[u8; 32]) -> Result<(), KeystoreError> {
    if path.exists() {
        return Ok(());
    }
    let mut text = Zeroizing::new(eleven_core::id::base32(random));
    text.push('\n');
    write_new(path, text.as_bytes())
}

/// Writes a file that was not there, for its owner only, and makes it durable.
///
/// # Errors
/// Where it is there, or can't be written.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    write_with_mode(path, bytes, 0o600)
}

/// Writes a file that was not there, for all to read, and makes it durable.
///
/// # Errors
/// As [`write_new`].
pub(crate) fn write_public(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    write_with_mode(path, bytes, 0o644)
}

fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeystoreError> {
    let io = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => KeystoreError::Exists(path.to_owned()),
        _ => KeystoreError::Io(path.to_owned(), error),
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(io)?;
    let wrote = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| sync_folder(path));
    if wrote.is_err() {
        // Half a file, where the disk is full. Where it can't be removed, the next try is told of it.
        let _ = std::fs::remove_file(path);
    }
    wrote.map_err(io)
}

/// Locks the file at a path against others who would replace it.
fn lock(path: &Path) -> Result<File, KeystoreError> {
    let io = |error: std::io::Error| KeystoreError::Io(path.to_owned(), error);
    let file = File::open(path).map_err(io)?;
    let locked = rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
    let (opened, stands) = (file.metadata().map_err(io)?, std::fs::metadata(path).map_err(io)?);
    // One that was replaced meanwhile is nobody's any more.
    if locked.is_err() || (opened.dev(), opened.ino()) != (stands.dev(), stands.ino()) {
        return Err(KeystoreError::Busy(path.to_owned()));
    }
    Ok(file)
}

/// Puts a file in the place of another that is locked, whole or not at all, for the same owner, and makes it durable.
fn write_over(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    let draft = path.with_extension("new");
    let replaced = || {
        // What one that was cut short has left is nobody's; nor is a link followed that somebody else put there.
        match std::fs::remove_file(&draft) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        let (before, made) = (std::fs::metadata(path)?, file.metadata()?);
        if (before.uid(), before.gid()) != (made.uid(), made.gid()) {
            std::os::unix::fs::fchown(&file, Some(before.uid()), Some(before.gid()))?;
        }
        file.sync_all()?;
        std::fs::rename(&draft, path)?;
        sync_folder(path)
    };
    replaced().map_err(|error| KeystoreError::Io(path.to_owned(), error))
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all())
}

/// All of the file but the sealed bytes: what is authenticated with them.
fn open_part(corner: &str, keys: &[PublicKey], sealed: &Sealed) -> Object {
    let keys: Vec<Value> = keys.iter().map(PublicKey::to_value).collect();
    Object::new()
        .with("v", "1")
        .with("type", "11-11/keystore")
        .with("corner", corner)
        .with("cipher", "chacha20poly1305")
        .with("kdf", sealed.cost.to_value())
        .with("salt", base64_value(&sealed.salt))
        .with("nonce", base64_value(&sealed.nonce))
        .with("keys", keys)
}

fn read(path: &Path, corner: &str) -> Result<(Vec<PublicKey>, Sealed), KeystoreError> {
    let mut bytes = Vec::new();
    let io = |error| KeystoreError::Io(path.to_owned(), error);
    open_file(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes)).map_err(io)?;
    let form = |error: FormError| KeystoreError::Form(path.to_owned(), error.to_string());
    let mut document =
        parse(&bytes).map_err(FormError::from).and_then(|value| Form::of(value, "keystore")).map_err(form)?;
    let found = document.string("corner").map_err(form)?;
    if found != corner {
        return Err(KeystoreError::Corner(path.to_owned(), found));
    }
    read_rest(document).map_err(form)
}

fn read_rest(mut form: Form<'_>) -> Result<(Vec<PublicKey>, Sealed), FormError> {
    form.version()?;
    form.named("type", "\"11-11/keystore\"", |kind| kind == "11-11/keystore")?;
    form.named("cipher", "chacha20poly1305", |cipher| cipher == "chacha20poly1305")?;
    let cost = Cost::read(form.take("kdf")?)?;
    let bytes = |form: &mut Form<'_>, name: &str| {
        let text = form.string(name)?;
        let bytes = text.strip_prefix("base64:").and_then(eleven_core::hash::unbase64);
        bytes.ok_or_else(|| form.wrong(name, "not base64"))
    };
    let salt = bytes(&mut form, "salt")?.try_into().map_err(|_| form.wrong("salt", "not 32 bytes"))?;
    let nonce = bytes(&mut form, "nonce")?.try_into().map_err(|_| form.wrong("nonce", "not 12 bytes"))?;
    let sealed = Sealed { cost, salt, nonce, bytes: bytes(&mut form, "sealed")? };
    let keys = form.array("keys")?.into_iter().map(PublicKey::read).collect::<Result<_, _>>()?;
    form.finish()?;
    Ok((keys, sealed))
}

impl PublicKey {
    /// Reads what [`PublicKey::to_value`] wrote.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub(crate) fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "public key")?;
        let kid = form.named("kid", "a key's name", name::is_key)?;
        let usage = KeyUse::parse(&form.string("use")?).ok_or_else(|| form.wrong("use", "not a use of keys"))?;
        let owner = form.named("owner", "a party that owns such a key", |owner| usage.allows_owner(owner))?;
        let public = bytes32(&form.string("public")?).ok_or_else(|| form.wrong("public", "not 32 bytes in base64"))?;
        form.finish()?;
        Ok(Self { kid, usage, owner, public })
    }

    /// The value that key commands print.
    pub(crate) fn to_value(&self) -> Value {
        let object = Object::new().with("kid", &self.kid).with("use", self.usage.name()).with("owner", &self.owner);
        Value::Object(object.with("public", base64_value(&self.public)))
    }
}

#[cfg(test)]
mod tests;
