//! Signatures: however they are computed, the verdict is one.

use crate::vectors;
use eleven_core::hash;
use eleven_core::signature::{SeedSigner, Signer as _, Tables, VerifyingKey, bytes32, bytes64};

/// A key, R and S, and a message, one after the other.
///
/// # Panics
/// Where a signature counts computed in one way and not in another, or one that a signer made does not count.
pub fn run(bytes: &[u8]) {
    let Some((key, rest)) = bytes.split_first_chunk::<32>() else { return };
    let Some((sig, message)) = rest.split_first_chunk::<64>() else { return };
    judge(key, message, sig);
    // The same bytes as a seed: what it signs counts, whatever it is.
    let signer = SeedSigner::new("key:fuzz/signer/1", key);
    assert!(judge(&signer.public(), message, &signer.sign(message)), "what was signed is no signature");
}

fn judge(public: &[u8; 32], message: &[u8], sig: &[u8; 64]) -> bool {
    let by_library = ed25519_dalek::VerifyingKey::from_bytes(public)
        .is_ok_and(|key| key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(sig)).is_ok());
    // The library takes keys that are not canonical.
    let Some(plain) = VerifyingKey::new(public) else { return false };
    let tabled = plain.clone().with_table(&Tables::new(1));
    let together =
        VerifyingKey::verify_each(&[(&plain, message, sig), (&tabled, message, sig), (&plain, message, sig)]);
    let alone = [plain.verifies(message, sig), tabled.verifies(message, sig)];
    assert_eq!((together, alone), (vec![by_library; 3], [by_library; 2]), "{}", hash::hex(public));
    by_library
}

/// Those of the vectors.
///
/// # Panics
/// Where the vectors are not of their form.
#[must_use]
pub fn corpus() -> Vec<Vec<u8>> {
    let cases = vectors::file("ed25519.json").as_array().expect("an array").iter();
    let of = |case: &eleven_core::encoding::Value| {
        let text = |name: &str| case.get(name).and_then(eleven_core::encoding::Value::as_str);
        let message = hash::unbase64(text("message")?.strip_prefix("base64:")?)?;
        Some([&bytes32(text("public")?)?[..], &bytes64(text("sig")?)?, &message].concat())
    };
    cases.filter_map(of).collect()
}
