//! `eleven ledger hammer`: what the ledger takes, measured on this machine.
//!
//! A domain of its own in a temporary folder, events signed beforehand into files, and then the load: straight into the
//! writer, or over HTTP against a ledger in a process of its own. Everything is verified and durable as in production.

mod http;
mod measure;
mod process;
mod report;
mod spool;

use crate::bench::Folder;
use crate::bench::machine::Machine;
use crate::output::{EXIT_FAILED, Failure, Output};
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_ledger::load::Domain;
use measure::Measured;
use spool::Spool;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The load.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Entries before the rate is measured; on the way it is measured at 1,000, 10,000 and 100,000 as well.
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=100_000_000))]
    pub(crate) entries: u64,
    /// Append over HTTP, to a ledger in a process of its own, instead of in process.
    #[arg(long)]
    pub(crate) http: bool,
    /// Append to a ledger that `eleven ledger hammer --serve` runs elsewhere; each takes one load.
    #[arg(long, value_name = "URL", conflicts_with = "serve")]
    pub(crate) url: Option<String>,
    /// Run the ledger of a load here until told to stop, for `--url`. Its keys are known to all: never a real ledger.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) serve: Option<SocketAddr>,
    /// Events per second, at set moments from which latency counts; without it as many as go.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: Option<u32>,
    /// How long a load at a rate lasts.
    #[arg(long, default_value_t = 10, value_name = "S", value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub(crate) seconds: u16,
    /// Producers side by side, each an authority's key and a point's.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) lanes: u16,
    /// Calls in a request, each a lineage of seven events with its artifact.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=128))]
    pub(crate) calls: u16,
    /// Denials in a request.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub(crate) denials: u16,
    /// Have each answer wait for this level, D1 or D3, over HTTP: with many lanes, for each then waits for the next head.
    #[arg(long, value_name = "LEVEL", value_parser = ["D1", "D3"], default_value = "D1")]
    pub(crate) durability: String,
    /// The folder to measure in: its disk is what the commits wait for. Without it, the system's temporary one.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Leave the ledger's folder there afterwards, for `fsck` or a look.
    #[arg(long)]
    pub(crate) keep: bool,
    /// End when the process of this number, the parent, ends.
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) parent: Option<i32>,
}

impl Args {
    fn events_per_body(&self) -> u64 {
        u64::from(self.calls) * eleven_ledger::load::EVENTS_PER_CALL + u64::from(self.denials)
    }
}

/// Where the rate is measured: from so many entries on, over so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: u64,
    pub(crate) events: u64,
}

/// The windows on the way to `entries`, and the one behind it, which a load at a rate has alone.
fn windows(args: &Args) -> Vec<Window> {
    if let Some(rate) = args.rate {
        return vec![Window { from: args.entries, events: u64::from(rate) * u64::from(args.seconds) }];
    }
    let window = |from: u64| Window { from, events: (from / 2).clamp(20_000, 100_000) };
    let decades = [1_000, 10_000, 100_000, 1_000_000, 10_000_000].into_iter().filter(|from| *from < args.entries);
    let mut windows: Vec<Window> = decades.map(window).collect();
    windows.push(window(args.entries));
    windows
}

/// Measures and prints, or serves.
///
/// # Errors
/// Where the load can't be made or the ledger can't run; where an event was not taken the exit status is 1.
pub(crate) fn run(args: &Args, output: Output) -> Result<ExitCode, Failure> {
    if args.events_per_body() == 0 {
        return Err(Failure::usage("a request needs events: give --calls or --denials"));
    }
    if args.durability != "D1" && !args.http && args.url.is_none() {
        return Err(Failure::usage("only an answer over HTTP waits for a level: give --http or --url"));
    }
    let parent = args.dir.clone().unwrap_or_else(std::env::temp_dir);
    let folder = Folder::new(&parent, "hammer", args.keep).map_err(Failure::new)?;
    // A ledger elsewhere has its genesis from another moment; only its keys have to be the same.
    let domain = Domain::new(usize::from(args.lanes), SystemClock.now()).map_err(Failure::new)?;
    if let Some(address) = args.serve {
        return http::serve(&domain, &folder.path, address, args.parent).map(|()| ExitCode::SUCCESS);
    }
    let measured = measure(args, &domain, &folder.path).map_err(Failure::new)?;
    let machine = Machine::measure(&folder.path).map_err(Failure::new)?;
    output.either(|| report::document(&machine, args, &measured), || report::text(&machine, args, &measured, output));
    match measured.failed() {
        // A machine has it in its one document.
        Some(_) if output.json => return Ok(ExitCode::from(EXIT_FAILED)),
        Some(failed) => return Err(Failure::new(failed)),
        None => {}
    }
    Ok(if measured.windows.is_empty() { ExitCode::from(EXIT_FAILED) } else { ExitCode::SUCCESS })
}

fn measure(args: &Args, domain: &Domain, folder: &Path) -> Result<Measured, String> {
    let windows = windows(args);
    let needed = windows.last().map_or(0, |last| last.from + last.events);
    let spools = Spool::sign(folder, domain, args, needed)?;
    let data = folder.join("ledger");
    match (&args.url, args.http) {
        (Some(url), _) => http::against(url, args, spools, &windows),
        (None, true) => http::own(args, spools, &data, &windows),
        (None, false) => process::run(args, domain, spools, &data, &windows),
    }
}

/// When the bodies of a load are due: at a rate each at its moment, else at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    begun: std::time::Instant,
    /// Entries that are there before the rate holds.
    before: u64,
    every: Option<Duration>,
    lanes: u64,
    events_per_body: u64,
}

impl Pace {
    fn new(args: &Args) -> Self {
        let events_per_body = args.events_per_body();
        let every = args.rate.map(|rate| Duration::from_secs_f64(events_per_body as f64 / f64::from(rate)));
        let (begun, lanes) = (std::time::Instant::now(), u64::from(args.lanes));
        Self { begun, before: args.entries, every, lanes, events_per_body }
    }

    /// How many bodies of each lane come before the rate holds.
    fn unpaced(&self) -> u64 {
        self.every.map_or(0, |_| self.before / (self.events_per_body * self.lanes))
    }

    /// The moment of a lane's body, counted from the lane's first under the rate; now where there is no rate.
    fn due(&self, lane: u64, body: u64) -> std::time::Instant {
        let since = |every: Duration| self.begun + every.mul_f64((body * self.lanes + lane) as f64);
        self.every.map_or_else(std::time::Instant::now, since)
    }

    /// The same pace, begun now.
    fn begun_now(self) -> Self {
        Self { begun: std::time::Instant::now(), ..self }
    }
}

#[cfg(test)]
mod tests;
