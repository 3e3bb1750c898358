//! A mutator with a seed: what it makes depends on nothing else, so an input that fails is made again from its number.
//!
//! It knows just so much of the inputs that most of what it makes gets past the first parser: where the JSON is, what else
//! stands under the same name in other inputs, and which numbers, texts and depths lie at a boundary.

use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::{base64url, unbase64url};
use std::collections::BTreeMap;

/// Where the JSON is in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// It is the input.
    Json,
    /// It is the input, in unpadded base64url.
    Base64Url,
    /// It is the first and second of three parts with dots between, each in base64url.
    Jwt,
    /// It begins at the first `{`; what stands before is bytes.
    Tagged,
    /// There is none.
    Text,
}

/// xorshift64*: small, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// From a seed; 0 stands for a fixed other one, since it would give nothing but 0.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(if seed == 0 { 0x9e37_79b9_7f4a_7c15 } else { seed })
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`; 0 where that is 0.
    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from((self.next() >> 11) % bound).unwrap_or(0)
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }
}

/// Makes inputs out of a corpus.
#[derive(Clone, Debug)]
pub struct Mutator {
    rng: Rng,
    shape: Shape,
    corpus: Vec<Vec<u8>>,
    /// What stands under a name anywhere in the corpus.
    donors: BTreeMap<String, Vec<Value>>,
}

/// More donors for one name than this add nothing.
const DONORS: usize = 64;
/// An input that grew past this is cut: the limits of what is fuzzed lie below it, but for the size of a file.
const MOST: usize = 128 * 1024;

impl Mutator {
    /// From a corpus that is not empty.
    #[must_use]
    pub fn new(seed: u64, shape: Shape, corpus: Vec<Vec<u8>>) -> Self {
        assert!(!corpus.is_empty(), "a corpus without inputs");
        let mut donors = BTreeMap::new();
        for input in &corpus {
            if let Some((_, value)) = unpack(shape, input, false) {
                collect(&value, &mut donors);
            }
        }
        Self { rng: Rng::new(seed), shape, corpus, donors }
    }

    /// The next input.
    pub fn input(&mut self) -> Vec<u8> {
        let start = self.rng.below(self.corpus.len());
        let mut input = self.corpus.get(start).cloned().unwrap_or_default();
        let json = !self.rng.one_in(4);
        if json && let Some((frame, mut value)) = unpack(self.shape, &input, self.rng.one_in(2)) {
            for _ in 0..=self.rng.below(3) {
                let mut countdown = self.rng.below(nodes(&value));
                value = self.edited(value, None, &mut countdown);
            }
            let mut text = value.canonical();
            if self.rng.one_in(8) {
                text = self.written_otherwise(&text);
            }
            input = pack(&frame, &text);
        }
        if !json || self.rng.one_in(8) {
            for _ in 0..=self.rng.below(3) {
                self.bytes(&mut input);
            }
        }
        input.truncate(MOST);
        input
    }

    /// `value` with the node changed at which `countdown` ends, counted in the order of [`nodes`].
    fn edited(&mut self, value: Value, name: Option<&str>, countdown: &mut usize) -> Value {
        if *countdown == 0 {
            *countdown = usize::MAX;
            return self.changed(value, name);
        }
        *countdown -= 1;
        match value {
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.edited(item, name, countdown)).collect())
            }
            Value::Object(object) => {
                let mut again = Object::new();
                for (name, member) in object.iter() {
                    again.insert(name, self.edited(member.clone(), Some(name), countdown));
                }
                Value::Object(again)
            }
            scalar => scalar,
        }
    }

    fn changed(&mut self, value: Value, name: Option<&str>) -> Value {
        match self.rng.below(8) {
            0 => self.boundary(),
            1 | 2 => {
                let donors = name.and_then(|name| self.donors.get(name));
                donors.and_then(|donors| donors.get(self.rng.below(donors.len()))).cloned().unwrap_or(value)
            }
            3 if self.rng.one_in(3) => (0..=self.rng.below(34)).fold(value, |inner, _| Value::Array(vec![inner])),
            _ => self.tweaked(value),
        }
    }

    fn boundary(&mut self) -> Value {
        let most = (1 << 53) - 1;
        match self.rng.below(12) {
            0 => Value::Null,
            1 => Value::Bool(self.rng.one_in(2)),
            2 => Value::Int(0),
            3 => Value::Int(1),
            4 => Value::Int(-1),
            5 => Value::Int(most),
            6 => Value::Int(-most),
            7 => "".into(),
            8 => Value::Array(Vec::new()),
            9 => Value::Object(Object::new()),
            10 => "x".repeat(1 << self.rng.below(15)).into(),
            _ => {
                ["\u{0}", "\u{fffd}\u{10ffff}", "*", "..", "/", "1", "2026-05-12T17:00:00.000Z", "2026-02-30T24:00:00Z"]
                    [self.rng.below(8)]
                .into()
            }
        }
    }

    /// Nearly the same value.
    fn tweaked(&mut self, value: Value) -> Value {
        match value {
            Value::Null => Value::Bool(false),
            Value::Bool(truth) => Value::Bool(!truth),
            Value::Int(n) => {
                let near = [n - 1, n + 1, -n, n / 2, n.saturating_mul(2)][self.rng.below(5)];
                Value::Int(near.clamp(-((1 << 53) - 1), (1 << 53) - 1))
            }
            Value::Str(text) => self.text(&text).into(),
            Value::Array(items) => Value::Array(self.list(items)),
            Value::Object(object) => Value::Object(self.object(object)),
        }
    }

    fn text(&mut self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        let at = self.rng.below(chars.len());
        let other = ['0', '1', 'a', 'Z', '%', '/', ':', '.', '#', '@', '\n', '"', '\\', 'é', '\u{1f512}'];
        let other = other[self.rng.below(other.len())];
        match self.rng.below(6) {
            0 => chars.truncate(at),
            1 => chars.insert(at, other),
            2 => chars.extend_from_within(at..),
            3 => return if self.rng.one_in(2) { text.to_uppercase() } else { text.to_lowercase() },
            4 if !chars.is_empty() => drop(chars.remove(at)),
            _ => {
                if let Some(here) = chars.get_mut(at) {
                    *here = other;
                }
            }
        }
        chars.into_iter().take(MOST / 4).collect()
    }

    fn list(&mut self, mut items: Vec<Value>) -> Vec<Value> {
        if items.is_empty() {
            return vec![self.boundary()];
        }
        let (a, b) = (self.rng.below(items.len()), self.rng.below(items.len()));
        match self.rng.below(5) {
            0 => drop(items.remove(a)),
            1 => items.insert(b, items[a].clone()),
            2 => items.swap(a, b),
            3 => items.reverse(),
            _ => items.push(self.boundary()),
        }
        items
    }

    fn object(&mut self, mut object: Object) -> Object {
        let names: Vec<String> = object.iter().map(|(name, _)| name.to_owned()).collect();
        let (one, two) = (self.rng.pick(&names).cloned(), self.rng.pick(&names).cloned());
        match (self.rng.below(5), one, two) {
            (0, Some(one), _) => drop(object.remove(&one)),
            (1, Some(one), Some(two)) => {
                // Two members change places.
                if let (Some(a), Some(b)) = (object.get(&one).cloned(), object.get(&two).cloned()) {
                    object.insert(one, b);
                    object.insert(two, a);
                }
            }
            (2, Some(one), _) => {
                if let Some(value) = object.remove(&one) {
                    object.insert(self.text(&one), value);
                }
            }
            (3, ..) => drop(object.insert("zz", self.boundary())),
            _ => {
                // A member that others have and this one may not.
                let nth = self.rng.below(self.donors.len());
                if let Some((name, donors)) = self.donors.iter().nth(nth) {
                    object.insert(name, donors[self.rng.below(donors.len())].clone());
                }
            }
        }
        object
    }

    /// The same JSON, not canonical: white space, an escape, a member twice.
    fn written_otherwise(&mut self, text: &[u8]) -> Vec<u8> {
        let marks: Vec<usize> = (0..text.len()).filter(|at| matches!(text[*at], b',' | b':' | b'{' | b'[')).collect();
        let at = self.rng.pick(&marks).map_or(0, |at| at + 1);
        let (before, after) = text.split_at(at);
        let inserted: &[u8] = match self.rng.below(4) {
            0 => b" ",
            1 => b"\n\t",
            2 => b"\"v\":\"1\",",
            _ => b"\"\\u0076\":\"1\",",
        };
        [before, inserted, after].concat()
    }

    /// One change that knows nothing of what the bytes mean.
    fn bytes(&mut self, input: &mut Vec<u8>) {
        let at = self.rng.below(input.len());
        let end = at + self.rng.below((input.len() - at.min(input.len())).min(64));
        match self.rng.below(9) {
            0 => input.truncate(at),
            1 => drop(input.drain(at.min(input.len())..end.min(input.len()))),
            2 => {
                let piece = input.get(at..end).unwrap_or_default().to_vec();
                let to = self.rng.below(input.len());
                input.splice(to..to, piece);
            }
            3 => {
                // The beginning of one and the end of another.
                let other = self.rng.below(self.corpus.len());
                let other = self.corpus.get(other).map_or(&[][..], Vec::as_slice);
                let from = self.rng.below(other.len());
                input.truncate(at);
                input.extend_from_slice(other.get(from..).unwrap_or_default());
            }
            4 => self.number(input),
            5 => {
                let deep = 1 + self.rng.below(40);
                input.splice(at..at, std::iter::repeat_n(b'[', deep));
            }
            6 => {
                let byte = [0, b' ', b'"', b'\\', b'{', b'}', b'-', b'.', b'=', 0x7f, 0x80, 0xc0, 0xed, 0xff];
                let byte = byte[self.rng.below(byte.len())];
                input.insert(at, byte);
            }
            7 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = u8::try_from(self.rng.below(256)).unwrap_or(0);
                }
            }
            _ => {
                let bit = self.rng.below(8);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
        }
    }

    /// A run of digits becomes a number at a boundary, or what is none.
    fn number(&mut self, input: &mut Vec<u8>) {
        let from = self.rng.below(input.len());
        let Some(start) = (from..input.len()).find(|at| input[*at].is_ascii_digit()) else { return };
        let end = (start..input.len()).find(|at| !input[*at].is_ascii_digit()).unwrap_or(input.len());
        let numbers: [&[u8]; 9] = [
            b"0",
            b"-0",
            b"00",
            b"9007199254740991",
            b"9007199254740992",
            b"-9007199254740992",
            b"18446744073709551616",
            b"1e3",
            b"1.0",
        ];
        let number = numbers[self.rng.below(numbers.len())];
        input.splice(start..end, number.iter().copied());
    }
}

/// How many values there are in a value, itself among them.
fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(nodes).sum(),
        Value::Object(object) => object.iter().map(|(_, member)| nodes(member)).sum(),
        _ => 0,
    }
}

fn collect(value: &Value, donors: &mut BTreeMap<String, Vec<Value>>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, donors)),
        Value::Object(object) => {
            for (name, member) in object.iter() {
                let known = donors.entry(name.to_owned()).or_default();
                if known.len() < DONORS && !known.contains(member) {
                    known.push(member.clone());
                }
                collect(member, donors);
            }
        }
        _ => {}
    }
}

/// What stands around the JSON of an input.
enum Frame {
    Nothing,
    Base64Url,
    Parts { before: Vec<u8>, after: Vec<u8> },
    Prefix(Vec<u8>),
}

/// The JSON of an input and what stands around it; of the parts of a JWT the first where `first`.
fn unpack(shape: Shape, input: &[u8], first: bool) -> Option<(Frame, Value)> {
    let text = || core::str::from_utf8(input).ok();
    match shape {
        Shape::Text => None,
        Shape::Json => Some((Frame::Nothing, parse(input).ok()?)),
        Shape::Base64Url => Some((Frame::Base64Url, parse(&unbase64url(text()?)?).ok()?)),
        Shape::Tagged => {
            let (prefix, json) = input.split_at(input.iter().position(|byte| *byte == b'{')?);
            Some((Frame::Prefix(prefix.to_vec()), parse(json).ok()?))
        }
        Shape::Jwt => {
            let (head, rest) = text()?.split_once('.')?;
            let (claims, signature) = rest.split_once('.')?;
            let (part, before, after) = if first {
                (head, String::new(), format!(".{claims}.{signature}"))
            } else {
                (claims, format!("{head}."), format!(".{signature}"))
            };
            let frame = Frame::Parts { before: before.into_bytes(), after: after.into_bytes() };
            Some((frame, parse(&unbase64url(part)?).ok()?))
        }
    }
}

fn pack(frame: &Frame, json: &[u8]) -> Vec<u8> {
    match frame {
        Frame::Nothing => json.to_vec(),
        Frame::Base64Url => base64url(json).into_bytes(),
        Frame::Prefix(prefix) => [prefix, json].concat(),
        Frame::Parts { before, after } => [before, base64url(json).as_bytes(), after].concat(),
    }
}

#[cfg(test)]
mod tests;
