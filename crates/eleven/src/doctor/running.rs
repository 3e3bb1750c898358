//! What runs, held against the configuration and the registry: the processes themselves are asked, since this binary and this
//! file may be others than theirs.

use super::{Finding, State, bad, good, warn};
use crate::config::Config;
use crate::corner::{self, Which};
use crate::health::{Health, Said};
use crate::key_cmd;
use crate::keystore;
use crate::output::word;
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_core::encoding::Value;
use eleven_core::registry::{ContainmentRecord, ContainmentState, Item as _, RuntimeRecord};
use eleven_core::time::Time;
use eleven_store::Folder;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

/// Whether this domain's corner answers at its URL, and is ready; `others` of the domain may answer where it does not.
pub(super) fn listener(which: Which, config: &Config, health: &Health, others: bool) -> Finding {
    let (name, corner) = (which.name(), which.of(config));
    let (what, url) = (format!("{name} listener"), &corner.url);
    match health {
        Health::Ours(_) if matches!(Folder::holder(&corner.data), Ok(None)) && corner.data.exists() => {
            let (domain, data) = (&config.domain, corner.data.display());
            bad(what, format!("a {name} of {domain} answers at {url}, and none holds {data}: it is not this domain's"))
        }
        Health::Ours(said) => answers(what, url, said),
        Health::Other(who) => bad(what, format!("{who} answers at {url}: stop it, or set another address")),
        Health::Untrusted(why) => bad(what, format!("{url} answers, and whether it is ready is not seen: {why}")),
        Health::Nobody => match (Folder::holder(&corner.data), TcpListener::bind(corner.listen)) {
            (Ok(Some(pid)), _) => bad(what, silent(pid, url)),
            (_, bound) => down(what, corner.listen, bound.err().as_ref(), others),
        },
    }
}

/// A corner of which no process runs. Where others do, that is what they suffer from; where none does, nobody may have started it.
fn down(what: String, listen: SocketAddr, unbound: Option<&std::io::Error>, others: bool) -> Finding {
    match unbound {
        None if others => bad(
            what,
            format!(
                "{listen} is free: the corner does not run, and others of the domain do: its log says why it ended"
            ),
        ),
        None => warn(what, format!("{listen} is free: the corner does not run")),
        Some(error) if error.kind() == ErrorKind::AddrInUse => bad(
            what,
            format!(
                "{listen} is taken, and no corner answers there: its supervisor holds it while the corner can't start, which the \
                 corner's log tells, or while another is not ready yet, which is to be mended first; or another program has it"
            ),
        ),
        Some(error) => bad(what, format!("{listen} can't be bound ({error}), and no corner answers there")),
    }
}

/// What a corner that answers says of itself.
fn answers(what: String, url: &str, said: &Said) -> Finding {
    if let Some(behind) = said.clock_behind_ms().filter(|_| said.ready) {
        let why = "it is wrong, or was ahead once; until it is that late again heads are refused as from the future, and where that is \
                   more than thirty seconds nothing is issued: docs/limits.md, Time";
        return bad(what, format!("{url} answers, and its clock is {behind} ms behind what it signed last: {why}"));
    }
    if said.ready {
        return good(what, format!("{url} answers and is ready"));
    }
    match (said.unapproved().or_else(|| said.denies()), said.uncounted()) {
        (Some(why), _) => bad(what, format!("{url} answers and refuses every call: {why}")),
        (None, Some(kid)) => bad(
            what,
            format!(
                "{url} answers and refuses every call: {kid}, by which it signs, does not count now; see first that its clock is \
                 right; where its keystore has another key that is registered, `eleven authority restart`, else renew it \
                 (docs/keys.md)"
            ),
        ),
        (None, None) => {
            let lacks = said.lacks().map_or_else(String::new, |lacks| format!("{lacks}; "));
            bad(what, format!("{url} answers and is not ready: {lacks}its log says why"))
        }
    }
}

/// A process that holds a corner's folder, and is not heard at its URL.
fn silent(pid: u32, url: &str) -> String {
    format!(
        "process {pid} holds its folder, and does not answer at {url}: if it neither starts at this moment nor was started with \
         another address, and its log does not say that every connection is taken, it hangs; end it by `kill -9 {pid}`, and its \
         supervisor starts the next"
    )
}

/// Whether the ledger has what it moved out: calls go on without it, and it is missed where a proof is asked for. Nothing where all of
/// it is there, or the ledger does not answer.
pub(super) fn archive(ledger: Option<&Health>) -> Option<Finding> {
    let Some(Health::Ours(said)) = ledger else { return None };
    let what = "archive";
    match said.archive()? {
        "incomplete" => Some(warn(
            what,
            "pieces of content that the ledger moved were not in `ledger.archive` at its start, and are not served: right where they \
             were deleted; else name the whole one and start the ledger again, before it moves more",
        )),
        how => Some(bad(
            what,
            format!(
                "`ledger.archive` is {how}, by the ledger's word: what was moved is not served, and proofs of it are not to be had; mount \
                 it, see that the ledger's user may read it, and restart the ledger"
            ),
        )),
    }
}

/// Whether the policies in force decide: one that does not denies what it covers, and no corner is less ready for it. Nothing where all
/// do, or the authority does not answer.
pub(super) fn policies(authority: Option<&Health>) -> Option<Finding> {
    let Some(Health::Ours(said)) = authority else { return None };
    let undecided = said.undecided()?;
    Some(bad(
        "policies",
        format!(
            "{undecided} of those in force do not decide, and what they cover is denied (policy.error): the authority's log says which, and \
             why; put another in its place by `eleven policy publish FILE --next`"
        ),
    ))
}

/// What is contained, a finding each: that is somebody's decision, or the ledger's, and every call that it covers is refused.
pub(super) fn contained(snapshot: &Value) -> Vec<Finding> {
    let rows = snapshot.get("containments").and_then(Value::as_array).unwrap_or_default().iter().cloned();
    let told = |row: ContainmentRecord| {
        let ContainmentRecord { kind, subject, state, since, cause } = row;
        let next = match state {
            ContainmentState::Revoked => "it returns under a new name".to_owned(),
            ContainmentState::Contained | ContainmentState::Recovering => {
                format!("`eleven subject lift {kind} {}` governs it again", word(&subject))
            }
        };
        warn("containment", format!("{kind} {subject} is {} since {} ({cause}): {next}", state.name(), since.seconds()))
    };
    rows.filter_map(|row| ContainmentRecord::read(row).ok()).map(told).collect()
}

/// Whether this point is the only one of its runtime: each counts uses by itself. Since a second one is refused, they can only stand
/// there from before.
pub(super) fn beside(config: &Config, snapshot: &Value) -> Option<Finding> {
    others(snapshot, &config.point.name)
}

fn others(snapshot: &Value, name: &str) -> Option<Finding> {
    let rows = snapshot.get("runtimes").and_then(Value::as_array).unwrap_or_default().iter().cloned();
    let points: Vec<RuntimeRecord> = rows.filter_map(|row| RuntimeRecord::read(row).ok()).collect();
    let own = points.iter().find(|row| row.point == name)?;
    let other = points.iter().find(|row| row.point != own.point && row.runtime == own.runtime)?;
    let (other, runtime) = (&other.point, &own.runtime);
    Some(bad(
        "runtime",
        format!(
            "{other} is registered for {runtime}, too, and each counts uses by itself: an artifact for a single use passes at both; \
             name one for a runtime of its own (`runtime.point`), or stop it, `eleven runtime remove` it, and `eleven key retire` its \
             event key"
        ),
    ))
}

/// What makes a point what was approved.
#[derive(Debug, PartialEq, Eq)]
struct Measured {
    binary: String,
    config: String,
    kid: String,
}

/// Whether the registry approves the point that runs; where none does, the one that would.
pub(super) fn registration(config: &Config, snapshot: Option<&Value>, point: &Health) -> Finding {
    let Some(snapshot) = snapshot else {
        return warn("registration", "can't be compared: the authority does not answer");
    };
    let (name, now) = (&config.point.name, SystemClock.now());
    let keystore = config.runtime.data.join(keystore::FILE);
    let keys = keystore::public_keys(&keystore, Which::Runtime.name()).unwrap_or_default();
    let lost = keys.iter().find(|key| !counts(snapshot, &key.kid, now));
    let lost = lost.map(|key| uncounted(snapshot, name, &key.kid, now));
    let (running, told) = match point {
        // What runs compares itself with the registry at each call, its attestation key too.
        Health::Ours(said) => (Some(Measured::said(&said.value)), said.unapproved().map(str::to_owned)),
        _ => (None, lost.clone()),
    };
    let kid = match (corner::point_kid(config), &running) {
        (Ok(kid), _) => kid,
        // Whether the key here is another can't be seen: what runs signs by its own.
        (Err(_), Some(running)) => running.kid.clone(),
        (Err(error), None) => return warn("registration", format!("can't be compared: {error}")),
    };
    let ours = Measured {
        binary: corner::measure_binary().map(|binary| binary.to_string()).unwrap_or_default(),
        config: config.point_digest().to_string(),
        kid,
    };
    first(compare(snapshot, name, &ours, running.as_ref(), now), lost, told)
}

/// What helps first. Where the registration is bad that is a key here that does not count (`lost`): who replaces it registers
/// binary and configuration with it, and who registers those alone lets nothing pass. Where nothing was found to be bad, it is
/// what else is known to be.
fn first(found: Finding, lost: Option<String>, told: Option<String>) -> Finding {
    let known = if found.state == State::Bad { lost } else { told };
    known.map_or(found, |why| bad("registration", why))
}

/// Whether a key counts by the registry.
fn counts(snapshot: &Value, kid: &str, now: Time) -> bool {
    key_cmd::registered(snapshot).filter_map(Result::ok).any(|key| key.kid == kid && key.counts_at(now))
}

/// What helps where a key does not count. One counts from when it was registered: before that it is the clock that is wrong.
fn uncounted(snapshot: &Value, name: &str, kid: &str, now: Time) -> String {
    let mut keys = key_cmd::registered(snapshot).filter_map(Result::ok);
    match keys.find(|key| key.kid == kid && now < key.nbf) {
        Some(key) => {
            format!("{kid}, by which {name} signs, counts from {} on, and the clock here shows {now}: set it", key.nbf)
        }
        None => format!("{kid}, by which {name} signs, does not count now: `eleven runtime key replace`"),
    }
}

impl Measured {
    fn said(health: &Value) -> Self {
        let text = |name: &str| health.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { binary: text("binary"), config: text("config"), kid: text("kid") }
    }
}

fn compare(snapshot: &Value, name: &str, ours: &Measured, running: Option<&Measured>, now: Time) -> Finding {
    let what = "registration";
    let rows = |list: &str| snapshot.get(list).and_then(Value::as_array).unwrap_or_default().iter().cloned();
    let mut points = rows("runtimes").filter_map(|row| RuntimeRecord::read(row).ok());
    let Some(row) = points.find(|row| row.point == name) else {
        return bad(what, format!("{name} is not registered: `eleven runtime register`"));
    };
    let approved = Measured { binary: row.binary.to_string(), config: row.config.to_string(), kid: row.kid };
    let (it, who) = running.map_or((ours, "this one"), |running| (running, "the one that runs"));
    if let Some(thing) = approved.differs(it) {
        let next = match running {
            Some(_) if approved.differs(ours).is_none() => {
                "what was approved is here and does not run yet: `eleven runtime restart`".to_owned()
            }
            // What may have been used under the other is known by its end.
            _ if approved.kid != it.kid => format!(
                "where keys were being replaced, go on with `eleven runtime key replace`; else stop what else runs under this name, and if \
                 the change was meant, `eleven key retire {}` and then `eleven runtime register`",
                approved.kid
            ),
            _ => "if the change was meant, `eleven runtime register`".to_owned(),
        };
        return bad(what, format!("another {thing} was approved than {who}: {next}"));
    }
    if !counts(snapshot, &it.kid, now) {
        return bad(what, uncounted(snapshot, name, &it.kid, now));
    }
    match running.and_then(|running| running.differs(ours)) {
        Some(_) if it.kid != ours.kid => warn(
            what,
            format!(
                "{name} is approved as it runs, by another key than this one: to change over, stop what runs, `eleven key retire {}`, then \
                 `eleven runtime register`, and start this one",
                it.kid
            ),
        ),
        Some(thing) => warn(
            what,
            format!(
                "{name} is approved as it runs, by another {thing} than this one: to change over, `eleven runtime register` \
                 and then `eleven runtime restart`"
            ),
        ),
        None => good(what, format!("{name} is approved with this binary, this configuration and its key")),
    }
}

impl Measured {
    /// In what it is not the other.
    fn differs(&self, other: &Self) -> Option<&'static str> {
        let things = [
            ("key", &self.kid, &other.kid),
            ("binary", &self.binary, &other.binary),
            ("configuration", &self.config, &other.config),
        ];
        things.into_iter().find(|(_, one, another)| one != another).map(|(thing, ..)| thing)
    }
}

#[cfg(test)]
mod tests;
