//! Content identifiers (PROTOCOL 2): Crockford base32 of the first 20 bytes of a SHA3-512.

use crate::encoding::{Object, Value};
use crate::hash::Sha3;
use alloc::format;
use alloc::string::String;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// What the names of lineages begin with.
const LINEAGE: &str = "lineage://op/";
/// Characters of a content id.
pub const LENGTH: usize = 32;

/// The content id of a value: 32 characters.
#[must_use]
pub fn content_id(value: &Value) -> String {
    of_hash(&Sha3::of_value(value))
}

/// The content id of bytes that are already canonical.
#[must_use]
pub fn of_canonical(bytes: &[u8]) -> String {
    of_hash(&Sha3::of(&[bytes]))
}

/// The content id that a SHA3-512 of canonical bytes gives.
#[must_use]
pub(crate) fn of_hash(hash: &Sha3) -> String {
    base32(hash.0.get(..20).unwrap_or_default())
}

/// Crockford base32, most significant bits first; the last character is padded with zero bits.
#[must_use]
pub fn base32(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut buffer, mut bits) = (0u32, 0);
    for byte in bytes {
        buffer = (buffer << 8 | u32::from(*byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            push_digit(buffer >> bits, &mut out);
        }
    }
    if bits > 0 {
        push_digit(buffer << (5 - bits), &mut out);
    }
    out
}

fn push_digit(value: u32, out: &mut String) {
    let at = usize::try_from(value & 31).unwrap_or(0);
    if let Some(digit) = ALPHABET.get(at) {
        out.push(char::from(*digit));
    }
}

/// The value of a digit of the alphabet, which has neither I nor L, O and U; `None` of what is none.
#[must_use]
pub const fn digit_value(digit: u8) -> Option<u8> {
    Some(match digit {
        b'0'..=b'9' => digit - b'0',
        b'A'..=b'H' => digit - b'A' + 10,
        b'J' | b'K' => digit - b'J' + 18,
        b'M' | b'N' => digit - b'M' + 20,
        b'P'..=b'T' => digit - b'P' + 22,
        b'V'..=b'Z' => digit - b'V' + 27,
        _ => return None,
    })
}

pub(crate) const fn is_digit(byte: u8) -> bool {
    digit_value(byte).is_some()
}

/// Whether `text` is exactly a content id.
#[must_use]
pub fn is_content_id(text: &str) -> bool {
    // Each is looked at, which goes several at a time.
    text.len() == LENGTH && text.bytes().fold(true, |digits, byte| digits & is_digit(byte))
}

/// The operation id in an artifact id `auth_<content id>`.
#[must_use]
pub fn operation_of_artifact(artifact: &str) -> Option<&str> {
    artifact.strip_prefix("auth_").filter(|id| is_content_id(id))
}

/// Splits an operation id into the content id and, for a use of a bounded or rate artifact, its number k >= 1.
/// `None` where it is neither form; `.0`, `.03` and the like are not.
#[must_use]
pub fn split_operation(op: &str) -> Option<(&str, Option<u64>)> {
    let Some((id, k)) = op.split_once('.') else {
        return is_content_id(op).then_some((op, None));
    };
    let plain = !k.is_empty() && k.len() <= 15 && !k.starts_with('0') && k.bytes().all(|b| b.is_ascii_digit());
    let k = k.parse().ok().filter(|_| plain)?;
    is_content_id(id).then_some((id, Some(k)))
}

/// The lineage's name of an operation: `lineage://op/<id>`.
#[must_use]
pub fn lineage_name(op: &str) -> String {
    format!("{LINEAGE}{op}")
}

/// The operation id in a lineage's name, of whatever form it is.
#[must_use]
pub fn operation_of_lineage(lineage: &str) -> Option<&str> {
    lineage.strip_prefix(LINEAGE)
}

/// The operation id in whatever a person has at hand: the id, the lineage's name, or the artifact's id. It may be of no form.
#[must_use]
pub fn operation_at_hand(text: &str) -> &str {
    operation_of_lineage(text).or_else(|| text.strip_prefix("auth_")).unwrap_or(text)
}

/// The attestation id: `att_` and the content id of {artifact_id, by, op} (PROTOCOL 2).
#[must_use]
pub fn attestation_id(artifact_id: &str, by: &str, op: &str) -> String {
    let named = Object::new().with("artifact_id", artifact_id).with("by", by).with("op", op);
    format!("att_{}", content_id(&Value::Object(named)))
}

/// The operation id of a subject under governance: content id of {kind, subject} (PROTOCOL 5).
#[must_use]
pub fn subject_op(kind: &str, subject: &str) -> String {
    content_id(&Value::Object(Object::new().with("kind", kind).with("subject", subject)))
}

#[cfg(test)]
mod tests;
