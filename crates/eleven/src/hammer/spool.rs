//! The events of a load, signed beforehand into files: signing costs as much as the ledger does, and memory would be the
//! load's and not the ledger's.

use super::Args;
use eleven_ledger::load::{Body, Domain};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The bodies of one lane.
pub(crate) struct Spool {
    path: PathBuf,
}

/// A lane's bodies, read in order.
pub(crate) struct Bodies(BufReader<File>);

impl Spool {
    /// Signs bodies for every lane until all of them have `events`, on all cores.
    ///
    /// # Errors
    /// Where a file can't be written.
    pub(crate) fn sign(folder: &Path, domain: &Domain, args: &Args, events: u64) -> Result<Vec<Self>, String> {
        let lanes = u64::from(args.lanes);
        let bodies = events.div_ceil(args.events_per_body()).div_ceil(lanes);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let path = |lane: usize| folder.join(format!("lane-{lane}"));
        std::thread::scope(|scope| {
            let sign = |core: usize| {
                let of_core = (core..usize::from(args.lanes)).step_by(cores);
                of_core.map(|lane| write(&path(lane), domain, lane, bodies, args)).collect::<Result<Vec<()>, String>>()
            };
            let threads: Vec<_> = (0..cores).map(|core| scope.spawn(move || sign(core))).collect();
            for thread in threads {
                thread.join().map_err(|_| "signing the load panicked".to_owned())??;
            }
            Ok::<(), String>(())
        })?;
        Ok((0..usize::from(args.lanes)).map(|lane| Self { path: path(lane) }).collect())
    }

    /// Its bodies, from the first on.
    ///
    /// # Errors
    /// Where the file can't be opened.
    pub(crate) fn open(&self) -> Result<Bodies, String> {
        let file = File::open(&self.path).map_err(|error| format!("{}: {error}", self.path.display()))?;
        Ok(Bodies(BufReader::with_capacity(1 << 20, file)))
    }
}

fn write(path: &Path, domain: &Domain, lane: usize, bodies: u64, args: &Args) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).map_err(failed)?);
    let mut lane = domain.lane(lane);
    for _ in 0..bodies {
        let body = lane.body(args.calls.into(), args.denials.into()).map_err(|error| error.to_string())?;
        let lengths = [(body.bytes.len() as u64).to_le_bytes(), body.events.to_le_bytes()].concat();
        out.write_all(&lengths).and_then(|()| out.write_all(&body.bytes)).map_err(failed)?;
    }
    out.flush().map_err(failed)
}

impl Iterator for Bodies {
    type Item = Body;

    fn next(&mut self) -> Option<Body> {
        let (mut length, mut events) = ([0; 8], [0; 8]);
        self.0.read_exact(&mut length).ok()?;
        self.0.read_exact(&mut events).ok()?;
        let mut bytes = vec![0; usize::try_from(u64::from_le_bytes(length)).ok()?];
        self.0.read_exact(&mut bytes).ok()?;
        Some(Body { bytes, events: u64::from_le_bytes(events) })
    }
}
