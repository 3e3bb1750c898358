//! `eleven doctor`: what a person would look at first, looked at.

mod certificates;
mod running;
mod secrets;
mod upstream;
mod witnesses;

use crate::call::{self, Registry};
use crate::config::Config;
use crate::corner::{self, Which};
use crate::disk;
use crate::expiry;
use crate::health::{self, Health};
use crate::key_cmd;
use crate::keystore::{self, PublicKey};
use crate::output::{EXIT_DONE, EXIT_FAILED, EXIT_USAGE, Failure, Output, Paint, shown};
use crate::root_cmd::room as root_room;
use crate::root_key;
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_api::routes;
use eleven_core::encoding::{Object, Value};
use eleven_core::limits::MAX_STAMP_AHEAD_MS;
use eleven_core::root::{KeyRecord, KeyUse, TrustRoot};
use eleven_core::time::Time;
use rustix::fs::StatVfsMountFlags;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    Warn,
    Bad,
}

/// One thing that was looked at.
struct Finding {
    what: String,
    state: State,
    detail: String,
}

/// Disk space below which nothing more fits.
const FULL: u64 = 1 << 20;
/// Disk space below which a corner will soon refuse.
const LOW_SPACE: u64 = 1 << 30;
/// A commit that takes longer than this is felt by every call.
const SLOW_SYNC: Duration = Duration::from_millis(10);
const SYNCS: usize = 50;
/// An age in milliseconds that no stamp comes to where all is well: one is made each second, and clocks may differ by two.
const OLD_STAMP_MS: i64 = 1_000 + MAX_STAMP_AHEAD_MS;
/// What to do about an end.
const ADVICE: &str = "what is signed by it from then on counts for nothing: docs/keys.md says how to renew it";
/// Bytes of a small write.
const BLOCK: usize = 512;

/// Looks at everything and says what it found.
///
/// # Errors
/// None of its own: a configuration that can't be read is a finding, and status 2.
pub(crate) fn run(file: &Path, output: Output) -> Result<ExitCode, Failure> {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(error) => {
            report(&[bad("configuration", error.to_string())], output);
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    // It opens keystores.
    corner::close_to_others()?;
    let mut findings = vec![good("configuration", format!("{}: every key is known and in range", file.display()))];
    findings.push(landlock());
    let healths = Which::ALL.map(|which| call::wait(health::of(which, &config)).map(|health| (which, health)));
    let healths = healths.into_iter().collect::<Result<Vec<_>, _>>()?;
    // One that hangs would be waited for at each question, for as long as a call may take.
    let silent = matches!(of(Which::Authority, &healths), None | Some(Health::Nobody));
    let snapshot = if silent { Err(Failure::new("the authority does not answer")) } else { call::registry(&config) };
    findings.push(root(&config));
    let in_force = if silent { None } else { in_force(&config) };
    findings.push(lifetimes(&config, in_force.clone(), snapshot.as_ref().ok(), &healths));
    findings.extend(in_force.clone().or_else(|| pinned(&config).ok()).map(|root| renewals(root_room::keys(&root))));
    findings.push(secrets::operator(&config, snapshot.as_ref()));
    let snapshot = snapshot.ok();
    for (which, health) in &healths {
        findings.push(folder(*which, &config));
        findings.push(secrets::look(*which, &config));
        let others = healths.iter().any(|(other, health)| other != which && matches!(health, Health::Ours(_)));
        findings.push(running::listener(*which, &config, health, others));
        findings.extend(certificates::look(*which, &config, health)?);
    }
    findings.extend(running::policies(of(Which::Authority, &healths)));
    findings.extend(running::archive(of(Which::Ledger, &healths)));
    findings.extend(witnesses::look(&config, in_force.as_ref(), of(Which::Ledger, &healths))?);
    findings.push(upstream::look(&config.point.upstream)?);
    findings.push(space(&config));
    findings.push(sync_time(&config));
    findings.push(clock(&config, silent, matches!(of(Which::Ledger, &healths), Some(Health::Ours(_)))));
    let nobody = Health::Nobody;
    let point = of(Which::Runtime, &healths).unwrap_or(&nobody);
    findings.push(running::registration(&config, snapshot.as_ref(), point));
    findings.extend(snapshot.as_ref().and_then(|snapshot| running::beside(&config, snapshot)));
    findings.extend(snapshot.as_ref().map(running::contained).unwrap_or_default());
    report(&findings, output);
    let failed = findings.iter().any(|finding| finding.state == State::Bad);
    Ok(ExitCode::from(if failed { EXIT_FAILED } else { EXIT_DONE }))
}

/// How a corner is.
fn of(corner: Which, healths: &[(Which, Health)]) -> Option<&Health> {
    healths.iter().find(|(which, _)| *which == corner).map(|(_, health)| health)
}

fn good(what: impl Into<String>, detail: impl Into<String>) -> Finding {
    Finding { what: what.into(), state: State::Good, detail: detail.into() }
}

fn warn(what: impl Into<String>, detail: impl Into<String>) -> Finding {
    Finding { state: State::Warn, ..good(what, detail) }
}

fn bad(what: impl Into<String>, detail: impl Into<String>) -> Finding {
    Finding { state: State::Bad, ..good(what, detail) }
}

fn report(findings: &[Finding], output: Output) {
    let word = |state| match state {
        State::Good => ("ok  ", Paint::Good),
        State::Warn => ("look", Paint::Warn),
        State::Bad => ("bad ", Paint::Bad),
    };
    let value = || {
        let row = |finding: &Finding| {
            let object = Object::new().with("what", &finding.what).with("state", word(finding.state).0.trim());
            Value::Object(object.with("detail", &finding.detail))
        };
        Value::Array(findings.iter().map(row).collect())
    };
    let text = || {
        let width = findings.iter().map(|finding| finding.what.len()).max().unwrap_or(0);
        let line = |finding: &Finding| {
            let (word, paint) = word(finding.state);
            format!("{}  {:width$}  {}", output.paint(paint, word), finding.what, shown(&finding.detail))
        };
        findings.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    output.either(value, text);
}

fn landlock() -> Finding {
    if corner::supported() {
        good("landlock", "each corner is confined to its own folder")
    } else {
        warn("landlock", "this kernel has none: only users and permissions keep the corners apart")
    }
}

fn root(config: &Config) -> Finding {
    match pinned(config) {
        Err(failure) => bad("trust root", failure.or_else_try(false, corner::PUT_BACK).to_string()),
        Ok(root) if is_anothers(&root, &held(config)) => {
            let (file, domain) = (config.root.display(), &root.domain);
            let what = format!(
                "{file} is the root of another domain that is named {domain}, since it names no key of the keystores here: \
                 put this domain's in its place"
            );
            bad("trust root", what)
        }
        Ok(root) => {
            let version = format!("version {} of {} is pinned", root.version, root.domain);
            match root_keys(config).as_slice() {
                [] => good("trust root", version),
                [key] => warn("trust root", format!("{version}; {key} is still here: take it away")),
                keys => warn("trust root", format!("{version}; {} are still here: take them away", keys.join(", "))),
            }
        }
    }
}

/// The pinned root. What lies in its place and is no file is not waited for.
fn pinned(config: &Config) -> Result<TrustRoot, Failure> {
    match disk::open_file(&config.root) {
        Err(error) if error.kind() == ErrorKind::Other => Err(Failure::about(&config.root, error)),
        _ => corner::read_root(&config.root),
    }
}

/// The root keys that lie where `init` leaves one: beside the configuration and the pinned root.
fn root_keys(config: &Config) -> Vec<String> {
    let folders = [&config.file, &config.root].map(|file| file.parent().unwrap_or(Path::new("")));
    let folders = BTreeSet::from(folders.map(|folder| if folder == Path::new("") { Path::new(".") } else { folder }));
    folders.into_iter().flat_map(root_key::lying_in).map(|key| key.display().to_string()).collect()
}

/// The keys here that a trust root names, as far as their keystores can be read.
fn held(config: &Config) -> Vec<PublicKey> {
    let of = |which: Which| keystore::public_keys(&which.of(config).data.join(keystore::FILE), which.name());
    let keys = Which::ALL.into_iter().filter_map(|which| of(which).ok()).flatten();
    keys.filter(|key| matches!(key.usage, KeyUse::Head | KeyUse::Policy | KeyUse::Registry)).collect()
}

/// Whether a root names none of these keys, where there are some: each version repeats those of the versions before.
fn is_anothers(root: &TrustRoot, held: &[PublicKey]) -> bool {
    let names = |key: &PublicKey| root.roles.iter().any(|row| row.kid == key.kid && row.public == key.public);
    !held.is_empty() && !held.iter().any(names)
}

/// The trust root in force, where the authority answers.
fn in_force(config: &Config) -> Option<TrustRoot> {
    let in_force = call::get(&Registry::of(config), routes::REGISTRY_ROOT).ok();
    in_force.and_then(|root| TrustRoot::read(root).ok()).filter(|root| root.domain == config.domain)
}

/// Until when root and keys count: by the root in force, where it is known, or by the pinned one; of the corners that say how they are,
/// with what each of them signs.
fn lifetimes(
    config: &Config,
    in_force: Option<TrustRoot>,
    snapshot: Option<&Value>,
    healths: &[(Which, Health)],
) -> Finding {
    let what = "lifetimes";
    let Some(root) = in_force.or_else(|| pinned(config).ok()) else {
        return warn(what, "can't be told: there is no trust root to tell them by");
    };
    let keys: Vec<KeyRecord> = snapshot.into_iter().flat_map(key_cmd::registered).filter_map(Result::ok).collect();
    let mut ends = expiry::of_root(&root);
    ends.extend(expiry::of_registry(&keys, config));
    let records: Vec<KeyRecord> = root.roles.iter().cloned().chain(keys).collect();
    for (which, health) in healths {
        // A point holds one key of each use, which is replaced and not renewed.
        if let (Which::Ledger | Which::Authority, Health::Ours(said)) = (which, health) {
            let signs = said.signs();
            ends.extend(signs.iter().filter_map(|kids| expiry::of_running(which.name(), kids, &records)));
        }
    }
    let first = ends.iter().map(|end| end.at).min().unwrap_or(root.exp);
    let now = SystemClock.now();
    let soon = expiry::soon(ends, now);
    if soon.is_empty() {
        return good(what, format!("trust root and keys count until {} at least", first.seconds()));
    }
    let told = format!("{}; {ADVICE}", expiry::told(&soon, now));
    if soon.iter().any(|end| end.is_over(now)) { bad(what, told) } else { warn(what, told) }
}

/// Whether the versions after a root have room for renewals, where they have it for so many keys.
fn renewals(more: usize) -> Finding {
    let told = format!(
        "later versions of the trust root have room for {more} more keys, and one that renews all adds {}",
        root_room::RENEWAL
    );
    if more >= 2 * root_room::RENEWAL {
        return good("renewals", told);
    }
    let which = if more >= root_room::RENEWAL { "the next is the last that does" } else { "none does" };
    warn(
        "renewals",
        format!("{told}: {which}; have that in force for as long as the domain is to go on (docs/keys.md)"),
    )
}

/// What ends soon, or is over, where something does.
pub(crate) fn ending(config: &Config) -> Option<String> {
    let snapshot = call::registry(config).ok();
    let health = |which| Some((which, call::wait(health::of(which, config)).ok()?));
    let healths: Vec<_> = Which::ALL.into_iter().filter_map(health).collect();
    let mut found = vec![lifetimes(config, in_force(config), snapshot.as_ref(), &healths)];
    found.extend(healths.iter().filter_map(|(which, health)| certificates::ending(*which, config, health)));
    let told: Vec<String> =
        found.into_iter().filter(|found| found.state != State::Good).map(|found| found.detail).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn folder(which: Which, config: &Config) -> Finding {
    let (what, corner) = (format!("{} folder", which.name()), which.of(config));
    let Ok(metadata) = std::fs::metadata(&corner.data) else {
        return bad(what, format!("{} is not there: make the domain with `eleven init DIR`", corner.data.display()));
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        return bad(what, format!("others may read {}: chmod 700 it", corner.data.display()));
    }
    let read_only = disk::flags(&corner.data).and_then(|flags| read_only(&what, &corner.data, flags));
    if let Some(found) = read_only {
        return found;
    }
    match keystore::public_keys(&corner.data.join(keystore::FILE), which.name()) {
        Err(error) => bad(what, error.to_string()),
        Ok(keys) if corner.passphrase_file.starts_with(&corner.data) => {
            good(what, format!("{}, {} keys, passphrase beside them (development)", corner.data.display(), keys.len()))
        }
        Ok(keys) => good(what, format!("{}, {} keys", corner.data.display(), keys.len())),
    }
}

/// A folder that no corner can write into, whoever it runs as: a disk that fails is often made one.
fn read_only(what: &str, data: &Path, flags: StatVfsMountFlags) -> Option<Finding> {
    flags.contains(StatVfsMountFlags::RDONLY).then(|| {
        let place = data.display();
        bad(what, format!("{place} is on a file system that is read-only: find out why, and make it writable"))
    })
}

fn space(config: &Config) -> Finding {
    let free = Which::ALL.map(|which| disk::free(&which.of(config).data).map(|free| (free, which.name())));
    match free.into_iter().flatten().min() {
        None => warn("disk space", "can't be told: the folders are not there"),
        Some((least, name)) => room(least, name),
    }
}

/// How much room is left where a corner writes.
fn room(least: u64, name: &str) -> Finding {
    let (what, detail) = ("disk space", format!("{} MiB free for the {name}", least >> 20));
    if least < FULL {
        bad(what, detail + ": a corner that can't write admits nothing: make room")
    } else if least < LOW_SPACE {
        warn(what, detail + ": make room before a corner has to stop")
    } else {
        good(what, detail)
    }
}

/// The median time of one fdatasync of a small write, where the ledger's log lies.
fn sync_time(config: &Config) -> Finding {
    let file = config.ledger.data.join("doctor.tmp");
    let measured = measure_sync(&file);
    // It was made for this only.
    let _ = std::fs::remove_file(&file);
    synced(measured)
}

fn synced(measured: std::io::Result<Duration>) -> Finding {
    let what = "fdatasync";
    match measured {
        Err(error) if error.kind() == ErrorKind::StorageFull => {
            bad(what, format!("can't be measured, since nothing can be written: {error}: make room"))
        }
        Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => {
            bad(what, format!("can't be measured, since nothing can be written: {error}"))
        }
        Err(error) => warn(what, format!("can't be measured: {error}")),
        Ok(median) => {
            let detail = format!("{} us (median of {SYNCS})", median.as_micros());
            if median > SLOW_SYNC {
                warn(what, detail + ": every call waits for three of these")
            } else {
                good(what, detail)
            }
        }
    }
}

fn measure_sync(path: &Path) -> std::io::Result<Duration> {
    // What one that was cut short has left is nobody's; nor is a link followed that lies there: whoever looks may be root, and the
    // folder is the ledger's.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    // Written ahead, as the log's segments are: a sync then touches no metadata.
    file.write_all(&vec![0; BLOCK * SYNCS])?;
    file.sync_all()?;
    file.rewind()?;
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        file.write_all(&[1; BLOCK])?;
        let began = Instant::now();
        file.sync_data()?;
        times.push(began.elapsed());
    }
    times.sort();
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}

/// How far this machine's clock lies from the authority's stamp, unless that is `silent`, and, where the ledger `answers`, from its last
/// head.
fn clock(config: &Config, silent: bool, answers: bool) -> Finding {
    let at = |said: &Value, member: &str| said.get(member).and_then(Value::as_str).and_then(Time::parse_millis);
    let stamp = || call::get(&Registry::of(config), routes::REGISTRY_STAMP).ok();
    let stamp = if silent { None } else { stamp() };
    let age = stamp.and_then(|stamp| at(&stamp, "issued")).map(|issued| SystemClock.now().since(issued));
    // A ledger that shows its heads to its auditors alone says for itself when its clock is behind them.
    let head = answers.then(|| call::get(&config.ledger.url, routes::PROOF_HEAD).ok()).flatten();
    compared(age, head.and_then(|head| at(&head, "at")).map(|at| at.since(SystemClock.now())))
}

/// A stamp that is so many milliseconds old, where the authority answers, and a head that lies so many `ahead`.
fn compared(age: Option<i64>, ahead: Option<i64>) -> Finding {
    let what = "clock";
    if let Some(age) = age.filter(|age| *age < -MAX_STAMP_AHEAD_MS) {
        return bad(
            what,
            format!("the authority's stamp lies {} ms ahead of this clock: set both by one source", -age),
        );
    }
    if let Some(ahead) = ahead.filter(|ahead| *ahead > MAX_STAMP_AHEAD_MS) {
        let told = format!(
            "the ledger's last head lies {ahead} ms ahead of this clock, and is refused as from the future: set all by one source; \
             where the ledger's clock was ahead once, docs/limits.md, Time"
        );
        return bad(what, told);
    }
    match age {
        Some(age) if age > OLD_STAMP_MS => warn(
            what,
            format!(
                "the authority's stamp is {age} ms old, and it makes one each second: this clock is ahead of the authority's, or that \
                 does not hear the ledger"
            ),
        ),
        None => warn(what, "can't be compared: the authority does not answer"),
        Some(age) => good(what, format!("the authority's stamp is {age} ms old")),
    }
}

#[cfg(test)]
mod tests;
