//! The key of an operator: it signs acts, and what is read of a private domain's registry.

use crate::disk::open_file;
use crate::keystore::write_new;
use crate::output::Failure;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::form::{Form, FormError};
use eleven_core::name;
use eleven_core::signature::{SeedSigner, base64_value, bytes32};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use zeroize::Zeroizing;

/// Bytes of its file.
const MAX_FILE: u64 = 4096;

/// An operator's key, in a file for its owner only.
pub(crate) struct OperatorKey {
    /// Who acts.
    pub(crate) identity: String,
    /// What signs.
    pub(crate) signer: SeedSigner,
}

impl OperatorKey {
    /// A key, and the document that its file holds.
    pub(crate) fn made(identity: &str, kid: &str, seed: &Zeroizing<[u8; 32]>) -> (Self, Object) {
        let text = Zeroizing::new(base64_value(&**seed));
        let document = Object::new().with("v", "1").with("type", "11-11/operator-key");
        let document = document.with("identity", identity).with("kid", kid).with("seed", text.as_str());
        (Self { identity: identity.to_owned(), signer: SeedSigner::new(kid, seed) }, document)
    }

    /// Makes a key and its file.
    ///
    /// # Errors
    /// Where the file is there already, or can't be written.
    pub(crate) fn create(file: &Path, identity: &str, kid: &str, seed: &Zeroizing<[u8; 32]>) -> Result<Self, Failure> {
        let (key, document) = Self::made(identity, kid, seed);
        write_new(file, &Zeroizing::new(document.canonical()))?;
        Ok(key)
    }

    /// Reads a key. Its file must be its owner's alone.
    ///
    /// # Errors
    /// Where it can't be read, others may read it, or it is not of its form.
    pub(crate) fn load(file: &Path) -> Result<Self, Failure> {
        let failed = |what: &dyn std::fmt::Display| Failure::about(file, what);
        let named = |error: std::io::Error| {
            failed(&format!("the operator's key: {error}; `operator.key` in the configuration says where it is"))
        };
        let opened = open_file(file).map_err(named)?;
        if opened.metadata().map_err(|error| failed(&error))?.permissions().mode() & 0o077 != 0 {
            return Err(failed(&"others may read this key: chmod 600 it"));
        }
        // With room for all of it: what is moved to more room leaves the key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(8192));
        opened.take(MAX_FILE).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
        let value = parse(&bytes).map_err(|error| failed(&error))?;
        Self::read(value).map_err(|error| failed(&error))
    }

    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "operator's key")?;
        form.version()?;
        form.named("type", "\"11-11/operator-key\"", |kind| kind == "11-11/operator-key")?;
        let identity = form.named("identity", "an identity", name::is_identity)?;
        let kid = form.named("kid", "a key's name", name::is_key)?;
        let seed = Zeroizing::new(form.string("seed")?);
        let seed = bytes32(&seed).map(Zeroizing::new).ok_or_else(|| form.wrong("seed", "not 32 bytes in base64"))?;
        form.finish()?;
        Ok(Self { identity, signer: SeedSigner::new(kid, &seed) })
    }
}

#[cfg(test)]
mod tests;
