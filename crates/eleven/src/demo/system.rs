//! A domain in a folder and its processes: the three corners and the upstream, each to be killed and started again.
//!
//! It knows the binary by its path and speaks to it by command line and HTTP, like anybody; the demo, the benchmark and the
//! kill test run on it.

use super::port::Port;
use eleven_core::encoding::{Value, parse};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a process may take until it answers.
const READY: Duration = Duration::from_secs(20);

/// A process of the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Proves.
    Ledger,
    /// Decides.
    Authority,
    /// Enforces.
    Runtime,
    /// What is governed.
    Upstream,
    /// Cosigns the ledger's heads, where the plan has one.
    Witness,
}

impl Part {
    /// The corners, in the order in which they start.
    pub(crate) const CORNERS: [Self; 3] = [Self::Ledger, Self::Authority, Self::Runtime];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Authority => "authority",
            Self::Runtime => "runtime",
            Self::Upstream => "upstream",
            Self::Witness => "witness",
        }
    }
}

/// What a domain is made with.
pub(crate) struct Plan<'a> {
    /// The folder of the domain; it must be empty or not there.
    pub(crate) dir: &'a Path,
    /// The domain's name.
    pub(crate) domain: &'a str,
    /// How much of its ledger strangers may read.
    pub(crate) exposure: &'a str,
    /// `KEY=VALUE` of the configuration.
    pub(crate) settings: &'a [&'a str],
    /// Arguments of the upstream besides address and log.
    pub(crate) upstream: &'a [&'a str],
    /// Whether a witness cosigns the heads. It is no part of the domain: its folder lies beside the domain's.
    pub(crate) witnessed: bool,
    /// Whether the upstream writes a log, `calls.log` among the logs, which lie beside the domain's folder.
    pub(crate) log_calls: bool,
}

/// The upstream's log of calls.
const CALLS: &str = "calls.log";

/// The domain and its processes. They end with it.
pub(crate) struct System {
    program: PathBuf,
    logs: PathBuf,
    config: PathBuf,
    init: Value,
    upstream_args: Vec<String>,
    /// Where corners and witness listen, whether they run or not.
    _ports: Vec<Port>,
    /// The witness's folder and where it listens.
    witness: Option<(PathBuf, String)>,
    /// Base URL of the upstream.
    pub(crate) upstream: String,
    running: Vec<(Part, Child)>,
}

impl System {
    /// Starts the upstream and makes the domain by `init`; no corner runs yet. `program` is the eleven binary.
    ///
    /// # Errors
    /// What could not be started, with what it said.
    pub(crate) fn make(program: &Path, plan: &Plan<'_>) -> Result<Self, String> {
        let logs = plan.dir.with_extension("logs");
        std::fs::create_dir_all(&logs).map_err(|error| format!("{}: {error}", logs.display()))?;
        let mut upstream_args: Vec<String> = plan.upstream.iter().map(|arg| (*arg).to_owned()).collect();
        if plan.log_calls {
            upstream_args.extend(["--log".to_owned(), logs.join(CALLS).display().to_string()]);
        }
        let ports = (0..=Part::CORNERS.len()).map(|_| Port::keep()).collect::<Result<Vec<_>, _>>();
        let ports = ports.map_err(|error| format!("no port on loopback: {error}"))?;
        let listen: Vec<String> = Part::CORNERS
            .iter()
            .zip(&ports)
            .map(|(corner, port)| format!("{}.listen={}", corner.name(), port.at()))
            .collect();
        let at = ports.last().map(|port| port.at().to_string()).unwrap_or_default();
        let mut system = Self {
            program: program.to_owned(),
            config: plan.dir.join("eleven.toml"),
            logs,
            init: Value::Null,
            witness: None,
            upstream_args,
            _ports: ports,
            upstream: "http://127.0.0.1:0".to_owned(),
            running: Vec::new(),
        };
        system.start_upstream()?;
        let mut args = vec!["init", "--json", "--domain", plan.domain, "--upstream"];
        let upstream = system.upstream.clone();
        args.push(&upstream);
        args.extend(["--exposure", plan.exposure]);
        for setting in listen.iter().map(String::as_str).chain(plan.settings.iter().copied()) {
            args.extend(["--set", setting]);
        }
        let (dir, folder) = (plan.dir.display().to_string(), plan.dir.with_extension("witness"));
        let key = folder.join("witness.json").display().to_string();
        let asked = format!("ledger.witnesses=[\"http://{at}\"]");
        if plan.witnessed {
            system.witness_command(&[
                "witness",
                "key",
                "new",
                &folder.display().to_string(),
                "--name",
                "witness.demo/1",
            ])?;
            args.extend(["--witness", &key, "--set", &asked]);
        }
        args.push(&dir);
        let said = system.run(&args)?;
        system.init = parse(said.as_bytes()).map_err(|error| format!("init printed what is no I-JSON: {error}"))?;
        if plan.witnessed {
            let root = system.root().display().to_string();
            system.witness_command(&["witness", "log", "add", &folder.display().to_string(), "--root", &root])?;
            system.witness = Some((folder, format!("http://{at}")));
            system.start(Part::Witness)?;
        }
        Ok(system)
    }

    fn witness_command(&self, args: &[&str]) -> Result<String, String> {
        let ended = Command::new(&self.program).args(args).stdin(Stdio::null()).output();
        let ended = ended.map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).trim().to_owned();
        if ended.status.success() { Ok(said) } else { Err(format!("eleven {}: {said}", args.join(" "))) }
    }

    /// The domain's configuration file.
    pub(crate) fn config(&self) -> &Path {
        &self.config
    }

    /// Base URL of a part.
    pub(crate) fn url(&self, part: Part) -> &str {
        match part {
            Part::Upstream => &self.upstream,
            Part::Witness => self.witness.as_ref().map_or("", |(_, url)| url),
            corner => {
                self.init.pointer(&format!("/urls/{}", corner.name())).and_then(Value::as_str).unwrap_or_default()
            }
        }
    }

    /// The enforcement point's name.
    pub(crate) fn point(&self) -> &str {
        self.init.get("point").and_then(Value::as_str).unwrap_or_default()
    }

    /// The trust root's file.
    pub(crate) fn root(&self) -> &Path {
        Path::new(self.init.get("root").and_then(Value::as_str).unwrap_or_default())
    }

    /// The process number of a part that runs.
    pub(crate) fn pid(&self, part: Part) -> Option<u32> {
        self.running.iter().find(|(running, _)| *running == part).map(|(_, child)| child.id())
    }

    /// Runs a command of the binary on this domain and gives back what it printed.
    ///
    /// # Errors
    /// Where it fails, with what it said.
    pub(crate) fn run(&self, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.program);
        command.args(args);
        if args.first() != Some(&"init") {
            command.arg("--config").arg(&self.config);
        }
        let ended = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
        if ended.status.success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
        }
        let said = [ended.stdout, ended.stderr].concat();
        Err(format!("eleven {}: {}", args.join(" "), String::from_utf8_lossy(&said).trim()))
    }

    /// Runs a command of the binary on this domain and gives back the document that it printed, however it ended.
    ///
    /// # Errors
    /// Where it printed none, with what it said.
    pub(crate) fn said(&self, args: &[&str]) -> Result<Value, String> {
        let mut command = Command::new(&self.program);
        let ended =
            command.args(args).arg("--json").stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
        let failed = |_| format!("eleven {}: {}", args.join(" "), String::from_utf8_lossy(&ended.stderr).trim());
        parse(ended.stdout.trim_ascii()).map_err(failed)
    }

    /// The upstream's log of the calls that reached it, where it writes one.
    pub(crate) fn calls(&self) -> PathBuf {
        self.logs.join(CALLS)
    }

    /// Starts all three corners and waits until they answer.
    ///
    /// # Errors
    /// Which of them does not, with the end of its log.
    pub(crate) fn start_corners(&mut self) -> Result<(), String> {
        if self.witness.is_some() {
            self.wait_ready(Part::Witness)?;
        }
        for corner in Part::CORNERS {
            self.start(corner)?;
        }
        Part::CORNERS.into_iter().try_for_each(|corner| self.wait_ready(corner))
    }

    /// Starts a part's process. The kernel ends it when this process ends, however that ends.
    ///
    /// # Errors
    /// Where it can't be started.
    pub(crate) fn start(&mut self, part: Part) -> Result<(), String> {
        if part == Part::Upstream {
            return self.start_upstream();
        }
        let parent = std::process::id().to_string();
        let mut command = Command::new(&self.program);
        match &self.witness {
            Some((folder, url)) if part == Part::Witness => {
                let at = url.trim_start_matches("http://");
                command.args(["witness", "serve", "--parent", &parent, "--listen", at]).arg(folder);
            }
            _ => {
                command.args([part.name(), "serve", "--parent", &parent, "--config"]).arg(&self.config);
            }
        }
        command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::null()).stderr(self.log_of(part)?);
        let child = command.spawn().map_err(|error| format!("the {} cannot be started: {error}", part.name()))?;
        self.running.push((part, child));
        Ok(())
    }

    /// Starts the upstream: the first time on a free port, later on the same.
    fn start_upstream(&mut self) -> Result<(), String> {
        let at = self.upstream.trim_start_matches("http://").to_owned();
        let mut command = Command::new(&self.program);
        command.args(["demo-upstream", "--listen", &at]).args(&self.upstream_args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(self.log_of(Part::Upstream)?);
        let mut child = command.spawn().map_err(|error| format!("the upstream cannot be started: {error}"))?;
        let mut line = String::new();
        let said = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        self.running.push((Part::Upstream, child));
        let url = line.trim().strip_prefix("listening ").filter(|_| matches!(said, Some(Ok(_))));
        self.upstream = url.ok_or_else(|| self.did_not(Part::Upstream, "does not listen"))?.to_owned();
        Ok(())
    }

    fn log_of(&self, part: Part) -> Result<File, String> {
        let path = self.logs.join(format!("{}.log", part.name()));
        OpenOptions::new().create(true).append(true).open(&path).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Waits until a corner says that it is ready.
    ///
    /// # Errors
    /// Where it ends, or takes longer than 20 s.
    pub(crate) fn wait_ready(&mut self, corner: Part) -> Result<(), String> {
        let begun = Instant::now();
        let at = self.url(corner).trim_start_matches("http://").to_owned();
        while begun.elapsed() < READY {
            if status(&at, "/health") == Some(200) {
                return Ok(());
            }
            let child = self.running.iter_mut().find(|(running, _)| *running == corner);
            if child.is_none_or(|(_, child)| child.try_wait().is_ok_and(|ended| ended.is_some())) {
                return Err(self.did_not(corner, "ended"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(self.did_not(corner, &format!("is not ready after {} s", READY.as_secs())))
    }

    fn did_not(&self, part: Part, what: &str) -> String {
        let log = std::fs::read_to_string(self.logs.join(format!("{}.log", part.name()))).unwrap_or_default();
        format!("the {} {what}: {}", part.name(), last_words(&log))
    }

    /// Kills a part at once (SIGKILL) and waits until it is gone. A part that does not run is left alone.
    pub(crate) fn kill(&mut self, part: Part) {
        if let Some(at) = self.running.iter().position(|(running, _)| *running == part) {
            let (_, mut child) = self.running.swap_remove(at);
            // Where it ended by itself already there is nothing to kill.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks a part to end (SIGTERM) and waits until it has.
    pub(crate) fn stop(&mut self, part: Part) {
        use rustix::process::{Pid, Signal, kill_process};
        if let Some(at) = self.running.iter().position(|(running, _)| *running == part) {
            let (_, mut child) = self.running.swap_remove(at);
            let asked =
                i32::try_from(child.id()).ok().and_then(Pid::from_raw).map(|pid| kill_process(pid, Signal::TERM));
            if !matches!(asked, Some(Ok(()))) {
                let _ = child.kill();
            }
            let _ = child.wait();
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        for part in [Part::Runtime, Part::Authority, Part::Ledger, Part::Witness, Part::Upstream] {
            self.kill(part);
        }
    }
}

/// The status that `GET path` is answered with; `None` where nobody answers within a second.
fn status(at: &str, path: &str) -> Option<u16> {
    let at = at.parse().ok()?;
    let mut stream = TcpStream::connect_timeout(&at, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n").ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head).ok()?.strip_prefix("HTTP/1.1 ")?.parse().ok()
}

/// The end of a part's log, on the one line that a failure has.
fn last_words(log: &str) -> String {
    let mut lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).rev().take(5).collect();
    lines.reverse();
    if lines.is_empty() {
        return "it logged nothing; the machine may have too much else to do, so try once more".to_owned();
    }
    format!("its log ends with {}", lines.join(" / "))
}

#[cfg(test)]
mod tests {
    use super::last_words;

    #[test]
    fn the_end_of_a_log_fits_on_the_line_of_a_failure() {
        let log = "first\n\nsecond\n third \nfourth\nfifth\nsixth\n";
        assert_eq!(last_words(log), "its log ends with second / third / fourth / fifth / sixth");
        for nothing in ["", "\n \n"] {
            assert!(last_words(nothing).starts_with("it logged nothing"), "{nothing:?}");
        }
    }
}
