//! `eleven demo`, stopped on its way.

use crate::domain::{eleven, text};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

#[test]
fn a_demo_whose_files_can_not_be_written_is_not_begun() {
    let temporary = tempfile::tempdir().expect("a folder");
    let taken = temporary.path().join("taken");
    std::fs::write(&taken, "no folder").expect("written");
    let mut command = eleven();
    command.arg("demo").arg("--out").arg(taken.join("proofs")).env("TMPDIR", temporary.path());
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(output.stdout.is_empty() && text(&output).contains("taken/proofs: "), "{}", text(&output));
    assert_eq!(std::fs::read_dir(temporary.path()).expect("the folder").count(), 1, "no domain was made");
}

#[test]
fn a_demo_that_is_stopped_leaves_no_keys_behind() {
    let temporary = tempfile::tempdir().expect("a folder");
    let mut command = eleven();
    command.arg("demo").env("TMPDIR", temporary.path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut demo = command.spawn().expect("it runs");
    let mut lines = BufReader::new(demo.stdout.take().expect("its output")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("up in")), "the domain is made, and its corners run");
    assert_eq!(std::fs::read_dir(temporary.path()).expect("the folder").count(), 1);
    kill_process(Pid::from_child(&demo), Signal::INT).expect("it runs");
    lines.for_each(drop);
    assert_eq!(demo.wait().expect("it ends").code(), Some(1));
    assert_eq!(std::fs::read_dir(temporary.path()).expect("the folder").count(), 0);
}
