//! The sealed part of a keystore: ChaCha20-Poly1305 under a key that Argon2id makes of the passphrase.
//!
//! Salt and nonce are drawn anew for every file that is written, so no key ever seals two files.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use eleven_core::encoding::{Object, Value};
use eleven_core::form::{Form, FormError, require};
use zeroize::Zeroizing;

/// What a guess at the passphrase costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    memory_kib: u32,
    passes: u32,
}

/// It does not seal or unseal: says no more, on purpose.
pub(super) struct Shut;

/// Sealed bytes and what they were sealed with.
pub(super) struct Sealed {
    pub(super) cost: Cost,
    pub(super) salt: [u8; 32],
    pub(super) nonce: [u8; 12],
    pub(super) bytes: Vec<u8>,
}

/// The nonce within random bytes.
pub(super) fn nonce(random: &[u8; 32]) -> [u8; 12] {
    let (nonce, _) = random.split_first_chunk().unwrap_or((&[0; 12], &[]));
    *nonce
}

impl Cost {
    /// The least that OWASP's password storage guidance asks of Argon2id: 19 MiB, two passes.
    pub(super) const PRESET: Self = Self { memory_kib: 19 * 1024, passes: 2 };

    /// Reads a cost, within what a corner can afford at its start.
    ///
    /// # Errors
    /// Where it is not of its form or out of range.
    pub(super) fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "kdf")?;
        form.named("name", "argon2id", |name| name == "argon2id")?;
        let (memory, passes) = (form.uint("memory_kib")?, form.uint("passes")?);
        form.finish()?;
        require((8 * 1024..=1024 * 1024).contains(&memory), "kdf: `memory_kib` is not between 8192 and 1048576")?;
        require((1..=16).contains(&passes), "kdf: `passes` is not between 1 and 16")?;
        let fits = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(Self { memory_kib: fits(memory), passes: fits(passes) })
    }

    /// The value that stands in the file.
    pub(super) fn to_value(self) -> Value {
        let object = Object::new().with("name", "argon2id").with("memory_kib", self.memory_kib);
        Value::Object(object.with("passes", self.passes))
    }
}

impl Sealed {
    /// Seals `plain`; `open` is authenticated with it.
    pub(super) fn seal(&mut self, passphrase: &[u8], open: &[u8], plain: &[u8]) -> Result<(), Shut> {
        let payload = Payload { msg: plain, aad: open };
        self.bytes = self.cipher(passphrase)?.encrypt(&self.nonce.into(), payload).map_err(|_| Shut)?;
        Ok(())
    }

    /// Gives back what was sealed, where passphrase and `open` are the same.
    pub(super) fn unseal(&self, passphrase: &[u8], open: &[u8]) -> Result<Zeroizing<Vec<u8>>, Shut> {
        let payload = Payload { msg: &self.bytes, aad: open };
        let plain = self.cipher(passphrase)?.decrypt(&self.nonce.into(), payload).map_err(|_| Shut)?;
        Ok(Zeroizing::new(plain))
    }

    fn cipher(&self, passphrase: &[u8]) -> Result<ChaCha20Poly1305, Shut> {
        let params = Params::new(self.cost.memory_kib, self.cost.passes, 1, Some(32)).map_err(|_| Shut)?;
        let mut key = Zeroizing::new([0; 32]);
        let kdf = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        kdf.hash_password_into(passphrase, &self.salt, &mut *key).map_err(|_| Shut)?;
        ChaCha20Poly1305::new_from_slice(&*key).map_err(|_| Shut)
    }
}
