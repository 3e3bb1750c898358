//! Whether records reach back as far as the regimes demand.

use super::super::regime::{Regime, retention_days};
use super::Verdict;
use super::case::Case;

pub(super) const NAME: &str = "retention";

/// Judges.
pub(super) fn judge(case: &Case) -> Verdict {
    let (regimes, facts) = match (&case.regimes, &case.facts) {
        (Ok(regimes), Ok(facts)) => (regimes, facts),
        (Err(error), _) | (_, Err(error)) => return Verdict::of(NAME, vec![error.clone()], Vec::new()),
    };
    if retention_days(regimes).is_none() {
        return Verdict::not_checked(NAME, "no regime was asked for that names a time");
    }
    let head = &case.manifest.head;
    let (mut against, mut rests_on) = (Vec::new(), Vec::new());
    for Regime { id, retention_days: days, .. } in regimes.iter().filter(|regime| regime.retention_days.is_some()) {
        match facts.samples.reach(*days, &head.commitment, head.at, facts.stretch.begins()) {
            Ok((said, _)) => rests_on.push(format!("{id}: {said}")),
            Err(why) => against.push(format!("{id}: {why}")),
        }
    }
    Verdict::of(NAME, against, rests_on)
}
