//! Text that others wrote, where it meets a terminal.
//!
//! A proof file, a folder of evidence, an answer of a ledger and a refusal hold whatever their authors put there. Printed as it
//! is, such a text could move the cursor, wipe what was said before it, or begin a line of its own that says `VERIFIED`. So
//! what is not there to be looked at is shown by its number, as `\u{1b}`.

use eleven_core::encoding::{Object, Value};

/// A text of others, on one line.
pub(crate) fn shown(text: &str) -> String {
    escaped(text, acts)
}

/// A document of others, with every text in it [`shown`]: to make lines for people of it.
pub(crate) fn shown_document(value: &Value) -> Value {
    match value {
        Value::Str(text) => Value::Str(shown(text)),
        Value::Array(items) => Value::Array(items.iter().map(shown_document).collect()),
        Value::Object(members) => {
            let each = members.iter().map(|(name, value)| (shown(name), shown_document(value)));
            Value::Object(each.fold(Object::new(), |object, (name, value)| object.with(name, value)))
        }
        Value::Null | Value::Bool(_) | Value::Int(_) => value.clone(),
    }
}

/// A text of several lines: their ends and tabs stay.
pub(super) fn lines(text: &str) -> String {
    escaped(text, |c| acts(c) && !matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, hidden: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// Whether a character does something instead of being seen: the controls C0, DEL and C1, what turns the direction of the
/// text around it, and what ends a line without being its end.
fn acts(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}
