//! The rules of one bundle, sliced by operation: Cedar evaluates every rule of a set, also those for other actions.

use crate::compile::{PolicyError, Rule};
use cedar_policy::{ActionConstraint, Entities, EntityId, EntityTypeName, EntityUid, Policy, PolicySet};
use std::collections::{HashMap, HashSet};

/// Every rule stands in one place, or in one for each operation that its head names: the slices are never larger than the
/// text.
#[derive(Debug)]
pub(crate) struct Slices {
    /// The rules for any action, or for groups of actions.
    general: PolicySet,
    /// The rules whose head names the operation.
    own: HashMap<String, PolicySet>,
    /// Actions that a rule's head names and that are no operations of the bundle, each behind the rule's place: for them it never
    /// applies.
    pub(crate) apart: Vec<(usize, String)>,
}

/// Which actions a rule is for.
enum Actions {
    Any,
    Named(HashSet<EntityUid>),
}

impl Slices {
    /// Slices `rules` for the bundle's `operations`. A rule that is for none of them is in no slice.
    pub(crate) fn of(
        rules: &[Rule],
        operations: &[String],
        action: &EntityTypeName,
        entities: &Entities,
    ) -> Result<Self, PolicyError> {
        let uid = |name: &String| EntityUid::from_type_name_and_id(action.clone(), EntityId::new(name));
        let operations: HashMap<EntityUid, &String> = operations.iter().map(|name| (uid(name), name)).collect();
        let groups: HashSet<&EntityUid> =
            operations.keys().filter_map(|uid| entities.ancestors(uid)).flatten().collect();
        let mut slices = Self { general: PolicySet::new(), own: HashMap::new(), apart: Vec::new() };
        for (place, rule) in rules.iter().enumerate() {
            match actions(&rule.policy, &groups) {
                Actions::Any => add(&mut slices.general, &rule.policy)?,
                Actions::Named(actions) => {
                    for action in &actions {
                        match operations.get(action) {
                            Some(operation) => {
                                add(slices.own.entry((*operation).clone()).or_default(), &rule.policy)?;
                            }
                            None => slices.apart.push((place, action.to_string())),
                        }
                    }
                }
            }
        }
        slices.apart.sort();
        Ok(slices)
    }

    /// The sets in which the rules for `operation` stand, each rule in one of them.
    pub(crate) fn for_operation(&self, operation: &str) -> impl Iterator<Item = &PolicySet> {
        [Some(&self.general), self.own.get(operation)].into_iter().flatten().filter(|set| !set.is_empty())
    }
}

/// The actions of a rule's head. A group stands for actions that the head does not name, so it counts as any.
fn actions(rule: &Policy, groups: &HashSet<&EntityUid>) -> Actions {
    match rule.action_constraint() {
        ActionConstraint::Any => Actions::Any,
        ActionConstraint::Eq(action) => Actions::Named(HashSet::from([action])),
        ActionConstraint::In(actions) if actions.iter().any(|action| groups.contains(action)) => Actions::Any,
        ActionConstraint::In(actions) => Actions::Named(actions.into_iter().collect()),
    }
}

fn add(set: &mut PolicySet, rule: &Policy) -> Result<(), PolicyError> {
    set.add(rule.clone()).map_err(|error| PolicyError::Text(error.to_string()))
}

#[cfg(test)]
mod tests;
