//! `eleven bench gateway`: what governance adds to a call, measured on this machine.
//!
//! A domain in a folder of its own and an upstream that answers at once; the same load straight to the upstream, through as
//! many hops and commits with nothing in them ([`bare`]), and through the gateway. Everything is durable as in production:
//! three commits a call, each with its fdatasync.

mod bare;
pub(crate) mod load;
pub(crate) mod machine;
mod primitives;

use crate::demo::caller::Caller;
use crate::demo::system::{Part, Plan, System};
use crate::output::{Failure, Output, Paint};
use bare::Bare;
use eleven_api::client::Client;
use eleven_api::routes;
use eleven_core::encoding::{Object, Value};
use load::{Load, Outcome, Target};
use machine::Machine;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What is measured.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// What to measure; without a name all of it, as preset
    #[command(subcommand)]
    pub(crate) what: Option<What>,
}

/// What can be measured.
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum What {
    /// Governed calls through the gateway, before an upstream that answers at once.
    Gateway(Gateway),
    /// A part of the path that is measured for comparison.
    #[command(hide = true)]
    Relay(bare::Relay),
}

/// The load.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Gateway {
    /// Connections that stay open.
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) connections: u16,
    /// How long each load lasts.
    #[arg(long, default_value_t = 10, value_name = "S", value_parser = clap::value_parser!(u16).range(1..=600))]
    pub(crate) seconds: u16,
    /// Calls per second of the load at a fixed rate.
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: u32,
    /// The folder to measure in: its disk is what the commits wait for. Without it, the system's temporary one.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

impl Default for Gateway {
    fn default() -> Self {
        Self { connections: 64, seconds: 10, rate: 200, dir: None }
    }
}

/// One load, straight, over the bare path and through the gateway, and what the processes took for the last.
struct Measured {
    name: String,
    direct: Outcome,
    bare: Outcome,
    through: Outcome,
    processes: Vec<Process>,
    syncs: Vec<Syncs>,
}

/// What a process took for the load through the gateway.
struct Process {
    name: &'static str,
    cpu_per_call: f64,
    peak_kib: u64,
}

/// The fdatasync calls of a corner during the load through the gateway, in microseconds.
struct Syncs {
    name: &'static str,
    count: u64,
    quantiles: [u64; 4],
}

/// Measures and prints.
///
/// # Errors
/// Where the domain can't be made or run; where a call of the load failed the exit status is 1.
pub(crate) fn run(args: Args, output: Output) -> Result<ExitCode, Failure> {
    let gateway = match args.what {
        None => Gateway::default(),
        Some(What::Gateway(gateway)) => gateway,
        Some(What::Relay(relay)) => return bare::serve(relay).map(|()| ExitCode::SUCCESS),
    };
    let parent = gateway.dir.clone().unwrap_or_else(std::env::temp_dir);
    let folder = Folder::new(&parent, "bench", false).map_err(Failure::new)?;
    let measured = measure(&folder.path, &gateway).map_err(Failure::new)?;
    let machine = Machine::measure(&folder.path).map_err(Failure::new)?;
    output.either(|| document(&machine, &measured), || text(&machine, &measured, output));
    let failed = measured.iter().any(|one| [&one.direct, &one.bare, &one.through].iter().any(|of| of.failed > 0));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A folder for measuring, gone with this value unless it is to be kept.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    keep: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed stays, to be looked at.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

impl Folder {
    /// A new folder in `parent`.
    ///
    /// # Errors
    /// Where it can't be made.
    pub(crate) fn new(parent: &Path, name: &str, keep: bool) -> Result<Self, String> {
        let random = eleven_core::hash::hex(&eleven_api::edge::random::<6>());
        let path = parent.join(format!("eleven-{name}-{random}"));
        let path = std::path::absolute(path).map_err(|error| error.to_string())?;
        let failed = |error| format!("no folder can be made in {}, which has to be one: {error}", parent.display());
        std::fs::create_dir(&path).map_err(failed)?;
        Ok(Self { path, keep })
    }
}

/// At a fixed rate, then as fast as answers come; each on freshly started corners, so that their counters are the load's.
fn measure(folder: &Path, gateway: &Gateway) -> Result<Vec<Measured>, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let dir = folder.join("domain");
    let plan = Plan {
        dir: &dir,
        domain: "bench",
        exposure: "by-possession",
        settings: &[],
        upstream: &["--noop"],
        witnessed: false,
        log_calls: false,
    };
    let mut system = System::make(&program, &plan)?;
    system.start_corners()?;
    let app = Caller::add(&system, "bench", "svc:demo-app:dev")?;
    let lasts = Duration::from_secs(gateway.seconds.into());
    let connections = usize::from(gateway.connections);
    let loads = [
        (format!("{} calls/s", gateway.rate), Load { connections, lasts, rate: Some(gateway.rate) }),
        (format!("{connections} connections, no pause"), Load { connections, lasts, rate: None }),
    ];
    let mut measured = Vec::new();
    for (name, load) in loads {
        for corner in [Part::Runtime, Part::Authority, Part::Ledger] {
            system.stop(corner);
        }
        system.start_corners()?;
        // Connections to what was stopped are dead.
        let app = app.another()?;
        measured.push(measure_one(folder, &system, &app, name, load)?);
    }
    Ok(measured)
}

fn measure_one(folder: &Path, system: &System, app: &Caller, name: String, load: Load) -> Result<Measured, String> {
    let body = Caller::request("How high will the water be?");
    let address = |part| system.url(part).trim_start_matches("http://").to_owned();
    let straight = Target { at: address(Part::Upstream), bearer: None, body: body.clone() };
    let bearer = Some(format!("Bearer {}", app.secret));
    let governed = Target { at: address(Part::Runtime), bearer, body: body.clone() };
    let direct = load::run(&straight, load)?;
    let path = Bare::start(folder, system.url(Part::Upstream))?;
    let bare = Target { at: path.url().trim_start_matches("http://").to_owned(), ..straight };
    let bare = load::run(&bare, load)?;
    drop(path);
    // The first call exchanges the secret and opens the corners' own connections.
    let first = app.chat(&body);
    if first.status != 200 {
        return Err(format!("a governed call is answered {}: {}", first.status, String::from_utf8_lossy(&first.body)));
    }
    let parts = [Part::Runtime, Part::Authority, Part::Ledger, Part::Upstream];
    let pids: Vec<(&str, u32)> = parts
        .into_iter()
        .filter_map(|part| Some((part.name(), system.pid(part)?)))
        .chain([("load tool", std::process::id())])
        .collect();
    let before: Vec<u64> = pids.iter().map(|(_, pid)| machine::cpu_micros(*pid)).collect();
    let through = load::run(&governed, load)?;
    let calls = (through.calls() + through.failed).max(1) as f64;
    let process = |(at, (name, pid)): (usize, &(&'static str, u32))| {
        let took = machine::cpu_micros(*pid).saturating_sub(before.get(at).copied().unwrap_or(0));
        Process { name, cpu_per_call: took as f64 / calls, peak_kib: machine::peak_memory(*pid) }
    };
    let processes = pids.iter().enumerate().map(process).collect();
    let syncs_of = |part: Part, summary: &str, count: &str| {
        let (count, quantiles) = syncs(system.url(part), summary, count)?;
        Ok::<_, String>(Syncs { name: part.name(), count, quantiles })
    };
    let of_ledger = "eleven_ledger_fdatasync_microseconds";
    let syncs = vec![
        syncs_of(Part::Runtime, "eleven_journal_fdatasync_us", "eleven_journal_syncs_total")?,
        syncs_of(Part::Ledger, of_ledger, &format!("{of_ledger}_count"))?,
    ];
    Ok(Measured { name, direct, bare, through, processes, syncs })
}

/// Reads a corner's own measurements of its commits: how many, and the quantiles 0.5, 0.9, 0.99 and 1.
pub(crate) fn syncs(url: &str, summary: &str, count: &str) -> Result<(u64, [u64; 4]), String> {
    let got = crate::call::wait(async { Client::new().get(url, routes::METRICS, crate::call::PATIENCE).await });
    let text = got.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&text);
    let value = |name: &str| sample(&text, name).unwrap_or(0);
    let quantiles = ["0.5", "0.9", "0.99", "1"].map(|q| value(&format!("{summary}{{quantile=\"{q}\"}}")));
    Ok((value(count), quantiles))
}

/// The value of a sample in Prometheus text.
fn sample(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

fn text(machine: &Machine, measured: &[Measured], output: Output) -> String {
    let mut lines = machine.lines();
    if cfg!(debug_assertions) {
        let warning = "this binary is not optimised: its figures say little; cargo run --release -p eleven -- bench";
        lines.push(output.paint(Paint::Warn, warning));
    }
    for one in measured {
        lines.push(String::new());
        lines.push(output.paint(Paint::Bold, &one.name));
        lines.extend(latencies(one, output));
        lines.extend(costs(one));
    }
    lines.join("\n")
}

fn latencies(one: &Measured, output: Output) -> Vec<String> {
    let ms = |micros: u64| format!("{:.2}", micros as f64 / 1000.0);
    let row = |name: &str, of: &Outcome| {
        let [p50, p90, p99, max] = [500, 900, 990, 1000].map(|permille| ms(of.within(permille)));
        format!("  {name:<12} {:>9.0} {p50:>9} {p90:>9} {p99:>9} {max:>9} {:>8}", of.per_second(), of.failed)
    };
    let added = |name: &str, of: &Outcome| {
        let more = |permille| ms(of.within(permille).saturating_sub(one.direct.within(permille)));
        let [p50, p90, p99] = [500, 900, 990].map(more);
        format!("  {name:<12} {:>9} {p50:>9} {p90:>9} {p99:>9}", "")
    };
    let heading =
        format!("  {:<12} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8}", "ms", "calls/s", "p50", "p90", "p99", "max", "failed");
    let mut lines = vec![output.paint(Paint::Dim, &heading)];
    let loads = [("direct", &one.direct), ("bare path", &one.bare), ("governed", &one.through)];
    lines.extend(loads.iter().map(|(name, of)| row(name, of)));
    lines.push(output.paint(Paint::Good, &added("added", &one.through)));
    // Hops and commits alone: what no gateway that does them gets below on this machine.
    lines.push(added("bare adds", &one.bare));
    let failure = loads.iter().find_map(|(_, of)| of.first_failure.as_ref());
    lines.extend(failure.map(|failure| output.paint(Paint::Bad, &format!("  the first failure: {failure}"))));
    lines
}

fn costs(one: &Measured) -> Vec<String> {
    let process = |process: &Process| {
        let mib = process.peak_kib as f64 / 1024.0;
        format!(
            "  {:<12} {:>7.0} us of processor time a call, {mib:>6.1} MiB at most",
            process.name, process.cpu_per_call
        )
    };
    let sync = |syncs: &Syncs| {
        let [p50, p90, p99, max] = syncs.quantiles;
        format!(
            "  {:<12} {:>7} fdatasync: p50 {p50} us, p90 {p90} us, p99 {p99} us, max {max} us; {:.2} a call",
            syncs.name,
            syncs.count,
            syncs.count as f64 / one.through.calls().max(1) as f64
        )
    };
    one.processes.iter().map(process).chain(one.syncs.iter().map(sync)).collect()
}

fn document(machine: &Machine, measured: &[Measured]) -> Value {
    let outcome = |of: &Outcome| {
        let object = Object::new().with("calls", of.calls()).with("failed", of.failed);
        let object = object.with("calls_per_second", of.per_second().round() as u64);
        let quantiles = [("p50_us", 500), ("p90_us", 900), ("p99_us", 990), ("max_us", 1000)];
        quantiles.into_iter().fold(object, |object, (name, permille)| object.with(name, of.within(permille)))
    };
    let process = |process: &Process| {
        let object = Object::new().with("process", process.name).with("peak_kib", process.peak_kib);
        Value::Object(object.with("cpu_us_per_call", process.cpu_per_call.round() as u64))
    };
    let sync = |syncs: &Syncs| {
        let object = Object::new().with("process", syncs.name).with("fdatasyncs", syncs.count);
        let named = ["p50_us", "p90_us", "p99_us", "max_us"].into_iter().zip(syncs.quantiles);
        Value::Object(named.fold(object, |object, (name, value)| object.with(name, value)))
    };
    let one = |one: &Measured| {
        let object = Object::new().with("load", &one.name).with("direct", outcome(&one.direct));
        let object = object.with("bare_path", outcome(&one.bare)).with("governed", outcome(&one.through));
        let object = object.with("processes", one.processes.iter().map(process).collect::<Vec<_>>());
        Value::Object(object.with("syncs", one.syncs.iter().map(sync).collect::<Vec<_>>()))
    };
    Value::Object(machine.to_object().with("loads", measured.iter().map(one).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_found_by_its_whole_name() {
        let text = "# HELP a b\nfoo_count 3\nfoo{quantile=\"0.5\"} 250\nfoo{quantile=\"0.99\"} 900\n";
        assert_eq!(sample(text, "foo{quantile=\"0.99\"}"), Some(900));
        assert_eq!(sample(text, "foo_count"), Some(3));
        assert_eq!(sample(text, "foo"), None);
    }
}
