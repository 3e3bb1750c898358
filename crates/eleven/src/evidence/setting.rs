//! What the domain itself set about keeping: its retention, which is only ever raised, and its legal holds. Both are signed
//! events of the registry, whose history is in the export whole; so what is set is not a matter of samples.

use super::facts::Place;
use super::history::History;
use eleven_core::registry::retention::Retention;
use eleven_core::time::Time;

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// A retention that was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Set {
    /// How long content is kept, and for which regime.
    pub(crate) retention: Retention,
    /// The event that set it.
    pub(crate) place: Place,
}

impl Set {
    /// In a few words.
    pub(crate) fn said(&self) -> String {
        let Self { retention: Retention { days, regime }, place } = self;
        format!("retention of {days} days ({regime}), set in entry {} at {}", place.seq, place.at)
    }
}

/// Whether what was set kept content for the days that a regime demands, up to `head`, in a ledger that `began` then; says
/// how it stands.
///
/// # Errors
/// Where the retention is below the floor, or was for long enough that content which is due may have been moved out.
pub(crate) fn keeps(set: &[Set], floor: Option<u64>, began: Time, head: Time) -> Result<String, String> {
    let Some(last) = set.last() else {
        return Ok("no retention is set, so no content may be moved out".to_owned());
    };
    let said = last.said();
    let Some(floor) = floor else { return Ok(said) };
    if last.retention.days < floor {
        return Err(format!("{said}, is below the {floor} days of the regime: raise it with `eleven retention set`"));
    }
    let due = before(head, floor).max(began);
    let raised = set.iter().skip(1).map(|next| next.place.at);
    for (lower, until) in set.iter().zip(raised).filter(|(set, _)| set.retention.days < floor) {
        let moved = before(until, lower.retention.days);
        if moved > due {
            let lower = lower.said();
            return Err(format!(
                "{lower}, was in force until {until}: what ended from {due} to {moved} is due and may have been moved out"
            ));
        }
    }
    Ok(format!("{said}, which can only be raised"))
}

/// The legal holds of now, in a few words.
pub(crate) fn holds(history: &History) -> Option<String> {
    let placed: Vec<String> = history
        .holds
        .iter()
        .filter(|life| life.ended.is_none())
        .map(|life| format!("{} since entry {}", life.name, life.began.seq))
        .collect();
    (!placed.is_empty()).then(|| format!("legal holds, kept beyond any retention: {}", placed.join(", ")))
}

fn before(moment: Time, days: u64) -> Time {
    let days = i64::try_from(days).unwrap_or(i64::MAX);
    Time(moment.0.saturating_sub(days.saturating_mul(DAY)))
}

#[cfg(test)]
mod tests;
