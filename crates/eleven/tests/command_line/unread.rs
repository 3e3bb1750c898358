//! A supervisor whose words nobody reads, or nobody reads any more, goes on supervising; and a corner whose log can't be written
//! goes on with all that it does.

use crate::domain::{Domain, PATIENCE, eleven};
use eleven_api::client::Client;
use eleven_store::Folder;
use http::StatusCode;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{ErrorKind, PipeReader, PipeWriter, Write as _};
use std::process::{Child, Stdio};
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

/// A corner that nobody supervises. It ends with this value.
struct Corner(Child);

impl Corner {
    fn serve(domain: &Domain, corner: &str, log: Stdio) -> Self {
        let mut command = eleven();
        command.args([corner, "serve", "--config", &domain.file("eleven.toml")]).stdout(Stdio::null()).stderr(log);
        Self(command.spawn().expect("the corner runs"))
    }

    fn goes_on(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Corner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a corner is ready.
fn ready(domain: &Domain, corner: &str) {
    let until = Instant::now() + PATIENCE;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    while runtime.block_on(Client::new().get_json(&domain.url(corner), "/health", PATIENCE)).is_err() {
        assert!(Instant::now() < until, "the {corner} is not ready");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until a call passes.
fn passes(domain: &Domain, secret: &str) {
    let until = Instant::now() + PATIENCE;
    let body = br#"{"model":"demo-summarizer","messages":[{"role":"user","content":"Rain fell on the hills."}]}"#;
    loop {
        match domain.try_post("runtime", "/v1/chat/completions", secret, body.to_vec()) {
            Some((StatusCode::OK, ..)) => return,
            other => assert!(Instant::now() < until, "every call is refused: {other:?}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The ledger falls and comes back, which the others have much to say about.
fn goes_on(log: impl Fn() -> Stdio, unwritable: impl FnOnce()) {
    let domain = Domain::make(&[]);
    let mut corners = ["authority", "runtime"].map(|corner| Corner::serve(&domain, corner, log()));
    let ledger = Corner::serve(&domain, "ledger", log());
    for corner in ["ledger", "authority", "runtime"] {
        ready(&domain, corner);
    }
    let secret = domain.client("app", "svc:demo-app:dev");
    passes(&domain, &secret);
    unwritable();
    drop(ledger);
    std::thread::sleep(Duration::from_secs(1));
    let mut ledger = Corner::serve(&domain, "ledger", log());
    passes(&domain, &secret);
    assert!(ledger.goes_on() && corners.iter_mut().all(Corner::goes_on), "none of them fell");
}

#[test]
fn a_log_on_a_full_disk_stops_nothing() {
    let full = || Stdio::from(File::options().write(true).open("/dev/full").expect("a full device"));
    goes_on(full, || {});
}

#[test]
fn a_log_whose_reader_is_gone_stops_nothing() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    goes_on(|| Stdio::from(writer.try_clone().expect("its other end")), || drop(reader));
}
