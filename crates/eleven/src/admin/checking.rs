//! `policy check`: whether a policy would be published, what its author should look at, and what it decides, before anything is.

use super::policy::{Source, notes};
use crate::call::{self, Registry};
use crate::config::Config;
use crate::corner;
use crate::output::{Failure, Output, aside, shown};
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_api::routes;
use eleven_authority::admin::unenforced;
use eleven_core::decision::DecisionInput;
use eleven_core::disclosure::in_clear;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::event::{About, Draft, Place};
use eleven_core::form::FormError;
use eleven_core::hash::Sha3;
use eleven_core::name;
use eleven_core::policy::PolicyBundle;
use eleven_core::registry::{Item as _, PolicyRecord, PublishedPolicy, pattern};
use eleven_core::root::TrustRoot;
use eleven_core::signature::SeedSigner;
use eleven_policy::{CompiledPolicy, Decision, Denial, decide};
use std::path::{Path, PathBuf};

/// Checks the bundle of a file, and decides by it what is asked.
///
/// # Errors
/// Where it would be refused, or a file can't be read.
pub(super) fn check(config: &Config, file: &Path, asked: &[PathBuf], output: Output) -> Result<(), Failure> {
    let source = Source::read(file)?;
    let (tried, unread) = (source.read_from(), source.unread());
    let value = Value::Object(source.into_object());
    let size = value.canonical().len();
    let bundle = PolicyBundle::read(value).map_err(|error| Failure::from(error).while_(&tried))?;
    let refused = |why: &dyn std::fmt::Display| Failure::new(format!("{} of {tried}: {why}", bundle.reference));
    let compiled = CompiledPolicy::publishable(&bundle, size).map_err(|error| refused(&error))?;
    if let Some(why) = unenforced(&bundle, witnesses(config)) {
        return Err(refused(&why));
    }
    if let Err(error) = published(config, &bundle) {
        return Err(refused(&format!(
            "{error}: `operations` and `runtimes` stand in it, so make several policies of it"
        )));
    }
    let snapshot = call::registry(config);
    if let Some(other) = snapshot.as_ref().ok().and_then(|snapshot| overlapping(&bundle, snapshot)) {
        return Err(refused(&format!(
            "{other} could cover the same operation and runtime: narrow one, or retire it first"
        )));
    }
    let decisions = asked.iter().map(|file| Decided::of(config, &bundle, &compiled, file));
    let decisions = decisions.collect::<Result<Vec<_>, _>>()?;
    let mut notes = notes(&bundle, &compiled, snapshot.as_ref().ok());
    notes.extend(unread);
    notes.extend(snapshot.as_ref().ok().and_then(|snapshot| misnumbered(&bundle, snapshot)));
    notes.extend(snapshot.err().map(|failure| format!("what is in force was not compared: {failure}")));
    let value = || {
        let look: Vec<Value> = notes.iter().map(Value::from).collect();
        let decisions: Vec<Value> = decisions.iter().map(Decided::to_value).collect();
        Value::Object(
            Object::new().with("policy", bundle.id().to_value()).with("look", look).with("decisions", decisions),
        )
    };
    let text = || {
        let first = format!("{} of {tried} can be published\n  {}", bundle.reference, bundle.hash);
        std::iter::once(first).chain(decisions.iter().map(Decided::told)).collect::<Vec<_>>().join("\n")
    };
    output.either(value, text);
    notes.iter().for_each(|note| aside(note));
    Ok(())
}

/// Whether the event that publishes the bundle can be made, with names of keys as `eleven init` gives them.
fn published(config: &Config, bundle: &PolicyBundle) -> Result<(), FormError> {
    let signer = |role: &str| SeedSigner::new(format!("key:{}/{role}/1", config.domain), &[0; 32]);
    let published = PublishedPolicy::sign(&config.domain, PolicyRecord::of(bundle), &signer("policy"));
    let draft = Draft {
        event: "policy.published",
        place: Place::Alone,
        ts: SystemClock.now(),
        by: config.authority_name(),
        src_seq: 0,
        data: published.to_object(),
        about: About { identity: Some(format!("human:operator:{}", config.env)), ..About::default() },
    };
    draft.sign(&signer("authority")).map(drop)
}

/// How many witnesses the root names: the one in force, or the one that is pinned where the authority does not answer. One that is not
/// to be had may name some.
fn witnesses(config: &Config) -> usize {
    let in_force = call::get(&Registry::of(config), routes::REGISTRY_ROOT).ok();
    let root = in_force.and_then(|root| TrustRoot::read(root).ok()).or_else(|| corner::read_root(&config.root).ok());
    root.map_or(1, |root| root.witnesses.keys.len())
}

/// A policy in force of another path that could cover the same.
fn overlapping(bundle: &PolicyBundle, snapshot: &Value) -> Option<String> {
    let path = |reference: &str| name::policy_version(reference).map(|(path, _)| path.to_owned());
    let rows = snapshot.get("policies").and_then(Value::as_array).unwrap_or_default().iter().cloned();
    let others = rows.filter_map(|row| PolicyRecord::read(row).ok());
    let mut others = others.filter(|other| path(&other.id.reference) != path(&bundle.reference));
    let meets = |runtime: &String, others: &[String]| others.iter().any(|other| pattern::overlap(runtime, other));
    let same = others.find(|other| {
        bundle.operations.iter().any(|operation| other.operations.contains(operation))
            && bundle.runtimes.iter().any(|runtime| meets(runtime, &other.runtimes))
    });
    same.map(|other| other.id.reference)
}

/// The one version that is taken of its path now, where the bundle is another.
fn misnumbered(bundle: &PolicyBundle, snapshot: &Value) -> Option<String> {
    let (path, version) = name::policy_version(&bundle.reference)?;
    let rows = snapshot.get("policies").and_then(Value::as_array).unwrap_or_default();
    let versions = rows.iter().filter_map(|row| name::policy_version(row.get("ref")?.as_str()?));
    let in_force = versions.filter(|(of, _)| *of == path).map(|(_, version)| version).max()?;
    let next = in_force.saturating_add(1);
    let told = || {
        format!(
            "look at `ref`: policy://{path}/v{in_force} is in force, so that v{next} is what is taken; `eleven policy publish --next` makes \
             that of it, and its hash is another then"
        )
    };
    (version != next).then(told)
}

/// What the bundle decides about a request.
struct Decided {
    file: String,
    decision: Decision,
}

impl Decided {
    fn of(config: &Config, bundle: &PolicyBundle, compiled: &CompiledPolicy, file: &Path) -> Result<Self, Failure> {
        let place = file.display().to_string();
        let wrong = |what: &dyn std::fmt::Display| Failure::usage(format!("{place}: {what}"));
        let text = std::fs::read(file).map_err(|error| wrong(&error))?;
        let Value::Object(request) = parse(&text).map_err(|error| wrong(&error))? else {
            return Err(wrong(&"a request is an object with `identity` and `op`"));
        };
        let input = DecisionInput::read(Value::Object(completed(config, bundle, request)));
        let input = input.map_err(|error| wrong(&error))?;
        let clear = bundle.terms.sensitive.iter().find_map(|pointer| in_clear(input.op.value(), pointer));
        if let Some(pointer) = clear {
            return Err(wrong(&format!(
                "`{pointer}` is sensitive under this policy: write what a policy reads there, {{\"_sd\":\"sha3-512:…\"}}"
            )));
        }
        Ok(Self { file: place, decision: decide(compiled, &input) })
    }

    fn to_value(&self) -> Value {
        let told = Object::new().with("file", &self.file);
        Value::Object(match &self.decision {
            Decision::Permit { rule } => told.with("decision", "allow").with("rule", rule),
            Decision::Deny(Denial { reason, rule, forbids, would_pass, detail }) => told
                .with("decision", "deny")
                .with("reason", reason.code())
                .with_some("rule", rule.as_ref())
                .with_some("forbids", forbids.then_some(true))
                .with_some("detail", detail.as_ref())
                .with_some("would_pass", would_pass.as_ref()),
        })
    }

    fn told(&self) -> String {
        match &self.decision {
            Decision::Permit { rule } => format!("{}: allow, by `{}`", self.file, shown(rule)),
            Decision::Deny(Denial { reason, rule, forbids, would_pass, detail }) => {
                let mut told = format!("{}: deny ({reason})", self.file);
                let by = if *forbids { "the rule that forbids it" } else { "rule" };
                let parts = [(by, rule), ("detail", detail), ("what would pass", would_pass)];
                for (name, text) in parts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?))) {
                    told = format!("{told}\n  {name}: {}", shown(text));
                }
                told
            }
        }
    }
}

/// A request with what the authority adds to it: where it runs and when, and what binds it, which here is nothing's digest.
fn completed(config: &Config, bundle: &PolicyBundle, mut request: Object) -> Object {
    let point = &config.point;
    let env = Object::new()
        .with("runtime", name::runtime_of_point(&point.name))
        .with("region", &point.region)
        .with("tenancy", &point.tenancy);
    let added = [
        ("env", Value::Object(env)),
        ("facts", Value::Object(Object::new())),
        ("at", SystemClock.now().to_millis_value()),
    ];
    for (name, value) in added {
        if request.get(name).is_none() {
            request.insert(name, value);
        }
    }
    if bundle.terms.bind_params
        && let Some(Value::Object(mut op)) = request.remove("op")
    {
        if op.get("params").is_none() {
            op.insert("params", Sha3::of(&[b""]));
        }
        request.insert("op", op);
    }
    request.with("policy", bundle.id().to_value())
}

#[cfg(test)]
mod tests;
