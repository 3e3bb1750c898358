//! What an author should look at in a bundle that compiles: it is valid, and most likely does something else than it seems to say.
//! Nothing of it keeps a bundle from being published or from deciding.

use crate::bounds::{Token, tokens};
use crate::compile::CompiledPolicy;
use cedar_policy::{Entities, EntityTypeName, EntityUid, PrincipalConstraint, ResourceConstraint};
use eleven_core::artifact::UseMode;
use eleven_core::encoding;
use eleven_core::name;
use eleven_core::policy::{EvidenceLevel, PolicyBundle, Terms};
use std::collections::HashSet;

impl CompiledPolicy {
    /// What to look at in the bundle that this was compiled from, a sentence each.
    #[must_use]
    pub fn notes(&self, bundle: &PolicyBundle) -> Vec<String> {
        let apart = self.apart().map(|(rule, action)| {
            let why = format!("{action} is none of the bundle's `operations`, so that it never applies to that");
            of_rule(rule, &why)
        });
        let warned = self.warnings().map(|(rule, what)| of_rule(rule, what));
        let mut notes: Vec<String> = apart.chain(warned).collect();
        notes.extend(self.never_applying());
        notes.extend(self.reading(&bundle.terms.sensitive));
        notes.extend(of_terms(&bundle.terms).into_iter().map(|what| format!("look at the terms: {what}")));
        notes
    }

    /// Rules whose head no request fits. A `forbid` of that kind is missed by nobody until it is needed.
    fn never_applying(&self) -> Vec<String> {
        let (types, entities) = (&self.cedar.types, &self.cedar.entities);
        let covered = |runtime: &str| self.covers_runtime(runtime);
        let principals = Part {
            what: "principal",
            kind: &types.identity,
            groups: groups(entities, &types.identity),
            is_named: &name::is_identity,
            misnamed: "is no identity: these are <kind>:<name>[:<env>]",
        };
        let resources = Part {
            what: "resource",
            kind: &types.runtime,
            groups: groups(entities, &types.runtime),
            is_named: &covered,
            misnamed: "is none of the bundle's `runtimes`",
        };
        let never = |(name, why): (&str, String)| of_rule(name, &format!("it never applies, since {why}"));
        let of_head = self.cedar.named.iter().filter_map(|rule| {
            let principal = principals.never(&rule.policy.principal_constraint().into());
            let why = principal.or_else(|| resources.never(&rule.policy.resource_constraint().into()))?;
            Some((rule.id.as_str(), why))
        });
        of_head.map(never).collect()
    }

    /// Rules that compare what stands as a commitment: no value equals that.
    fn reading(&self, sensitive: &[String]) -> Vec<String> {
        let members: Vec<String> = sensitive.iter().filter_map(|pointer| encoding::tokens(pointer).last()).collect();
        if members.is_empty() {
            return Vec::new();
        }
        let read = |text: &str| members.iter().find(|member| reads(text, member));
        let of_each = self.cedar.named.iter().filter_map(|rule| {
            let member = read(&rule.policy.to_string())?;
            let why =
                format!("it reads `{member}`, which is sensitive: a commitment stands there, and equals no value");
            Some(of_rule(&rule.id, &why))
        });
        of_each.collect()
    }
}

fn of_rule(name: &str, what: &str) -> String {
    format!("look at the rule `{name}`: {what}")
}

/// What one of a request's parts has to be for the head of a rule to fit.
enum Head {
    Any,
    Eq(EntityUid),
    In(EntityUid),
    Is(EntityTypeName),
    IsIn(EntityTypeName, EntityUid),
}

impl From<PrincipalConstraint> for Head {
    fn from(constraint: PrincipalConstraint) -> Self {
        match constraint {
            PrincipalConstraint::Any => Self::Any,
            PrincipalConstraint::Eq(uid) => Self::Eq(uid),
            PrincipalConstraint::In(group) => Self::In(group),
            PrincipalConstraint::Is(kind) => Self::Is(kind),
            PrincipalConstraint::IsIn(kind, group) => Self::IsIn(kind, group),
        }
    }
}

impl From<ResourceConstraint> for Head {
    fn from(constraint: ResourceConstraint) -> Self {
        match constraint {
            ResourceConstraint::Any => Self::Any,
            ResourceConstraint::Eq(uid) => Self::Eq(uid),
            ResourceConstraint::In(group) => Self::In(group),
            ResourceConstraint::Is(kind) => Self::Is(kind),
            ResourceConstraint::IsIn(kind, group) => Self::IsIn(kind, group),
        }
    }
}

/// What is known of principals, or of resources, before anybody asks.
struct Part<'a> {
    what: &'static str,
    kind: &'a EntityTypeName,
    /// What the bundle's entities of that type are in.
    groups: HashSet<EntityUid>,
    is_named: &'a dyn Fn(&str) -> bool,
    misnamed: &'static str,
}

impl Part<'_> {
    /// Why no request fits a head, where none does.
    fn never(&self, head: &Head) -> Option<String> {
        match head {
            Head::Any => None,
            Head::Eq(uid) => self.of_another(uid.type_name()).or_else(|| self.misnamed(uid)),
            Head::In(group) => self.without_members(group),
            Head::Is(kind) => self.of_another(kind),
            Head::IsIn(kind, group) => self.of_another(kind).or_else(|| self.without_members(group)),
        }
    }

    fn of_another(&self, kind: &EntityTypeName) -> Option<String> {
        let (what, own) = (self.what, self.kind);
        (kind != own).then(|| format!("every {what} is of the type {own}, and none of {kind}"))
    }

    fn misnamed(&self, uid: &EntityUid) -> Option<String> {
        (!(self.is_named)(uid.id().unescaped())).then(|| format!("{uid} {}", self.misnamed))
    }

    fn without_members(&self, group: &EntityUid) -> Option<String> {
        if self.groups.contains(group) {
            None
        } else if group.type_name() == self.kind {
            // Everything is in itself.
            self.misnamed(group)
        } else {
            Some(format!("no {} of the bundle's `entities` is in {group}", self.kind))
        }
    }
}

/// All that entities of a type are in.
fn groups(entities: &Entities, kind: &EntityTypeName) -> HashSet<EntityUid> {
    let of_kind = entities.iter().map(cedar_policy::Entity::uid).filter(|uid| uid.type_name() == kind);
    let mut groups = HashSet::new();
    for uid in of_kind {
        groups.extend(entities.ancestors(&uid).into_iter().flatten().cloned());
    }
    groups
}

/// Whether a rule's text reads a member of that name, as `.name` or `["name"]`.
fn reads(text: &str, member: &str) -> bool {
    let quoted = format!("\"{member}\"");
    let (mut before, mut last) = (Token::Sign(""), Token::Sign(""));
    for token in tokens(text) {
        let found = match token {
            Token::Word(word) => last == Token::Sign(".") && word == member,
            // Behind what has no members a bracket opens a set.
            Token::Text(text) => last == Token::Sign("[") && has_members(before) && text == quoted,
            Token::Sign(_) => false,
        };
        if found {
            return true;
        }
        (before, last) = (last, token);
    }
    false
}

fn has_members(token: Token<'_>) -> bool {
    match token {
        Token::Word(word) => word != "in",
        Token::Sign(sign) => matches!(sign, "]" | ")" | "}"),
        Token::Text(_) => false,
    }
}

/// Terms that bound or permit less, or more, than they seem to.
fn of_terms(terms: &Terms) -> Vec<&'static str> {
    let single = terms.uses.contains(&UseMode::Single);
    let bounds = terms.max.is_some() || terms.per.is_some();
    let found = [
        (
            single && terms.uses.iter().any(|mode| *mode != UseMode::Single),
            "of several modes in `use` an artifact has `single`: the others are not issued",
        ),
        (single && bounds, "`max` and `per` bound nothing where an artifact is for a single use"),
        (
            !single,
            "`max` and `per` bound the uses of one artifact. Each call through a gateway that presents none obtains one of its own, so \
             that they do not bound how often somebody calls",
        ),
        (!single && terms.max.is_none(), "without `max` an artifact is for one use"),
        (
            terms.approvals.is_some(),
            "`approvals` has every request denied (`approval.required`): nothing here takes approvals",
        ),
        (
            terms.attestation > EvidenceLevel::Software,
            "`attestation` has every request denied (`runtime.integrity`): no evidence of hardware is read here",
        ),
    ];
    found.into_iter().filter_map(|(is_so, what)| is_so.then_some(what)).collect()
}

#[cfg(test)]
mod tests;
