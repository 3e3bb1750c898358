//! `eleven demo`, stopped on its way.

use crate::domain::eleven;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

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
