//! What is asked of a bundle before it is published, beyond that it compiles. What was published before decides as ever.

use crate::compile::{Cedar, CompiledPolicy, EntityTypes, PolicyError, in_full};
use crate::{bounds, stack};
use cedar_policy::{EntityId, EntityUid, PolicySet, ValidationMode, Validator};
use core::str::FromStr as _;
use eleven_core::policy::PolicyBundle;

/// More signs than a rule of ours has that asks a schema what it knows.
const ASKING_SIGNS: usize = 128;

/// What a request has, and by which condition a schema is asked for it: one that does not know it finds that the condition never holds,
/// or that it does not fit.
struct Member {
    /// As an author declares it.
    declared: &'static str,
    /// Where.
    place: &'static str,
    /// Why it is there.
    why: &'static str,
    /// The condition.
    read: &'static str,
}

/// Why what stands in every request is asked for.
const ALWAYS: &str = "it stands in every request, so that each would be denied";

/// What the term `bind_params` adds.
const PARAMS: Member = Member {
    declared: "params: String",
    place: "the context's `op`",
    why: "the term `bind_params` puts it into every request, so that each would be denied",
    read: r#"context has op && context.op has params && context.op.params like "*""#,
};

/// What every request has, whoever sends it.
const MEMBERS: [Member; 5] = [
    Member {
        declared: "identity: { id: String, kind: String, name: String, env?: String, domain?: String }",
        place: "the context",
        why: ALWAYS,
        read: r#"context has identity && context.identity has id && context.identity.id like "*" &&
            context.identity has kind && context.identity.kind like "*" &&
            context.identity has name && context.identity.name like "*""#,
    },
    Member {
        declared: "op: { name: String, scope: Set<String>, … }",
        place: "the context",
        why: ALWAYS,
        read: r#"context has op && context.op has name && context.op.name like "*" &&
            context.op has scope && (context.op.scope.contains("") || true)"#,
    },
    Member {
        declared: "env: { runtime: String, region: String, tenancy: String }",
        place: "the context",
        why: ALWAYS,
        read: r#"context has env && context.env has runtime && context.env.runtime like "*" &&
            context.env has region && context.env.region like "*" &&
            context.env has tenancy && context.env.tenancy like "*""#,
    },
    Member {
        declared: "facts: { operator?: String }",
        place: "the context",
        why: ALWAYS,
        read: "context has facts && (context.facts has operator || true)",
    },
    Member {
        declared: "at: datetime",
        place: "the context",
        why: ALWAYS,
        read: r#"context has at && (context.at < datetime("2000-01-01") || true)"#,
    },
];

impl CompiledPolicy {
    /// Compiles a bundle that is to be published, of so many canonical bytes.
    ///
    /// # Errors
    /// As [`CompiledPolicy::compile`] and [`CompiledPolicy::takes_requests`], and where no proof of a use would have room for it.
    pub fn publishable(bundle: &PolicyBundle, size: usize) -> Result<Self, PolicyError> {
        bounds::published(size)?;
        let policy = Self::compile(bundle)?;
        policy.takes_requests(bundle.terms.bind_params)?;
        Ok(policy)
    }

    /// Whether its schema, where it has one, knows what stands in the requests of every operation, `params` too where they are `bound`.
    /// A bundle whose schema doesn't compiles all the same: what was published decides as ever, which is that it denies.
    ///
    /// # Errors
    /// Where the schema does not know it, or there are too many operations to ask it for with so many requests.
    pub fn takes_requests(&self, bound: bool) -> Result<(), PolicyError> {
        let Cedar { schema: Some(schema), types, .. } = &self.cedar else { return Ok(()) };
        let mut operations: Vec<&str> = self.operations().collect();
        operations.sort_unstable();
        bounds::asking(operations.len(), schema.request_envs().count())?;
        stack::compiling(ASKING_SIGNS, || {
            let validator = Validator::new(schema.clone());
            operations.iter().try_for_each(|operation| ask(&validator, types, operation, bound))
        })
    }
}

/// Asks once for all of it, since Cedar walks over every request of the schema each time, and for one after the other to say what is
/// missing.
fn ask(validator: &Validator, types: &EntityTypes, operation: &str, bound: bool) -> Result<(), PolicyError> {
    let wanted: Vec<&Member> = bound.then_some(&PARAMS).into_iter().chain(&MEMBERS).collect();
    let all: Vec<&str> = wanted.iter().map(|member| member.read).collect();
    if knows(validator, types, operation, &all.join(" && "))? {
        return Ok(());
    }
    for Member { declared, place, why, read } in wanted {
        if !knows(validator, types, operation, read)? {
            return Err(PolicyError::Schema(format!(
                "it lacks `{declared}` in {place} for the action \"{operation}\": {why}"
            )));
        }
    }
    Ok(())
}

/// Whether a schema knows what a condition reads in an operation's requests: then a rule that reads it is of the schema, and not one
/// that could never hold.
fn knows(validator: &Validator, types: &EntityTypes, operation: &str, read: &str) -> Result<bool, PolicyError> {
    let EntityTypes { identity, action, runtime, .. } = types;
    let action = EntityUid::from_type_name_and_id(action.clone(), EntityId::new(operation));
    let rule = format!("permit(principal is {identity}, action == {action}, resource is {runtime}) when {{ {read} }};");
    let rule = PolicySet::from_str(&rule).map_err(|error| PolicyError::Text(in_full(&error)))?;
    Ok(validator.validate(&rule, ValidationMode::Strict).validation_passed_without_warnings())
}

#[cfg(test)]
mod tests;
