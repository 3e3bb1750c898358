//! Rust text as tokens, without comments and without the contents of literals: enough to find a path such as `std::fs`
//! wherever it stands, and not to find it in prose.

/// An identifier, a `::`, or one other character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// Counted from 1.
    pub line: usize,
    /// As it stands in the source.
    pub text: &'a str,
}

/// The tokens of a source file. Literals leave one token, their opening quote.
#[must_use]
pub fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = literal(rest) {
            found.push(Token { line, text: &rest[..1] });
            length
        } else if rest.starts_with("::") {
            found.push(Token { line, text: &rest[..2] });
            2
        } else if is_word(first) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            found.push(Token { line, text: &rest[..length] });
            length
        } else {
            if !first.is_whitespace() {
                found.push(Token { line, text: &rest[..first.len_utf8()] });
            }
            first.len_utf8()
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of a block comment; they nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a string or character literal that begins here, prefixes included; `None` where none does. A quote that
/// opens a lifetime is none.
fn literal(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        text.strip_prefix(prefix).is_some_and(|rest| {
            let raw = prefix.ends_with('r');
            rest.starts_with('"')
                || (raw && rest.trim_start_matches('#').starts_with('"') && rest.starts_with('#'))
                || (rest.starts_with('\'') && matches!(*prefix, "" | "b"))
        })
    })?;
    let body = &text[prefix.len()..];
    let length = if prefix.ends_with('r') {
        let hashes = body.len() - body.trim_start_matches('#').len();
        let close = format!("\"{}", "#".repeat(hashes));
        let from = hashes + 1;
        body[from..].find(&close).map_or(body.len(), |at| from + at + close.len())
    } else if body.starts_with('"') {
        quoted(body, '"')
    } else {
        character(body)?
    };
    Some(prefix.len() + length)
}

/// The length of a quoted literal with escapes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut inside = text.chars().skip(1);
    let first = inside.next()?;
    (first == '\\' || inside.next() == Some('\'')).then(|| quoted(text, '\''))
}

#[cfg(test)]
mod tests;
