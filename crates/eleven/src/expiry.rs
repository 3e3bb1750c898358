//! Until when a domain can go on: its trust root and the keys that it works with count until a day, and not longer.

use crate::config::Config;
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot};
use eleven_core::time::Time;

/// How many days before the end it is told.
pub(crate) const TOLD_AHEAD: i64 = 60;
/// Seconds of a day.
pub(crate) const DAY: i64 = 24 * 3600;

/// Something that a domain can't do without, and when it stops to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// What.
    pub(crate) what: String,
    /// It counts before this second.
    pub(crate) at: Time,
}

/// The ends of a root and of what it names: of its own keys as many as have to sign the next version, which are over where fewer
/// can, and of each role the key that counts longest.
pub(crate) fn of_root(root: &TrustRoot) -> Vec<End> {
    let mut ends = vec![End { what: format!("version {} of the trust root", root.version), at: root.exp }];
    let mut signers: Vec<End> =
        root.keys.iter().map(|key| End { at: signs_until(root, key), ..End::of(key) }).collect();
    signers.sort_by_key(|end| std::cmp::Reverse(end.at));
    let needed = usize::try_from(root.threshold).ok().and_then(|threshold| threshold.checked_sub(1));
    ends.extend(needed.and_then(|last| signers.into_iter().nth(last)));
    ends.extend([KeyUse::Head, KeyUse::Policy, KeyUse::Registry].into_iter().filter_map(|usage| {
        let of_use = root.roles.iter().filter(|key| key.usage == usage);
        longest(of_use)
    }));
    ends
}

/// Until when a root key can sign the next version; one that this version took out of service can't from its beginning on.
fn signs_until(root: &TrustRoot, key: &KeyRecord) -> Time {
    match key.status {
        KeyStatus::Active => key.exp,
        KeyStatus::Retired(since) | KeyStatus::Compromised(since) => key.exp.min(since).min(root.nbf),
    }
}

/// The ends of the registry's keys with which the corners of this configuration sign: of each use the key that counts longest.
pub(crate) fn of_registry(keys: &[KeyRecord], config: &Config) -> Vec<End> {
    let parties = [
        (config.authority_name(), KeyUse::Issuer),
        (config.authority_name(), KeyUse::Event),
        (config.ledger_name(), KeyUse::Event),
        (config.point.name.clone(), KeyUse::Event),
        (config.point.name.clone(), KeyUse::Attestation),
    ];
    let of_party = |(owner, usage): &(String, KeyUse)| {
        longest(keys.iter().filter(|key| key.owner == *owner && key.usage == *usage))
    };
    parties.iter().filter_map(of_party).collect()
}

/// The end of what a corner that runs signs with, where another of its keys counts for longer: that is no help before the corner has
/// it. `kids` are those of one use, as far as the corner says which it has.
pub(crate) fn of_running(corner: &str, kids: &[String], records: &[KeyRecord]) -> Option<End> {
    let has = |key: &&KeyRecord| kids.contains(&key.kid);
    let last = records.iter().filter(|key| is_active(key)).filter(has).max_by_key(|key| key.exp)?;
    let same = |key: &&KeyRecord| key.usage == last.usage && key.owner == last.owner && is_active(key);
    let longest = records.iter().filter(same).max_by_key(|key| key.exp)?;
    let what = format!(
        "{}, by which the {corner} that runs signs (by {} once its keystore has that and it is restarted: `eleven {corner} restart`)",
        last.kid, longest.kid
    );
    (last.exp < longest.exp).then_some(End { what, at: last.exp })
}

/// Those that end soon, or have ended, the first one first.
pub(crate) fn soon(mut ends: Vec<End>, now: Time) -> Vec<End> {
    ends.retain(|end| end.at < now.plus_seconds(TOLD_AHEAD * DAY));
    ends.sort_by_key(|end| end.at);
    ends
}

impl End {
    fn of(key: &KeyRecord) -> Self {
        Self { what: key.kid.clone(), at: key.exp }
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self, now: Time) -> bool {
        self.at <= now
    }
}

/// Ends in words, those of one moment together; they stand in the order of [`soon`].
pub(crate) fn told(ends: &[End], now: Time) -> String {
    let together = ends.chunk_by(|one, next| one.at == next.at).map(|ends| {
        let what: Vec<&str> = ends.iter().map(|end| end.what.as_str()).collect();
        let (what, at) = (what.join(", "), ends.first().map_or(now, |end| end.at));
        if at <= now {
            return format!("ended {}: {what}", at.seconds());
        }
        format!("ends {}, in {} days: {what}", at.seconds(), at.since(now) / (DAY * 1000))
    });
    together.collect::<Vec<_>>().join("; ")
}

fn longest<'a>(keys: impl Iterator<Item = &'a KeyRecord>) -> Option<End> {
    keys.filter(|key| is_active(key)).max_by_key(|key| key.exp).map(End::of)
}

const fn is_active(key: &KeyRecord) -> bool {
    matches!(key.status, KeyStatus::Active)
}

#[cfg(test)]
mod tests;
