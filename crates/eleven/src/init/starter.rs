//! The policy that a new domain starts with: it permits one identity one model, and nothing else.

use crate::config::Config;
use crate::keystore::write_public;
use crate::output::Failure;
use eleven_core::limits::DEFAULT_LIFE;
use eleven_core::name;
use std::path::{Path, PathBuf};

/// Who is permitted.
pub(crate) const IDENTITY: &str = "svc:demo-app:dev";
/// Which model.
pub(crate) const MODEL: &str = "demo-summarizer";
/// What the calls touch, where `init` is told of no other scope.
pub(crate) const SCOPE: &str = "text.summarize";

/// Writes `policies/starter.json` and `policies/starter.cedar`, and gives back the first; beside them `disclosure.json` and
/// `disclosure.cedar`, which nobody has published yet.
///
/// # Errors
/// Where they can't be written.
pub(crate) fn write(dir: &Path, config: &Config) -> Result<PathBuf, Failure> {
    let folder = dir.join("policies");
    std::fs::create_dir(&folder).map_err(|error| Failure::about(&folder, error))?;
    let runtime = name::runtime_of_point(&config.point.name);
    let (file, rules) = (folder.join("starter.json"), folder.join("starter.cedar"));
    write_public(&rules, cedar(config, runtime).as_bytes())?;
    write_public(&folder.join("disclosure.cedar"), disclosure_cedar(config, runtime).as_bytes())?;
    write_public(&folder.join("disclosure.json"), disclosure_bundle(runtime).as_bytes())?;
    write_public(&file, bundle(config, runtime).as_bytes())?;
    Ok(file)
}

/// The rules. `eleven policy publish` reads them from beside the bundle.
fn cedar(config: &Config, runtime: &str) -> String {
    let (invoke, list) = (&config.point.operation, &config.point.list_operation);
    // That of the gateway's calls: under another none of them would pass.
    let scope = config.point.scope.join(", ");
    let named = config.point.scope.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let touched = if named.is_empty() {
        "context.op.scope.isEmpty()".to_owned()
    } else {
        format!("context.op.scope == [{named}]")
    };
    format!(
        r#"// What is not permitted here is denied. After an edit: eleven policy publish policies/starter.json --next

@id("demo-app-may-summarize")
@advice("call as {IDENTITY} the model {MODEL} with the scope [{scope}]; or edit policies/starter.cedar and publish it")
permit (
    principal == Identity::"{IDENTITY}",
    action == Action::"{invoke}",
    resource == Runtime::"{runtime}"
)
when {{
    context.op has model &&
    context.op.model == "{MODEL}" &&
    {touched}
}};

@id("demo-app-may-list-models")
@advice("list models as {IDENTITY} with the scope [{scope}]; or edit policies/starter.cedar and publish it")
permit (
    principal == Identity::"{IDENTITY}",
    action == Action::"{list}",
    resource == Runtime::"{runtime}"
)
when {{ {touched} }};
"#
    )
}

/// Who may open and erase what operations committed to. Until it is published, nobody may.
fn disclosure_cedar(config: &Config, runtime: &str) -> String {
    let identity = format!("human:operator:{}", config.env);
    format!(
        r#"// Until this is published nobody opens or erases a disclosure: eleven policy publish policies/disclosure.json

@id("operator-may-open-and-erase")
@advice("ask as {identity}; or edit policies/disclosure.cedar and publish it")
permit (
    principal == Identity::"{identity}",
    action in [Action::"disclosure.open", Action::"disclosure.erase"],
    resource == Runtime::"{runtime}"
)
when {{ context.op.purpose != "" }};
"#
    )
}

/// The bundle to it.
fn disclosure_bundle(runtime: &str) -> String {
    format!(
        r#"{{
  "v": "1",
  "ref": "policy://disclosure/v1",
  "operations": ["disclosure.erase", "disclosure.open"],
  "runtimes": ["{runtime}"],
  "schema": null,
  "terms": {{
    "ttl": 60,
    "use": ["single"],
    "bind_params": true,
    "digests": "salted",
    "release": "whole",
    "attestation": "software",
    "sensitive": []
  }}
}}
"#
    )
}

/// The bundle without its Cedar text: what it covers, and its terms.
fn bundle(config: &Config, runtime: &str) -> String {
    let mut operations = [&config.point.operation, &config.point.list_operation];
    operations.sort();
    let [first, second] = operations;
    format!(
        r#"{{
  "v": "1",
  "ref": "policy://starter/v1",
  "operations": ["{first}", "{second}"],
  "runtimes": ["{runtime}"],
  "schema": null,
  "terms": {{
    "ttl": {DEFAULT_LIFE},
    "use": ["single"],
    "bind_params": true,
    "digests": "salted",
    "release": "whole",
    "attestation": "software",
    "sensitive": []
  }}
}}
"#
    )
}

#[cfg(test)]
mod tests;
