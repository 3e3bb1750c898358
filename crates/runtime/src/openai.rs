//! Decoding: which operation the bytes of an OpenAI request are. The bytes themselves are forwarded as they came.

use crate::settings::Gateway;
use eleven_api::problem::Problem;
use eleven_core::artifact::Operation;
use eleven_core::encoding::{Object, Value, parse_at_most};
use eleven_core::limits::{MAX_MEMBERS, MAX_OP};
use eleven_core::reason::Reason;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// The top-level members of a request's body, each as the text it came as; none twice, and no more than are read.
struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object whose members stand once")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if members.len() == MAX_MEMBERS {
                        return Err(serde::de::Error::custom(format!("it has more than {MAX_MEMBERS} members")));
                    }
                    // What policy reads must be what the upstream reads: of two, nobody knows which.
                    if members.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a member stands twice"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Once)
    }
}

impl Members<'_> {
    /// A member whose name differs from one of `known` only in case, and that one. An upstream that does not tell upper from lower
    /// case, as Go's `encoding/json`, takes the two for one and the last of them wins: policy would have read the other.
    fn lookalike<'k>(&self, known: impl Iterator<Item = &'k str>) -> Option<(&str, &'k str)> {
        let known: Vec<&str> = known.collect();
        self.0.keys().find_map(|member| {
            let alike = known.iter().find(|known| *known != member && fold(known).eq(fold(member)))?;
            Some((member.as_str(), *alike))
        })
    }
}

/// A name without regard to case. Names that are one by Unicode's simple folding come out as one, so the long s (U+017F) is an
/// s and the Kelvin sign (U+212A) a k; and some that are one only by other foldings.
fn fold(name: &str) -> impl Iterator<Item = char> {
    let lower = name.chars().flat_map(char::to_lowercase);
    lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// The operation of a model call: `name`, `model`, `scope`, and the parameters that policy reads.
///
/// # Errors
/// `limits.exceeded` where the operation would be larger than one may be. 400 where the body is not JSON, has more members than are
/// read, a member stands twice or differs only in case from one that policy reads, or `model` is missing.
pub(crate) fn invocation(body: &[u8], settings: &Gateway) -> Result<Operation, Problem> {
    // Looked at first: the parser's error repeats whatever stands in the place of an object, which may be all of the body.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::malformed("the body is not an OpenAI request: it is no JSON object"));
    }
    let members: Members<'_> = serde_json::from_slice(body)
        .map_err(|error| Problem::malformed(format!("the body is not an OpenAI request: {error}")))?;
    let read = std::iter::once("model").chain(settings.parameters.iter().map(String::as_str));
    if let Some((member, known)) = members.lookalike(read) {
        let what = format!("`{member}` differs from `{known}` only in case, and an upstream may take it for that");
        return Err(Problem::malformed(format!("{what}: write `{known}`")));
    }
    let model = members.0.get("model").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    let model =
        model.ok_or_else(|| Problem::malformed("the request names no `model`; it is the operation's subject"))?;
    let mut op = Object::new().with("name", &settings.operation).with("model", model).with("scope", scope(settings));
    for name in &settings.parameters {
        if let Some(raw) = members.0.get(name) {
            op.insert(name.as_str(), parameter(raw.get())?);
        }
    }
    operation(op)
}

/// The operation of a listing of models.
///
/// # Errors
/// 400 where the configured names are not an operation's.
pub(crate) fn listing(settings: &Gateway) -> Result<Operation, Problem> {
    operation(Object::new().with("name", &settings.list_operation).with("scope", scope(settings)))
}

fn operation(op: Object) -> Result<Operation, Problem> {
    let op = Value::Object(op);
    if op.canonical().len() > MAX_OP {
        return Err(too_large());
    }
    Operation::read(op)
        .map_err(|error| Problem::malformed(format!("the request is not an operation that can be governed: {error}")))
}

fn too_large() -> Problem {
    let detail =
        "the model and the parameters that policy reads come to more than the 4 KiB of an operation: send less";
    Problem::refused(Reason::LimitsExceeded, detail)
}

fn scope(settings: &Gateway) -> Value {
    let mut scope = settings.scope.clone();
    scope.sort();
    scope.dedup();
    Value::from(scope.as_slice())
}

/// A parameter that policy reads: as it is where the protocol's encoding has it, and a number that is not an integer as
/// the text it was written as (PROTOCOL 4). What is neither stands as its text too. Each value takes at least a byte of an
/// operation, and many times that here: no more are made than an operation has room for.
fn parameter(raw: &str) -> Result<Value, Problem> {
    match parse_at_most(raw.as_bytes(), MAX_OP) {
        Ok(value) => Ok(value),
        Err(_) if raw.len() > MAX_OP => Err(too_large()),
        Err(_) => Ok(Value::from(raw)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Gateway {
        Gateway {
            scope: vec!["text.summarize".into(), "a".into(), "a".into()],
            parameters: vec!["temperature".into(), "max_tokens".into()],
            ..Gateway::default()
        }
    }

    #[test]
    fn a_request_is_framed_by_what_policy_reads() {
        let body = br#"{"model":"m","temperature":0.20,"max_tokens":7,"messages":[{"role":"user"}]}"#;
        let op = invocation(body, &settings()).expect("framed");
        let text =
            r#"{"max_tokens":7,"model":"m","name":"model.invoke","scope":["a","text.summarize"],"temperature":"0.20"}"#;
        assert_eq!(op.value().to_string(), text);
    }

    #[test]
    fn a_member_that_an_upstream_may_take_for_one_that_policy_reads_is_refused() {
        let settings = Gateway { parameters: vec!["max_tokens".into(), "größe".into()], ..Gateway::default() };
        for (member, known) in [
            ("Model", "model"),
            ("MODEL", "model"),
            (r"mod\u0045l", "model"),
            ("Max_Tokens", "max_tokens"),
            ("max_to\u{212a}ens", "max_tokens"),
            ("max_token\u{17f}", "max_tokens"),
            (r"max_token\u017f", "max_tokens"),
            ("GRÖSSE", "größe"),
            ("grö\u{1e9e}e", "größe"),
        ] {
            for body in
                [format!(r#"{{"model":"small","{member}":"big"}}"#), format!(r#"{{"{member}":"big","model":"small"}}"#)]
            {
                let problem = invocation(body.as_bytes(), &settings).expect_err("refused");
                assert_eq!(problem.status, 400, "{body}");
                assert!(problem.detail.ends_with(&format!("write `{known}`")), "{}", problem.detail);
            }
        }
        // What policy does not read is the upstream's own matter.
        let others = br#"{"model":"m","max_tokens":7,"Temperature":1,"temperature":0,"models":[],"User":"u"}"#;
        assert!(invocation(others, &settings).is_ok());
    }

    #[test]
    fn an_operation_past_its_limit_is_refused_with_the_reason_of_limits() {
        for body in [
            format!(r#"{{"model":"{}"}}"#, "m".repeat(MAX_OP)),
            format!(r#"{{"model":"m","max_tokens":"{}"}}"#, "9".repeat(MAX_OP)),
        ] {
            let problem = invocation(body.as_bytes(), &settings()).expect_err("refused");
            assert_eq!((problem.status, problem.reason), (403, Some(Reason::LimitsExceeded)));
        }
    }

    #[test]
    fn a_parameter_of_more_values_than_an_operation_has_bytes_is_refused_before_they_are_made() {
        let list = |values: usize| format!("[{}]", vec!["0"; values - 1].join(","));
        assert!(parameter(&list(MAX_OP)).is_ok(), "its size is judged with the operation's");
        // Nothing behind the one that is too many is read; and what stands as its text has no more room.
        let (more, cut) = (list(MAX_OP + 1), list(MAX_OP + 1).replace(']', ""));
        for raw in [more, cut, "0.5".repeat(MAX_OP)] {
            let problem = parameter(&raw).expect_err("refused");
            assert_eq!((problem.status, problem.reason), (403, Some(Reason::LimitsExceeded)));
        }
        let spaced = format!("[0,{}0]", " ".repeat(2 * MAX_OP));
        assert_eq!(parameter(&spaced).expect("small").to_string(), "[0,0]");
    }

    #[test]
    fn a_body_has_as_many_members_as_are_read_and_no_more() {
        let body = |members: usize| {
            let others: String = (1..members).map(|n| format!(r#","m{n}":0"#)).collect();
            format!(r#"{{"model":"m"{others}}}"#)
        };
        assert!(invocation(body(MAX_MEMBERS).as_bytes(), &settings()).is_ok());
        let problem = invocation(body(MAX_MEMBERS + 1).as_bytes(), &settings()).expect_err("refused");
        assert_eq!(problem.status, 400);
        assert!(problem.detail.contains("more than 1024 members"), "{}", problem.detail);
        // It is refused where the limit is passed; what comes behind is not read, let alone kept.
        let cut = &body(2000).into_bytes()[..16_000];
        assert!(invocation(cut, &settings()).expect_err("refused").detail.contains("more than 1024 members"));
    }

    #[test]
    fn what_is_said_of_a_body_that_is_no_request_does_not_repeat_it() {
        let text = "juniper".repeat(10_000);
        for body in [
            format!("\"{text}\""),
            format!(" \r\n\t\"{text}\""),
            "7".repeat(10_000),
            text.clone(),
            format!("{{\"{text}\"}}"),
            format!("{{\"model\":\"{text}\",\"model\":\"{text}\"}}"),
            format!("{{\"{text}\":1,\"{text}\":2}}"),
            format!("{{\"model\":[\"{text}\"]}}"),
            format!("{{\"model\":{text}}}"),
        ] {
            let problem = invocation(body.as_bytes(), &settings()).expect_err("refused");
            assert_eq!(problem.status, 400, "{}", problem.detail);
            assert!(problem.detail.len() < 200, "{}", problem.detail);
        }
    }

    #[test]
    fn what_policy_reads_is_what_the_upstream_reads() {
        for body in [
            &br#"{"model":"m","model":"n"}"#[..],
            br#"{"model":"m","mod\u0065l":"n"}"#,
            br#"{"messages":[]}"#,
            br#"{"model":7}"#,
            b"[]",
            b"",
            b"{\"model\":\"m\"} {}",
        ] {
            let problem = invocation(body, &settings()).expect_err("refused");
            assert_eq!(problem.status, 400, "{}", String::from_utf8_lossy(body));
        }
    }
}
