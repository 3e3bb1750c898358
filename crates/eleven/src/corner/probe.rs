//! `eleven <corner> probe PATH`: what a corner's process can open, tried from within its confinement.

use super::{Confinement, Which, confine};
use crate::config::Config;
use crate::output::{Failure, Output};
use eleven_core::encoding::{Object, Value};
use std::path::Path;

/// Confines this process as the corner is, and tries to read `path`, a file or a folder.
///
/// # Errors
/// Where it can't be read, or this process can't be confined.
pub(crate) fn probe(which: Which, file: &Path, path: &Path, output: Output) -> Result<(), Failure> {
    let config = Config::load(file)?;
    let confinement = confine::to_own(which, &config)?;
    let read = if path.is_dir() { std::fs::read_dir(path).map(drop) } else { std::fs::File::open(path).map(drop) };
    let opened = read.is_ok();
    let confined = confinement != Confinement::None;
    let value =
        Object::new().with("opened", opened).with("confined", confined).with("confinement", confinement.to_string());
    let verb = if opened { "opens" } else { "can't open" };
    output.either(
        || Value::Object(value.clone()),
        || format!("{} {verb} {} ({confinement})", which.name(), path.display()),
    );
    if opened { Ok(()) } else { Err(Failure::new(format!("{} can't open {}", which.name(), path.display()))) }
}
