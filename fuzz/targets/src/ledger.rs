//! What is read back from a log, and what a ledger publishes.

use crate::{structures, vectors};
use eleven_core::chain::{Entry, EntryHeader};
use eleven_core::encoding::{Value, parse, parse_canonical};
use eleven_core::head::Head;
use eleven_core::head::checkpoint::Note;
use eleven_core::limits::MAX_NOTE_LINES;
use eleven_enforce::journal::Line;

/// A line of a point's journal.
///
/// # Panics
/// Where a property does not hold.
pub fn journal(bytes: &[u8]) {
    if let Ok(line) = Line::decode(bytes) {
        assert_eq!(line.encode(), bytes, "the line is written otherwise than it was read");
    }
}

/// An entry of the ledger, read whole and read fast; and a head.
///
/// # Panics
/// Where a property does not hold.
pub fn entry(bytes: &[u8]) {
    let split = EntryHeader::split(bytes);
    if let Ok((header, record)) = &split {
        assert_eq!(header.bytes(record), bytes, "an entry is put together otherwise than it was split");
    }
    if let Ok(entry) = Entry::parse(bytes) {
        assert_eq!(entry.to_value().canonical(), bytes, "the entry is written otherwise than it was read");
        let record = entry.record.canonical();
        assert_eq!(split, Ok((entry.header, &record[..])), "an entry that can be read and not be split");
    } else if let Ok((_, record)) = split {
        let whole = parse_canonical(record).is_ok_and(|record| record.as_object().is_some() && record.depth() < 32);
        assert!(!whole, "an entry that can be split and not be read");
    }
    let Ok(value) = parse(bytes) else { return };
    if let Ok(head) = Head::read(value.clone()) {
        assert_eq!(head.to_value(), value, "the head is written otherwise than it was read");
        assert!(!head.equivocates(&head), "a head contradicts itself");
    }
}

/// A checkpoint with its signature lines.
///
/// # Panics
/// Where a property does not hold.
pub fn checkpoint(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let Ok(note) = Note::parse(text) else { return };
    assert_eq!(note.to_string(), text, "the checkpoint is written otherwise than it was read");
    assert!((1..=MAX_NOTE_LINES).contains(&note.lines.len()), "past the limit");
    // None of these keys signed anything here but what the vectors hold.
    let publics = [[7; 32], [9; 32]];
    assert_eq!(note.cosigners([("w1", &publics[0]), ("w2", &publics[1])]).len(), 0, "a stranger counts as a witness");
}

/// A line for every record of the vectors, with an expiry beside every second one, and epochs.
#[must_use]
pub fn lines() -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = vec![Line::Epoch(0).encode(), Line::Epoch(u64::MAX).encode()];
    for (i, record) in structures::events().into_iter().enumerate() {
        let expiry = 1_778_605_451_000_i64.to_be_bytes();
        let tag: &[u8] = if i % 2 == 0 { b"e" } else { b"c" };
        let beside: &[u8] = if i % 2 == 0 { b"" } else { &expiry };
        lines.push([tag, beside, &record].concat());
    }
    lines
}

/// Every entry of the vectors, and their head.
#[must_use]
pub fn entries() -> Vec<Vec<u8>> {
    let mut entries = vectors::canonical(vectors::items(vectors::file("ledger.json"), "entries"));
    entries.extend(vectors::canonical(&vectors::objects_with(&["index", "hash_alt", "kid", "sig"])));
    entries
}

/// Every checkpoint of the vectors.
#[must_use]
pub fn checkpoints() -> Vec<Vec<u8>> {
    let found = vectors::objects_with(&["checkpoint"]);
    let texts = found.iter().filter_map(|value| value.get("checkpoint").and_then(Value::as_str));
    texts.map(|text| text.as_bytes().to_vec()).collect()
}
