//! Policies from the command line: published from files, listed, shown.

use super::{act, checking, report};
use crate::call::{self, Registry};
use crate::cli::PolicyCommand;
use crate::config::Config;
use crate::lineage_cmd::ends_of;
use crate::output::{Failure, Output, aside};
use eleven_api::routes;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::name;
use eleven_core::policy::PolicyBundle;
use eleven_core::registry::pattern;
use eleven_policy::CompiledPolicy;
use std::path::{Path, PathBuf};

/// A policy bundle as it lies in files: JSON, its Cedar text and schema perhaps beside it.
pub(crate) struct Source {
    bundle: Object,
    /// What it was read from.
    files: Vec<PathBuf>,
    /// What lies beside it and was not read, each with the member that the bundle has itself.
    unread: Vec<(PathBuf, &'static str)>,
}

impl Source {
    /// Reads `starter.json`, and `starter.cedar` and `starter.cedarschema` where the JSON has no such members, or says null.
    ///
    /// # Errors
    /// Where a file can't be read, is not I-JSON, or is the Cedar text or schema itself.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let text = |file: &Path| {
            let text = std::fs::read_to_string(file);
            text.map_err(|error| Failure::usage_about(file, error))
        };
        if file.extension().is_some_and(|extension| extension == "cedar" || extension == "cedarschema") {
            return Err(Failure::usage(format!(
                "{} is what a bundle takes from beside it: name the `.json` beside it, {}",
                file.display(),
                file.with_extension("json").display()
            )));
        }
        let json = text(file)?;
        let value = parse(json.as_bytes());
        let value = value.map_err(|error| {
            let line = json.bytes().take(error.at).filter(|byte| *byte == b'\n').count() + 1;
            Failure::usage(format!("{}:{line}: it is not I-JSON: {error}", file.display()))
        })?;
        let Value::Object(mut bundle) = value else {
            return Err(Failure::usage(format!("{} is no policy bundle: it is not an object", file.display())));
        };
        let (mut files, mut unread) = (vec![file.to_owned()], Vec::new());
        let (rules, schema) = (file.with_extension("cedar"), file.with_extension("cedarschema"));
        if lacks(&bundle, "cedar") {
            let none = || format!("{} has no member `cedar`, and its rules are not beside it", file.display());
            bundle.insert("cedar", text(&rules).map_err(|failure| failure.while_(&none()))?);
            files.push(rules);
        } else if rules.exists() {
            unread.push((rules, "cedar"));
        }
        match (lacks(&bundle, "schema"), schema.exists()) {
            (true, true) => {
                bundle.insert("schema", text(&schema)?);
                files.push(schema);
            }
            (true, false) => {
                bundle.insert("schema", Value::Null);
            }
            (false, true) => unread.push((schema, "schema")),
            (false, false) => {}
        }
        Ok(Self { bundle, files, unread })
    }

    /// The bundle.
    pub(crate) fn into_object(self) -> Object {
        self.bundle
    }

    /// The files that it was read from.
    pub(super) fn read_from(&self) -> String {
        self.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
    }

    /// What its author may take for a part of it, and is none.
    pub(super) fn unread(&self) -> Vec<String> {
        let told = |(file, member): &(PathBuf, &str)| {
            format!("look at {}: it is not read, since the bundle has a `{member}` of its own", file.display())
        };
        self.unread.iter().map(told).collect()
    }

    fn reference(&self) -> Option<&str> {
        self.bundle.get("ref").and_then(Value::as_str)
    }

    /// Gives it the version after the one of its path in force.
    fn numbered_next(mut self, config: &Config) -> Result<Self, Failure> {
        let path = self.reference().and_then(name::policy_version).map(|(path, _)| path.to_owned());
        let path = path.ok_or_else(|| Failure::usage("the bundle's `ref` is not policy://<path>/v<N>"))?;
        let in_force = policies(config)?.into_iter().filter_map(|policy| {
            let (of, version) = name::policy_version(policy.get("ref")?.as_str()?)?;
            (of == path).then_some(version)
        });
        let next = in_force.max().unwrap_or(0) + 1;
        self.bundle.insert("ref", format!("policy://{path}/v{next}"));
        Ok(self)
    }

    /// The reference that a refusal names as the next one, where it is of this path.
    pub(super) fn next_by(&self, refused: &Failure) -> Option<String> {
        let next = refused.next()?;
        let path = |reference| name::policy_version(reference).map(|(path, _)| path);
        (path(next)? == path(self.reference()?)?).then(|| next.to_owned())
    }
}

/// `policy …`.
///
/// # Errors
/// As [`act`].
pub(crate) fn policy(config: &Config, command: PolicyCommand, output: Output) -> Result<(), Failure> {
    match command {
        PolicyCommand::Publish { file, next } => publish(config, &file, next, output)?,
        PolicyCommand::Retire { reference } => {
            let done = act(config, "policy.retire", Object::new().with("ref", &reference));
            let done = done.map_err(|failure| failure.while_(&reference))?;
            report(&done, &format!("{reference} is retired"), output);
        }
        PolicyCommand::Check { file, ask } => checking::check(config, &file, &ask, output)?,
        PolicyCommand::List => list(config, output)?,
        PolicyCommand::Show { reference } => show(config, &reference, output)?,
    }
    Ok(())
}

/// Publishes the bundle of a file; with `next` as the version after the last one of its path.
fn publish(config: &Config, file: &Path, next: bool, output: Output) -> Result<(), Failure> {
    let source = Source::read(file)?;
    let mut source = if next { source.numbered_next(config)? } else { source };
    let publish = |source: &Source| act(config, "policy.publish", Object::new().with("bundle", source.bundle.clone()));
    let mut done = publish(&source);
    // What is in force does not show a version that was retired: who refuses it knows which one is the next.
    let named = done.as_ref().err().filter(|_| next).and_then(|refused| source.next_by(refused));
    if let Some(reference) = named {
        source.bundle.insert("ref", reference);
        done = publish(&source);
    }
    let tried = format!("{} of {}", source.reference().unwrap_or("?"), source.read_from());
    let unread = source.unread();
    let bundle = source.into_object();
    let done = done.map_err(|failure| {
        let numbered = next || failure.next().is_none();
        failure.while_(&tried).or_else_try(numbered, "--next numbers it by itself")
    })?;
    let policy = |name: &str| done.get("policy").and_then(|policy| policy.get(name)).and_then(Value::as_str);
    let what = format!("{} is published\n  {}", policy("ref").unwrap_or("?"), policy("hash").unwrap_or("?"));
    report(&done, &what, output);
    unread.iter().chain(&warnings(bundle, config)).for_each(|warning| aside(warning));
    Ok(())
}

/// Whether a bundle has no text of its own as this member: what init writes says null where there is no schema.
fn lacks(bundle: &Object, member: &str) -> bool {
    bundle.get(member).is_none_or(|value| *value == Value::Null)
}

/// What to look at in a bundle that was published, and so compiles.
fn warnings(bundle: Object, config: &Config) -> Vec<String> {
    let Ok(bundle) = PolicyBundle::read(Value::Object(bundle)) else { return Vec::new() };
    let Ok(compiled) = CompiledPolicy::compile(&bundle) else { return Vec::new() };
    let snapshot = call::registry(config).ok();
    notes(&bundle, &compiled, snapshot.as_ref())
}

/// What to look at in a bundle: by itself, and where the registry is at hand by that.
pub(super) fn notes(bundle: &PolicyBundle, compiled: &CompiledPolicy, snapshot: Option<&Value>) -> Vec<String> {
    let mut notes = compiled.notes(bundle);
    if let Some(rows) = snapshot.and_then(|snapshot| snapshot.get("runtimes")).and_then(Value::as_array) {
        let registered = || rows.iter().filter_map(|row| row.get("runtime").and_then(Value::as_str));
        let idle = |pattern: &&String| !registered().any(|runtime| pattern::matches(pattern, runtime));
        let told = |pattern: &String| format!("look at `runtimes`: no registered enforcement point is of {pattern}");
        notes.extend(bundle.runtimes.iter().filter(idle).map(told));
    }
    notes
}

fn policies(config: &Config) -> Result<Vec<Value>, Failure> {
    let snapshot = call::registry(config)?;
    Ok(snapshot.get("policies").and_then(Value::as_array).unwrap_or_default().to_vec())
}

fn list(config: &Config, output: Output) -> Result<(), Failure> {
    let policies = policies(config)?;
    let row = |policy: &Value| {
        let text = |name: &str| policy.get(name).and_then(Value::as_str).unwrap_or("?").to_owned();
        let joined = |name: &str| {
            let items = policy.get(name).and_then(Value::as_array).unwrap_or_default();
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        };
        vec![text("ref"), joined("operations"), joined("runtimes"), ends_of(&text("hash"))]
    };
    let table = || output.table_of(["POLICY", "OPERATIONS", "RUNTIMES", "HASH"], policies.iter().map(row));
    output.either(|| Value::Array(policies.clone()), table);
    Ok(())
}

fn show(config: &Config, reference: &str, output: Output) -> Result<(), Failure> {
    let policies = policies(config)?;
    let policy = policies.iter().find(|policy| policy.get("ref").and_then(Value::as_str) == Some(reference));
    let hash = policy.and_then(|policy| policy.get("hash")).and_then(Value::as_str);
    let hash =
        hash.ok_or_else(|| Failure::new(format!("{reference} is not in force: `eleven policy list` shows what is")))?;
    let bundle = call::get(&Registry::of(config), &format!("{}{hash}", routes::REGISTRY_POLICIES))?;
    output.either(|| bundle.clone(), || in_words(reference, hash, &bundle));
    Ok(())
}

/// A bundle for people: all that decides, also who is in which group.
pub(super) fn in_words(reference: &str, hash: &str, bundle: &Value) -> String {
    let text = |name: &str| bundle.get(name).and_then(Value::as_str).unwrap_or_default().trim_end().to_owned();
    let list = |name: &str| {
        let items = bundle.get(name).and_then(Value::as_array).unwrap_or_default();
        items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    };
    let written = |value: &Value| String::from_utf8_lossy(&value.canonical()).into_owned();
    let terms = bundle.get("terms").map(written).unwrap_or_default();
    let entities = bundle.get("entities").and_then(Value::as_array).unwrap_or_default();
    let entities: Vec<String> = entities.iter().map(written).collect();
    let head = format!("{reference}\n{hash}\noperations {}\nruntimes {}", list("operations"), list("runtimes"));
    let mut told = format!("{head}\nterms {terms}\n\n{}", text("cedar"));
    for (name, more) in [("entities", entities.join("\n")), ("schema", text("schema"))] {
        if !more.is_empty() {
            told = format!("{told}\n\n{name}\n{more}");
        }
    }
    told
}
