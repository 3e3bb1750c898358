//! The tokens of Cedar's two languages, of policies and of schemas. Strings, comments and names are the same in both.

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A name, a keyword or a number.
    Word(&'a str),
    /// A string with its quotes.
    Text(&'a str),
    /// Anything else: one character, or two that are one operator.
    Sign(&'a str),
}

/// The operators of two characters.
const DOUBLE: &[&str] = &["||", "&&", "::", "==", "!=", "<=", ">="];

/// The tokens of a text that are left.
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'a>(&'a str);

/// The tokens of a text. Where it is neither language's they end somehow: Cedar's own reading ends there, too.
pub(crate) const fn tokens(text: &str) -> Tokens<'_> {
    Tokens(text)
}

impl Token<'_> {
    /// Its bytes.
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Word(text) | Self::Text(text) | Self::Sign(text) => text.len(),
        }
    }
}

impl Tokens<'_> {
    /// Bytes of the text that are left.
    pub(super) const fn bytes(&self) -> usize {
        self.0.len()
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let text = without_space(self.0);
        let first = text.chars().next()?;
        let token: fn(&'a str) -> Token<'a> = match first {
            '"' => Token::Text,
            '_' | '0'..='9' | 'a'..='z' | 'A'..='Z' => Token::Word,
            _ => Token::Sign,
        };
        let end = match first {
            '"' => end_of_string(text),
            // A number ends where a name may begin.
            '0'..='9' => end_of(text, |c| c.is_ascii_digit()),
            '_' | 'a'..='z' | 'A'..='Z' => end_of(text, |c| c.is_ascii_alphanumeric() || c == '_'),
            _ if DOUBLE.iter().any(|double| text.starts_with(double)) => 2,
            other => other.len_utf8(),
        };
        let (read, rest) = text.split_at_checked(end)?;
        self.0 = rest;
        Some(token(read))
    }
}

/// What follows white space and comments.
fn without_space(text: &str) -> &str {
    let mut text = text.trim_start();
    while let Some(comment) = text.strip_prefix("//") {
        let end = end_of(comment, |c| c != '\n' && c != '\r');
        text = comment.get(end..).unwrap_or_default().trim_start();
    }
    text
}

fn end_of(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c: char| !belongs(c)).unwrap_or(text.len())
}

/// Where the string ends with which a text begins; one that is never closed takes all.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}
