//! Compiling a bundle: everything about its Cedar text that can be wrong is found here, at publication.

use crate::slices::Slices;
use crate::{bounds, place, stack};
use cedar_policy::{
    Effect, Entities, EntityTypeName, ParseErrors, Policy, PolicyId as RuleId, PolicySet, Schema, ValidationError,
    ValidationMode, ValidationWarning, Validator,
};
use cedar_policy_core::ast::Name;
use core::fmt;
use core::str::FromStr;
use eleven_core::encoding::Value;
use eleven_core::policy::{Approvals, PolicyBundle, PolicyId};
use eleven_core::registry::pattern;
use std::collections::{HashMap, HashSet};

/// Why a bundle can't be compiled, and so not be published. Each variant carries what Cedar says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// It is more than Cedar is given: of the limits of PROTOCOL 13 one is passed.
    Size(String),
    /// The Cedar text is not Cedar.
    Text(String),
    /// The text has no rule: it could only deny, and more likely something was lost.
    Empty,
    /// A template: nobody would fill its slots, so it would never apply.
    Template(String),
    /// Two rules carry the same `@id`, so that a decision could not name one.
    DuplicateRule(String),
    /// The schema is not a Cedar schema, or knows no such request for one of the operations.
    Schema(String),
    /// `entities` are not Cedar entities, or not of the schema.
    Entities(String),
    /// The rules are not of the schema.
    Validation(String),
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(what) => write!(f, "make the policy smaller: {what}"),
            Self::Text(what) => write!(f, "correct the Cedar text: {what}"),
            Self::Empty => {
                f.write_str("the Cedar text has no rule; to deny all, write forbid(principal, action, resource);")
            }
            Self::Template(id) => write!(f, "`{id}` is a template, which never applies; write a rule without slots"),
            Self::DuplicateRule(id) => write!(f, "two rules are named `{id}`; give each its own @id"),
            Self::Schema(what) => write!(f, "correct the Cedar schema: {what}"),
            Self::Entities(what) => write!(f, "correct the Cedar entities: {what}"),
            Self::Validation(what) => write!(f, "the rules do not fit the schema: {what}"),
        }
    }
}

impl core::error::Error for PolicyError {}

/// A policy that is ready to decide. It is immutable; share it.
#[derive(Debug)]
pub struct CompiledPolicy {
    id: PolicyId,
    operations: HashSet<String>,
    runtimes: Vec<String>,
    approvals: Option<Approvals>,
    pub(crate) cedar: Cedar,
}

/// What Cedar made of the bundle.
#[derive(Debug)]
pub(crate) struct Cedar {
    pub(crate) slices: Slices,
    pub(crate) entities: Entities,
    pub(crate) schema: Option<Schema>,
    pub(crate) types: EntityTypes,
    /// The rules in the order of the text.
    pub(crate) named: Vec<Rule>,
    /// Where in `named` a rule stands.
    pub(crate) places: HashMap<RuleId, usize>,
    /// What Cedar warns of, each behind the place of its rule.
    warned: Vec<(usize, String)>,
    /// The signs of the largest rule: what stack a decision needs.
    pub(crate) signs: usize,
}

/// The entity types of a request, and what else it has of names: read once, since Cedar parses a name.
#[derive(Debug)]
pub(crate) struct EntityTypes {
    pub(crate) identity: EntityTypeName,
    pub(crate) action: EntityTypeName,
    pub(crate) runtime: EntityTypeName,
    /// The function that makes a datetime.
    pub(crate) datetime: Name,
}

/// What a decision says about a rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// `@id`, or `policy<N>` by its place in the text, from 0.
    pub(crate) id: String,
    /// `@advice`: what would pass, in the words of the rule's author.
    pub(crate) advice: Option<String>,
    pub(crate) permits: bool,
    pub(crate) policy: Policy,
}

impl CompiledPolicy {
    /// Compiles a bundle: parses its Cedar text, schema and entities, and validates strictly where there is a schema.
    ///
    /// # Errors
    /// Where any of it is malformed, would silently never apply, or is more than Cedar is given.
    pub fn compile(bundle: &PolicyBundle) -> Result<Self, PolicyError> {
        let signs = bounds::signs(bundle)?;
        let cedar = stack::compiling(signs, || Cedar::compile(bundle, signs))?;
        Ok(Self {
            id: bundle.id(),
            operations: bundle.operations.iter().cloned().collect(),
            runtimes: bundle.runtimes.clone(),
            approvals: bundle.terms.approvals.clone(),
            cedar,
        })
    }

    /// Reference and hash.
    #[must_use]
    pub const fn id(&self) -> &PolicyId {
        &self.id
    }

    /// The operations it covers, in no order.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.operations.iter().map(String::as_str)
    }

    /// Actions that a rule names and that are no operations of the bundle, so that the rule never applies to them: the name of the
    /// rule, and the action.
    pub fn apart(&self) -> impl Iterator<Item = (&str, &str)> {
        let Cedar { slices, named, .. } = &self.cedar;
        slices.apart.iter().filter_map(move |(place, action)| Some((named.get(*place)?.id.as_str(), action.as_str())))
    }

    /// What Cedar warns of where there is a schema, such as a rule whose condition never holds: the name of the rule, and what it
    /// says. Nothing of it keeps the bundle from deciding.
    pub fn warnings(&self) -> impl Iterator<Item = (&str, &str)> {
        let Cedar { warned, named, .. } = &self.cedar;
        warned.iter().filter_map(move |(place, what)| Some((named.get(*place)?.id.as_str(), what.as_str())))
    }

    /// Whether it covers `operation` on `runtime`.
    #[must_use]
    pub fn covers(&self, operation: &str, runtime: &str) -> bool {
        self.operations.contains(operation) && self.covers_runtime(runtime)
    }

    /// Whether one of its patterns matches `runtime`.
    pub(crate) fn covers_runtime(&self, runtime: &str) -> bool {
        self.runtimes.iter().any(|pattern| pattern::matches(pattern, runtime))
    }

    pub(crate) const fn approvals(&self) -> Option<&Approvals> {
        self.approvals.as_ref()
    }
}

impl Cedar {
    fn compile(bundle: &PolicyBundle, signs: usize) -> Result<Self, PolicyError> {
        let rules =
            PolicySet::from_str(&bundle.cedar).map_err(|error| PolicyError::Text(unread(&bundle.cedar, &error)))?;
        let types = EntityTypes::new()?;
        let schema = bundle.schema.as_deref().map(read_schema).transpose()?;
        let mut warnings = Vec::new();
        if let Some(schema) = &schema {
            types.check_requests(schema, &bundle.operations)?;
            warnings = validate(&bundle.cedar, &rules, schema)?;
        }
        let entities = read_entities(bundle.entities.as_ref(), schema.as_ref())?;
        let named = name_rules(&rules)?;
        let slices = Slices::of(&named, &bundle.operations, &types.action, &entities)?;
        let places: HashMap<RuleId, usize> =
            named.iter().enumerate().map(|(place, rule)| (rule.policy.id().clone(), place)).collect();
        let mut warned: Vec<(usize, String)> =
            warnings.into_iter().filter_map(|(rule, what)| Some((*places.get(&rule)?, what))).collect();
        warned.sort();
        Ok(Self { slices, entities, schema, types, named, places, warned, signs })
    }

    /// The first of some rules in the order of the text.
    pub(crate) fn first<'a>(&self, ids: impl Iterator<Item = &'a RuleId>) -> Option<&Rule> {
        let place = ids.filter_map(|id| self.places.get(id)).min()?;
        self.named.get(*place)
    }
}

impl EntityTypes {
    fn new() -> Result<Self, PolicyError> {
        let named = |name: &str| EntityTypeName::from_str(name).map_err(|error| PolicyError::Schema(in_full(&error)));
        let datetime =
            Name::parse_unqualified_name("datetime").map_err(|error| PolicyError::Schema(in_full(&error)))?;
        Ok(Self { identity: named("Identity")?, action: named("Action")?, runtime: named("Runtime")?, datetime })
    }

    /// Whether the schema knows the request of each operation. One that it doesn't know could only ever be an error.
    fn check_requests(&self, schema: &Schema, operations: &[String]) -> Result<(), PolicyError> {
        let known: HashSet<String> = schema
            .request_envs()
            .filter(|env| *env.principal() == self.identity && *env.resource() == self.runtime)
            .filter(|env| *env.action().type_name() == self.action)
            .map(|env| env.action().id().unescaped().to_owned())
            .collect();
        match operations.iter().find(|operation| !known.contains(*operation)) {
            Some(operation) => Err(PolicyError::Schema(format!(
                "let the action \"{operation}\" apply to a principal Identity and a resource Runtime"
            ))),
            None => Ok(()),
        }
    }
}

/// What Cedar says about a text that is none of its own, each error by its place.
fn unread(cedar: &str, errors: &ParseErrors) -> String {
    place::several(errors.iter().collect::<Vec<_>>().into_iter(), |error| place::said(cedar, error))
}

fn read_schema(text: &str) -> Result<Schema, PolicyError> {
    let (schema, _warnings) =
        Schema::from_cedarschema_str(text).map_err(|error| PolicyError::Schema(place::said(text, &error)))?;
    Ok(schema)
}

/// What Cedar warns of, behind its name of the rule.
fn validate(cedar: &str, rules: &PolicySet, schema: &Schema) -> Result<Vec<(RuleId, String)>, PolicyError> {
    let result = Validator::new(schema.clone()).validate(rules, ValidationMode::Strict);
    let mut errors: Vec<&ValidationError> = result.validation_errors().collect();
    errors.sort_by_cached_key(|error| error.to_string());
    if !errors.is_empty() {
        return Err(PolicyError::Validation(place::several(errors.into_iter(), |error| misfit(cedar, rules, error))));
    }
    let warning = |warning: &ValidationWarning| {
        let (rule, text) = (warning.policy_id().clone(), warning.to_string());
        let what = text.strip_prefix(&format!("for policy `{rule}`, ")).unwrap_or(&text).to_owned();
        (rule, what)
    };
    Ok(result.validation_warnings().map(warning).collect())
}

/// An error of the validation, under the rule's own name: Cedar counts rules, as no author does.
fn misfit(cedar: &str, rules: &PolicySet, error: &ValidationError) -> String {
    let id = error.policy_id();
    let name = rules.policy(id).and_then(|rule| rule.annotation("id")).map_or_else(|| id.to_string(), str::to_owned);
    format!("rule `{name}`, {}", place::said(cedar, error).replacen(&format!("for policy `{id}`, "), "", 1))
}

fn read_entities(entities: Option<&Value>, schema: Option<&Schema>) -> Result<Entities, PolicyError> {
    let text = entities.map_or_else(|| "[]".to_owned(), ToString::to_string);
    Entities::from_json_str(&text, schema).map_err(|error| PolicyError::Entities(in_full(&error)))
}

fn name_rules(rules: &PolicySet) -> Result<Vec<Rule>, PolicyError> {
    if let Some(template) = rules.templates().next() {
        return Err(PolicyError::Template(
            template.annotation("id").map_or_else(|| template.id().to_string(), str::to_owned),
        ));
    }
    let named: Vec<Rule> = rules.policies().map(Rule::of).collect();
    let mut seen = HashSet::new();
    match named.iter().find(|rule| !seen.insert(rule.id.as_str())) {
        Some(rule) => Err(PolicyError::DuplicateRule(rule.id.clone())),
        None if named.is_empty() => Err(PolicyError::Empty),
        None => Ok(named),
    }
}

impl Rule {
    fn of(policy: &Policy) -> Self {
        Self {
            id: policy.annotation("id").map_or_else(|| policy.id().to_string(), str::to_owned),
            advice: policy.annotation("advice").map(str::to_owned),
            permits: policy.effect() == Effect::Permit,
            policy: policy.clone(),
        }
    }
}

/// An error with its causes: Cedar often says what is wrong only in these.
pub(crate) fn in_full(error: &dyn core::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
pub(crate) mod tests;
