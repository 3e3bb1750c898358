//! A planned restart of any one corner under load: no call is refused or waits past its caller's deadline, whatever strangers leave
//! unfinished there, and what ran meanwhile is proven.
#![allow(clippy::print_stdout, reason = "how long callers waited is printed, for docs/performance.md")]

use crate::domain::{Domain, PATIENCE, eleven, event, text};
use bytes::Bytes;
use eleven_api::client::Client;
use eleven_core::encoding::{Value, parse};
use eleven_store::Folder;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Callers at once: half of them keep their connection, half make a new one for each call.
const CALLERS: usize = 8;
/// How long a caller waits for an answer before it gives up.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long there is load after a corner is ready again.
const AFTER: Duration = Duration::from_millis(600);

/// Calls without a pause until told to stop; what was not answered with 200 is kept.
struct Load {
    stop: Arc<AtomicBool>,
    passed: Arc<AtomicU64>,
    runtime: tokio::runtime::Runtime,
    callers: JoinSet<Result<Duration, String>>,
}

impl Load {
    fn start(url: &str, secret: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let (stop, passed, mut callers) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default(), JoinSet::new());
        let runtime = runtime.expect("a runtime");
        for n in 0..CALLERS {
            let (stop, passed) = (Arc::clone(&stop), Arc::clone(&passed));
            let (url, bearer) = (format!("{url}/v1/chat/completions"), format!("Bearer {secret}"));
            let calling = async move {
                let kept = Client::new();
                let mut longest = Duration::ZERO;
                while !stop.load(Ordering::SeqCst) {
                    let client = if n % 2 == 0 { kept.clone() } else { Client::new() };
                    let began = Instant::now();
                    let called = tokio::time::timeout(DEADLINE, call(&client, &url, &bearer)).await;
                    called.unwrap_or_else(|_| Err(format!("no answer within {DEADLINE:?}")))?;
                    longest = longest.max(began.elapsed());
                    passed.fetch_add(1, Ordering::SeqCst);
                }
                Ok(longest)
            };
            callers.spawn_on(calling, runtime.handle());
        }
        let load = Self { stop, passed, runtime, callers };
        load.goes_on();
        load
    }

    /// Waits until calls pass that had not begun yet.
    fn goes_on(&self) {
        let (from, until) = (self.passed.load(Ordering::SeqCst), Instant::now() + PATIENCE);
        while self.passed.load(Ordering::SeqCst) < from + 4 * u64::try_from(CALLERS).expect("small") {
            assert!(Instant::now() < until && !self.callers.is_empty(), "no call passes any more");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How many passed, the longest that one took, and what was refused.
    fn end(mut self) -> (u64, Duration, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        let (mut longest, mut refused) = (Duration::ZERO, Vec::new());
        while let Some(ended) = self.runtime.block_on(self.callers.join_next()) {
            match ended.expect("a caller ends well") {
                Ok(took) => longest = longest.max(took),
                Err(what) => refused.push(what),
            }
        }
        (self.passed.load(Ordering::SeqCst), longest, refused)
    }
}

async fn call(client: &Client, url: &str, bearer: &str) -> Result<(), String> {
    let body = r#"{"model":"demo-summarizer","messages":[{"role":"user","content":"Rain fell on the hills."}]}"#;
    let request =
        Request::post(url).header("authorization", bearer).body(Full::new(Bytes::from_static(body.as_bytes())));
    let answer = client.send(request.expect("a request")).await.map_err(|error| error.to_string())?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    if head.status == StatusCode::OK {
        Ok(())
    } else {
        Err(format!("{}: {}", head.status, String::from_utf8_lossy(&body)))
    }
}

/// Strangers who leave unfinished at a corner what they began: a head, a body, a stream of events that does not end.
fn strangers(url: &str) -> Vec<TcpStream> {
    let begun = [
        "G",
        "POST /v1/audit/events HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{",
        "GET /v1/registry/watch HTTP/1.1\r\nhost: a\r\n\r\n",
    ];
    let begin = |begun: &str| {
        let mut stranger = TcpStream::connect(url.trim_start_matches("http://")).expect("the corner listens");
        stranger.write_all(begun.as_bytes()).expect("sent");
        stranger
    };
    begun.into_iter().map(begin).collect()
}

#[test]
fn a_planned_restart_of_any_corner_under_load_refuses_no_call() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    for corner in ["ledger", "authority", "runtime"] {
        let _strangers = strangers(&domain.url(corner));
        let load = Load::start(&domain.url("runtime"), &secret);
        let before = domain.supervisor().pid(corner);
        let said = domain.json(&[corner, "restart"]);
        std::thread::sleep(AFTER);
        load.goes_on();
        let (passed, longest, refused) = load.end();
        let told = format!("{corner}: {said}, {passed} calls passed, the longest took {} ms", longest.as_millis());
        println!("{told}");
        assert_eq!(refused, Vec::<String>::new(), "{told}");
        let up = domain.supervisor();
        up.wait_for("a new start", |value| {
            event(value) == Some("started") && value.get("corner").and_then(Value::as_str) == Some(corner)
        });
        assert_ne!(up.pid(corner), before);
    }
    let lineage = domain.passes(&secret, "all were restarted");
    domain.ended(&lineage);
    assert_eq!(domain.supervisor().interrupt(), Some(0));
    let fsck = domain.json(&["ledger", "fsck"]);
    assert_eq!(fsck.get("running").and_then(Value::as_int), Some(0), "{fsck}");
}

#[test]
fn a_corner_that_fell_is_not_waited_for() {
    let mut domain = Domain::make(&[]);
    domain.up(&["--no-restart"]);
    let secret = domain.client("app", "svc:demo-app:dev");
    domain.passes(&secret, "it started");
    let up = domain.supervisor();
    kill_process(up.pid("authority"), Signal::KILL).expect("it runs");
    up.wait_for("that it stays down", |value| event(value) == Some("down"));
    let supervisor = up.process();
    let (status, _, body) = domain.call(&secret, "demo-summarizer");
    let reason = body.get("reason").and_then(Value::as_str);
    assert_eq!((status, reason), (StatusCode::SERVICE_UNAVAILABLE, Some("issuer.unavailable")), "{body}");
    let detail = body.get("detail").and_then(Value::as_str).unwrap_or_default();
    assert!(detail.contains("is not reachable"), "it was refused, and not waited for: {detail}");
    let output = domain.run(&["authority", "restart", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    let said = parse(said.lines().next().unwrap_or_default().as_bytes()).unwrap_or(Value::Null).to_string();
    assert!(said.contains("does not run"), "{said} {}", String::from_utf8_lossy(&output.stderr));
    // Who is to be asked why is named.
    let asked = format!("its supervisor does, `eleven up` as process {supervisor}: what that says tells why");
    assert!(said.contains(&asked), "{said}");
}

#[test]
fn a_contained_point_comes_up_and_says_that_it_refuses_every_call() {
    let mut domain = Domain::make(&["domain.fresh=2"]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    domain.passes(&secret, "the start");
    let point = domain.get("runtime", "/health").get("point").and_then(Value::as_str).expect("a name").to_owned();
    domain.done(&["subject", "contain", "runtime", &point]);
    let until = Instant::now() + PATIENCE;
    while domain.status("runtime", "/health") == StatusCode::OK {
        assert!(Instant::now() < until, "what denies every call goes on being ready");
        std::thread::sleep(Duration::from_millis(20));
    }
    let tells = |said: &str| {
        for part in ["runtime.contained", "`eleven subject lift runtime"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    };
    tells(&domain.done(&["runtime", "restart"]));
    let restarted = domain.json(&["runtime", "restart"]);
    tells(restarted.get("denies").and_then(Value::as_str).unwrap_or_default());
    let doctor = domain.run(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1), "{}", text(&doctor));
    tells(&text(&doctor));

    assert_eq!(domain.supervisor().interrupt(), Some(0));
    let up = domain.up(&[]);
    assert!(up.has_said("contained"), "before it is said to be up");
    domain.done(&["subject", "lift", "runtime", &point]);
    domain.passes(&secret, "the containment was lifted");
    let restarted = domain.json(&["runtime", "restart"]);
    assert!(restarted.get("ready_ms").is_some() && restarted.get("denies").is_none(), "{restarted}");
}

/// A corner's process on a socket that is kept for it, as systemd does (`StandardInput=socket`, `deploy/systemd`).
struct Kept {
    socket: TcpListener,
    corner: &'static str,
    config: String,
    process: Child,
}

impl Kept {
    fn start(domain: &Domain, corner: &'static str, url: &str) -> Self {
        let socket = TcpListener::bind(url.trim_start_matches("http://")).expect("the address of the corner");
        let config = domain.file("eleven.toml");
        let process = Self::process(&socket, corner, &config);
        Self { socket, corner, config, process }
    }

    fn process(socket: &TcpListener, corner: &str, config: &str) -> Child {
        let socket = OwnedFd::from(socket.try_clone().expect("the socket"));
        let mut command = eleven();
        command.args([corner, "serve", "--config", config]).stdin(Stdio::from(socket));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the corner runs")
    }

    /// Asks it to stop, as `systemctl restart` does, and starts the next process on the same socket.
    fn restart(&mut self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).expect("it runs");
        assert!(self.process.wait().expect("it ends").success(), "the {} stopped as it was asked to", self.corner);
        self.process = Self::process(&self.socket, self.corner, &self.config);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn whoever_keeps_the_sockets_restarts_any_corner_and_refuses_no_call() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let urls = ["ledger", "authority", "runtime"].map(|corner| (corner, domain.url(corner)));
    assert_eq!(domain.supervisor().interrupt(), Some(0));
    let mut kept: Vec<Kept> = urls.iter().map(|(corner, url)| Kept::start(&domain, corner, url)).collect();
    domain.passes(&secret, "each was started on its socket");
    for corner in &mut kept {
        let load = Load::start(&urls[2].1, &secret);
        corner.restart();
        std::thread::sleep(AFTER);
        load.goes_on();
        let (passed, longest, refused) = load.end();
        let told = format!("{}: {passed} calls passed, the longest took {} ms", corner.corner, longest.as_millis());
        println!("{told}");
        assert_eq!(refused, Vec::<String>::new(), "{told}");
    }
}

#[test]
fn a_corner_that_hangs_is_named_with_what_ends_it() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let hung = domain.supervisor().pid("ledger");
    kill_process(hung, Signal::STOP).expect("it runs");
    let mut restart = eleven();
    restart.args(["ledger", "restart", "--config", &domain.file("eleven.toml")]);
    let restart = restart.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let ends = format!("`kill -9 {}`", hung.as_raw_nonzero());
    let doctor = domain.run(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1), "{}", text(&doctor));
    assert!(text(&doctor).contains("holds its folder") && text(&doctor).contains(&ends), "{}", text(&doctor));
    let restart = restart.wait_with_output().expect("it ends");
    assert_eq!(restart.status.code(), Some(1), "{}", text(&restart));
    assert!(text(&restart).contains("does not make place"), "{}", text(&restart));
    assert!(text(&restart).contains(&ends), "{}", text(&restart));
    // What they say helps.
    kill_process(hung, Signal::KILL).expect("it is there");
    domain.supervisor().wait_for("the next start", |value| {
        event(value) == Some("started") && value.get("corner").and_then(Value::as_str) == Some("ledger")
    });
    domain.passes(&secret, "it hung");
}

#[test]
fn a_restart_whose_next_process_can_not_start_is_refused_before_the_running_one_is_told() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let runtime = domain.supervisor().pid("runtime");
    let config = std::fs::read_to_string(domain.dir().join("eleven.toml")).expect("the configuration");
    let gateway = "[runtime.gateway]\n";
    domain.configure(|config| config.replace(gateway, &format!("{gateway}upstream_key_file = \"api.key\"\n")));
    let refused = domain.run(&["runtime", "restart"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    for part in ["nothing was done", "api.key", "check upstream_key_file"] {
        assert!(text(&refused).contains(part), "{part}: {}", text(&refused));
    }
    domain.configure(|_| config);
    let pass = domain.dir().join("runtime/keystore.pass");
    let own = std::fs::read(&pass).expect("a passphrase");
    std::fs::write(&pass, "another passphrase entirely\n").expect("written");
    let refused = domain.run(&["runtime", "restart"]);
    let told = text(&refused);
    assert!(told.contains("nothing was done") && told.contains("does not open"), "{told}");
    domain.passes(&secret, "nothing was done");
    let holder = Folder::holder(domain.dir().join("runtime")).expect("a list of locks");
    assert_eq!(holder, u32::try_from(runtime.as_raw_nonzero().get()).ok());
    std::fs::write(&pass, own).expect("written");
    domain.done(&["runtime", "restart"]);
}

#[test]
fn a_restart_by_another_domains_root_or_without_a_certificate_is_refused_and_nothing_is_done() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let runtime = domain.supervisor().pid("runtime");
    let refused = |domain: &Domain, code: i32, parts: &[&str]| {
        let refused = domain.run(&["runtime", "restart"]);
        assert_eq!(refused.status.code(), Some(code), "{}", text(&refused));
        for part in [&["nothing was done, since the next process would not start"], parts].concat() {
            assert!(text(&refused).contains(part), "{part}: {}", text(&refused));
        }
    };
    let (other, root) = (Domain::with(&["--domain", "other.example"]), domain.dir().join("root.json"));
    let own = std::fs::read(&root).expect("a root");
    std::fs::copy(other.dir().join("root.json"), &root).expect("copied");
    refused(&domain, 2, &["is the root of other.example, not of 11-11"]);
    std::fs::write(&root, own).expect("written");

    let config = std::fs::read_to_string(domain.dir().join("eleven.toml")).expect("the configuration");
    let tls = "[runtime]\ntls_certificate = \"listener.pem\"\ntls_key = \"listener.key.pem\"\n";
    domain.configure(|config| config.replace("[runtime]\n", tls));
    refused(&domain, 1, &["the listener's TLS cannot be used", "listener.pem"]);
    std::fs::write(domain.dir().join("listener.pem"), "no certificate").expect("written");
    std::fs::write(domain.dir().join("listener.key.pem"), "no key").expect("written");
    refused(&domain, 1, &["the listener's TLS cannot be used", "listener.key.pem"]);
    domain.configure(|_| config);
    domain.passes(&secret, "nothing was done");
    let holder = Folder::holder(domain.dir().join("runtime")).expect("a list of locks");
    assert_eq!(holder, u32::try_from(runtime.as_raw_nonzero().get()).ok());
    domain.done(&["runtime", "restart"]);
}

#[test]
fn who_restarts_a_corner_that_does_not_come_back_is_told_what_is_waited_for() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    // The supervisor's processes read the one, the command the other.
    let (config, whole) = (domain.dir().join("eleven.toml"), domain.dir().join("whole.toml"));
    std::fs::copy(&config, &whole).expect("copied");
    domain.configure(|config| format!("half = \"edited\"\n{config}"));
    let restart = || {
        let mut command = eleven();
        command.args(["runtime", "restart", "--config"]).arg(&whole);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
    };
    let mut first = restart();
    let mut told = String::new();
    BufReader::new(first.stderr.take().expect("its errors")).read_line(&mut told).expect("a line");
    assert!(told.contains("made place: waiting up to 30 s for the next one"), "{told}");
    let again = restart().wait_with_output().expect("it ends");
    assert_eq!(again.status.code(), Some(1), "{}", text(&again));
    assert!(
        text(&again).contains("`eleven up` as process") && text(&again).contains("tries again"),
        "{}",
        text(&again)
    );
    std::fs::copy(&whole, &config).expect("copied");
    let first = first.wait_with_output().expect("it ends");
    assert_eq!(first.status.code(), Some(0), "{}", text(&first));
}

#[test]
fn another_listener_needs_more_than_a_restart_and_nothing_is_done() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let at = domain.url("runtime").trim_start_matches("http://").to_owned();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free address");
    domain.configure(|config| config.replace(&at, &free.to_string()));
    let runtime = domain.supervisor().pid("runtime");
    let refused = domain.run(&["runtime", "restart"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    for part in [&format!("nobody listens on {free}"), "`runtime.listen`", "nothing was done"] {
        assert!(text(&refused).contains(part), "{part}: {}", text(&refused));
    }
    domain.passes(&secret, "nothing was done");
    assert_eq!(domain.supervisor().pid("runtime"), runtime);
    let all = domain.supervisor().all_said();
    assert!(!all.contains("\"refused\"") && !all.contains("\"fallen\""), "{all}");
}

#[test]
fn a_configuration_that_one_corner_refuses_stops_no_other() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let config = std::fs::read_to_string(domain.dir().join("eleven.toml")).expect("the configuration");
    domain.configure(|config| format!("half = \"edited\"\n{config}"));
    let up = domain.supervisor();
    let others = ["ledger", "authority"].map(|corner| up.pid(corner));
    kill_process(up.pid("runtime"), Signal::KILL).expect("it runs");
    for _ in 0..2 {
        let refused = up.wait_for("that it refuses", |value| event(value) == Some("refused"));
        let detail = refused.get("detail").and_then(Value::as_str).unwrap_or_default();
        assert!(detail.contains("the others go on") && detail.contains("starting again"), "{refused}");
    }
    assert_eq!(["ledger", "authority"].map(|corner| domain.status(corner, "/health")), [StatusCode::OK; 2]);
    domain.configure(|_| config);
    domain.passes(&secret, "it was edited to its end");
    let up = domain.supervisor();
    assert_eq!(["ledger", "authority"].map(|corner| up.pid(corner)), others);
    assert_eq!(up.interrupt(), Some(0));
}

#[test]
fn a_configuration_that_a_corner_refuses_from_the_start_stops_all() {
    let mut domain = Domain::make(&[]);
    domain.configure(|config| config.replace("name = \"11-11\"", "name = \"other.example\""));
    let up = domain.start(eleven(), &[]);
    up.wait_for("that it refuses", |value| event(value) == Some("refused"));
    assert_eq!(up.ended(), Some(2));
}

#[test]
fn a_corner_that_is_told_to_make_place_while_it_starts_makes_place() {
    let domain = Domain::make(&[]);
    // Neither of the others runs: what needs them waits for them, and makes place all the same.
    for corner in ["ledger", "authority", "runtime"] {
        let mut command = eleven();
        command.args([corner, "serve", "--config", &domain.file("eleven.toml")]);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the corner runs");
        let until = Instant::now() + PATIENCE;
        while Folder::holder(domain.dir().join(corner)).expect("a list of locks") != Some(process.id()) {
            assert!(Instant::now() < until, "the {corner} never holds its folder");
            std::thread::sleep(Duration::from_micros(100));
        }
        kill_process(Pid::from_child(&process), Signal::HUP).expect("it runs");
        assert_eq!(process.wait().expect("it ends").code(), Some(75), "{corner}");
    }
}

#[test]
fn restarts_that_come_at_once_are_all_done_and_no_corner_falls() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    for corner in ["ledger", "authority", "runtime"] {
        let restarts: Vec<Child> = (0..4)
            .map(|_| {
                let mut command = eleven();
                command.args([corner, "restart", "--config", &domain.file("eleven.toml")]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
            })
            .collect();
        for restart in restarts {
            let output = restart.wait_with_output().expect("it ends");
            assert_eq!(output.status.code(), Some(0), "{corner}: {}", text(&output));
        }
        domain.passes(&secret, &format!("the {corner} was restarted"));
    }
    let all = domain.supervisor().all_said();
    assert!(!all.contains("\"event\":\"fallen\""), "{all}");
}
