//! A domain that the binary made in a temporary folder, and the supervisor that runs it.

use crate::port::Port;
use bytes::Bytes;
use eleven_api::client::Client;
use eleven_api::govern::{Allowed, Execute};
use eleven_core::artifact::RequestBinding;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::Sha3;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a process may take for what it does in a blink on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn eleven() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eleven"));
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// A domain, and whatever of it runs. All of it ends with this value.
pub(crate) struct Domain {
    folder: tempfile::TempDir,
    upstream: Child,
    up: Option<Up>,
    /// Where the corners listen, whether they run or not.
    _ports: [Port; 3],
}

/// `eleven up --json`, and what it says.
pub(crate) struct Up {
    process: Child,
    said: Receiver<Value>,
    heard: Vec<Value>,
}

impl Domain {
    /// Starts an upstream and makes a domain before it.
    pub(crate) fn make(settings: &[&str]) -> Self {
        let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        Self::with(&settings)
    }

    /// The same with other options of `init`.
    pub(crate) fn with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listen = ["demo-upstream", "--listen", "127.0.0.1:0"];
        let mut upstream = eleven().args(listen).stdout(Stdio::piped()).spawn().expect("an upstream");
        let mut line = String::new();
        BufReader::new(upstream.stdout.take().expect("its output")).read_line(&mut line).expect("where it listens");
        let at = line.trim().strip_prefix("listening ").expect("an address").to_owned();
        let dir = folder.path().join("d");
        let mut command = eleven();
        command.args(["init", "--json", "--upstream", &at]);
        let ports = [(); 3].map(|()| Port::keep().expect("a port"));
        for (corner, port) in ["ledger", "authority", "runtime"].iter().zip(&ports) {
            command.arg("--set").arg(format!("{corner}.listen={}", port.at()));
        }
        command.args(options);
        let made = command.arg(&dir).output().expect("init runs");
        assert!(made.status.success(), "{}", text(&made));
        Self { folder, upstream, up: None, _ports: ports }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("d")
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.dir().join(name).display().to_string()
    }

    /// Runs a command on this domain.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        eleven().args(args).arg("--config").arg(self.dir().join("eleven.toml")).output().expect("the command runs")
    }

    /// Runs a command that must succeed, and gives back what it printed.
    pub(crate) fn done(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "eleven {}: {}", args.join(" "), text(&output));
        String::from_utf8(output.stdout).expect("a text")
    }

    /// Runs a command that must succeed with `--json`.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let args = [args, &["--json"]].concat();
        parse(self.done(&args).trim().as_bytes()).expect("a JSON document")
    }

    /// Starts the supervisor and waits until every corner is ready.
    pub(crate) fn up(&mut self, args: &[&str]) -> &mut Up {
        let up = self.start(eleven(), args);
        up.wait_for("ready", |value| event(value) == Some("ready"));
        up
    }

    /// Starts the supervisor by a command that is this program.
    pub(crate) fn start(&mut self, mut command: Command, args: &[&str]) -> &mut Up {
        command.args(["up", "--json"]).args(args).arg("--config").arg(self.dir().join("eleven.toml"));
        let mut process = command.stdout(Stdio::piped()).spawn().expect("up runs");
        let out = BufReader::new(process.stdout.take().expect("its output"));
        let (say, said) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if say.send(parse(line.as_bytes()).expect("a JSON document a line")).is_err() {
                    return;
                }
            }
        });
        self.up.insert(Up { process, said, heard: Vec::new() })
    }

    pub(crate) fn supervisor(&mut self) -> &mut Up {
        self.up.as_mut().expect("up was started")
    }

    /// Base URL of the ledger, whether or not all are ready.
    pub(crate) fn ledger(&self) -> String {
        let [ledger, ..] = &self._ports;
        format!("http://{}", ledger.at())
    }

    /// Runs a command until it succeeds, for what it asks may not be up yet, and gives back what it printed.
    pub(crate) fn done_at_last(&self, args: &[&str]) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let output = self.run(args);
            if output.status.success() {
                return String::from_utf8(output.stdout).expect("a text");
            }
            assert!(Instant::now() < until, "eleven {}: {}", args.join(" "), text(&output));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Changes the configuration's text.
    pub(crate) fn configure(&self, change: impl FnOnce(&str) -> String) {
        let file = self.dir().join("eleven.toml");
        let text = std::fs::read_to_string(&file).expect("the configuration");
        let changed = change(&text);
        assert_ne!(changed, text, "it was to be changed");
        std::fs::write(&file, changed).expect("written");
    }

    /// Base URL of a corner.
    pub(crate) fn url(&self, corner: &str) -> String {
        let Some(up) = &self.up else {
            let at = ["ledger", "authority", "runtime"].iter().position(|known| *known == corner).expect("a corner");
            return format!("http://{}", self._ports[at].at());
        };
        let ready = up.heard.iter().find(|value| event(value) == Some("ready")).expect("a ready domain");
        let url = ready.pointer(&format!("/urls/{corner}")).and_then(Value::as_str);
        url.expect("an address").to_owned()
    }

    /// A secret for an identity.
    pub(crate) fn client(&self, name: &str, identity: &str) -> String {
        let done = self.json(&["client", "add", name, "--identity", identity]);
        done.get("secret").and_then(Value::as_str).expect("a secret").to_owned()
    }

    /// A model call through the gateway: status, lineage, body.
    pub(crate) fn call(&self, secret: &str, model: &str) -> (StatusCode, String, Value) {
        let body = format!(
            r#"{{"model":"{model}","messages":[{{"role":"user","content":"Rain fell on the hills. The river rose by noon."}}]}}"#
        );
        self.post("runtime", "/v1/chat/completions", secret, body.into_bytes())
    }

    /// Waits until a model call passes, and gives back its lineage: what stopped one may take a moment to be over.
    pub(crate) fn passes(&self, secret: &str, after: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let body = br#"{"model":"demo-summarizer","messages":[{"role":"user","content":"Rain fell."}]}"#;
        let call = || self.try_post("runtime", "/v1/chat/completions", secret, body.to_vec());
        loop {
            match call() {
                Some((StatusCode::OK, lineage, _)) => return lineage,
                _ => assert!(Instant::now() < until, "no call passes after {after}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the ledger has the end of an operation: its point forwards it a moment after the answer.
    pub(crate) fn ended(&self, lineage: &str) {
        let until = Instant::now() + PATIENCE;
        let ended = "not refused: it ran to its end, and its evidence is committed";
        while !self.done(&["why", lineage]).starts_with(ended) {
            assert!(Instant::now() < until, "{lineage} never ends");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Copies the ledger to a folder beside the domain's; its path, and how many entries the copy has.
    pub(crate) fn copied(&self) -> (String, i64) {
        let copy = self.file("../copy");
        let copied = self.json(&["ledger", "backup", &copy]);
        (copy, copied.pointer("/head/size").and_then(Value::as_int).expect("a size"))
    }

    /// An artifact for a call of the demo's model with this body, obtained by the caller itself, as a token to present.
    pub(crate) fn artifact(&self, secret: &str, identity: &str, body: &[u8]) -> String {
        let point = self.get("runtime", "/health").get("point").and_then(Value::as_str).expect("a name").to_owned();
        let op = Object::new().with("name", "model.invoke").with("model", "demo-summarizer");
        let execute = Execute {
            identity: identity.to_owned(),
            op: op.with("scope", vec![Value::from("text.summarize")]),
            runtime: eleven_core::name::runtime_of_point(&point).to_owned(),
            request: Some(RequestBinding {
                body: Sha3::of(&[body]),
                method: "POST".to_owned(),
                path: "/v1/chat/completions".to_owned(),
            }),
        };
        let (status, _, answer) = self.post("authority", "/v1/govern/execute", secret, execute.to_value().canonical());
        assert_eq!(status, StatusCode::OK, "{answer}");
        Allowed::read(&answer.canonical()).expect("an artifact").token.text()
    }

    /// A model call that presents an artifact: status and body.
    pub(crate) fn presents(&self, secret: &str, token: &str, body: &[u8]) -> (StatusCode, Value) {
        let headers = [("eleven-authorization", token)];
        let answer = post(&self.url("runtime"), "/v1/chat/completions", secret, &headers, body.to_vec());
        let (status, _, body) = answer.expect("an answer");
        (status, body)
    }

    /// Starts a model call of which the upstream gives no answer, and waits until the ledger has it as begun. The upstream
    /// answers again as soon as it may go on.
    pub(crate) fn begun(&self, secret: &str) -> std::thread::JoinHandle<()> {
        // The end of a call before this one may be on its way yet.
        self.until_running(0);
        let upstream = Pid::from_child(&self.upstream);
        kill_process(upstream, Signal::STOP).expect("it runs");
        let (url, secret) = (self.url("runtime"), secret.to_owned());
        let call = std::thread::spawn(move || {
            // What becomes of it shows in the ledger.
            let body = br#"{"model":"demo-summarizer","messages":[{"role":"user","content":"Rain fell."}]}"#;
            let _ = post(&url, "/v1/chat/completions", &secret, &[], body.to_vec());
        });
        self.until_running(1);
        call
    }

    /// Waits until the ledger has so many operations as begun and not ended.
    fn until_running(&self, many: u64) {
        let until = Instant::now() + PATIENCE;
        while !self.text("ledger", "/metrics").contains(&format!("\neleven_ledger_running {many}\n")) {
            assert!(Instant::now() < until, "there are never {many} running");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the upstream for good.
    pub(crate) fn upstream_ends(&mut self) {
        self.upstream.kill().expect("it runs");
        self.upstream.wait().expect("it ended");
    }

    /// Lets the upstream go on.
    pub(crate) fn upstream_goes_on(&self) {
        kill_process(Pid::from_child(&self.upstream), Signal::CONT).expect("it runs");
    }

    /// A text of a corner.
    pub(crate) fn text(&self, corner: &str, path: &str) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let answer = Client::new();
        let answer =
            runtime.block_on(answer.call(http::Method::GET, &self.url(corner), path, &[], Bytes::new(), PATIENCE));
        String::from_utf8(answer.expect("an answer").to_vec()).expect("a text")
    }

    /// A document of a corner.
    pub(crate) fn get(&self, corner: &str, path: &str) -> Value {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(Client::new().get_json(&self.url(corner), path, PATIENCE)).expect("a document")
    }

    /// With which status a corner answers a stranger who reads.
    pub(crate) fn status(&self, corner: &str, path: &str) -> StatusCode {
        let request = Request::get(format!("{}{path}", self.url(corner))).body(Full::default()).expect("a request");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(Client::new().send(request)).expect("an answer").status()
    }

    /// A POST to a corner: status, lineage, body.
    pub(crate) fn post(&self, corner: &str, path: &str, bearer: &str, body: Vec<u8>) -> (StatusCode, String, Value) {
        self.try_post(corner, path, bearer, body).expect("an answer")
    }

    /// The same where nobody may be there.
    pub(crate) fn try_post(
        &self,
        corner: &str,
        path: &str,
        bearer: &str,
        body: Vec<u8>,
    ) -> Option<(StatusCode, String, Value)> {
        post(&self.url(corner), path, bearer, &[], body)
    }
}

fn post(
    base: &str,
    path: &str,
    bearer: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Option<(StatusCode, String, Value)> {
    let request = Request::post(format!("{base}{path}"))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {bearer}"));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Full::new(Bytes::from(body))).expect("a request");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let answer = Client::new().send(request).await.ok()?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        let lineage = head.headers.get("eleven-lineage").and_then(|value| value.to_str().ok()).unwrap_or_default();
        Some((head.status, lineage.to_owned(), parse(&body).unwrap_or(Value::Null)))
    })
}

impl Drop for Domain {
    fn drop(&mut self) {
        if let Some(mut up) = self.up.take() {
            up.end();
        }
        let _ = self.upstream.kill();
        let _ = self.upstream.wait();
    }
}

impl Up {
    /// Waits until something is said that `is` it; what is said meanwhile is kept.
    pub(crate) fn wait_for(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(value) = self.said.recv_timeout(left) else { panic!("up never said {what}: {:?}", self.heard) };
            self.heard.push(value.clone());
            if is(&value) {
                return value;
            }
        }
    }

    /// Whether this was said so far.
    pub(crate) fn has_said(&self, what: &str) -> bool {
        self.heard.iter().any(|value| event(value) == Some(what))
    }

    /// Its own process.
    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }

    /// The process of a corner, as it was last started.
    pub(crate) fn pid(&self, corner: &str) -> Pid {
        let started = |value: &&Value| {
            event(value) == Some("started") && value.get("corner").and_then(Value::as_str) == Some(corner)
        };
        let value = self.heard.iter().rev().find(started).expect("a start");
        let pid = value.get("pid").and_then(Value::as_int).and_then(|pid| i32::try_from(pid).ok());
        pid.and_then(Pid::from_raw).expect("a process")
    }

    /// Stops it, and gives back all that it and the corners ever said.
    pub(crate) fn all_said(&mut self) -> String {
        assert_eq!(self.interrupt(), Some(0));
        self.heard.extend(self.said.iter());
        self.heard.iter().map(|value| format!("{value}\n")).collect()
    }

    /// Asks it to stop as Ctrl-C does, and gives back its status.
    pub(crate) fn interrupt(&mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.process), Signal::INT).expect("it runs");
        self.ended()
    }

    /// Ends it without a chance to stop anything.
    pub(crate) fn kill(&mut self) {
        kill_process(Pid::from_child(&self.process), Signal::KILL).expect("it runs");
        self.ended();
    }

    /// Its status, once it ended.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.process.try_wait().expect("a process") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("up does not end");
    }

    fn end(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
            self.ended();
        }
    }
}

/// What an event of the supervisor is.
pub(crate) fn event(value: &Value) -> Option<&str> {
    value.get("event").and_then(Value::as_str)
}

/// Whether a process is there.
pub(crate) fn runs(pid: Pid) -> bool {
    Path::new(&format!("/proc/{}/exe", pid.as_raw_nonzero())).is_symlink()
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
