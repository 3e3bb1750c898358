//! `eleven up`: the three corners as three processes, supervised.
//!
//! Each runs in its own process group, so that Ctrl-C reaches this process alone, which then stops them in order: the
//! point first, so that what it still has reaches the ledger. Should this process be killed, the kernel tells them.
//!
//! A corner's listening socket is made here and handed to its process as standard input. While one process makes place
//! for another as planned, the socket stays open and who connects waits; where one fell, it is closed, and who calls is
//! refused at once until the next one listens.

use crate::call;
use crate::config::{self, Config};
use crate::corner::{Which, program, until_told};
use crate::doctor;
use crate::output::{EXIT_DONE, EXIT_FAILED, EXIT_RESTART, EXIT_USAGE, Failure, Output, Paint};
use eleven_core::encoding::{Object, Value};
use rustix::process::{Pid, Signal};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;

/// A corner that falls is started again after this long, twice as long the next time, and so on.
const BACKOFF: Duration = Duration::from_millis(200);
const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// After running this long, a fall is counted as the first again.
const STEADY: Duration = Duration::from_secs(30);
/// How long a corner may take to stop before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// How often corners are asked whether they are ready.
const ASK: Duration = Duration::from_millis(100);

/// Runs the corners until told to stop.
///
/// # Errors
/// Where the configuration is wrong or a process can't be started. Where a corner refuses its configuration, all are
/// stopped and the status is 2.
pub(crate) fn run(file: &Path, restart: bool, output: Output) -> Result<ExitCode, Failure> {
    let config = Config::load(file)?;
    for which in Which::ALL {
        let corner = which.of(&config);
        if !corner.data.exists() {
            let what = format!("{} is not there: make the domain with `eleven init DIR`", corner.data.display());
            return Err(Failure::usage(what));
        }
    }
    // One thread: the kernel tells a child of its parent's end when the thread ends that started it.
    call::wait(Supervisor::new(file.to_owned(), restart, output, &config).run(config))?
}

/// A corner's process, as the supervisor knows it.
struct Running {
    pid: Pid,
    since: Instant,
}

struct Supervisor {
    file: PathBuf,
    restart: bool,
    output: Output,
    corners: BTreeMap<&'static str, config::Corner>,
    /// The sockets of corners that run, or are about to.
    sockets: BTreeMap<&'static str, TcpListener>,
    running: BTreeMap<&'static str, Running>,
    falls: BTreeMap<&'static str, u32>,
    events: mpsc::UnboundedSender<Event>,
    incoming: mpsc::UnboundedReceiver<Event>,
}

/// What happens around the processes.
enum Event {
    /// A corner's process ended.
    Ended(Which, Option<ExitStatus>),
    /// It is time to start a corner again.
    Due(Which),
}

impl Supervisor {
    fn new(file: PathBuf, restart: bool, output: Output, config: &Config) -> Self {
        let (events, incoming) = mpsc::unbounded_channel();
        let corners = Which::ALL.into_iter().map(|which| (which.name(), which.of(config).clone())).collect();
        let (sockets, running, falls) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { file, restart, output, corners, sockets, running, falls, events, incoming }
    }

    async fn run(mut self, config: Config) -> Result<ExitCode, Failure> {
        let told = until_told();
        tokio::pin!(told);
        for which in Which::ALL {
            self.start(which)?;
        }
        let ready = tokio::spawn(announce(config, self.output));
        let code = loop {
            let event = tokio::select! {
                _ = &mut told => break EXIT_DONE,
                event = self.incoming.recv() => event,
            };
            match event {
                Some(Event::Ended(which, status)) => {
                    if let Some(code) = self.fallen(which, status) {
                        break code;
                    }
                }
                Some(Event::Due(which)) => self.start(which)?,
                None => break EXIT_FAILED,
            }
        };
        ready.abort();
        self.stop().await;
        Ok(ExitCode::from(code))
    }

    fn start(&mut self, which: Which) -> Result<(), Failure> {
        let parent = std::process::id().to_string();
        let mut command = Command::from(program());
        command.args([which.name(), "serve", "--parent", &parent, "--config"]).arg(&self.file);
        command.stdin(self.socket(which)).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(|error| Failure::new(format!("{}: {error}", which.name())))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Failure::new(format!("{} ended as it was started", which.name())))?;
        if let Some(out) = child.stdout.take() {
            tokio::spawn(pass_on(which, out, self.output));
        }
        if let Some(err) = child.stderr.take() {
            tokio::spawn(pass_on(which, err, self.output));
        }
        self.running.insert(which.name(), Running { pid, since: Instant::now() });
        say(self.output, which, "started", &format!("process {}", pid.as_raw_nonzero()), Some(pid));
        let events = self.events.clone();
        tokio::spawn(async move {
            let status = child.wait().await.ok();
            // Nobody listens any more once the supervisor is gone.
            let _ = events.send(Event::Ended(which, status));
        });
        Ok(())
    }

    /// The socket of a corner, as standard input for its process. Where the address can't be had, the process says so.
    fn socket(&mut self, which: Which) -> Stdio {
        let name = which.name();
        if !self.sockets.contains_key(name)
            && let Some(corner) = self.corners.get(name)
            && let Ok(socket) = eleven_api::serve::listen(corner.listen, corner.tls.is_some())
        {
            self.sockets.insert(name, socket);
        }
        let socket = self.sockets.get(name).and_then(|socket| socket.try_clone().ok());
        socket.map_or_else(Stdio::null, |socket| Stdio::from(OwnedFd::from(socket)))
    }

    /// What becomes of a corner that ended by itself; a status where all end with it.
    fn fallen(&mut self, which: Which, status: Option<ExitStatus>) -> Option<u8> {
        let ran = self.running.remove(which.name()).map_or(Duration::ZERO, |running| running.since.elapsed());
        if status.and_then(|status| status.code()) == Some(i32::from(EXIT_RESTART)) {
            say(self.output, which, "restarting", "made place for its next process: callers wait", None);
            let _ = self.events.send(Event::Due(which));
            return None;
        }
        // Nobody is to wait for what may not come back.
        self.sockets.remove(which.name());
        let how = status.map_or_else(|| "unknown status".to_owned(), |status| status.to_string());
        if status.and_then(|status| status.code()) == Some(i32::from(EXIT_USAGE)) {
            say(self.output, which, "refused", &format!("it refuses its configuration ({how}): all stop"), None);
            return Some(EXIT_USAGE);
        }
        if !self.restart {
            say(self.output, which, "down", &format!("ended ({how}), and stays down"), None);
            return self.running.is_empty().then_some(EXIT_FAILED);
        }
        let falls = self.falls.entry(which.name()).or_default();
        *falls = if ran >= STEADY { 1 } else { falls.saturating_add(1) };
        let after = BACKOFF.saturating_mul(1 << (*falls - 1).min(10)).min(MAX_BACKOFF);
        say(self.output, which, "fallen", &format!("ended ({how}): starting again in {} ms", after.as_millis()), None);
        let events = self.events.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let _ = events.send(Event::Due(which));
        });
        None
    }

    /// Stops the corners, the point first and the ledger last.
    async fn stop(mut self) {
        for which in Which::ALL.into_iter().rev() {
            self.sockets.remove(which.name());
            let Some(running) = self.running.get(which.name()) else { continue };
            // It may have ended this moment.
            let _ = rustix::process::kill_process(running.pid, Signal::TERM);
            if tokio::time::timeout(GRACE, self.ended(which)).await.is_err() {
                say(self.output, which, "killed", "did not stop in time", None);
                if let Some(running) = self.running.get(which.name()) {
                    let _ = rustix::process::kill_process(running.pid, Signal::KILL);
                }
                let _ = tokio::time::timeout(GRACE, self.ended(which)).await;
            }
        }
    }

    async fn ended(&mut self, which: Which) {
        while self.running.contains_key(which.name()) {
            match self.incoming.recv().await {
                Some(Event::Ended(other, _)) => {
                    self.running.remove(other.name());
                    say(self.output, other, "stopped", "stopped", None);
                }
                Some(Event::Due(_)) => {}
                None => return,
            }
        }
    }
}

/// Waits until all corners are ready, and says where they are.
async fn announce(config: Config, output: Output) {
    for which in Which::ALL {
        while call::health(&which.of(&config).url).await != Some(true) {
            tokio::time::sleep(ASK).await;
        }
    }
    let (authority, ledger, runtime) = (&config.authority.url, &config.ledger.url, &config.runtime.url);
    let value = || {
        let urls = Object::new().with("authority", authority).with("ledger", ledger).with("runtime", runtime);
        Value::Object(Object::new().with("event", "ready").with("urls", urls))
    };
    let text = || {
        format!(
            "{} domain {}\n  gateway    {runtime}/v1   (the base URL of an OpenAI client)\n  authority  {authority}\n  \
             ledger     {ledger}   (heads, lineages and proofs)\nCtrl-C stops all.",
            output.paint(Paint::Good, "ready:"),
            config.domain,
        )
    };
    output.either(value, text);
    // Measuring takes a moment, and asks the authority: beside the loop that watches the corners.
    let found = tokio::task::spawn_blocking(move || (doctor::unregistered(&config), doctor::ending(&config))).await;
    let (unregistered, ending) = found.unwrap_or_default();
    if let Some(why) = unregistered {
        say(output, Which::Runtime, "unregistered", &format!("every call will be refused: {why}"), None);
    }
    if let Some(what) = ending {
        say(output, Which::Authority, "ending", &what, None);
    }
}

/// Passes on what a corner says, line by line, with its name before it.
async fn pass_on(which: Which, from: impl AsyncRead + Unpin, output: Output) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let said = std::mem::take(&mut line);
        let line = String::from_utf8_lossy(&said);
        let line = line.trim_end();
        let value = || Value::Object(Object::new().with("corner", which.name()).with("line", line));
        output.either(value, || format!("{} {line}", prefix(which, output)));
    }
}

fn say(output: Output, which: Which, event: &str, text: &str, pid: Option<Pid>) {
    let value = || {
        let object = Object::new().with("corner", which.name()).with("event", event).with("detail", text);
        Value::Object(object.with_some("pid", pid.map(|pid| i64::from(pid.as_raw_nonzero().get()))))
    };
    output.either(value, || format!("{} {}", prefix(which, output), output.paint(Paint::Bold, text)));
}

fn prefix(which: Which, output: Output) -> String {
    output.paint(Paint::Dim, &format!("{:9} |", which.name()))
}
