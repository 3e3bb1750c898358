//! What another corner answers is read within a bound: whoever answers has no say in how many times its bytes it takes here.

use eleven_core::encoding::{EncodingError, Value, parse_at_most};

/// Values in an answer: as many as a registry or a page of entries holds that is as large as an answer may be.
const MAX_VALUES: usize = 1 << 21;

/// Reads what another corner answered as I-JSON, of no more values than a registry or a page of entries holds.
///
/// # Errors
/// Where it is not I-JSON, or holds more.
pub fn read_json(answer: &[u8]) -> Result<Value, EncodingError> {
    parse_at_most(answer, MAX_VALUES)
}

#[cfg(test)]
mod tests;
