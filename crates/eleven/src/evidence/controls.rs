//! The questions of a regime, put to the facts.

use super::facts::{Facts, Place};
use super::folder;
use super::history::Life;
use super::manifest::Gap;
use super::regime::{Asked, Control, Evidence, Regime};
use super::setting;
use eleven_core::head::Head;

/// How many pieces of one kind of evidence are shown one by one: the first ones. All of them are counted, and stand in the
/// records.
pub(crate) const SHOWN: usize = 200;

/// A control, and what there is for it.
pub(crate) struct Finding<'a> {
    /// The control.
    pub(crate) control: &'a Control,
    /// What was found, in the order of the control's evidence.
    pub(crate) found: Vec<Found<'a>>,
}

/// What was found of one kind of evidence.
pub(crate) struct Found<'a> {
    /// What was looked for.
    pub(crate) evidence: &'a Evidence,
    /// How much there is.
    pub(crate) count: u64,
    /// The first of it.
    pub(crate) shown: Vec<Shown>,
}

/// A piece of evidence: a leaf of the ledger, and the file that proves it.
#[derive(Clone)]
pub(crate) struct Shown {
    /// The leaf.
    pub(crate) place: Place,
    /// What it is.
    pub(crate) what: String,
    /// The file.
    pub(crate) proof: String,
}

impl Found<'_> {
    /// Whether it is enough.
    pub(crate) fn is_enough(&self) -> bool {
        self.count >= self.evidence.minimum
    }
}

impl Finding<'_> {
    /// Whether the control has its evidence.
    pub(crate) fn is_met(&self) -> bool {
        let mut enough = self.found.iter().map(Found::is_enough);
        if self.control.all { enough.all(|enough| enough) } else { enough.any(|enough| enough) }
    }

    /// What is missing, where it has not.
    fn gap(&self, regime: &Regime) -> Option<Gap> {
        if self.is_met() {
            return None;
        }
        let missing = self.found.iter().filter(|found| !found.is_enough());
        let missing: Vec<String> = missing
            .map(|found| format!("{} ({} of {})", found.evidence.what, found.count, found.evidence.minimum))
            .collect();
        let between = if self.control.all { "; " } else { "; or " };
        let control = (regime.id.clone(), self.control.id.clone());
        let what = format!("no evidence in this range: {}", missing.join(between));
        Some(Gap { control: Some(control), what, why: None })
    }
}

/// What there is for each control of a regime.
pub(crate) fn findings<'a>(regime: &'a Regime, facts: &Facts, head: &Head) -> Vec<Finding<'a>> {
    let finding = |control: &'a Control| {
        let found = control.evidence.iter().map(|evidence| look(evidence, regime, facts, head)).collect();
        Finding { control, found }
    };
    regime.controls.iter().map(finding).collect()
}

/// The gaps of all regimes.
pub(crate) fn gaps(regimes: &[Regime], facts: &Facts, head: &Head) -> Vec<Gap> {
    let of = |regime: &Regime| -> Vec<Gap> {
        findings(regime, facts, head).iter().filter_map(|finding| finding.gap(regime)).collect()
    };
    regimes.iter().flat_map(of).collect()
}

fn look<'a>(evidence: &'a Evidence, regime: &Regime, facts: &Facts, head: &Head) -> Found<'a> {
    let mut found = Found { evidence, count: 0, shown: Vec::new() };
    let mut take = |place: Place, what: &str, proof: &str| {
        found.count += 1;
        if found.shown.len() < SHOWN {
            found.shown.push(Shown { place, what: what.to_owned(), proof: proof.to_owned() });
        }
    };
    match &evidence.asked {
        Asked::Events { names, reasons } => {
            for (fact, proof) in facts.events() {
                let asked = reasons.is_empty() || fact.reason.is_some_and(|reason| reasons.contains(&reason));
                if names.contains(&fact.event) && asked {
                    let reason = fact.reason.map(|reason| format!(", {reason}")).unwrap_or_default();
                    take(fact.place, &format!("{}{reason}", fact.event), &proof);
                }
            }
        }
        Asked::Lineages(kinds) => {
            for (lineage, last) in facts.came_to().filter(|(lineage, _)| kinds.contains(&lineage.kind)) {
                let what = format!("{} {}, {}", lineage.kind, lineage.op, lineage.ended_as());
                take(last.place, &what, &folder::proof(&lineage.op));
            }
        }
        Asked::InForce(list) => {
            let history = &facts.history;
            let lives = match list.as_str() {
                "keys" => {
                    let counts = |life: &&Life| history.counts_in(&life.name, facts.from, facts.to);
                    history.keys.iter().filter(counts).collect::<Vec<_>>()
                }
                "policies" => history.policies.iter().map(|policy| &policy.life).collect(),
                "points" => history.points.iter().map(|(life, _)| life).collect(),
                _ => history.sources.iter().collect(),
            };
            for life in lives.into_iter().filter(|life| life.in_force(facts.from, facts.to)) {
                take(life.began, &format!("{list}: {}", life.name), folder::REGISTRY_PROOFS);
            }
        }
        Asked::Range => {
            if let Some((first, last)) = facts.stretch.ends {
                take(first, "first entry of the range", folder::RANGE_PROOF);
                take(last, "last entry of the range", folder::RANGE_PROOF);
            }
        }
        Asked::Retention => {
            let history = &facts.history;
            let keeps = setting::keeps(&history.retentions, regime.retention_days, history.began(), head.at);
            let reached = facts.samples.reach(regime.retention_days, &head.commitment, head.at, facts.stretch.begins());
            // Entries that are still there are no evidence where the domain lets their content go too early.
            if let (Ok(_), Ok((_, places))) = (keeps, reached) {
                for set in &history.retentions {
                    take(set.place, &set.said(), folder::REGISTRY_PROOFS);
                }
                for place in places {
                    take(place, "entry from before the range", folder::RETENTION);
                }
            }
        }
    }
    found
}
