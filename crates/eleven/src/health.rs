//! How a corner is, by its own word, and whether whoever answers at its URL is that corner at all.

use crate::config::Config;
use crate::corner::Which;
use eleven_api::client::{CallError, Client};
use eleven_core::encoding::Value;
use eleven_core::reason::Reason;
use std::time::Duration;

/// How long a corner may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who answers at a corner's URL, and how it is.
#[derive(Debug)]
pub(crate) enum Health {
    /// The corner of this domain.
    Ours(Said),
    /// Somebody else; who.
    Other(String),
    /// Somebody whose certificate is not trusted here; why, and what to do.
    Untrusted(String),
    /// Nobody.
    Nobody,
}

/// What a corner says of itself.
#[derive(Debug)]
pub(crate) struct Said {
    /// Whether it is ready.
    pub(crate) ready: bool,
    /// All of it.
    pub(crate) value: Value,
}

impl Said {
    /// Why the registry does not approve what runs there, where the corner is an enforcement point and says so.
    pub(crate) fn unapproved(&self) -> Option<&str> {
        self.value.get("unapproved").and_then(Value::as_str)
    }

    /// Whether the registry went back there, behind what the point has seen.
    pub(crate) fn went_back(&self) -> bool {
        self.value.get("seen_epoch").is_some()
    }

    /// Why every call is refused there, whatever it presents, where the corner is an enforcement point and says so.
    pub(crate) fn denies(&self) -> Option<&str> {
        self.value.get("denies").and_then(Value::as_str)
    }

    /// The keys that it says it signs with, of each use: of its events, of heads where it is a ledger, of artifacts where it is an
    /// authority. They are all that it holds, since it goes on by another when one ends; of a ledger's events the one in use, for that
    /// is the newest as soon as it counts.
    pub(crate) fn signs(&self) -> [Vec<String>; 3] {
        let kid = |value: &Value| value.get("kid").and_then(Value::as_str).map(str::to_owned);
        let held = |name: &str| {
            let rows = self.value.get(name).and_then(Value::as_array);
            rows.map(|rows| rows.iter().filter_map(kid).collect::<Vec<String>>())
        };
        let events = held("event_keys").unwrap_or_else(|| kid(&self.value).into_iter().collect());
        [events, held("head_keys").unwrap_or_default(), held("issuer_keys").unwrap_or_default()]
    }

    /// A key without which it does nothing, and which does not count, where the corner is an authority and says so.
    pub(crate) fn uncounted(&self) -> Option<&str> {
        self.value.get("uncounted").and_then(Value::as_str)
    }

    /// How many policies in force do not decide there, where the corner is an authority and says so.
    pub(crate) fn undecided(&self) -> Option<i64> {
        self.value.get("undecided").and_then(Value::as_int)
    }

    /// By how many milliseconds its clock is behind what it signed, where the corner is a ledger and says so.
    pub(crate) fn clock_behind_ms(&self) -> Option<i64> {
        self.value.get("clock_behind_ms").and_then(Value::as_int)
    }

    /// What keeps it from being ready, as far as its members say.
    pub(crate) fn lacks(&self) -> Option<&'static str> {
        let is = |name: &str, text: &str| self.value.get(name).and_then(Value::as_str) == Some(text);
        let not = |name: &str| self.value.get(name) == Some(&Value::Bool(false));
        let lacks = [
            (is("ledger", "silent"), "it hears nothing from the ledger"),
            (is("events", "stalled"), "the ledger takes none of its events"),
            (not("registry_agrees"), "the authority signed another registry than the entries give"),
            (not("takes_events"), "it takes no events"),
            (not("signs_heads"), "it signs no heads"),
            (not("fresh"), "its view of the registry is not fresh: the authority is not reached, or signs no stamp"),
        ];
        lacks.into_iter().find_map(|(is_so, what)| is_so.then_some(what))
    }

    /// How its archive was at its start, where that was not as it should be and the corner is a ledger and says so.
    pub(crate) fn archive(&self) -> Option<&str> {
        self.value.get("archive").and_then(Value::as_str)
    }

    /// Whether nothing but what it denies for keeps it from being ready.
    pub(crate) fn only_denies(&self) -> bool {
        let is = |name: &str| self.value.get(name) == Some(&Value::Bool(true));
        self.denies().is_some() && is("fresh") && is("approved")
    }

    /// Whether the process is up: ready, or kept from it only by what every process in its place would be kept by. That is a
    /// containment, or a registry that went back, which has the same reason.
    pub(crate) fn is_up(&self) -> bool {
        let reason = self.value.get("reason").and_then(Value::as_str);
        let contained = reason == Some(Reason::RuntimeContained.code());
        self.ready || (contained && self.only_denies())
    }
}

/// Asks at a corner's URL.
pub(crate) async fn of(which: Which, config: &Config) -> Health {
    by(&Client::new(), which, config).await
}

/// Asks at a corner's URL, by a client that is asked with more than once.
pub(crate) async fn by(client: &Client, which: Which, config: &Config) -> Health {
    judge(which, config, client.health(&which.of(config).url, PATIENCE).await)
}

fn judge(which: Which, config: &Config, answered: Result<(bool, Value), CallError>) -> Health {
    let (ready, value) = match answered {
        Ok(said) => said,
        Err(CallError::Untrusted(why)) => return Health::Untrusted(why),
        // What answers otherwise than a corner does is none.
        Err(CallError::Malformed(_)) => (false, Value::Null),
        Err(_) => return Health::Nobody,
    };
    let member = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    match (member("corner"), member("domain")) {
        (Some(corner), Some(domain)) if corner == which.name() && domain == config.domain => {
            Health::Ours(Said { ready, value })
        }
        (Some(corner), Some(domain)) => Health::Other(format!("the {corner} of {domain}")),
        (Some(corner), None) => Health::Other(format!("a {corner} that names no domain")),
        (None, _) => Health::Other("a server that is no corner".to_owned()),
    }
}

#[cfg(test)]
mod tests;
