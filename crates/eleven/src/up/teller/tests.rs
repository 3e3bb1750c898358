use super::*;
use crate::up::{MAX_LINE, pass_on};
use std::io::{Read as _, Seek as _};

fn line(n: usize) -> Value {
    Value::Object(Object::new().with("n", n as u64))
}

/// More than a pipe holds.
const MANY: usize = 20_000;

#[test]
fn what_nobody_reads_is_dropped_and_counted_and_nobody_waits_for_it() {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let out = File::from(std::os::fd::OwnedFd::from(writer));
    let (teller, writing) = Teller::writing(Output::new(true), out, 16).expect("a thread");
    // Until the pipe is full and the queue before it: from then on nothing has room.
    let mut many = 0;
    while teller.dropped.load(Ordering::Relaxed) < 100 {
        teller.either(|| line(many), String::new);
        many += 1;
    }
    // Once somebody reads, the gap stands where it was, before what is said next.
    let reading = std::thread::spawn(move || {
        let mut said = String::new();
        reader.read_to_string(&mut said).map(|_| said)
    });
    while teller.dropped.load(Ordering::Relaxed) > 0 {
        teller.either(|| line(many), String::new);
        std::thread::yield_now();
    }
    drop(teller);
    let said = reading.join().expect("it reads").expect("lines");
    writing.end();
    let values: Vec<Value> =
        said.lines().map(|line| eleven_core::encoding::parse(line.as_bytes()).expect("a document a line")).collect();
    let numbers = |name: &str| {
        let numbers = values.iter().filter_map(|value| value.get(name).and_then(Value::as_int)).collect::<Vec<_>>();
        numbers.into_iter().map(|number| usize::try_from(number).expect("a count")).collect::<Vec<_>>()
    };
    let (written, gaps) = (numbers("n"), numbers("lines"));
    assert!(written.is_sorted(), "in the order in which it was said");
    let of_many = written.iter().filter(|n| **n < many).count();
    let after = written.len() - of_many;
    assert!(gaps.iter().sum::<usize>() >= many - of_many && after > 0, "{of_many} {after} {gaps:?}");
}

#[test]
fn a_reader_that_is_gone_ends_nothing() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let out = File::from(std::os::fd::OwnedFd::from(writer));
    let (teller, writing) = Teller::writing(Output::new(false), out, 16).expect("a thread");
    drop(reader);
    for _ in 0..MANY {
        teller.pass_on(Which::Ledger, "nobody hears this");
    }
    drop(teller);
    writing.end();
}

#[test]
fn who_answers_in_a_corners_place_says_one_line_under_its_name() {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let out = File::from(std::os::fd::OwnedFd::from(writer));
    let (teller, writing) = Teller::writing(Output::new(false), out, 16).expect("a thread");
    let forged = "the authority of x\nready: domain 11-11\u{1b}[2J answers";
    teller.say(Which::Authority, "other", forged, None);
    drop(teller);
    writing.end();
    let mut said = String::new();
    reader.read_to_string(&mut said).expect("it ended");
    assert_eq!(said.lines().count(), 1, "{said:?}");
    assert!(said.contains(r"the authority of x\u{a}ready: domain 11-11\u{1b}[2J answers"), "{said:?}");
}

#[tokio::test]
async fn of_a_line_without_an_end_no_more_is_held_than_a_piece() {
    let mut out = tempfile::tempfile().expect("a file");
    let (teller, writing) = Teller::writing(Output::new(true), out.try_clone().expect("a file"), 16).expect("a thread");
    let piece = usize::try_from(MAX_LINE).expect("small");
    let said = [vec![b'x'; piece + 1], b"\nnext\n".to_vec()].concat();
    pass_on(Which::Ledger, said.as_slice(), teller).await;
    writing.end();
    out.rewind().expect("a file");
    let mut read = String::new();
    out.read_to_string(&mut read).expect("lines");
    let lines = read.lines().map(|line| eleven_core::encoding::parse(line.as_bytes()).expect("a document a line"));
    let lengths = lines.map(|line| line.get("line").and_then(Value::as_str).map_or(0, str::len));
    assert_eq!(lengths.collect::<Vec<_>>(), [piece, 1, "next".len()]);
}
