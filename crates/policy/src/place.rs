//! Where in a text stands what Cedar finds wrong: an author with a thousand rules looks for it by its line.

use crate::compile::in_full;
use miette::{Diagnostic, LabeledSpan};

/// Errors of one text that are told; of more it is told how many.
const TOLD: usize = 3;
/// Bytes of what Cedar had expected instead that somebody still reads.
const READABLE: usize = 120;

/// What Cedar says about a text, behind the place that it names.
pub(crate) fn said(text: &str, error: &impl Diagnostic) -> String {
    let label = error.labels().and_then(|mut labels| labels.next());
    let expected = label.as_ref().and_then(LabeledSpan::label).filter(|expected| expected.len() <= READABLE);
    let help = error.help().map(|help| help.to_string().replace('\n', "; "));
    let advice: Vec<&str> = expected.into_iter().chain(help.as_deref()).collect();
    let advice = if advice.is_empty() { String::new() } else { format!(" ({})", advice.join("; ")) };
    let place = label.as_ref().and_then(|label| of(text, label.offset()));
    let place = place.map_or_else(String::new, |place| format!("{place}: "));
    format!("{place}{}{advice}", in_full(error))
}

/// Where a byte of a text stands, as an editor counts; `None` where it is in no character of it.
pub(crate) fn of(text: &str, offset: usize) -> Option<String> {
    let before = text.get(..offset)?;
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Some(format!("line {line}, column {column}"))
}

/// Several errors in one line, as many as somebody reads. What each says is asked of those alone: of a text in which every sign is
/// one, saying it of all takes time in proportion to the square of its length.
pub(crate) fn several<T>(errors: impl ExactSizeIterator<Item = T>, said: impl Fn(T) -> String) -> String {
    let more = errors.len().saturating_sub(TOLD);
    let told = errors.take(TOLD).map(said).collect::<Vec<_>>().join("; ");
    if more == 0 { told } else { format!("{told}; and {more} more") }
}

#[cfg(test)]
mod tests;
