//! A supervisor whose words nobody reads, or nobody reads any more, goes on supervising.

use crate::domain::{Domain, PATIENCE, eleven};
use eleven_store::Folder;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{ErrorKind, PipeReader, PipeWriter, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A pipe that takes not one byte more.
fn full() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let flags = fcntl_getfl(&writer).expect("flags");
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).expect("set");
    for size in [4096, 1] {
        loop {
            match writer.write(&vec![b'\n'; size]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
    fcntl_setfl(&writer, flags).expect("set");
    (reader, writer)
}

/// Waits until another process than `before` holds a corner's folder.
fn held(domain: &Domain, corner: &str, before: Option<u32>) -> u32 {
    let until = Instant::now() + PATIENCE;
    loop {
        let holder = Folder::holder(domain.dir().join(corner)).expect("a list of locks");
        if let Some(pid) = holder.filter(|pid| Some(*pid) != before) {
            return pid;
        }
        assert!(Instant::now() < until, "the {corner} does not run");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A corner that falls is started again, and the supervisor stops when it is asked to.
fn supervises(reads: bool) {
    let domain = Domain::make(&[]);
    let (reader, writer) = full();
    let reader = reads.then_some(reader);
    let mut command = eleven();
    command.args(["up", "--config", &domain.file("eleven.toml")]).stdout(Stdio::from(writer));
    let mut up = command.spawn().expect("up runs");
    // It keeps its own end of the pipe, and nobody else has one.
    drop(command);
    let runtime = held(&domain, "runtime", None);
    let process = i32::try_from(runtime).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(process, Signal::KILL).expect("it runs");
    held(&domain, "runtime", Some(runtime));
    kill_process(Pid::from_child(&up), Signal::TERM).expect("it runs");
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match up.try_wait().expect("a process") {
            Some(status) => break status.code(),
            None if Instant::now() > until => {
                let _ = up.kill();
                panic!("it does not stop");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert_eq!(status, Some(0));
    drop(reader);
}

#[test]
fn a_reader_that_stalls_stops_nothing() {
    supervises(true);
}

#[test]
fn a_reader_that_is_gone_stops_nothing() {
    supervises(false);
}
