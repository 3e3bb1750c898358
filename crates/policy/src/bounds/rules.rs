//! The rules of a bundle: how large they are, and how deep one may be.

use super::require;
use super::tokens::{Token, tokens};
use crate::compile::PolicyError;
use crate::place;
use eleven_core::limits::{MAX_CEDAR, MAX_RULE};

/// What a Cedar text comes to.
pub(super) struct Rules {
    /// The signs of its largest rule.
    pub(super) signs: usize,
    /// Its bytes, without white space and comments.
    pub(super) size: usize,
    /// Those that Cedar copies. Rules that ask in no others of the kind have fewer of them than bytes.
    pub(super) copied: usize,
}

/// Measures a Cedar text.
///
/// Signs are counted and nothing is matched: each can make the tree of its rule deeper, by two at the most, also in a text that
/// is not Cedar. Its parser goes on after an error, but never past a semicolon in the same rule.
pub(super) fn measure(cedar: &str) -> Result<Rules, PolicyError> {
    require(cedar.len() <= MAX_CEDAR, || format!("its Cedar text is longer than {} KiB", MAX_CEDAR / 1024))?;
    let mut rules = Rules { signs: 0, size: 0, copied: 0 };
    let (mut number, mut rule) = (0usize, Rule::default());
    let mut left = tokens(cedar);
    while let Some(token) = left.next() {
        rules.size += token.len();
        if token == Token::Sign(";") {
            (number, rule) = (number + 1, Rule::default());
            continue;
        }
        rules.copied = rules.copied.saturating_add(rule.take(token));
        rules.signs = rules.signs.max(rule.signs);
        let told = |what: &str| {
            let at = place::of(cedar, cedar.len() - left.bytes()).unwrap_or_default();
            format!("policy{number}, its rule {number} counted from 0, {what} ({at})")
        };
        require(rule.signs <= MAX_RULE, || {
            let many = told(&format!("has more than {MAX_RULE} operators and brackets"));
            format!("{many}: write a set instead of many comparisons, or several rules")
        })?;
        require(rules.copied <= MAX_CEDAR, || {
            let nested = told("has too many `is … in` in what others of them ask about");
            format!(
                "{nested}: each doubles what it asks about, so ask about a name or a member, or write several rules"
            )
        })?;
    }
    Ok(rules)
}

/// Operators and brackets, the latter where they open.
fn is_counted(token: Token<'_>) -> bool {
    match token {
        Token::Text(_) => false,
        Token::Word(word) => matches!(word, "if" | "in" | "has" | "like" | "is"),
        Token::Sign(sign) => !matches!(sign, ")" | "]" | "}" | "," | ";" | ":" | "::" | "@" | "?" | "="),
    }
}

/// A rule as far as it was read.
///
/// Cedar goes over some of it more than once. It reads `a is T in b` as `a is T && a in b`: what stands in `a` counts twice, and where that
/// is another of the kind, twice as often with each depth. A rule of some hundred signs would come to more than anybody finishes. Only
/// brackets bring one into what another asks about; where they do not match there is no tree, and nothing is copied.
///
/// And it validates `a has b.c.d` as `a has b && a.b has c && a.b.c has d`.
#[derive(Default)]
struct Rule<'a> {
    signs: usize,
    /// Which name of the path behind a `has` is read, from 1; 0 elsewhere.
    path: usize,
    /// The operand in the innermost bracket that is open.
    inner: Operand,
    /// Those in the brackets around it.
    outer: Vec<Operand>,
    last: Option<Token<'a>>,
}

/// The operand that is read, in bytes with what is copied of them.
#[derive(Clone, Copy, Default)]
struct Operand {
    /// What stands before it in its bracket.
    before: usize,
    size: usize,
    /// What an `is` asks about, until it shows whether an `in` follows.
    asked: Option<usize>,
}

impl<'a> Rule<'a> {
    /// Takes the next token, and gives the bytes that it has copied.
    fn take(&mut self, token: Token<'a>) -> usize {
        let last = self.last.replace(token);
        // Behind a dot every word is the name of a member.
        let is_member = last == Some(Token::Sign("."));
        if is_counted(token) {
            self.signs += if token == Token::Sign(".") { self.path.max(1) } else { 1 };
        }
        self.path = match token {
            Token::Word("has") if !is_member => 1,
            Token::Word(_) if is_member || last == Some(Token::Word("has")) => self.path,
            Token::Sign(".") if self.path > 0 => self.path + 1,
            Token::Word(_) | Token::Sign(_) | Token::Text(_) => 0,
        };
        self.copy(token, is_member)
    }

    fn copy(&mut self, token: Token<'_>, is_member: bool) -> usize {
        match token {
            Token::Sign("(" | "[" | "{") => {
                self.inner.grow(token.len());
                self.outer.push(core::mem::take(&mut self.inner));
            }
            Token::Sign(")" | "]" | "}") => {
                let closed = self.inner.whole();
                self.inner = self.outer.pop().unwrap_or_default();
                self.inner.grow(closed.saturating_add(token.len()));
            }
            Token::Word("is") if !is_member => {
                self.inner.asked = Some(self.inner.size);
                self.inner.grow(token.len());
            }
            Token::Word("in") if !is_member => {
                let copied = self.inner.asked.unwrap_or(0);
                self.inner.end(copied.saturating_add(token.len()));
                return copied;
            }
            Token::Word("if" | "then" | "else" | "has" | "like") if !is_member => self.inner.end(token.len()),
            Token::Sign("&&" | "||" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "=" | "," | ":") => {
                self.inner.end(token.len());
            }
            Token::Word(_) | Token::Sign(_) | Token::Text(_) => self.inner.grow(token.len()),
        }
        0
    }
}

impl Operand {
    /// All that its bracket comes to so far.
    const fn whole(self) -> usize {
        self.before.saturating_add(self.size)
    }

    const fn grow(&mut self, bytes: usize) {
        self.size = self.size.saturating_add(bytes);
    }

    /// Another one follows, behind so many bytes that are of neither: what stands between them, and what was copied of this one.
    fn end(&mut self, bytes: usize) {
        *self = Self { before: self.whole().saturating_add(bytes), ..Self::default() };
    }
}
