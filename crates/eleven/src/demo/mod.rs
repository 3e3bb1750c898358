//! `eleven demo`: the whole system in one command, and what it is shown on.
//!
//! A domain in a temporary folder, every corner and the model a process of its own, real text going through, every way to
//! be refused, outages, and at the end a proof file that anybody can verify. Nothing is simulated: what the demo does, it
//! does by the command line and by HTTP, and what it claims, the ledger's proofs and the model's own count say.

pub(crate) mod caller;
mod examined;
pub(crate) mod port;
mod proofs;
mod scenes;
mod show;
pub(crate) mod system;
mod texts;
pub(crate) mod upstream;

use crate::corner::until_told;
use crate::output::{EXIT_FAILED, Failure, Output, Paint, invoked, word};
use caller::Caller;
use eleven_core::encoding::{Object, Value, parse};
use eleven_verify::{Pinned, Status, Verdict};
use proofs::Proof;
use rustix::fs::Access;
use scenes::Stage;
use show::{Show, say};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use system::{Part, Plan, System};
use tokio::sync::oneshot;

/// Calls straight to the model, to know what it takes by itself.
const DIRECT: usize = 7;

/// What the demo takes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Write lineage.proof.json, denial.proof.json, root.json and the folder evidence there
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Leave the domain running at the end and say what to try; Ctrl-C ends it
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Runs the demo. The exit status is 0 only where every outcome was the expected one.
///
/// # Errors
/// Where the domain could not be made or run on.
pub(crate) fn run(args: &Args, output: Output) -> Result<ExitCode, Failure> {
    let begun = Instant::now();
    // Before everything that takes a while: what is shown would be lost at its end.
    args.out.as_deref().map_or(Ok(()), made)?;
    let folder = Folder::make().map_err(Failure::new)?;
    let interrupted = Interrupted::watch(&folder).map_err(Failure::new)?;
    let mut show = open(&folder.0, output, begun).map_err(Failure::new)?;
    let mut stage = Stage::set(&show).map_err(Failure::new)?;
    play(&mut show, &mut stage).map_err(Failure::new)?;
    let out = args.out.clone().unwrap_or_else(|| folder.0.join("proofs"));
    proven(&mut show, &stage, &out).map_err(Failure::new)?;
    examined::shown(&mut show, &out).map_err(Failure::new)?;
    if args.out.is_none() {
        show.remark("these files go with the demo: `eleven demo --out DIR` keeps them");
    }
    let code = closing(&show, begun, args.keep.then_some(out.as_path()));
    drop(interrupted);
    if args.keep {
        keep(&show, &out)?;
    }
    Ok(code)
}

/// Makes the folder of the proofs, and sees that they can be written there.
fn made(out: &Path) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("{}: {error}: name another folder by --out; nothing was done", out.display()))
    };
    std::fs::create_dir_all(out).map_err(|error| failed(&error))?;
    rustix::fs::access(out, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| failed(&error))
}

/// Makes and starts the domain.
fn open(folder: &Path, output: Output, begun: Instant) -> Result<Show, String> {
    say(output, &output.paint(Paint::Bold, "Eleven: verified before, enforced during, proven after"));
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let (fresh, bound) = (format!("domain.fresh={}", scenes::FRESH), format!("runtime.audit_bound={}", scenes::BOUND));
    let dir = folder.join("domain");
    let plan = Plan {
        dir: &dir,
        domain: "demo",
        exposure: "open",
        settings: &[&fresh, &bound, "ledger.head_interval=100"],
        upstream: &[],
        witnessed: true,
        log_calls: true,
    };
    let mut system = System::make(&program, &plan)?;
    system.start_corners()?;
    let app = Caller::add(&system, "demo-app", "svc:demo-app:dev")?;
    let root = std::fs::read(system.root()).map_err(|error| error.to_string())?;
    let root = parse(&root).map(Pinned::new).map_err(|error| error.to_string())?;
    for part in [Part::Authority, Part::Runtime, Part::Ledger, Part::Witness, Part::Upstream] {
        let what = match part {
            Part::Witness => "cosigns what the ledger shows",
            Part::Authority => "decides",
            Part::Runtime => "enforces",
            Part::Ledger => "proves",
            Part::Upstream => "a summarizer, knows nothing of the others",
        };
        let pid = system.pid(part).unwrap_or_default();
        say(output, &format!("  {:<10} {:<26} process {pid:<8} {what}", part.name(), system.url(part)));
    }
    let bodies: Vec<_> = (0..DIRECT).map(|n| Caller::request(&texts::note(n))).collect();
    let show = Show::new(system, app, root, output, &bodies);
    let (up, alone) = (begun.elapsed().as_secs_f64(), show.direct().as_secs_f64() * 1000.0);
    let told = [
        format!("up in {up:.1} s; the model alone answers in {alone:.1} ms ({DIRECT} calls made to it directly)"),
        "added: on top of that; calls: the model's own count; proof: the ledger's entry in a signed head of so many,"
            .to_owned(),
        "fetched for each line and verified against the pinned root".to_owned(),
    ];
    told.iter().for_each(|line| say(output, &output.paint(Paint::Dim, &format!("  {line}"))));
    Ok(show)
}

fn play(show: &mut Show, stage: &mut Stage) -> Result<(), String> {
    say(show.output, "");
    show.heading();
    scenes::allowed(show, stage)?;
    scenes::refused(show, stage)?;
    scenes::authority_killed(show, stage)?;
    scenes::ledger_killed(show, stage)?;
    scenes::all_killed(show, stage)
}

/// Writes the proof files, verifies them from their bytes, and shows what a flipped byte does.
fn proven(show: &mut Show, stage: &Stage, out: &Path) -> Result<(), String> {
    show.part("Proven: files that verify on any machine, with nothing but the root");
    std::fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        std::fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))
    };
    write("root.json", &show.root.value().canonical())?;
    for (name, proof) in [("lineage.proof.json", &stage.lineage), ("denial.proof.json", &stage.denial)] {
        match proof {
            Some(proof) => {
                write(name, &proof.bundle.canonical())?;
                verify_file(show, out, name, proof);
            }
            None => show.failed(&format!("{name}: there is no proof to write")),
        }
    }
    if let Some(proof) = &stage.lineage {
        flip(show, proof);
    }
    Ok(())
}

fn verify_file(show: &mut Show, out: &Path, name: &str, proof: &Proof) {
    let path = out.join(name);
    let read = std::fs::read(&path).map_err(|error| error.to_string());
    let value = read.and_then(|bytes| parse(&bytes).map_err(|error| error.to_string()));
    let report = match value {
        Ok(value) => proofs::verified(&value, &show.root),
        Err(error) => return show.failed(&format!("{}: {error}", path.display())),
    };
    let passed = report.checks.iter().filter(|check| check.status == Status::Passed).count();
    let what = format!(
        "{}: {} verified, {passed} checks passed, {} do not apply",
        path.display(),
        proof.bundle.get("kind").and_then(Value::as_str).unwrap_or_default(),
        report.checks.len() - passed
    );
    if report.verdict == Verdict::Verified { show.fine(&what) } else { show.failed(&what) }
}

fn flip(show: &mut Show, proof: &Proof) {
    let Some((bytes, at)) = proofs::with_a_flipped_byte(&proof.bundle) else {
        return show.failed("the proof has no outcome whose byte could be flipped");
    };
    let report = parse(&bytes).map(|value| proofs::verified(&value, &show.root));
    let failed: Vec<&str> = report.iter().flat_map(|report| report.failed().map(|check| check.name)).collect();
    match failed.split_first() {
        None => show.failed(&format!("byte {at} flipped, and nothing noticed")),
        Some((first, more)) => {
            show.fine(&format!("one byte of it flipped (number {at}): {first} falls, and {} more", more.len()));
            show.remark(&more.join(", "));
        }
    }
}

/// Says how it went, and to a machine what it needs to go on with a domain that is kept, whose proofs are in `kept`.
fn closing(show: &Show, begun: Instant, kept: Option<&Path>) -> ExitCode {
    let (situations, failures) = (show.situations(), show.failures());
    let took = begun.elapsed().as_secs_f64();
    let text = || {
        let output = show.output;
        match failures {
            0 => output
                .paint(Paint::Good, &format!("\n{situations} situations, every outcome as expected, in {took:.1} s")),
            _ => output
                .paint(Paint::Bad, &format!("\n{situations} situations, {failures} not as expected, in {took:.1} s")),
        }
    };
    let document = || {
        let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let said = Object::new().with("situations", show.rows()).with("failures", failures).with("took_ms", took);
        let (gateway, secret) = (show.system.url(Part::Runtime), &show.app.secret);
        Value::Object(said.with_some("kept", kept.map(|out| is_kept(gateway, secret, show.system.config(), out))))
    };
    show.output.either(document, text);
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a machine needs to go on with a domain that is kept: what an OpenAI client takes, and where its files are.
fn is_kept(gateway: &str, secret: &str, config: &Path, proofs: &Path) -> Value {
    let object = Object::new().with("base_url", format!("{gateway}/v1")).with("api_key", secret);
    let files = object.with("config", config.display().to_string()).with("proofs", proofs.display().to_string());
    Value::Object(files)
}

/// Leaves the domain running until told to stop, and says what to try.
fn keep(show: &Show, out: &Path) -> Result<(), Failure> {
    let gateway = show.system.url(Part::Runtime);
    let (secret, config) = (&show.app.secret, word(&show.system.config().display()));
    let text = format!(
        "
It keeps running; Ctrl-C ends it and removes its folder. Try:

  export OPENAI_BASE_URL={gateway}/v1 OPENAI_API_KEY={secret}

  curl -i $OPENAI_BASE_URL/chat/completions -H \"authorization: Bearer $OPENAI_API_KEY\" \\
    -H 'content-type: application/json' \\
    -d '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Ice melts. Ice is water.\"}}]}}'

  python3 -c 'import openai; c = openai.OpenAI(); print(c.chat.completions.create(model=\"{model}\",
    messages=[{{\"role\": \"user\", \"content\": \"Ice melts. Ice is water.\"}}]).choices[0].message.content)'

  the same with another model: a refusal, and then, with the lineage that it names
  {eleven} --config {config} why lineage://op/…
  {eleven} --config {config} lineage show lineage://op/…
  {eleven} verify {lineage} --root {root}
  curl -s {upstream}/calls",
        eleven = invoked(),
        model = upstream::MODEL,
        lineage = word(&out.join("lineage.proof.json").display()),
        root = word(&out.join("root.json").display()),
        upstream = show.system.url(Part::Upstream),
    );
    say(show.output, &text);
    crate::call::wait(until_told()).map(|_| ())
}

/// A folder of this demo's own, which goes when the demo ends.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self, String> {
        let random = eleven_core::hash::hex(&eleven_api::edge::random::<6>());
        let path = std::env::temp_dir().join(format!("eleven-demo-{random}"));
        std::fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Processes that still write there are being ended; what is left after a moment is left.
fn remove(folder: &Path) {
    for _ in 0..5 {
        if std::fs::remove_dir_all(folder).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// While there is this value, whoever stops the demo by a signal ends it with its folder, which has keys in it.
struct Interrupted {
    _over: oneshot::Sender<()>,
}

impl Interrupted {
    fn watch(folder: &Folder) -> std::io::Result<Self> {
        let (over, is_over) = oneshot::channel();
        let folder = folder.0.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let watching = async move {
            tokio::select! {
                biased;
                _ = is_over => {}
                _ = until_told() => {
                    remove(&folder);
                    // The kernel tells the domain's processes of this one's end.
                    std::process::exit(i32::from(EXIT_FAILED));
                }
            }
        };
        std::thread::Builder::new().name("interrupted".to_owned()).spawn(move || runtime.block_on(watching))?;
        Ok(Self { _over: over })
    }
}

#[cfg(test)]
mod tests;
