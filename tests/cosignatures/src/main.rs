//! Reads a proof bundle and the trust root, and has `metamorphic-log` verify the checkpoint in it: the ledger's line and the
//! cosignatures of the root's witnesses. Then it changes what was signed and wants each change refused.

use metamorphic_log::checkpoint::Checkpoint;
use metamorphic_log::note::{Signature, SignatureType, SignedNote, VerifierKey};
use serde_json::Value;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [bundle, root] = args.as_slice() else {
        eprintln!("usage: eleven-cosignatures BUNDLE ROOT");
        return ExitCode::from(2);
    };
    let (bundle, root) = (read(bundle), read(root));
    let cases = cases(bundle["checkpoint"].as_str().expect("a checkpoint"), &bundle, &root);
    let failed = cases.iter().filter(|(_, passed)| !passed).count();
    for (name, passed) in &cases {
        println!("{} {name}", if *passed { "ok    " } else { "FAILED" });
    }
    println!("{} passed, {failed} failed", cases.len() - failed);
    ExitCode::from(u8::from(failed > 0))
}

fn read(path: &str) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A public key as it stands in a root.
fn public(value: &Value) -> Vec<u8> {
    let text = value["public"].as_str().and_then(|text| text.strip_prefix("base64:")).expect("a public key");
    decode(text)
}

/// Padded base64; there is a crate for that, and this is all that would be used of it.
fn decode(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        other => panic!("{other} is no base64"),
    };
    let (mut out, mut held, mut bits) = (Vec::new(), 0u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        held = held << 6 | u32::from(digit(byte));
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
        }
    }
    out
}

fn cases(checkpoint: &str, bundle: &Value, root: &Value) -> Vec<(String, bool)> {
    let origin = format!("{}/ledger", root["domain"].as_str().expect("a domain"));
    let heads = root["roles"].as_array().expect("roles").iter().filter(|key| key["use"] == "head");
    let heads: Vec<VerifierKey> =
        heads.map(|key| VerifierKey::new_ed25519(&origin, &public(key)).expect("a key")).collect();
    let witnesses = root["witnesses"]["keys"].as_array().expect("witnesses").iter().map(|key| {
        VerifierKey::new_cosignature_ed25519(key["name"].as_str().expect("a name"), &public(key)).expect("a key")
    });
    let witnesses: Vec<VerifierKey> = witnesses.collect();
    let quorum = usize::try_from(root["witnesses"]["quorum"].as_u64().expect("a quorum")).expect("small");
    let note = SignedNote::parse(checkpoint).expect("a signed note");
    let read = Checkpoint::from_signed_note(checkpoint, &heads);
    let verified = |note: &SignedNote, keys: &[VerifierKey]| note.verify(keys).map_or(0, |lines| lines.len());
    let mut cases = vec![
        ("the note is written again as it was read".to_owned(), note.marshal() == checkpoint),
        ("the ledger's line verifies".to_owned(), verified(&note, &heads) == 1),
        (
            "origin and size are the head's".to_owned(),
            read.is_ok_and(|read| read.origin() == origin && Some(read.size()) == bundle["head"]["size"].as_u64()),
        ),
        ("a quorum of witnesses cosigned".to_owned(), quorum > 0 && verified(&note, &witnesses) >= quorum),
    ];
    for key in &witnesses {
        let mine: Vec<&Signature> = note.signatures().iter().filter(|line| line.key_id() == key.key_id()).collect();
        let alone = std::slice::from_ref(key);
        let name = key.name();
        cases.push((
            format!("{name} is a key for cosignature/v1"),
            key.signature_type() == SignatureType::CosignatureV1Ed25519,
        ));
        cases.push((format!("{name} has one line, and it verifies"), mine.len() == 1 && verified(&note, alone) == 1));
        cases.extend(
            changed(checkpoint, &note, alone, mine.first().copied())
                .into_iter()
                .map(|(what, refused)| (format!("{name}: {what} is refused"), refused)),
        );
    }
    cases
}

/// The same note with one thing changed, and whether the witness's line is refused then.
fn changed(
    checkpoint: &str,
    note: &SignedNote,
    key: &[VerifierKey],
    line: Option<&Signature>,
) -> Vec<(&'static str, bool)> {
    let Some(line) = line else { return Vec::new() };
    let refused = |text: &str| SignedNote::parse(text).is_ok_and(|note| note.verify(key).is_err());
    let size = note.text().lines().nth(1).expect("a size");
    let larger = checkpoint.replacen(&format!("\n{size}\n"), &format!("\n{size}1\n"), 1);
    let root = note.text().lines().nth(2).expect("a root");
    let other =
        checkpoint.replacen(root, &format!("{}{}", if root.starts_with('A') { 'B' } else { 'A' }, &root[1..]), 1);
    let whole = line.marshal_line();
    let at = whole.len() - 20;
    let flipped = if whole.as_bytes()[at] == b'A' { "B" } else { "A" };
    let spoilt = format!("{}{flipped}{}", &whole[..at], &whole[at + 1..]);
    let without = checkpoint.replacen(&format!("{whole}\n"), "", 1);
    vec![
        ("another size", refused(&larger)),
        ("another root", refused(&other)),
        ("another signature", refused(&checkpoint.replacen(&whole, &spoilt, 1))),
        ("no line", refused(&without)),
    ]
}
