//! Whose terms a folder is judged by. A regime's file in the folder was put there by whoever exported, who may like another
//! floor and fewer controls better; its name alone says nothing. So under the name of a regime that comes with the program
//! stands that regime, and under one that the verifier gave stands what the verifier gave. Any other regime is the exporter's
//! own, and the verdicts say so, with its hash.

use super::super::folder::{self, Folder};
use super::super::manifest::{Manifest, tool};
use super::super::regime::Regime;
use eleven_core::hash::Sha3;

/// The regimes that were asked for, in the query's order.
pub(super) struct Terms {
    /// The regimes.
    pub(super) regimes: Vec<Regime>,
    /// Whose the terms of each are, in a line.
    whose: Vec<String>,
}

impl Terms {
    /// Each regime, and whose its terms are.
    pub(super) fn each(&self) -> impl Iterator<Item = (&Regime, &String)> {
        self.regimes.iter().zip(&self.whose)
    }
}

/// Reads the regimes that the manifest's query names. Those in `given` are the verifier's.
///
/// # Errors
/// Where one is not of its form, is another than it has to be, or was given and not asked for.
pub(super) fn read(folder: &Folder, manifest: &Manifest, given: &[Regime]) -> Result<Terms, String> {
    let asked = &manifest.query.regimes;
    if let Some(Regime { id, .. }) = given.iter().find(|regime| !asked.contains(&regime.id)) {
        return Err(format!("the regime `{id}`, which was given with --regime-file, was not asked for in this export"));
    }
    let mut terms = Terms { regimes: Vec::new(), whose: Vec::new() };
    for id in asked {
        let name = folder::regime(id);
        let regime = Regime::read(&folder.read(&name)?).map_err(|error| {
            format!(
                "{name}: {error}. The manifest says that {} exported it: if that is another version, whose form of it was \
                 wider, verify with it",
                manifest.tool
            )
        })?;
        if regime.id != *id {
            return Err(format!("{name} is the file of another regime"));
        }
        terms.whose.push(whose(&regime, &name, manifest, given)?);
        terms.regimes.push(regime);
    }
    Ok(terms)
}

/// Whose the terms of a regime are.
fn whose(regime: &Regime, name: &str, manifest: &Manifest, given: &[Regime]) -> Result<String, String> {
    if let Some(trusted) = given.iter().find(|other| other.id == regime.id) {
        return match regime.is_same(trusted) {
            true => Ok("the terms are those that were given with --regime-file".to_owned()),
            false => Err(format!("{name} has other terms than the file that was given with --regime-file")),
        };
    }
    match Regime::embedded(&regime.id) {
        Some(Ok(known)) if known.is_same(regime) => Ok("the terms are those of this program".to_owned()),
        Some(_) => Err(format!(
            "{name} has other terms than the regime of that name in {}. The manifest says that {} exported it: if that is \
             another version, verify with it, or name its file, from where you trust it, with --regime-file",
            tool(),
            manifest.tool
        )),
        None => Ok(format!(
            "the terms are the exporter's own, {name} of {}: read them, or name the file that you trust with --regime-file",
            Sha3::of(&[&regime.source])
        )),
    }
}
