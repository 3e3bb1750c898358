//! The load over HTTP: one connection a lane, and the ledger in a process of its own or elsewhere.

use super::measure::{self, Measured, Tally};
use super::spool::{Bodies, Spool};
use super::{Args, Pace, Window};
use crate::bench::{load, machine, syncs};
use crate::child::{Listening, listen};
use crate::corner;
use crate::output::Failure;
use eleven_api::edge::SystemClock;
use eleven_api::routes;
use eleven_core::encoding::parse;
use eleven_ledger::load::Domain;
use eleven_ledger::{Ledger, Settings};
use http::{Method, StatusCode};
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::LocalSet;

/// Where events go whose answer is to wait for a signed head.
const ASKING_D3: &str = "/v1/audit/events?durability=D3";
/// How often the last head is asked for.
const LOOK: Duration = Duration::from_millis(10);
/// How long the last head may take to come.
const LAST_HEAD: Duration = Duration::from_secs(5);

/// Serves the ledger of a load until told to stop. The first line on standard output is `listening http://ADDRESS`.
///
/// # Errors
/// Where it can't be made, opened or served.
pub(crate) fn serve(domain: &Domain, folder: &Path, at: SocketAddr, parent: Option<i32>) -> Result<(), Failure> {
    corner::follow_parent(parent)?;
    let data = folder.join("ledger");
    domain.genesis(&data).map_err(Failure::new)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::new)?;
    runtime.block_on(async {
        let ledger = Ledger::open(Settings::new(&data), domain.signers(), Arc::new(SystemClock));
        let ledger = ledger.map_err(Failure::new)?;
        let set_up = domain.set_up().map_err(Failure::new)?;
        let (tell, told) = tokio::sync::oneshot::channel();
        ledger.submit(&set_up.bytes, move |outcome| drop(tell.send(outcome))).map_err(Failure::new)?;
        told.await.map_err(Failure::new)?.map_err(Failure::new)?;
        let listener = listen(at).await.map_err(Failure::new)?;
        let (stop, stopping) = watch::channel(false);
        let serving = tokio::spawn(ledger.serve(listener, stopping));
        corner::until_told().await;
        stop.send_replace(true);
        serving.await.map_err(Failure::new)?.map_err(Failure::new)
    })
}

/// The load against a ledger that this starts.
///
/// # Errors
/// Where it can't be started, or does not answer.
pub(crate) fn own(args: &Args, spools: Vec<Spool>, data: &Path, windows: &[Window]) -> Result<Measured, String> {
    std::fs::create_dir(data).map_err(|error| format!("{}: {error}", data.display()))?;
    // A ledger in a process of its own, which ends with this value.
    let (lanes, dir) = (args.lanes.to_string(), data.to_string_lossy());
    let serve = ["ledger", "hammer", "--serve", "127.0.0.1:0", "--keep", "--dir", &dir, "--lanes", &lanes];
    let served = Listening::start(&serve)?;
    let pids = [("ledger", served.pid()), ("load tool", std::process::id())];
    let before = pids.map(|(_, pid)| machine::cpu_micros(pid));
    let mut measured = against(&served.url, args, spools, windows)?;
    let took = pids.iter().zip(before).map(|((name, pid), before)| {
        let micros = machine::cpu_micros(*pid).saturating_sub(before);
        ((*name).to_owned(), micros as f64 / measured.events.max(1) as f64)
    });
    measured.cpu = took.collect();
    measured.peak_kib = machine::peak_memory(served.pid());
    drop(served);
    measured.disk = measure::disk(data).ok();
    Ok(measured)
}

/// The load against a ledger that runs somewhere.
///
/// # Errors
/// Where it does not answer.
pub(crate) fn against(url: &str, args: &Args, spools: Vec<Spool>, windows: &[Window]) -> Result<Measured, String> {
    let bodies: Vec<Bodies> = spools.iter().map(Spool::open).collect::<Result<_, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let tally = Rc::new(Tally::default());
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let pace = LocalSet::new().block_on(&runtime, put(address, args, &tally, bodies))?;
    let mut measured = tally.measured(windows, &pace);
    let summary = "eleven_ledger_fdatasync_microseconds";
    measured.syncs = syncs(url, summary, &format!("{summary}_count"))?;
    Ok(measured)
}

async fn put(at: &str, args: &Args, tally: &Rc<Tally>, bodies: Vec<Bodies>) -> Result<Pace, String> {
    let path = if args.durability == "D3" { ASKING_D3 } else { routes::AUDIT_EVENTS };
    let pace = Pace::new(args);
    let unpaced = usize::try_from(pace.unpaced()).unwrap_or(usize::MAX);
    let mut lanes = Vec::with_capacity(bodies.len());
    for bodies in bodies {
        lanes.push((load::connect(at).await?, bodies));
    }
    if args.rate.is_some() {
        let filling = lanes.into_iter().map(|(mut connection, mut bodies)| {
            let (tally, at) = (Rc::clone(tally), at.to_owned());
            tokio::task::spawn_local(async move {
                for body in bodies.by_ref().take(unpaced) {
                    post(&mut connection, (&at, routes::AUDIT_EVENTS), body, Instant::now(), &tally).await;
                }
                (connection, bodies)
            })
        });
        let mut filled = Vec::new();
        for lane in filling.collect::<Vec<_>>() {
            filled.push(lane.await.map_err(|error| error.to_string())?);
        }
        lanes = filled;
    }
    let pace = pace.begun_now();
    let watching = tokio::task::spawn_local(watch_heads(at.to_owned(), Rc::clone(tally)));
    let running = lanes.into_iter().enumerate().map(|(lane, (mut connection, bodies))| {
        let (tally, at) = (Rc::clone(tally), at.to_owned());
        tokio::task::spawn_local(async move {
            for (n, body) in bodies.enumerate() {
                let due = pace.due(lane as u64, n as u64);
                tokio::time::sleep_until(due.into()).await;
                if tally.has_failed() {
                    return;
                }
                post(&mut connection, (&at, path), body, due, &tally).await;
            }
        })
    });
    for lane in running.collect::<Vec<_>>() {
        lane.await.map_err(|error| error.to_string())?;
    }
    let last = Instant::now();
    while !tally.all_headed() && last.elapsed() < LAST_HEAD {
        tokio::time::sleep(LOOK).await;
    }
    watching.abort();
    Ok(pace)
}

async fn post(
    connection: &mut load::Connection,
    (at, path): (&str, &'static str),
    body: eleven_ledger::load::Body,
    due: Instant,
    tally: &Tally,
) {
    let events = body.events;
    match load::send(connection, Method::POST, at, path, None, body.bytes.into()).await {
        Ok((StatusCode::OK, answer)) => {
            let size = parse(&answer).ok().and_then(|answer| answer.get("size")?.as_int());
            tally.durable(due, events, size.and_then(|size| u64::try_from(size).ok()).unwrap_or(u64::MAX));
        }
        Ok((status, answer)) => tally.failed(format!("answered {status}: {}", String::from_utf8_lossy(&answer))),
        Err(error) => tally.failed(error),
    }
}

/// Looks at the last head until aborted.
async fn watch_heads(at: String, tally: Rc<Tally>) {
    let Ok(mut connection) = load::connect(&at).await else { return };
    loop {
        let got = load::send(&mut connection, Method::GET, &at, routes::PROOF_HEAD, None, bytes::Bytes::new()).await;
        if let Ok((StatusCode::OK, head)) = got
            && let Some(size) = parse(&head).ok().and_then(|head| size_of(&head))
        {
            tally.head(size);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The size in an answer that is a head or shows one.
fn size_of(answer: &eleven_core::encoding::Value) -> Option<u64> {
    let head = answer.get("head").unwrap_or(answer);
    u64::try_from(head.get("size")?.as_int()?).ok()
}
