//! A decision input as Cedar sees it.
//!
//! Principal `Identity::"<identity>"`, action `Action::"<operation>"`, resource `Runtime::"<runtime>"`. Entities are the
//! bundle's own and no others; what the request says about itself stands in the context:
//!
//! | context | type |
//! |---|---|
//! | `identity` | record: `id`, `kind`, `name`, and `env`, `domain` where the identity has them |
//! | `op` | record: the whole operation; `scope` is a set of strings |
//! | `env` | record: `runtime`, `region`, `tenancy` |
//! | `facts` | record: `operator` where one had the caller's token issued and the schema, if there is one, knows it |
//! | `at` | datetime |
//!
//! Of JSON: a string is a string, an integer a long, an array a set (its order and repeats are gone), an object a record,
//! and there is no null in Cedar. None of them can become an entity or an extension value: what a caller writes stays data.

use crate::compile::{Cedar, EntityTypes};
use cedar_policy::{Context, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression};
use cedar_policy_core::ast::RestrictedExpr;
use eleven_core::artifact::Environment;
use eleven_core::decision::DecisionInput;
use eleven_core::encoding::{Object, Value};
use eleven_core::time::Time;

/// Why an input can't be asked about.
pub(crate) type NoRequest = String;

/// Parameters of an operation that are looked at to say which one a schema does not know: each is a request built once more.
const LOOKED_AT: usize = 16;

/// The request that an input makes. Where the bundle has a schema, the request is of it, or there is none.
pub(crate) fn of(cedar: &Cedar, input: &DecisionInput) -> Result<Request, NoRequest> {
    asking(cedar, input, input.op.value()).map_err(|error| match unknown(cedar, input) {
        Some(member) => format!(
            "its schema does not know `op.{member}` for the action \"{}\", or not as what was sent: declare it as optional",
            input.op.name
        ),
        None => error,
    })
}

/// Whether there is a request that an input makes.
pub(crate) fn is_known(cedar: &Cedar, input: &DecisionInput) -> bool {
    asking(cedar, input, input.op.value()).is_ok()
}

/// The request with another `op`.
fn asking(cedar: &Cedar, input: &DecisionInput, op: &Value) -> Result<Request, NoRequest> {
    let types = &cedar.types;
    Request::new(
        uid(&types.identity, &input.identity),
        uid(&types.action, &input.op.name),
        uid(&types.runtime, &input.env.runtime),
        context(types, input, op)?,
        cedar.schema.as_ref(),
    )
    .map_err(|error| error.to_string())
}

/// The parameter without which the request would be of the schema, where one alone keeps it from that: Cedar repeats the whole context
/// and names none.
fn unknown<'a>(cedar: &Cedar, input: &'a DecisionInput) -> Option<&'a str> {
    // What no policy can read is said as that.
    context(&cedar.types, input, input.op.value()).ok()?;
    let op = input.op.value().as_object().filter(|_| cedar.schema.is_some())?;
    op.iter().map(|(name, _)| name).take(LOOKED_AT).find(|name| {
        let others = op.iter().filter(|(other, _)| other != name);
        let without = others.fold(Object::new(), |without, (name, value)| without.with(name, value.clone()));
        asking(cedar, input, &Value::Object(without)).is_ok()
    })
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn context(types: &EntityTypes, input: &DecisionInput, op: &Value) -> Result<Context, NoRequest> {
    let members = [
        ("identity", identity(&input.identity)?),
        ("op", expression("op", op)?),
        ("env", environment(&input.env)?),
        ("facts", record("facts", &input.facts)?),
        ("at", moment(types, input.at)),
    ];
    Context::from_pairs(members.map(|(name, value)| (name.to_owned(), value))).map_err(|error| error.to_string())
}

/// [`RestrictedExpression::new_datetime`], which parses the function's name each time: a twelfth of what an issuance takes.
fn moment(types: &EntityTypes, at: Time) -> RestrictedExpression {
    RestrictedExpr::call_extension_fn(types.datetime.clone(), [RestrictedExpr::val(at.millis())]).into()
}

/// The parts of `<kind>:<name>[:<env>][@<domain>]`.
fn identity(identity: &str) -> Result<RestrictedExpression, NoRequest> {
    let (local, domain) = identity.split_once('@').map_or((identity, None), |(local, domain)| (local, Some(domain)));
    let mut parts = local.split(':');
    let members = [
        ("id", Some(identity)),
        ("kind", parts.next()),
        ("name", parts.next()),
        ("env", parts.next()),
        ("domain", domain),
    ];
    texts(members.into_iter().filter_map(|(name, text)| Some((name, text?))))
}

fn environment(env: &Environment) -> Result<RestrictedExpression, NoRequest> {
    texts([("runtime", env.runtime.as_str()), ("region", &env.region), ("tenancy", &env.tenancy)])
}

fn texts<'a>(members: impl IntoIterator<Item = (&'static str, &'a str)>) -> Result<RestrictedExpression, NoRequest> {
    let members = members.into_iter().map(|(name, text)| (name.to_owned(), text_of(text)));
    RestrictedExpression::new_record(members).map_err(|error| error.to_string())
}

fn text_of(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn expression(name: &str, value: &Value) -> Result<RestrictedExpression, NoRequest> {
    match value {
        Value::Null => Err(format!("`{name}` is null or holds a null, which no policy can read; leave it out")),
        Value::Bool(truth) => Ok(RestrictedExpression::new_bool(*truth)),
        Value::Int(number) => Ok(RestrictedExpression::new_long(*number)),
        Value::Str(text) => Ok(text_of(text)),
        Value::Array(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(|item| expression(name, item)).collect();
            Ok(RestrictedExpression::new_set(items?))
        }
        Value::Object(object) => record(name, object),
    }
}

fn record(name: &str, object: &Object) -> Result<RestrictedExpression, NoRequest> {
    let member = |(name, value): (&str, &Value)| Ok((name.to_owned(), expression(name, value)?));
    let members: Result<Vec<_>, NoRequest> = object.iter().map(member).collect();
    RestrictedExpression::new_record(members?).map_err(|error| format!("`{name}`: {error}"))
}

#[cfg(test)]
mod tests;
