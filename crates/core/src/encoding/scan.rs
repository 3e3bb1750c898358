//! Whether bytes are a value's canonical encoding, without making the value: one pass, and nothing is allocated.
//!
//! It accepts what [`parse_canonical`](super::parse_canonical) accepts and nothing else; a test holds the two against each
//! other. Why something is refused only the parser says.

use super::{parse_written, utf16_order};
use crate::limits::{MAX_DEPTH, MAX_INTEGER};
use alloc::string::String;
use core::cmp::Ordering;

/// A walk over a text.
pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
    deepest: usize,
    values: usize,
    most: usize,
}

impl<'a> Scan<'a> {
    /// A walk that begins at a byte of `text`, and passes over so many values at `most`.
    pub(super) const fn new(text: &'a str, at: usize, most: usize) -> Self {
        Self { text, at, deepest: 0, values: 0, most }
    }

    /// Where it stands.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Whether nothing is left.
    pub(super) const fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// How many containers stood inside each other at most, those around where it began among them.
    pub(super) const fn deepest(&self) -> usize {
        self.deepest
    }

    /// How many values it passed over, those inside others among them.
    pub(super) const fn values(&self) -> usize {
        self.values
    }

    /// Counts one more value; `None` where that is more than there may be.
    pub(super) fn count(&mut self) -> Option<()> {
        self.values += 1;
        (self.values <= self.most).then_some(())
    }

    /// Passes over the value that begins here, inside of `depth` containers; `None` where none is canonically encoded. Says
    /// whether it is a string that has an escape.
    fn value(&mut self, depth: usize) -> Option<bool> {
        self.count()?;
        match self.peek()? {
            b'"' => return self.string().map(|text| text.escaped),
            b'{' => self.object(depth, |_, _, _| ()),
            b'[' => self.array(depth),
            b'-' | b'0'..=b'9' => self.integer(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => None,
        }?;
        Some(false)
    }

    /// Passes over an object inside of `depth` containers, and shows each member: its name as it is written between the
    /// quotes, the whole of it, and whether its value is a string that has an escape.
    pub(super) fn object(&mut self, depth: usize, mut member: impl FnMut(&'a str, &'a str, bool)) -> Option<()> {
        self.open(b'{', depth)?;
        if self.eat(b'}') {
            return Some(());
        }
        let mut last: Option<Text<'_>> = None;
        loop {
            let begun = self.at;
            let name = self.string()?;
            if last.is_some_and(|last| order(&last, &name) != Ordering::Less) {
                return None;
            }
            last = Some(name);
            self.expect(b':')?;
            let escaped = self.value(depth + 1)?;
            member(name.written, self.text.get(begun..self.at)?, escaped);
            if self.eat(b'}') {
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.open(b'[', depth)?;
        if self.eat(b']') {
            return Some(());
        }
        loop {
            self.value(depth + 1)?;
            if self.eat(b']') {
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    /// Steps into a container that stands in `depth` others.
    fn open(&mut self, bracket: u8, depth: usize) -> Option<()> {
        self.deepest = self.deepest.max(depth + 1);
        (depth < MAX_DEPTH).then_some(())?;
        self.expect(bracket)
    }

    /// Passes over a string.
    fn string(&mut self) -> Option<Text<'a>> {
        self.expect(b'"')?;
        let begun = self.at;
        let mut escaped = false;
        loop {
            self.at += plain(self.rest()?);
            match self.peek()? {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return None,
            }
            escaped = true;
        }
        let written = self.text.get(begun..self.at)?;
        self.at += 1;
        Some(Text { written, escaped })
    }

    /// Passes over an escape of those that RFC 8785 writes: the short ones, and `\u00xx` for the other control characters.
    fn escape(&mut self) -> Option<()> {
        let length = match self.rest()?.get(1..)? {
            [b'"' | b'\\' | b'b' | b't' | b'n' | b'f' | b'r', ..] => 2,
            [b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..] => 6,
            [b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => 6,
            _ => return None,
        };
        self.at += length;
        Some(())
    }

    fn integer(&mut self) -> Option<()> {
        let negative = self.eat(b'-');
        let begun = self.at;
        let mut n: u64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            n = n.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        // Zero is one digit and has no sign; nothing else begins with it.
        let plain = match self.text.as_bytes().get(begun)? {
            b'0' => self.at - begun == 1 && !negative,
            _ => self.at > begun,
        };
        (plain && n <= MAX_INTEGER).then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let found = self.rest()?.starts_with(word);
        self.at += word.len();
        found.then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What was not passed over yet.
    fn rest(&self) -> Option<&'a [u8]> {
        self.text.as_bytes().get(self.at..)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }
}

/// A string as it is written between its quotes.
#[derive(Clone, Copy)]
struct Text<'a> {
    written: &'a str,
    /// Whether it has an escape.
    escaped: bool,
}

/// The order of two names. An escape stands for a control character, a quote or a backslash, so that names with one are
/// compared by what they stand for.
fn order(a: &Text<'_>, b: &Text<'_>) -> Ordering {
    if a.escaped || b.escaped {
        return utf16_order(&meant(a.written), &meant(b.written));
    }
    if a.written.is_ascii() || b.written.is_ascii() {
        return a.written.cmp(b.written);
    }
    utf16_order(a.written, b.written)
}

fn meant(name: &str) -> String {
    let value = parse_written(&["\"", name, "\""].concat()).ok();
    value.and_then(|value| value.as_str().map(String::from)).unwrap_or_default()
}

/// How many bytes there are before the first that ends a string or must be escaped in one: a quote, a backslash, a control
/// character. Sixteen are looked at at a time, which a compiler makes a few instructions of, since most strings are hashes.
pub(super) fn plain(text: &[u8]) -> usize {
    let (chunks, _) = text.as_chunks::<16>();
    let is_plain = |chunk: &&[u8; 16]| chunk.iter().fold(0, |found, byte| found | special(*byte)) == 0;
    let begun = 16 * chunks.iter().take_while(is_plain).count();
    let rest = text.get(begun..).unwrap_or_default();
    let (words, tail) = rest.as_chunks();
    for (at, word) in words.iter().enumerate() {
        if let Some(bytes) = plain_in(*word) {
            return begun + 8 * at + bytes;
        }
    }
    begun + 8 * words.len() + tail.iter().position(|byte| special(*byte) != 0).unwrap_or(tail.len())
}

/// Whether a byte is special: 1 and not `true`, because numbers are what is put together sixteen at a time.
fn special(byte: u8) -> u8 {
    u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\')
}

/// How many of eight bytes there are before the first that is special; `None` where none is.
fn plain_in(word: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // Each has the high bit of the first byte that is below, and none before it: what is borrowed is from those behind.
    let below = |word: u64, least: u64| word.wrapping_sub(ONES * least) & !word & HIGH;
    let is = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let word = u64::from_le_bytes(word);
    let special = below(word, 0x20) | is(word, b'"') | is(word, b'\\');
    (special != 0).then(|| special.trailing_zeros() as usize / 8)
}
