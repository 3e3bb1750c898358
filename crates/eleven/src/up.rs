//! `eleven up`: the three corners as three processes, supervised.
//!
//! Each runs in its own process group, so that Ctrl-C reaches this process alone, which then stops them in order: the
//! point first, so that what it still has reaches the ledger. Should this process be killed, the kernel tells them.
//!
//! A corner's listening socket is made here and handed to its process as standard input. While one process makes place
//! for another as planned, the socket stays open and who connects waits; where one fell, it is closed, and who calls is
//! refused at once until the next one listens.
//!
//! What one corner comes to is not the others': a corner that refuses its configuration stops all only while it never ran by
//! it. Later, with a file that is half edited or not meant for it, it is tried again like one that fell. One that no start helps
//! before a person has, as a point whose journal is lost, stays down, and the others go on: they are needed for that help.

mod ending;
mod teller;

use crate::call;
use crate::config::{self, Config};
use crate::corner::{SupervisedBy, Which, next_program, supervisor_of, until_told};
use crate::doctor;
use crate::health::{self, Health};
use crate::output::{EXIT_DONE, EXIT_FAILED, EXIT_RESTART, EXIT_STUCK, EXIT_USAGE, Failure, Output, Paint, aside};
use eleven_api::client::Client;
use eleven_core::encoding::{Object, Value};
use eleven_store::Folder;
use rustix::process::{Pid, Signal};
use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use teller::Teller;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
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
/// How long corners of a supervisor that was killed may take to let go of their folders.
const LEFT: Duration = Duration::from_secs(6);
/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(20);

/// What is said of a corner that no start helps.
const HELP: &str = "its last line says what is to be done; then stop `eleven up` and start it again";
/// Bytes of a line that are held: a corner whose line has no end would take all memory.
const MAX_LINE: u64 = 64 * 1024;

/// Runs the corners until told to stop.
///
/// # Errors
/// Where the configuration is wrong, the domain runs already or a process can't be started. Where a corner refuses its
/// configuration before it ever ran by it, all are stopped and the status is 2.
pub(crate) fn run(file: &Path, restart: bool, output: Output) -> Result<ExitCode, Failure> {
    let config = Config::load(file)?;
    config.check_listeners()?;
    for which in Which::ALL {
        let corner = which.of(&config);
        if !corner.data.exists() {
            let what = format!("{} is not there: make the domain with `eleven init DIR`", corner.data.display());
            return Err(Failure::usage(what));
        }
        wait_for(which, corner)?;
    }
    let (teller, writer) = Teller::start(output)?;
    // One thread: the kernel tells a child of its parent's end when the thread ends that started it.
    let ended = call::wait(Supervisor::new(file.to_owned(), restart, teller, config).run());
    writer.end();
    ended?
}

/// Waits until nobody holds a corner's folder. What a supervisor that was killed left behind ends within a moment; what was
/// started by hand or by a unit runs, and so does what has its supervisor still.
fn wait_for(which: Which, corner: &config::Corner) -> Result<(), Failure> {
    let (began, mut told) = (Instant::now(), false);
    while let Some(pid) = Folder::holder(&corner.data)? {
        let (name, by) = (which.name(), supervisor_of(pid));
        if began.elapsed() > LEFT || matches!(by, SupervisedBy::Nobody | SupervisedBy::Process(_)) {
            return Err(Failure::new(format!(
                "{} is held by process {pid}: the {name} of this domain runs already; stop it first, or leave it running",
                corner.data.display()
            )));
        }
        if !std::mem::replace(&mut told, true) {
            let whose =
                if by == SupervisedBy::Gone { "that another `eleven up` left behind" } else { "of this domain" };
            aside(&format!("waiting for process {pid} to end: it is the {name} {whose}"));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// A corner's process, as the supervisor knows it.
struct Running {
    pid: Pid,
    since: Instant,
}

struct Supervisor {
    file: PathBuf,
    restart: bool,
    teller: Teller,
    config: Config,
    /// The sockets of corners that run, or are about to.
    sockets: BTreeMap<&'static str, TcpListener>,
    running: BTreeMap<&'static str, Running>,
    falls: BTreeMap<&'static str, u32>,
    /// Corners that ran by their configuration.
    ran: BTreeSet<&'static str>,
    /// Corners that were up: ready, or contained, or with a registry that went back ([`Said::is_up`](health::Said::is_up)).
    ready: BTreeSet<&'static str>,
    /// What was said last of what keeps a corner from being ready.
    told: BTreeMap<&'static str, String>,
    events: mpsc::UnboundedSender<Event>,
    incoming: mpsc::UnboundedReceiver<Event>,
}

/// What happens around the processes.
enum Event {
    /// A corner's process ended.
    Ended(Which, Option<ExitStatus>),
    /// It is time to start a corner again.
    Due(Which),
    /// Somebody, or nobody, answers at a corner's URL.
    Answered(Which, Health),
}

impl Supervisor {
    fn new(file: PathBuf, restart: bool, teller: Teller, config: Config) -> Self {
        let (events, incoming) = mpsc::unbounded_channel();
        let (sockets, running, falls, told) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (ran, ready) = (BTreeSet::new(), BTreeSet::new());
        Self { file, restart, teller, config, sockets, running, falls, ran, ready, told, events, incoming }
    }

    async fn run(mut self) -> Result<ExitCode, Failure> {
        let told = until_told();
        tokio::pin!(told);
        for which in Which::ALL {
            self.start(which)?;
        }
        let asking = tokio::spawn(ask(self.config.clone(), self.events.clone()));
        let mut announced = false;
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
                Some(Event::Due(which)) => {
                    if let Err(failure) = self.start(which) {
                        self.again(which, Duration::ZERO, "fallen", &failure.to_string());
                    }
                }
                Some(Event::Answered(which, health)) => {
                    // What was asked before that may still wait here.
                    if self.answered(which, health) && !std::mem::replace(&mut announced, true) {
                        asking.abort();
                        self.announce();
                    }
                }
                None => break EXIT_FAILED,
            }
        };
        asking.abort();
        self.stop().await;
        Ok(ExitCode::from(code))
    }

    fn start(&mut self, which: Which) -> Result<(), Failure> {
        let parent = std::process::id().to_string();
        let program = next_program();
        let mut command = Command::new(&program.file);
        command.args([which.name(), "serve", "--parent", &parent, "--config"]).arg(&self.file);
        command.stdin(self.socket(which)).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let failed = |error| Failure::new(format!("{} can't be started: {error}", program.file.display()));
        let mut child = command.spawn().map_err(failed)?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Failure::new(format!("{} ended as it was started", which.name())))?;
        if let Some(out) = child.stdout.take() {
            tokio::spawn(pass_on(which, out, self.teller.clone()));
        }
        if let Some(err) = child.stderr.take() {
            tokio::spawn(pass_on(which, err, self.teller.clone()));
        }
        self.running.insert(which.name(), Running { pid, since: Instant::now() });
        let note = program.note.map_or_else(String::new, |note| format!("; {note}"));
        self.teller.say(which, "started", &format!("process {}{note}", pid.as_raw_nonzero()), Some(pid));
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
        let (name, corner) = (which.name(), which.of(&self.config));
        if !self.sockets.contains_key(name)
            && let Ok(socket) = eleven_api::serve::listen(corner.listen, corner.tls.is_some())
        {
            self.sockets.insert(name, socket);
        }
        let socket = self.sockets.get(name).and_then(|socket| socket.try_clone().ok());
        socket.map_or_else(Stdio::null, |socket| Stdio::from(OwnedFd::from(socket)))
    }

    /// Takes note of who answers at a corner's URL; whether all are up with that. What answers is a corner of this
    /// supervisor's where the address is its own and its process holds the folder.
    fn answered(&mut self, which: Which, health: Health) -> bool {
        let (name, url) = (which.name(), &which.of(&self.config).url);
        let what = match health {
            Health::Ours(said) if self.is_own(which) => {
                self.ran.insert(name);
                if said.is_up() {
                    self.ready.insert(name);
                }
                let event = if said.went_back() { "behind" } else { "contained" };
                let denies = said.denies().filter(|_| said.is_up()).map(|why| (event, why));
                let why = said.unapproved().map(|why| ("unregistered", why)).or(denies);
                why.map(|(event, why)| (event, format!("every call is refused: {why}")))
            }
            Health::Other(who) => Some(("other", format!("{who} answers at {url}: stop it, or set another address"))),
            Health::Untrusted(why) => Some(("untrusted", format!("whether it is ready is not seen: {why}"))),
            Health::Ours(_) | Health::Nobody => None,
        };
        if let Some((event, what)) = what.filter(|(_, what)| self.told.get(name) != Some(what)) {
            self.teller.say(which, event, &what, None);
            self.told.insert(name, what);
        }
        self.ready.len() == Which::ALL.len()
    }

    fn is_own(&self, which: Which) -> bool {
        let running =
            self.running.get(which.name()).and_then(|running| u32::try_from(running.pid.as_raw_nonzero().get()).ok());
        let holder = Folder::holder(&which.of(&self.config).data).ok().flatten();
        self.sockets.contains_key(which.name()) && running.is_some() && running == holder
    }

    /// Says that all corners are ready, where they are, and what ends soon.
    fn announce(&self) {
        let Config { authority, ledger, runtime, domain, .. } = &self.config;
        let (authority, ledger, runtime) = (&authority.url, &ledger.url, &runtime.url);
        let value = || {
            let urls = Object::new().with("authority", authority).with("ledger", ledger).with("runtime", runtime);
            Value::Object(Object::new().with("event", "ready").with("urls", urls))
        };
        let text = || {
            format!(
                "{} domain {domain}\n  gateway    {runtime}/v1   (the base URL of an OpenAI client)\n  authority  \
                 {authority}\n  ledger     {ledger}   (heads, lineages and proofs)\nCtrl-C stops all.",
                self.teller.output().paint(Paint::Good, "ready:"),
            )
        };
        self.teller.either(value, text);
        let (config, teller) = (self.config.clone(), self.teller.clone());
        let look = move || doctor::ending(&config);
        let say = move |what: &str| teller.say(Which::Authority, "ending", what, None);
        tokio::spawn(ending::remind(ending::EVERY, look, say));
    }

    /// What becomes of a corner that ended by itself; a status where all end with it.
    fn fallen(&mut self, which: Which, status: Option<ExitStatus>) -> Option<u8> {
        let ran = self.running.remove(which.name()).map_or(Duration::ZERO, |running| running.since.elapsed());
        let code = status.and_then(|status| status.code());
        let makes_place = code == Some(i32::from(EXIT_RESTART));
        let refuses = code == Some(i32::from(EXIT_USAGE));
        // Also where its answers could not be seen.
        if makes_place || (ran >= STEADY && !refuses) {
            self.ran.insert(which.name());
        }
        if makes_place {
            self.teller.say(which, "restarting", "made place for its next process: callers wait", None);
            let _ = self.events.send(Event::Due(which));
            return None;
        }
        // Nobody is to wait for what may not come back.
        self.sockets.remove(which.name());
        let how = status.map_or_else(|| "unknown status".to_owned(), |status| status.to_string());
        if refuses && !self.ran.contains(which.name()) {
            self.teller.say(which, "refused", &format!("it refuses its configuration ({how}): all stop"), None);
            return Some(EXIT_USAGE);
        }
        if self.restart && code == Some(i32::from(EXIT_STUCK)) {
            self.teller.say(which, "down", &format!("ended ({how}), and stays down: {HELP}"), None);
            return None;
        }
        if !self.restart {
            self.teller.say(which, "down", &format!("ended ({how}), and stays down"), None);
            return self.running.is_empty().then_some(EXIT_FAILED);
        }
        if refuses {
            let what = format!("it refuses its configuration ({how}), and the others go on");
            self.again(which, ran, "refused", &what);
        } else {
            self.again(which, ran, "fallen", &format!("ended ({how})"));
        }
        None
    }

    /// Starts a corner again in a while.
    fn again(&mut self, which: Which, ran: Duration, event: &str, what: &str) {
        self.sockets.remove(which.name());
        let falls = self.falls.entry(which.name()).or_default();
        *falls = if ran >= STEADY { 1 } else { falls.saturating_add(1) };
        let after = BACKOFF.saturating_mul(1 << (*falls - 1).min(10)).min(MAX_BACKOFF);
        self.teller.say(which, event, &format!("{what}: starting again in {} ms", after.as_millis()), None);
        let events = self.events.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let _ = events.send(Event::Due(which));
        });
    }

    /// Stops the corners, the point first and the ledger last.
    async fn stop(mut self) {
        for which in Which::ALL.into_iter().rev() {
            self.sockets.remove(which.name());
            let Some(running) = self.running.get(which.name()) else { continue };
            // It may have ended this moment.
            let _ = rustix::process::kill_process(running.pid, Signal::TERM);
            if tokio::time::timeout(GRACE, self.ended(which)).await.is_err() {
                self.teller.say(which, "killed", "did not stop in time", None);
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
                    self.teller.say(other, "stopped", "stopped", None);
                }
                Some(Event::Due(_) | Event::Answered(..)) => {}
                None => return,
            }
        }
    }
}

/// Asks at each corner's URL how it is, over and over.
async fn ask(config: Config, events: mpsc::UnboundedSender<Event>) {
    let client = Client::new();
    loop {
        for which in Which::ALL {
            if events.send(Event::Answered(which, health::by(&client, which, &config).await)).is_err() {
                return;
            }
        }
        tokio::time::sleep(ASK).await;
    }
}

/// Passes on what a corner says, line by line; a line that is longer than is held, by pieces.
async fn pass_on(which: Which, from: impl AsyncRead + Unpin, teller: Teller) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while (&mut from).take(MAX_LINE).read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let said = std::mem::take(&mut line);
        teller.pass_on(which, String::from_utf8_lossy(&said).trim_end());
    }
}
