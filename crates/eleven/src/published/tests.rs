use super::*;
use eleven_core::encoding::Object;
use eleven_core::hash::Sha256;
use eleven_core::head::checkpoint::Checkpoint;
use eleven_core::recovery::TreeAt;
use eleven_core::signature::SeedSigner;

const ORIGIN: &str = "11-11/ledger";

fn note(size: u64) -> Note {
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root: Sha256::of(&[b"root"]) };
    let lines = vec![checkpoint.sign(&SeedSigner::new("key:11-11/head/1", &[7; 32]))];
    Note { checkpoint, lines }
}

#[test]
fn a_checkpoint_is_a_head_that_a_file_may_show_and_other_text_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("head");
    let read = |bytes: &[u8]| {
        std::fs::write(&file, bytes).expect("written");
        in_file(&file)
    };
    let shown = read(note(5).to_string().as_bytes()).expect("a checkpoint");
    assert_eq!(shown.tree(), TreeAt { size: 5, root: Sha256::of(&[b"root"]) });
    for (bytes, why) in [
        (b"something else".as_slice(), "neither I-JSON nor a checkpoint"),
        (b"\xff\xfe", "neither I-JSON nor a checkpoint"),
        (b"{}", "head"),
    ] {
        let refused = read(bytes).expect_err("no head").to_string();
        assert!(refused.contains(why), "{refused}");
    }
    assert!(in_file(&folder.path().join("missing")).is_err());
}

#[test]
fn what_a_witness_remembers_is_that_of_the_ledger_that_is_asked_for() {
    let said = |logs: Vec<Value>| Value::Object(Object::new().with("seen", logs));
    let log = |origin: &str, checkpoint: &str| {
        Value::Object(Object::new().with("origin", origin).with("checkpoint", checkpoint))
    };
    let other = || log("other/ledger", &note(9).to_string());
    let found = remembered(&said(vec![other(), log(ORIGIN, &note(5).to_string())]), ORIGIN).expect("a list");
    assert_eq!(found, Some(Known::Checkpoint(note(5))));
    assert_eq!(remembered(&said(vec![other()]), ORIGIN), Ok(None));
    assert!(remembered(&said(vec![log(ORIGIN, "no note")]), ORIGIN).is_err());
    assert!(remembered(&Value::Object(Object::new()), ORIGIN).is_err());
}

/// Who answers so to one request after the other.
fn answering(answers: Vec<String>) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for (answer, stream) in answers.into_iter().zip(listener.incoming()) {
            let mut stream = stream.expect("a connection");
            let read = stream.read(&mut [0; 16 << 10]).expect("a request");
            assert!(read > 0, "a request");
            stream.write_all(answer.as_bytes()).expect("an answer");
            // What is still sent is taken: the answer would be lost with it.
            stream.shutdown(std::net::Shutdown::Write).expect("no more");
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    url
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

#[test]
fn a_witness_that_is_not_there_is_none_that_cosigned_nothing() {
    let gone = || answer("404 Not Found", "");
    let url = answering(vec![gone(), gone()]);
    let why = by_witness(&url, &note(5), &[]).map(drop).expect_err("what it cosigned is not known").to_string();
    assert!(why.contains("answers 404"), "{why}");
    for page in ["", "<html>please log in</html>\n"] {
        let url = answering(vec![gone(), answer("200 OK", page)]);
        let why = by_witness(&url, &note(5), &[]).map(drop).expect_err("no cosignature").to_string();
        assert!(why.contains("no cosignature"), "{page}: {why}");
    }
    let cosignature = note(5).checkpoint.cosign("witness.example", 1_778_605_451, &SeedSigner::new("w", &[8; 32]));
    let url = answering(vec![gone(), answer("200 OK", &format!("{cosignature}\n"))]);
    assert_eq!(by_witness(&url, &note(5), &[]).map_err(|why| why.to_string()), Ok(None), "it goes on from the copy");
}

#[test]
fn what_a_witness_of_another_make_cosigned_and_does_not_show_is_named_to_go_on() {
    let named = |size: u64| {
        let checkpoint = Checkpoint { root: Sha256::of(&[b"another root"]), ..note(size).checkpoint };
        Known::Checkpoint(Note { checkpoint, lines: Vec::new() })
    };
    let ask = |status: &str, body: &str, named: &[Known]| {
        by_witness(&answering(vec![answer("404 Not Found", ""), answer(status, body)]), &note(5), named)
    };
    let another = "another head of 5 entries than the copy's";
    for (status, body, size, says) in [
        ("409 Conflict", "9\n", 9, "a head of 9 entries, and the copy ends at 5"),
        ("409 Conflict", "5\n", 5, another),
        ("422 Unprocessable Entity", "another root\n", 5, another),
    ] {
        // Another one says nothing of it, nor does the copy's own.
        for others in [vec![], vec![named(7)], vec![Known::Checkpoint(note(5))]] {
            let why = ask(status, body, &others).map(drop).expect_err("it is not known");
            assert!(matches!(&why, Unknown::Unshown(what) if what.contains(says)), "{status}: {why}");
        }
        assert!(matches!(ask(status, body, &[named(size)]), Ok(None)), "{status}");
    }
}
