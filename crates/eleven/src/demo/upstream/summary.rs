//! An extractive summariser: real work over real text, small enough to read.
//!
//! Words that are said often carry the text; a sentence is worth the mean of its words; the best sentences stand in their
//! own order. The same text gives the same summary.

use std::cmp::Ordering;
use std::collections::HashMap;

/// Sentences of a summary at most, whatever the text's length.
const MAX_SENTENCES: usize = 3;

/// Words that say nothing about what a text is about.
const COMMON: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "did", "do", "does", "for", "from", "had",
    "has", "have", "he", "her", "him", "his", "if", "in", "into", "is", "it", "its", "may", "more", "no", "nor", "not",
    "of", "on", "one", "or", "our", "over", "she", "so", "than", "that", "the", "their", "them", "then", "there",
    "these", "they", "this", "to", "was", "we", "were", "what", "when", "which", "who", "will", "with", "would", "you",
    "your",
];

/// The most telling sentences of `text`, in their order: about a third of them, three at most, and no more than
/// `max_words` words where that is given. The first chosen sentence always stands.
pub(super) fn summarise(text: &str, max_words: Option<usize>) -> String {
    let sentences = sentences(text);
    let wanted = sentences.len().div_ceil(3).clamp(1, MAX_SENTENCES);
    let weights = weights(text);
    let mut ranked: Vec<(usize, f64)> =
        sentences.iter().enumerate().map(|(place, sentence)| (place, worth(sentence, place, &weights))).collect();
    ranked.sort_by(|(a, worth_a), (b, worth_b)| worth_b.partial_cmp(worth_a).unwrap_or(Ordering::Equal).then(a.cmp(b)));
    let mut chosen: Vec<usize> = Vec::with_capacity(wanted);
    let mut length = 0;
    for (place, _) in ranked.into_iter().take(wanted) {
        let more = sentences.get(place).map_or(0, |sentence| sentence.split_whitespace().count());
        if chosen.is_empty() || max_words.is_none_or(|most| length + more <= most) {
            chosen.push(place);
            length += more;
        }
    }
    chosen.sort_unstable();
    let parts: Vec<&str> = chosen.iter().filter_map(|place| sentences.get(*place).copied()).collect();
    parts.join(" ")
}

/// How many words a text has: the model's idea of tokens.
pub(super) fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Splits at `.`, `!`, `?` before white space, and at blank lines. `3.5` and `v1.2` stay whole.
fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut begun = 0;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let next = letters.peek().map(|(_, next)| *next);
        let ends = matches!(letter, '.' | '!' | '?') && next.is_none_or(char::is_whitespace);
        let breaks = letter == '\n' && next == Some('\n');
        if ends || breaks {
            let end = at + letter.len_utf8();
            found.push(text.get(begun..end).unwrap_or_default());
            begun = end;
        }
    }
    found.push(text.get(begun..).unwrap_or_default());
    found.into_iter().map(str::trim).filter(|sentence| !sentence.is_empty()).collect()
}

fn terms(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '-' && letter != '\'');
    let lower = words.map(|word| word.trim_matches(['-', '\'']).to_lowercase());
    lower.filter(|word| word.chars().count() > 1 && !COMMON.contains(&word.as_str()))
}

fn weights(text: &str) -> HashMap<String, f64> {
    let mut counts: HashMap<String, f64> = HashMap::new();
    for term in terms(text) {
        *counts.entry(term).or_insert(0.0) += 1.0;
    }
    let most = counts.values().copied().fold(1.0, f64::max);
    counts.into_iter().map(|(term, count)| (term, count / most)).collect()
}

/// The mean weight of a sentence's terms; short scraps count less, the opening sentence a little more.
fn worth(sentence: &str, place: usize, weights: &HashMap<String, f64>) -> f64 {
    let found: Vec<f64> = terms(sentence).filter_map(|term| weights.get(&term).copied()).collect();
    if found.is_empty() {
        return 0.0;
    }
    let count = found.len() as f64;
    let opening = if place == 0 { 1.15 } else { 1.0 };
    found.iter().sum::<f64>() / count * (count / (count + 3.0)) * opening
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Glaciers store fresh water. Glaciers in the valley lost a third of their ice since 1990, and the \
        valley's water comes from that ice. A hiker saw two goats. Water plans for the valley assume that the glaciers \
        keep storing ice at a rate of 3.5 percent! Nobody knows why the goats were there.";

    #[test]
    fn it_chooses_what_the_text_is_about_and_keeps_the_order() {
        let summary = summarise(TEXT, None);
        assert!(summary.contains("lost a third") && !summary.contains("goats"), "{summary}");
        let places: Vec<usize> = sentences(&summary).iter().filter_map(|sentence| TEXT.find(sentence)).collect();
        assert!(places.len() == 2 && places.is_sorted(), "{summary}");
        assert_eq!(summary, summarise(TEXT, None));
    }

    #[test]
    fn a_limit_on_words_holds_and_something_is_always_said() {
        assert!(words(&summarise(TEXT, Some(25))) <= 25);
        assert!(!summarise(TEXT, Some(1)).is_empty());
        assert_eq!(summarise("", None), "");
        assert_eq!(summarise("no end", None), "no end");
    }

    #[test]
    fn sentences_end_where_they_end() {
        assert_eq!(
            sentences("It is v1.2 now. 3.5 more?\n\nA heading\n\nDone"),
            ["It is v1.2 now.", "3.5 more?", "A heading", "Done"]
        );
    }
}
