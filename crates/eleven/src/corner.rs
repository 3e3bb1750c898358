//! A corner as a process: confined to its own folder, with its own keys, until it is told to stop.

mod confine;
mod founding;
mod keys;
mod logging;
mod names;
mod probe;
mod reads;
mod signals;

pub(crate) use confine::{Confinement, supported, to_folder};
pub(crate) use founding::{act as founding_act, found, genesis, grant};
pub(crate) use keys::{have_names_of_their_own, new_keys, point_kid, renew_keys, replace_keys};
pub(crate) use logging::log;
pub(crate) use names::Names;
pub(crate) use probe::probe;
pub(crate) use reads::{check_start, is_seen, next_tls};
pub(crate) use signals::{Signals, SupervisedBy, follow_parent, supervisor_of, until_ended, until_stopped, until_told};

use crate::config::{self, Config};
use crate::keystore::{self, FileKeystore, Keystore as _};
use crate::output::{EXIT_RESTART, Failure};
use eleven_api::audit::Durability;
use eleven_api::edge::{Clock, SystemClock};
use eleven_api::serve::{ListenError, Listener, Tls};
use eleven_authority::Authority;
use eleven_core::encoding::parse;
use eleven_core::hash::{Sha3, Sha3Stream};
use eleven_core::limits::MAX_RELEASE_WAIT_MS;
use eleven_core::root::{KeyUse, TrustRoot};
use eleven_enforce::journal::Point;
use eleven_ledger::Ledger;
use eleven_runtime::Runtime;
use eleven_store::Folder;
use std::io::{ErrorKind, Read as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The binary that runs here, also where its file is gone.
const RUNNING: &str = "/proc/self/exe";
/// The folder of the ledger's log within its own.
const LOG: &str = "log";
/// The folder of the enforcement point's journal within its own.
const JOURNAL: &str = "journal";
/// What the kernel adds to the name of a running binary whose file was removed or replaced.
const GONE: &str = " (deleted)";
/// How long a starting authority waits until it can decide before it answers all the same.
const FIRST_ANSWER: Duration = Duration::from_secs(2);
/// How long the authority may take for a decision: the 2 s that a caller may wait for the ledger, and some.
const DECISION_DEADLINE: Duration = Duration::from_millis(2500);

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Decides.
    Authority,
    /// Proves.
    Ledger,
    /// Enforces.
    Runtime,
}

impl Which {
    /// In the order in which they start.
    pub(crate) const ALL: [Self; 3] = [Self::Ledger, Self::Authority, Self::Runtime];

    /// Its name, which is its command's and its folder's mark.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Ledger => "ledger",
            Self::Runtime => "runtime",
        }
    }

    /// Its part of the configuration.
    pub(crate) const fn of(self, config: &Config) -> &config::Corner {
        match self {
            Self::Authority => &config.authority,
            Self::Ledger => &config.ledger,
            Self::Runtime => &config.runtime,
        }
    }
}

/// What a corner's process holds once it is confined.
struct Prepared {
    config: Config,
    corner: config::Corner,
    root: TrustRoot,
    keys: FileKeystore,
    clock: Arc<dyn Clock>,
}

/// Runs a corner until it is told to stop or can't go on; the status says whether another process is to take its place.
///
/// # Errors
/// Where it can't start, or had to stop.
pub(crate) fn serve(which: Which, file: &Path, parent: Option<i32>) -> Result<u8, Failure> {
    follow_parent(parent)?;
    log();
    let config = Config::load(file)?;
    // Before confinement, which leaves the binary out.
    let binary = if which == Which::Runtime { Some(measure_binary()?) } else { None };
    let names = Names::seen(asked(which, &config), is_kept());
    let prepared = prepare(which, config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the process has no threads to run on: {error}")))?;
    runtime.block_on(async {
        // Before the folder is held: who holds it is told to make place.
        let signals = Signals::heard().and_replaced(names);
        match (which, binary) {
            (Which::Runtime, Some(binary)) => enforcement(prepared, binary, signals).await,
            (Which::Ledger, _) => ledger(prepared, signals).await,
            (Which::Authority | Which::Runtime, _) => authority(prepared, signals).await,
        }
    })
}

/// The URLs at which a corner asks others.
fn asked(which: Which, config: &Config) -> Vec<&str> {
    let (authority, ledger) = (config.authority.url.as_str(), config.ledger.url.as_str());
    match which {
        Which::Authority => vec![ledger],
        Which::Ledger => std::iter::once(authority).chain(config.heads.witnesses.iter().map(String::as_str)).collect(),
        Which::Runtime => vec![authority, ledger, config.point.upstream.as_str()],
    }
}

/// Confines this process, then opens its keystore. The order matters: what reads keys is confined already.
fn prepare(which: Which, config: Config) -> Result<Prepared, Failure> {
    let corner = which.of(&config).clone();
    if !corner.data.join(keystore::FILE).exists() {
        return Err(Failure::new(no_keystore(which, &corner.data)));
    }
    close_to_others()?;
    let confinement = confine::to_own(which, &config)?;
    tracing::info!(corner = which.name(), files = %confinement, "confined");
    let root = own_root(&config)?;
    let passphrase = keystore::passphrase(&corner.passphrase_file)?;
    let keys = FileKeystore::open(&corner.data.join(keystore::FILE), which.name(), &passphrase)?;
    Ok(Prepared { config, corner, root, keys, clock: Arc::new(SystemClock) })
}

/// What to do about a folder without a keystore. Where it holds what was signed by one, that was lost.
fn no_keystore(which: Which, data: &Path) -> String {
    let back = "put it back from where you keep it";
    let next = match which {
        Which::Ledger if data.join(LOG).exists() => {
            format!("its log is there, and new keys would stand in no trust root: {back}")
        }
        Which::Runtime if data.join(JOURNAL).exists() => {
            format!("its journal is there: {back}, or return under new keys with `eleven runtime key replace`")
        }
        Which::Runtime if keys::put_aside_before(data) => {
            "its keys were about to be replaced: finish that with `eleven runtime key replace`, by the same label"
                .to_owned()
        }
        _ => format!("make it with `eleven init DIR`, or the corner's part with `eleven {} key new`", which.name()),
    };
    format!("{} holds no keystore: {next}", data.display())
}

/// Whoever runs as the same user could read keys out of a process that may be dumped.
pub(crate) fn close_to_others() -> Result<(), Failure> {
    let dumpable = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    dumpable.map_err(|error| Failure::new(format!("this process can't be closed to others: {error}")))
}

async fn authority(prepared: Prepared, signals: Signals) -> Result<u8, Failure> {
    // One process signs with the event key.
    let _folder = Folder::open(&prepared.corner.data, Which::Authority.name())?;
    let listener = listen(Which::Authority, &prepared.corner)?;
    let (stop, authority) = open_authority(&prepared)?;
    let serving = async move {
        // Who connected meanwhile waits, instead of being refused by an authority that knows nothing yet.
        authority.ready(FIRST_ANSWER).await;
        authority.serve(vec![listener]).await
    };
    until_ended(signals, &stop, serving).await
}

/// Opens the authority on its keys. Its tasks run until it has served, which ends when the sender says true; else until the process
/// ends.
fn open_authority(prepared: &Prepared) -> Result<(watch::Sender<bool>, Arc<Authority>), Failure> {
    let Prepared { config, root, keys, clock, .. } = prepared;
    let settings = eleven_authority::Settings { name: config.authority_name(), ledger: config.ledger.url.clone() };
    let signers = eleven_authority::Signers {
        issuer: keys.ring(KeyUse::Issuer)?,
        event: keys.ring(KeyUse::Event)?,
        registry: keys.ring(KeyUse::Registry)?,
        policy: keys.ring(KeyUse::Policy)?,
        identity: keys.ring(KeyUse::Identity)?,
    };
    let (stop, stopping) = watch::channel(false);
    let authority = Authority::open(settings, signers, root.clone(), Arc::clone(clock), stopping);
    Ok((stop, authority.map_err(Failure::new)?))
}

async fn ledger(prepared: Prepared, signals: Signals) -> Result<u8, Failure> {
    let Prepared { config, corner, keys, clock, .. } = prepared;
    let settings = eleven_ledger::Settings {
        authority: Some(config.authority.url.clone()),
        archive: config.archive.clone(),
        archive_every: config.archive_every,
        seal_every: Duration::from_millis(config.heads.interval),
        seal_busy: Duration::from_millis(config.heads.busy_interval),
        busy_rate: config.heads.busy_rate,
        witnesses: config.heads.witnesses.clone(),
        witness_deadline: Duration::from_millis(config.heads.witness_deadline),
        ..eleven_ledger::Settings::new(&corner.data)
    };
    let signers = eleven_ledger::Signers { event: keys.ring(KeyUse::Event)?, head: keys.ring(KeyUse::Head)? };
    let ledger = Ledger::open(settings, signers, clock)?;
    let listener = match listen(Which::Ledger, &corner) {
        Ok(listener) => listener,
        Err(failure) => {
            // In order, so that the start after this one need not read the log.
            ledger.close().await;
            return Err(failure);
        }
    };
    until_stopped(signals, |stop| ledger.serve(listener, stop)).await
}

async fn enforcement(prepared: Prepared, binary: Sha3, mut signals: Signals) -> Result<u8, Failure> {
    let Prepared { config, corner, root, keys, clock } = prepared;
    let folder = Folder::open(&corner.data, Which::Runtime.name())?;
    let listener = listen(Which::Runtime, &corner)?;
    let at = listener.local_addr().map_err(Failure::new)?.to_string();
    let point = point(&config, &keys, binary)?;
    let opening = Runtime::open(settings(&config)?, point, root, &folder, clock, at);
    let runtime = tokio::select! {
        runtime = opening => runtime?,
        // An empty journal waits for its ledger, which may be another by the configuration that is to be read anew.
        () = signals.hangup() => return Ok(EXIT_RESTART),
    };
    until_stopped(signals, |stop| runtime.serve(listener, stop)).await
}

/// The enforcement point, of the keys that it holds.
fn point(config: &Config, keys: &FileKeystore, binary: Sha3) -> Result<Point, Failure> {
    Ok(Point {
        name: config.point.name.clone(),
        event: keys.signer(KeyUse::Event)?,
        attestation: keys.signer(KeyUse::Attestation)?,
        binary,
        config: config.point_digest(),
        predicate_type: config.point.predicate_type.clone(),
    })
}

/// The settings of the enforcement point.
fn settings(config: &Config) -> Result<eleven_runtime::Settings, Failure> {
    let point = &config.point;
    let upstream_key = point.upstream_key_file.as_deref().map(upstream_key).transpose()?;
    Ok(eleven_runtime::Settings {
        authority: config.authority.url.clone(),
        ledger: config.ledger.url.clone(),
        audit_bound: Duration::from_millis(u64::try_from(point.audit_bound_ms).unwrap_or(0)),
        required: Durability::parse(&point.require_durability)
            .filter(|level| *level > Durability::D1)
            .map(|level| eleven_runtime::Required { level, window: Duration::from_secs(point.durability_window) }),
        release_wait: Duration::from_millis(MAX_RELEASE_WAIT_MS),
        refresh: Duration::from_millis(config.fresh.saturating_mul(250).min(500)),
        decision_deadline: DECISION_DEADLINE,
        gateway: eleven_runtime::Gateway {
            upstream: point.upstream.clone(),
            upstream_key,
            operation: point.operation.clone(),
            list_operation: point.list_operation.clone(),
            scope: point.scope.clone(),
            parameters: point.parameters.clone(),
            max_body: point.max_body,
            max_response: point.max_response,
            max_run: Duration::from_secs(point.max_run),
            ..eleven_runtime::Gateway::default()
        },
    })
}

/// The API key in a file. One that no header holds, or none, is found here: before a corner that runs is told to make place.
fn upstream_key(file: &Path) -> Result<String, Failure> {
    let wrong =
        |what: &dyn std::fmt::Display| Failure::new(format!("{}: {what}: check upstream_key_file", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    let key = text.trim();
    if key.is_empty() || key.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(wrong(&"it has to hold the key, in one line, and nothing else"));
    }
    Ok(key.to_owned())
}

/// The corner's listener: the one that was handed over on standard input, where one was.
fn listen(which: Which, corner: &config::Corner) -> Result<Listener, Failure> {
    let tls = match &corner.tls {
        Some((certificate, key)) => Some(Tls::load(certificate, key).map_err(Failure::new)?),
        None => None,
    };
    let handed = handed_over()?;
    let from_before = handed.is_some();
    let socket = match handed {
        Some(socket) => socket,
        None => {
            eleven_api::serve::listen(corner.listen, tls.is_some()).map_err(|error| not_listening(which, &error))?
        }
    };
    let listener = Listener::over(socket, tls).map_err(Failure::new)?;
    let at = listener.local_addr().map_err(Failure::new)?;
    if at != corner.listen && corner.listen.port() != 0 {
        let what = format!(
            "standard input listens on {at}, the configuration says {}: make them one, or stop whoever keeps the socket \
             (`eleven up`, a socket unit) and start it again",
            corner.listen
        );
        return Err(Failure::usage(what));
    }
    tracing::info!(%at, from_before, "listening");
    Ok(listener)
}

/// Why a corner does not listen, and what to do about it.
fn not_listening(which: Which, error: &ListenError) -> Failure {
    let name = which.name();
    match error {
        ListenError::Bind(_, cause) if cause.kind() == ErrorKind::AddrInUse => {
            Failure::new(format!("{error}: stop who listens there, or set another `{name}.listen`"))
        }
        ListenError::Bind(..) => Failure::new(format!("{error}: set another `{name}.listen`")),
        error => Failure::new(error),
    }
}

/// Whether standard input is a listening socket.
fn is_kept() -> bool {
    rustix::net::sockopt::socket_acceptconn(std::io::stdin()).unwrap_or(false)
}

/// The listening socket that standard input is, where it is one: whoever started this process keeps it open while one
/// process takes another's place, and closes it where one fell.
fn handed_over() -> Result<Option<std::net::TcpListener>, Failure> {
    if !is_kept() {
        return Ok(None);
    }
    let socket = std::io::stdin().as_fd().try_clone_to_owned();
    let socket = socket.map_err(|error| Failure::new(format!("standard input cannot be served on: {error}")))?;
    Ok(Some(std::net::TcpListener::from(socket)))
}

/// This program, for another process of one command. Where its file was replaced meanwhile, the one that runs here.
pub(crate) fn program() -> Command {
    let file = std::env::current_exe().ok().filter(|file| file.exists());
    Command::new(file.unwrap_or_else(|| RUNNING.into()))
}

/// A program for the next process of a corner.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// Its file.
    pub(crate) file: PathBuf,
    /// What a person should know of it, where it is not simply the one that runs here.
    pub(crate) note: Option<String>,
}

/// The program whose file lies where this one's did: once that was replaced, it is the new one that starts. Where nothing
/// lies there, the one that runs here.
pub(crate) fn next_program() -> Next {
    next_of(std::env::current_exe().ok())
}

fn next_of(running: Option<PathBuf>) -> Next {
    let gone = |running: &Path| running.to_str().and_then(|file| file.strip_suffix(GONE)).map(PathBuf::from);
    match running {
        Some(file) if file.exists() => Next { file, note: None },
        running => match running.as_deref().and_then(gone) {
            Some(file) if file.exists() => {
                let note = Some(format!("{} was replaced: the new file starts", file.display()));
                Next { file, note }
            }
            _ => {
                let note = Some("the file of this program is gone: what runs here starts once more".to_owned());
                Next { file: RUNNING.into(), note }
            }
        },
    }
}

/// The digest of the binary that runs here: SHA3-512 of its file.
///
/// # Errors
/// Where it can't be read.
pub(crate) fn measure_binary() -> Result<Sha3, Failure> {
    let failed = |error| Failure::new(format!("this binary can't be measured: {error}: is /proc mounted?"));
    let mut file = std::fs::File::open(RUNNING).map_err(failed)?;
    let mut stream = Sha3Stream::default();
    let mut piece = vec![0; 256 * 1024];
    loop {
        match file.read(&mut piece).map_err(failed)? {
            0 => return Ok(stream.finish()),
            read => stream.update(&piece[..read]),
        }
    }
}

/// The trust root of the configuration, which is its domain's.
fn own_root(config: &Config) -> Result<TrustRoot, Failure> {
    let root = read_root(&config.root).map_err(|failure| failure.or_else_try(false, PUT_BACK))?;
    if root.domain != config.domain {
        let what = format!("{} is the root of {}, not of {}", config.root.display(), root.domain, config.domain);
        return Err(Failure::usage(what));
    }
    Ok(root)
}

/// What to do about a pinned root that can't be read.
pub(crate) const PUT_BACK: &str = "put it back from a copy: whoever verifies has one";

/// Reads a trust root, and checks that its own threshold signed it.
///
/// # Errors
/// Where it can't be read, is no root, or is not signed: status 2, for nothing was done.
pub(crate) fn read_root(file: &Path) -> Result<TrustRoot, Failure> {
    let failed = |what: &dyn std::fmt::Display| Failure::usage_about(file, what);
    let none = |error: &dyn std::fmt::Display| Failure::usage(format!("{} is no trust root: {error}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| failed(&format!("the trust root cannot be read: {error}")))?;
    let value = parse(&bytes).map_err(|error| none(&error))?;
    let root = TrustRoot::read(value).map_err(|error| none(&error))?;
    root.verify_own().map_err(|error| failed(&error))?;
    Ok(root)
}

#[cfg(test)]
mod tests;
