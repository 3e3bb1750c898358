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
}

/// Measures a Cedar text.
///
/// Signs are counted and nothing is matched: each can make the tree of its rule deeper, by two at the most, also in a text that
/// is not Cedar. Its parser goes on after an error, but never past a semicolon in the same rule.
pub(super) fn measure(cedar: &str) -> Result<Rules, PolicyError> {
    require(cedar.len() <= MAX_CEDAR, || format!("its Cedar text is longer than {} KiB", MAX_CEDAR / 1024))?;
    let mut rules = Rules { signs: 0, size: 0 };
    let (mut rule, mut signs) = (0usize, 0usize);
    let mut left = tokens(cedar);
    while let Some(token) = left.next() {
        rules.size += token.len();
        if token == Token::Sign(";") {
            (rule, signs) = (rule + 1, 0);
        } else if is_counted(token) {
            signs += 1;
            rules.signs = rules.signs.max(signs);
            require(signs <= MAX_RULE, || {
                let at = place::of(cedar, cedar.len() - left.bytes()).unwrap_or_default();
                format!(
                    "policy{rule}, its rule {rule} counted from 0, has more than {MAX_RULE} operators and brackets ({at}): \
                     write a set instead of many comparisons, or several rules"
                )
            })?;
        }
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
