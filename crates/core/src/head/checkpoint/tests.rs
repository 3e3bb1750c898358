use super::*;
use crate::encoding::{Value, parse};
use crate::head::Head;
use crate::signature::{SeedSigner, bytes32};
use alloc::string::ToString;
use proptest::prelude::*;

fn file() -> Value {
    parse(include_bytes!("../../../../../spec/vectors/head.json")).expect("I-JSON")
}

fn text(name: &str) -> String {
    file().get(name).and_then(Value::as_str).expect("a text").to_owned()
}

fn note() -> Note {
    Note::parse(&text("checkpoint")).expect("a checkpoint")
}

fn head() -> Head {
    Head::read(file().get("head").expect("head").clone()).expect("a head")
}

/// The seed of the head key stands with the ledger's vectors.
fn ledger_signer() -> SeedSigner {
    let ledger = parse(include_bytes!("../../../../../spec/vectors/ledger.json")).expect("I-JSON");
    let seed = ledger.pointer("/seeds/head").and_then(Value::as_str).and_then(bytes32).expect("a seed");
    SeedSigner::new("key:11-11/head/2026-q2", &seed)
}

fn ledger_key() -> VerifyingKey {
    VerifyingKey::new(&ledger_signer().public()).expect("a key")
}

fn witnesses() -> Vec<(String, [u8; 32], String)> {
    let member = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).expect("a text").to_owned();
    let file = file();
    let witnesses = file.get("witnesses").and_then(Value::as_array).expect("witnesses");
    let read = |witness: &Value| {
        let public = bytes32(&member(witness, "public")).expect("32 bytes");
        (member(witness, "name"), public, member(witness, "cosignature_key_id"))
    };
    witnesses.iter().map(read).collect()
}

#[test]
fn vectors_checkpoint() {
    let note = note();
    assert_eq!(note.to_string(), text("checkpoint"));
    assert_eq!(note.checkpoint, Checkpoint::of(&head().commitment));
    assert!(note.signed_by(&ledger_key()));
    assert_eq!(note.checkpoint.sign(&ledger_signer()), note.lines[0]);
    assert_eq!(vkey("11-11/ledger", &ledger_signer().public()), text("vkey"));
}

#[test]
fn vectors_cosignatures() {
    let note = note();
    let mut cosigned = Vec::new();
    for (name, public, key_id) in &witnesses() {
        assert_eq!(hash::hex(&cosignature_key_id(name, public)), *key_id, "{name}");
        let key = VerifyingKey::new(public).expect("a key");
        cosigned.push(note.cosigned_by(name, &key).is_some());
    }
    assert_eq!(cosigned, [true, true, false], "the third has no line");
    let all = witnesses();
    assert_eq!(note.cosigners(all.iter().map(|(name, public, _)| (name.as_str(), public))).len(), 2);
}

#[test]
fn a_witness_counts_once_and_under_its_name_and_key() {
    let all = witnesses();
    let (name, public, _) = &all[0];
    let count = |note: &Note, witnesses: &[(&str, &[u8; 32])]| note.cosigners(witnesses.iter().copied()).len();
    let mut note = note();
    assert_eq!(count(&note, &[(name, public), (name, public)]), 1);
    assert_eq!(count(&note, &[("other.example", public)]), 0);
    assert_eq!(count(&note, &[(name, &all[1].1)]), 0);
    assert_eq!(count(&note, &[(name, &[0; 32])]), 0, "no public key");
    assert_eq!(count(&note, &[]), 0);

    let signer = SeedSigner::new("key:w/witness/a", &[5; 32]);
    let (first, again) =
        (note.checkpoint.cosign("w.example", 1, &signer), note.checkpoint.cosign("w.example", 2, &signer));
    let under_another_name = note.checkpoint.cosign("v.example", 3, &signer);
    note.lines.extend([first, again, under_another_name]);
    let public = signer.public();
    assert_eq!(count(&note, &[("w.example", &public), ("v.example", &public)]), 1, "one key");
    assert_eq!(note.cosigned_by("w.example", &VerifyingKey::new(&public).expect("a key")), Some(1));
    assert_eq!(Note::parse(&note.to_string()), Ok(note));
}

#[test]
fn a_line_stands_for_its_own_algorithm_and_checkpoint() {
    let signer = ledger_signer();
    let checkpoint = note().checkpoint;
    let with = |line: Line| Note { checkpoint: checkpoint.clone(), lines: [line].into() };
    let origin = checkpoint.origin.clone();
    // The ledger's key as a witness of its own ledger, and its own line where a cosignature is asked for.
    let cosigned = with(checkpoint.cosign(&origin, 7, &signer));
    assert!(!cosigned.signed_by(&ledger_key()) && cosigned.cosigned_by(&origin, &ledger_key()) == Some(7));
    let signed = with(checkpoint.sign(&signer));
    assert!(signed.signed_by(&ledger_key()) && signed.cosigned_by(&origin, &ledger_key()).is_none());
    // A right signature under a wrong id or name, and one over another checkpoint.
    for change in [|line: &mut Line| line.key_id[0] ^= 1, |line: &mut Line| line.name.push('x')] {
        let mut line = checkpoint.sign(&signer);
        change(&mut line);
        assert!(!with(line).signed_by(&ledger_key()));
    }
    let larger = Checkpoint { size: checkpoint.size + 1, ..checkpoint.clone() };
    assert!(!with(larger.sign(&signer)).signed_by(&ledger_key()));
    assert!(with(larger.cosign(&origin, 7, &signer)).cosigned_by(&origin, &ledger_key()).is_none());
    // The time is signed.
    let mut later = checkpoint.cosign(&origin, 7, &signer);
    later.signature[7] = 8;
    assert!(with(later).cosigned_by(&origin, &ledger_key()).is_none());
}

#[test]
fn what_is_not_a_checkpoint_is_refused() {
    let good = text("checkpoint");
    let root = "C4V2U9N6WKq1dOlsn07/o243U46KYhlhpnxEzQ0ozss=";
    let change = |from: &str, to: &str| {
        assert!(good.contains(from), "{from:?} is in the vector");
        good.replacen(from, to, 1)
    };
    for (changed, what) in [
        (change("\n64\n", "\n064\n"), "a leading zero"),
        (change("\n64\n", "\n+64\n"), "a sign"),
        (change("\n64\n", "\n64 \n"), "a space"),
        (change("\n64\n", "\n9007199254740992\n"), "a size beyond 2^53-1"),
        (change("\n64\n", "\r\n64\n"), "a carriage return"),
        (change("11-11/ledger\n", "\n"), "no origin"),
        (change("11-11/ledger\n", "11-11/ledger+\n"), "a plus in the origin"),
        (change(root, &root[4..]), "a short root"),
        (change(root, &root[..43]), "a root without padding"),
        (change(&alloc::format!("{root}\n"), &alloc::format!("{root}\nextension\n")), "an extension line"),
        (change("\n\n", "\n"), "no empty line"),
        (change("\n\n", "\n\n\n"), "two empty lines"),
        (change("— 11-11/ledger", "- 11-11/ledger"), "a hyphen"),
        (change("— 11-11/ledger ", "— 11-11/ledger  "), "two spaces"),
        (change("— 11-11/ledger ", "—  "), "no name"),
        (change("VzAE=\n", "VzAE\n"), "a signature without padding"),
        (change("VzAE=\n", "VzAF=\n"), "trailing bits"),
        (good[..good.len() - 1].to_owned(), "no line feed at the end"),
        (alloc::format!("{good}\n"), "an empty line at the end"),
        (alloc::format!("{good}— short.example AAAAAA==\n"), "an id without a signature"),
        (good[..good.find("— ").expect("a line")].to_owned(), "no signature line"),
        (String::new(), "nothing"),
        ("\n\n\n".to_owned(), "nothing but line feeds"),
    ] {
        assert!(Note::parse(&changed).is_err(), "{what}");
    }
}

#[test]
fn unknown_lines_are_kept_and_say_nothing_up_to_a_number() {
    let line = "— unknown.example AAAAAAA=\n";
    let with = |more: usize| Note::parse(&(text("checkpoint") + &line.repeat(more)));
    let note = with(MAX_NOTE_LINES - 3).expect("as many as may be");
    assert!(note.lines.len() == MAX_NOTE_LINES && note.signed_by(&ledger_key()));
    assert!(with(MAX_NOTE_LINES - 2).is_err());
}

#[test]
fn verifier_keys_are_read_as_they_are_written() {
    let public = ledger_signer().public();
    assert_eq!(read_vkey(&text("vkey")), Some(("11-11/ledger".to_owned(), public)));
    let witness = witness_vkey("w.example/a", &public);
    assert_eq!(read_witness_vkey(&witness), Some(("w.example/a".to_owned(), public)));
    assert_eq!(read_vkey(&witness), None, "a key is for one algorithm");
    assert_eq!(read_witness_vkey(&text("vkey")), None);
    for changed in
        ["", "+", "++", "w.example/a", &witness.replace("w.example", "v.example"), &witness[..witness.len() - 4]]
    {
        assert_eq!(read_witness_vkey(changed), None, "{changed}");
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_is_refused_or_proves_nothing_or_says_another_thing(at in any::<proptest::sample::Index>(), bit in 0u8..8) {
        let mut bytes = text("checkpoint").into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Some(changed) = String::from_utf8(bytes).ok().and_then(|text| Note::parse(&text).ok()) {
            let all = witnesses();
            let cosigners = changed.cosigners(all.iter().map(|(name, public, _)| (name.as_str(), public))).len();
            prop_assert!(!changed.signed_by(&ledger_key()) || cosigners < 2, "{changed}");
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(11-11/ledger|.{0,4})\n[0-9]{0,3}\n[A-Za-z0-9+/=]{40,44}\n\n(— [a-z]{0,3} [A-Za-z0-9+/]{0,8}={0,2}\n?){0,3}") {
        if let Ok(note) = Note::parse(&text) {
            prop_assert_eq!(note.to_string(), text);
        }
    }

    #[test]
    fn what_is_written_is_read(size in 0u64..1 << 53, root: [u8; 32], seed: [u8; 32], time: u64) {
        let signer = SeedSigner::new("key:11-11/head/a", &seed);
        let key = VerifyingKey::new(&signer.public()).expect("a key");
        let checkpoint = Checkpoint { origin: "eu.example/ledger".into(), size, root: Sha256(root) };
        let lines = [checkpoint.sign(&signer), checkpoint.cosign("w.example", time, &signer)].into();
        let note = Note { checkpoint, lines };
        prop_assert_eq!(Note::parse(&note.to_string()), Ok(note.clone()));
        prop_assert!(note.signed_by(&key));
        prop_assert_eq!(note.cosigned_by("w.example", &key), Some(time));
    }
}
