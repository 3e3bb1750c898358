//! The parser of PROTOCOL 1, in two strengths: any I-JSON of the subset, or the canonical bytes alone.

use super::scan::plain;
use super::{Encoded, EncodingError, Object, Value, utf16_order};
use crate::limits::{MAX_DEPTH, MAX_INTEGER};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

/// Parses any I-JSON text of the protocol's subset.
///
/// # Errors
/// Where the text is not JSON, or breaks PROTOCOL 1: a fraction, exponent or -0, an integer beyond 2^53-1, a name twice,
/// more than 32 containers deep, a lone surrogate, invalid UTF-8, a byte order mark, trailing bytes.
pub fn parse(text: &[u8]) -> Result<Value, EncodingError> {
    Parser::new(text, false).document()
}

/// Parses `text` only where it is exactly the canonical encoding of the value it holds.
///
/// # Errors
/// As [`parse`], and where white space, an order of names or an escape is not the canonical one.
pub fn parse_canonical(text: &[u8]) -> Result<Value, EncodingError> {
    Parser::new(text, true).document()
}

/// [`parse_canonical`] of what is known to be UTF-8.
pub(crate) fn parse_written(text: &str) -> Result<Value, EncodingError> {
    Parser { utf8: Some(text), ..Parser::new(text.as_bytes(), true) }.document()
}

/// An item of an array, as it came.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// An object in its canonical encoding, taken apart where it stands.
    Encoded(Encoded<'a>),
    /// An object in another, or something else.
    Other(Value),
}

/// How much of a text is read at most. A value takes many times the bytes that it is written in: what strangers send has a
/// bound besides that on its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// Items of the array that is asked for.
    pub items: usize,
    /// Values in all of the text, those inside others among them.
    pub values: usize,
}

/// What is wrong with a text of more than is read at most.
pub const TOO_MUCH: &str = "more than is read at once";

/// [`parse`] of a text of at most so many values, those inside others among them.
///
/// # Errors
/// As [`parse`], and [`TOO_MUCH`] as soon as there are more.
pub fn parse_at_most(text: &[u8], values: usize) -> Result<Value, EncodingError> {
    Parser { values, ..Parser::new(text, false) }.document()
}

/// [`parse`], but for the items of the array that is the object's member `member`: objects that
/// came in their canonical encoding are left where they stand, and the array is empty in the value. No items where there is no such array.
///
/// # Errors
/// As [`parse`], and [`TOO_MUCH`] as soon as there is more than `most`.
pub fn parse_items<'a>(text: &'a [u8], member: &'a str, most: Most) -> Result<(Value, Vec<Item<'a>>), EncodingError> {
    let Most { items: most_items, values } = most;
    let mut parser = Parser { member: Some(member), most_items, values, ..Parser::new(text, false) };
    let value = parser.whole()?;
    Ok((value, parser.items))
}

struct Parser<'a> {
    text: &'a [u8],
    /// The same, where all of it is UTF-8: what is not is found at the string that is not.
    utf8: Option<&'a str>,
    at: usize,
    /// Whether anything but the canonical encoding is refused.
    canonical: bool,
    /// The member of the outermost object whose items are wanted as they came, until it was found.
    member: Option<&'a str>,
    items: Vec<Item<'a>>,
    /// How many of them there may be.
    most_items: usize,
    /// How many more values there may be.
    values: usize,
}

impl<'a> Parser<'a> {
    const fn new(text: &'a [u8], canonical: bool) -> Self {
        Self {
            text,
            utf8: None,
            at: 0,
            canonical,
            member: None,
            items: Vec::new(),
            most_items: usize::MAX,
            values: usize::MAX,
        }
    }

    fn document(mut self) -> Result<Value, EncodingError> {
        self.whole()
    }

    fn whole(&mut self) -> Result<Value, EncodingError> {
        self.utf8 = self.utf8.or_else(|| core::str::from_utf8(self.text).ok());
        self.space()?;
        let value = self.value(0)?;
        self.space()?;
        if self.at == self.text.len() { Ok(value) } else { Err(self.error("trailing bytes")) }
    }

    fn value(&mut self, depth: usize) -> Result<Value, EncodingError> {
        self.take(1)?;
        match self.peek() {
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string().map(|text| Value::Str(text.into_owned())),
            Some(b'-' | b'0'..=b'9') => self.integer(),
            Some(b't') => self.literal(b"true", Value::Bool(true)),
            Some(b'f') => self.literal(b"false", Value::Bool(false)),
            Some(b'n') => self.literal(b"null", Value::Null),
            Some(_) => Err(self.error("not a value")),
            None => Err(self.error("the text ends where a value should stand")),
        }
    }

    /// Takes so many values off those that there may be.
    fn take(&mut self, values: usize) -> Result<(), EncodingError> {
        self.values = self.values.checked_sub(values).ok_or_else(|| self.error(TOO_MUCH))?;
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<Value, EncodingError> {
        self.deeper(depth)?;
        self.at += 1;
        let mut object = Object::new();
        let mut ascending = true;
        self.space()?;
        if self.eat(b'}') {
            return Ok(Value::Object(object));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.error("a member's name should stand here"));
            }
            let name = self.string()?;
            match object.last_name().map(|last| utf16_order(last, name.as_ref())) {
                Some(Ordering::Equal) => return Err(self.error("a name stands twice")),
                Some(Ordering::Greater) if self.canonical => return Err(self.error("names are not in order")),
                Some(Ordering::Greater) => ascending = false,
                _ => {}
            }
            self.space()?;
            self.expect(b':', "a colon should stand here")?;
            self.space()?;
            let value = if depth == 1 && self.member == Some(name.as_ref()) && self.peek() == Some(b'[') {
                self.items_of(depth + 1)?
            } else {
                self.value(depth)?
            };
            object.push_last(name.as_ref().into(), value);
            self.space()?;
            if self.eat(b'}') {
                break;
            }
            self.expect(b',', "a comma or the object's end should stand here")?;
            self.space()?;
        }
        if !ascending && !object.sort() {
            return Err(self.error("a name stands twice"));
        }
        Ok(Value::Object(object))
    }

    fn array(&mut self, depth: usize) -> Result<Value, EncodingError> {
        let mut items = Vec::new();
        self.list(depth, |parser| {
            items.push(parser.value(depth)?);
            Ok(())
        })?;
        Ok(Value::Array(items))
    }

    /// An array whose items are wanted as they came.
    fn items_of(&mut self, depth: usize) -> Result<Value, EncodingError> {
        self.take(1)?;
        // Another of that name is read as anything else is, until the object's end finds it there twice. So the text is looked at once.
        self.member = None;
        let text = self.utf8.ok_or_else(|| self.error("not UTF-8"))?;
        self.list(depth, |parser| {
            if parser.items.len() >= parser.most_items {
                return Err(parser.error(TOO_MUCH));
            }
            let item = match Encoded::standing(text, parser.at, depth, parser.values) {
                Some((encoded, scan)) => {
                    parser.take(scan.values())?;
                    parser.at = scan.at();
                    Item::Encoded(encoded)
                }
                // Whatever else it is, and why it is nothing or too much.
                None => Item::Other(parser.value(depth)?),
            };
            parser.items.push(item);
            Ok(())
        })?;
        Ok(Value::Array(Vec::new()))
    }

    /// The items of an array, each of which `item` passes over.
    fn list(
        &mut self,
        depth: usize,
        mut item: impl FnMut(&mut Self) -> Result<(), EncodingError>,
    ) -> Result<(), EncodingError> {
        self.deeper(depth)?;
        self.at += 1;
        self.space()?;
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            item(self)?;
            self.space()?;
            if self.eat(b']') {
                return Ok(());
            }
            self.expect(b',', "a comma or the array's end should stand here")?;
            self.space()?;
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, EncodingError> {
        self.at += 1;
        let mut out: Option<Vec<u8>> = None;
        let mut run = self.at;
        loop {
            // Most strings are one run of plain characters.
            let rest = self.text.get(self.at..).unwrap_or_default();
            self.at += plain(rest);
            match self.peek() {
                None => return Err(self.error("the text ends inside a string")),
                Some(b'"') => break,
                Some(b'\\') => {
                    let bytes = out.get_or_insert_with(Vec::new);
                    bytes.extend_from_slice(self.text.get(run..self.at).unwrap_or_default());
                    let escaped = self.escape()?;
                    let mut buffer = [0u8; 4];
                    if let Some(bytes) = out.as_mut() {
                        bytes.extend_from_slice(escaped.encode_utf8(&mut buffer).as_bytes());
                    }
                    run = self.at;
                }
                Some(_) => return Err(self.error("a control character stands unescaped")),
            }
        }
        let tail = self.text.get(run..self.at).unwrap_or_default();
        let string = match out {
            Some(mut bytes) => {
                bytes.extend_from_slice(tail);
                String::from_utf8(bytes).ok().map(Cow::Owned)
            }
            None => self
                .utf8
                .map_or_else(|| core::str::from_utf8(tail).ok(), |text| text.get(run..self.at))
                .map(Cow::Borrowed),
        };
        let string = string.ok_or_else(|| self.error("not UTF-8"))?;
        self.at += 1;
        Ok(string)
    }

    /// Reads one escape, the cursor on its backslash.
    fn escape(&mut self) -> Result<char, EncodingError> {
        let start = self.at;
        self.at += 1;
        let kind = self.peek().ok_or_else(|| self.error("the text ends inside an escape"))?;
        self.at += 1;
        let c = match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode_escape()?,
            _ => return Err(self.error("an unknown escape")),
        };
        if self.canonical {
            let mut expected = Vec::new();
            let mut buffer = [0u8; 4];
            super::write_str(c.encode_utf8(&mut buffer), &mut expected);
            if expected.get(1..expected.len() - 1) != self.text.get(start..self.at) {
                return Err(self.error("an escape that is not the canonical one"));
            }
        }
        Ok(c)
    }

    fn unicode_escape(&mut self) -> Result<char, EncodingError> {
        let first = self.hex4()?;
        if !(0xd800..0xe000).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.error("not a character"));
        }
        let paired = first < 0xdc00 && self.eat(b'\\') && self.eat(b'u');
        if !paired {
            return Err(self.error("a lone surrogate"));
        }
        let second = self.hex4()?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(self.error("a lone surrogate"));
        }
        let scalar = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        char::from_u32(scalar).ok_or_else(|| self.error("not a character"))
    }

    fn hex4(&mut self) -> Result<u32, EncodingError> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = match self.peek() {
                Some(b @ b'0'..=b'9') => b - b'0',
                Some(b @ b'a'..=b'f') => b - b'a' + 10,
                Some(b @ b'A'..=b'F') => b - b'A' + 10,
                _ => return Err(self.error("four hex digits should stand here")),
            };
            value = value << 4 | u32::from(digit);
            self.at += 1;
        }
        Ok(value)
    }

    fn integer(&mut self) -> Result<Value, EncodingError> {
        let negative = self.eat(b'-');
        let start = self.at;
        let mut n: u64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            n = n.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.at - start;
        let leading_zero = digits > 1 && self.text.get(start) == Some(&b'0');
        if digits == 0 || leading_zero {
            return Err(self.error("not a number"));
        }
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return Err(self.error("a number that is not written as an integer"));
        }
        if n > MAX_INTEGER {
            return Err(self.error("an integer beyond 2^53-1"));
        }
        if negative && n == 0 {
            return Err(self.error("negative zero"));
        }
        let n = i64::try_from(n).map_err(|_| self.error("an integer beyond 2^53-1"))?;
        Ok(Value::Int(if negative { -n } else { n }))
    }

    fn literal(&mut self, word: &'static [u8], value: Value) -> Result<Value, EncodingError> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.error("not a value"))
        }
    }

    fn deeper(&self, depth: usize) -> Result<(), EncodingError> {
        if depth > MAX_DEPTH { Err(self.error("more than 32 containers deep")) } else { Ok(()) }
    }

    fn space(&mut self) -> Result<(), EncodingError> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            if self.canonical {
                return Err(self.error("white space"));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), EncodingError> {
        if self.eat(byte) { Ok(()) } else { Err(self.error(what)) }
    }

    fn error(&self, what: &'static str) -> EncodingError {
        EncodingError { what, at: self.at }
    }
}
