//! `eleven <corner> restart`: a planned restart of a corner that runs.
//!
//! The corner is told by SIGHUP to make place. Whoever supervises it keeps its listening socket open and starts the next
//! process; who calls meanwhile waits, within its deadline.

use crate::call;
use crate::config::Config;
use crate::corner::Which;
use crate::output::{Failure, Output, Paint};
use eleven_core::encoding::{Object, Value};
use eleven_store::{Folder, FolderError};
use rustix::process::{Pid, Signal};
use std::time::{Duration, Instant};

/// How long the next process may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// Restarts a corner and waits until it is ready again.
///
/// # Errors
/// Where it does not run, or does not come back.
pub(crate) fn run(which: Which, config: &Config, output: Output) -> Result<(), Failure> {
    let (name, corner) = (which.name(), which.of(config));
    let Some(before) = holder(which, config)? else {
        return Err(Failure::new(format!(
            "the {name} does not run: start it with `eleven up` or `eleven {name} serve`"
        )));
    };
    let began = Instant::now();
    let process = i32::try_from(before).ok().and_then(Pid::from_raw);
    let process = process.ok_or_else(|| Failure::new(format!("{before} is no process")))?;
    rustix::process::kill_process(process, Signal::HUP)
        .map_err(|error| Failure::new(format!("process {before} could not be told: {error}: whose is it?")))?;
    loop {
        if let Some(pid) = Folder::last_holder(&corner.data).filter(|pid| *pid != before)
            && call::wait(call::health(&corner.url))? == Some(true)
        {
            say(which, before, pid, began.elapsed(), output);
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            let what = format!("process {before} made place, and no other is ready: is it supervised? look at its log");
            return Err(Failure::new(what));
        }
        std::thread::sleep(LOOK);
    }
}

/// The process that holds the corner's folder; `None` where none does.
fn holder(which: Which, config: &Config) -> Result<Option<u32>, Failure> {
    match Folder::open_existing(&which.of(config).data, which.name()) {
        Ok(_) => Ok(None),
        Err(FolderError::Locked { pid, .. }) => Ok(pid),
        Err(error) => Err(error.into()),
    }
}

fn say(which: Which, before: u32, after: u32, took: Duration, output: Output) {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let value = || {
        let object = Object::new().with("corner", which.name()).with("before", before).with("after", after);
        Value::Object(object.with("ready_ms", ms))
    };
    let text = || {
        let done = output.paint(Paint::Good, "restarted:");
        format!("{done} the {} is ready again after {ms} ms, process {after} in the place of {before}", which.name())
    };
    output.either(value, text);
}
