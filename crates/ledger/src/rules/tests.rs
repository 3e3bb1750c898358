use super::*;
use crate::conformance::{append, replay, verified};
use crate::saved::{In, Out, Save as _};
use eleven_core::encoding::{Value, parse};
use eleven_core::hash::Sha256;
use eleven_core::index::OperationIndex;
use eleven_core::time::Time;

fn vectors(name: &str) -> Value {
    let path = format!("{}/../../spec/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    parse(&std::fs::read(path).expect("vectors")).expect("I-JSON")
}

fn entries() -> Vec<Value> {
    vectors("ledger.json").get("entries").and_then(Value::as_array).expect("entries").to_vec()
}

/// A book as it was saved and loaded again, and the digest of what was saved.
fn reloaded(book: &Book) -> (Book, Sha256) {
    let mut bytes = Vec::new();
    let mut out = Out::new(&mut bytes);
    book.save(&mut out).expect("memory takes all");
    let digest = out.finish().expect("memory takes all");
    let mut from = bytes.as_slice();
    let mut input = In::new(&mut from, bytes.len() as u64);
    let mut loaded = Book::load(&mut input).expect("it is of the form");
    assert_eq!(input.finish().expect("all of it is read"), digest);
    book.registry().cloned().into_iter().for_each(|registry| loaded.set_registry(registry));
    (loaded, digest)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).expect(name)
}

#[test]
fn every_entry_of_the_vectors_is_accepted_and_the_seal_names_the_index() {
    let (mut book, mut index) = (Book::new(), OperationIndex::new());
    for entry in entries() {
        let seal = entry.get("record").filter(|record| text(record, "event") == "ledger.sealed");
        if let Some(seal) = seal {
            assert_eq!(text(seal.get("data").expect("data"), "index"), index.rehash().to_string());
        }
        let applied = replay(&mut book, &entry).unwrap_or_else(|why| panic!("{why}: {entry}"));
        for (key, value) in applied.index {
            index.insert(key, value);
        }
    }
    assert_eq!(book.size(), 64);
    assert_eq!(book.registry().expect("registry").epoch(), 13);
    assert_eq!(book.running(), 1, "the open lineage");
    let (loaded, digest) = reloaded(&book);
    assert_eq!((loaded.size(), loaded.running(), loaded.lineages()), (book.size(), book.running(), book.lineages()));
    // Where this is another, so is the form of saved states: `saved::BUILD` rises by one, and is not read by builds before.
    assert_eq!(digest.to_string(), "sha256:4c863ab5efc76ad3c690160d69ddbee52147b182e35ddc4e6fb654aefed7bba0");
}

#[test]
fn every_append_vector_comes_out_as_it_says() {
    let vectors = vectors("append.json");
    let prefix = vectors.get("prefix").and_then(Value::as_int).expect("prefix");
    let mut book = Book::new();
    for entry in entries().iter().take(usize::try_from(prefix).expect("small")) {
        replay(&mut book, entry).expect("the prefix");
    }
    let cases = vectors.get("cases").and_then(Value::as_array).expect("cases");
    assert!(cases.len() >= 46);
    let (loaded, _) = reloaded(&book);
    for case in cases {
        let at = Time::parse_millis(text(case, "at")).expect("a time");
        for book in [&book, &loaded] {
            let (outcome, why) = append(book, case.get("record").expect("record").clone(), at);
            assert_eq!(outcome, text(case, "expect"), "{}: {why:?}", text(case, "what"));
        }
    }
}

/// Of this project: each case after all of ledger.json and the entries that it names itself.
#[test]
fn every_append_vector_of_our_own_comes_out_as_it_says() {
    let vectors = vectors("append-own.json");
    let list = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).expect(name).to_vec();
    let cases = list(&vectors, "cases");
    assert!(cases.len() >= 146);
    for case in cases {
        let mut book = Book::new();
        for entry in entries().iter().chain(&list(&case, "before")) {
            replay(&mut book, entry).expect("what comes before");
        }
        let at = Time::parse_millis(text(&case, "at")).expect("a time");
        for book in [&book, &reloaded(&book).0] {
            let (outcome, why) = append(book, case.get("record").expect("record").clone(), at);
            assert_eq!(outcome, text(&case, "expect"), "{}: {why:?}", text(&case, "what"));
        }
    }
}

#[test]
fn only_a_genesis_begins_a_ledger() {
    let mut book = Book::new();
    let entries = entries();
    assert!(replay(&mut book, &entries[1]).is_err());
    replay(&mut book, &entries[0]).expect("genesis");
    let again = entries[0].get("record").expect("record").clone();
    let verified = verified(&book, again).expect("verified");
    assert!(matches!(book.judge(&verified, Time(i64::MAX), None), Judgement::Repeat));
}

mod refused;
mod taken;
