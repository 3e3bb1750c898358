use super::*;
use crate::head::checkpoint::Checkpoint;
use crate::signature::{SeedSigner, Signer as _};
use crate::tree::{MemoryTree, inclusion_proof, leaf_hash};
use alloc::format;
use alloc::string::ToString as _;

fn signer() -> SeedSigner {
    SeedSigner::new("key:11-11/head/1".to_owned(), &Sha256::of(&[b"seed of head"]).0)
}

fn key() -> VerifyingKey {
    VerifyingKey::new(&signer().public()).expect("a key")
}

fn proof(index: u64, size: u64, extra: Option<&[u8]>) -> TlogProof {
    let mut tree = MemoryTree::new();
    (0..size).for_each(|n| tree.append(leaf_hash(format!("entry {n}").as_bytes())));
    let checkpoint = Checkpoint { origin: "11-11/ledger".to_owned(), size, root: tree.root() };
    let line = checkpoint.sign(&signer());
    let proof = inclusion_proof(&tree, index, size).expect("in the tree");
    TlogProof { extra: extra.map(<[u8]>::to_vec), index, proof, note: Note { checkpoint, lines: alloc::vec![line] } }
}

#[test]
fn a_file_is_read_as_it_was_written_and_proves_its_entry() {
    for (index, size, extra) in [(0, 1, None), (0, 7, None), (6, 7, Some(&b"entry 6"[..])), (256, 300, Some(b""))] {
        let made = proof(index, size, extra);
        let text = made.to_string();
        let read = TlogProof::parse(&text).expect("a proof");
        assert_eq!(read, made, "{text}");
        assert!(read.verifies(format!("entry {index}").as_bytes(), &key()));
        assert!(!read.verifies(b"another entry", &key()));
        let stranger = SeedSigner::new("key:11-11/head/1".to_owned(), &Sha256::of(&[b"another seed"]).0);
        let stranger = VerifyingKey::new(&stranger.public()).expect("a key");
        assert!(!read.verifies(format!("entry {index}").as_bytes(), &stranger), "another ledger's key");
        let other = TlogProof { index: index + 1, ..read };
        assert!(!other.verifies(format!("entry {index}").as_bytes(), &key()));
    }
}

#[test]
fn the_file_has_the_lines_of_the_specification() {
    let text = proof(6, 7, Some(b"data")).to_string();
    let lines: alloc::vec::Vec<&str> = text.split('\n').collect();
    assert_eq!(lines[..3], ["c2sp.org/tlog-proof@v1", "extra ZGF0YQ==", "index 6"]);
    assert_eq!(lines.iter().position(|line| line.is_empty()), Some(5), "two hashes, then an empty line: {text}");
    assert_eq!(lines[6..8], ["11-11/ledger", "7"]);
    assert!(lines[10].starts_with("— 11-11/ledger "), "{text}");
}

#[test]
fn whatever_is_written_otherwise_is_refused() {
    let text = proof(6, 7, Some(b"data")).to_string();
    assert!(TlogProof::parse(&text).is_ok());
    for (was, is) in [
        ("@v1", "@v2"),
        ("index 6", "index 06"),
        ("index 6", "index +6"),
        ("index 6", "index -6"),
        ("index 6", "index 6 "),
        ("index 6\n", ""),
        ("extra ZGF0YQ==", "extra ZGF0YQ"),
        ("extra ZGF0YQ==", "extra ZGF0YR=="),
        ("extra ZGF0YQ==\n", "extra ZGF0YQ==\nextra ZGF0YQ==\n"),
        ("\n\n", "\n"),
        ("\n\n", "\nAAAA\n\n"),
        ("\n\n", "\r\n\r\n"),
        ("7\n", "8\n\n"),
    ] {
        let other = text.replacen(was, is, 1);
        assert_ne!(other, text);
        assert!(TlogProof::parse(&other).is_err(), "{other}");
    }
    let long = format!("\n{}\n\n", alloc::vec![hash::base64(&[0; 32]); 200].join("\n"));
    assert!(TlogProof::parse(&text.replacen("\n\n", &long, 1)).is_err());
}
