//! Whether records are kept as the regimes demand: what the domain set about it, by the registry's events; whether entries
//! reach back as far; and what is under a legal hold.

use super::super::facts::Facts;
use super::super::gaps;
use super::super::regime::retention_days;
use super::super::setting;
use super::Verdict;
use super::case::Case;
use std::collections::BTreeSet;

pub(super) const NAME: &str = "retention";

/// Judges.
pub(super) fn judge(case: &Case) -> Verdict {
    let (terms, facts) = match (&case.terms, &case.facts) {
        (Ok(terms), Ok(facts)) => (terms, facts),
        (Err(error), _) | (_, Err(error)) => return Verdict::of(NAME, vec![error.clone()], Vec::new()),
    };
    let head = &case.manifest.head;
    let (mut against, mut rests_on) = (held(facts), Vec::new());
    rests_on.extend(setting::holds(&facts.history));
    let set = |days| setting::keeps(&facts.history.retentions, days, facts.history.began(), head.at);
    if retention_days(&terms.regimes).is_none() && against.is_empty() {
        let set = set(None).unwrap_or_else(|why| why);
        let said: Vec<String> = std::iter::once(set).chain(rests_on).collect();
        return Verdict::not_checked(NAME, &format!("no regime was asked for that names a time; {}", said.join("; ")));
    }
    for (regime, whose) in terms.each() {
        let (id, Some(days)) = (&regime.id, regime.retention_days) else { continue };
        rests_on.push(format!("{id}: {days} days are demanded; {whose}"));
        let reached = facts.samples.reach(Some(days), &head.commitment, head.at, facts.stretch.begins());
        for judged in [set(Some(days)), reached.map(|(said, _)| said)] {
            match judged {
                Ok(said) => rests_on.push(format!("{id}: {said}")),
                Err(why) => against.push(format!("{id}: {why}")),
            }
        }
    }
    Verdict::of(NAME, against, rests_on)
}

/// What is under a legal hold and was asked for, but is not here.
fn held(facts: &Facts) -> Vec<String> {
    let here: BTreeSet<&str> = facts.lineages.iter().map(|lineage| lineage.op.as_str()).collect();
    let asked = facts.stretch.operations.iter().filter(|(_, seen)| seen.asked);
    let held = asked.filter(|(op, seen)| facts.history.is_held(op, seen.identity.as_deref()));
    let missing = held.filter(|(op, _)| gaps::is_missing(op, &here));
    missing.map(|(op, _)| format!("operation {op} is under a legal hold, and its proof file is not here")).collect()
}
