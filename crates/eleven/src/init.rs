//! `eleven init DIR`: a domain from nothing.
//!
//! Each corner makes its own keys in its own process; this one handles public keys, and makes the two keys that belong to
//! people: the root key and the operator's. Then the root is signed, the ledger makes its genesis, and the authority
//! carries out the founding acts over a running ledger.

mod starter;

use crate::admin::{self, Source};
use crate::call;
use crate::cli::Init;
use crate::config::{self, Config};
use crate::corner::{Which, founding_act, have_names_of_their_own, program};
use crate::expiry::DAY;
use crate::health::{self, Health};
use crate::key_cmd::{self, within};
use crate::keystore::{PublicKey, write_public};
use crate::operator::OperatorKey;
use crate::output::{Failure, Output, Paint, invoked, word};
use crate::root_key;
use crate::witness_cmd;
use eleven_api::edge::{self, Clock as _, SystemClock};
use eleven_authority::identity;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::head::checkpoint;
use eleven_core::registry::exposure::Exposure;
use eleven_core::registry::{GrantedKey, Item as _};
use eleven_core::root::{KeyUse, TrustRoot, Witnesses};
use eleven_core::signature::Signer as _;
use eleven_core::time::Time;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The last part of the keys' names.
const LABEL: &str = "1";
/// The development root key, in the domain's folder.
const ROOT_KEY: &str = "root-key.json";
/// How long the ledger may take to start.
const READY: Duration = Duration::from_secs(20);

/// Makes a domain in `args.dir`.
///
/// # Errors
/// Where the folder is not empty, what was asked for is wrong, or the ledger could not listen: nothing was done then. Where a
/// step fails what was made until then stays, to be looked at, and the failure says so.
pub(crate) fn run(args: &Init, output: Output) -> Result<(), Failure> {
    let exposure = Exposure::parse(&args.exposure).ok_or_else(|| {
        Failure::usage(format!("`{}` is no exposure: use open, by-possession or private", args.exposure))
    })?;
    let witnesses = witness_cmd::named(&args.witnesses, args.quorum, args.auditors)?;
    is_free(&args.dir)?;
    let (file, text) = configured(args)?;
    let config = Config::read(&file, &text)?;
    have_names_of_their_own(&config, LABEL)?;
    config.check_operators_key()?;
    let origin = checkpoint::origin(&config.domain);
    witnesses.check().and_then(|()| witnesses.check_new(&origin)).map_err(Failure::usage)?;
    let socket = ledgers_socket(&config)?;
    let elsewhere = elsewhere(&config, &file);
    make_folder(&args.dir)?;
    let written = write_public(&file, text.as_bytes()).map_err(Failure::from);
    let made = written.and_then(|()| make(args, &config, witnesses, exposure, socket));
    let until = made.map_err(|failure| {
        let others = elsewhere.iter().filter(|path| path.exists()).map(|path| format!(" and {}", path.display()));
        let others: String = others.collect();
        let left = format!("the domain is not whole: remove {}{others}, and begin anew", args.dir.display());
        failure.or_else_try(false, &left)
    })?;
    summary(args, &config, until, output);
    Ok(())
}

/// What a domain has outside the folder of its configuration, as far as it is not there yet: what is there is not the domain's to remove.
fn elsewhere(config: &Config, file: &Path) -> Vec<PathBuf> {
    let folders = Which::ALL.map(|which| which.of(config).data.clone());
    let mut paths: Vec<PathBuf> = folders.into_iter().chain([config.operator_key.clone()]).collect();
    paths.retain(|path| file.parent().is_none_or(|dir| !path.starts_with(dir)) && !path.exists());
    paths
}

/// Makes the domain of a configuration that stands in its folder. Gives the end of its trust root.
fn make(
    args: &Init,
    config: &Config,
    witnesses: Witnesses,
    exposure: Exposure,
    socket: TcpListener,
) -> Result<Time, Failure> {
    let file = &config.file;
    let mut keys = BTreeMap::new();
    for which in Which::ALL {
        let made = corner(which, &["key", "new", "--json", "--label", LABEL], file, None)?;
        keys.insert(which.name(), key_cmd::read_printed(&made)?);
    }
    let now = SystemClock.now().whole_seconds();
    let window = (now, now.plus_seconds(i64::from(args.valid_days) * DAY));
    let root = make_root(config, &args.dir, &keys, witnesses, window)?;
    let granted = grant(file, &keys, window)?;
    let genesis = Object::new().with("root", root.to_value()).with("fresh", config.fresh).with("keys", granted);
    corner(Which::Ledger, &["genesis"], file, Some(&Value::Object(genesis)))?;
    let policy = starter::write(&args.dir, config)?;
    let acts = founding_acts(config, &keys, &policy, exposure)?;
    found(config, file, &acts, socket)?;
    Ok(root.exp)
}

/// Whether a domain can be made there: the folder is empty, or not there yet.
fn is_free(dir: &Path) -> Result<(), Failure> {
    match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::about(dir, error)),
        Ok(mut holds) => match holds.next() {
            None => Ok(()),
            Some(_) => {
                let what = format!("{} is not empty: name a folder that is, or is not there yet", dir.display());
                Err(Failure::usage(what))
            }
        },
    }
}

fn make_folder(dir: &Path) -> Result<(), Failure> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| Failure::about(dir, error))
}

/// The `eleven.toml` that was asked for, and where it is to stand.
fn configured(args: &Init) -> Result<(PathBuf, String), Failure> {
    let mut settings = BTreeMap::new();
    let mut set = |key: &str, value: &str| {
        let (path, setting) = config::assignment(&format!("{key}={value}")).map_err(Failure::usage)?;
        settings.insert(path, setting);
        Ok::<(), Failure>(())
    };
    set("domain.name", &args.domain)?;
    set("runtime.gateway.upstream", &args.upstream)?;
    set("runtime.gateway.scope", &format!("[\"{}\"]", starter::SCOPE))?;
    set("runtime.point", &format!("host://{}/gateway#gw-0", host_name()))?;
    if args.free_ports {
        for (which, port) in Which::ALL.into_iter().zip(free_ports().map_err(|error| Failure::about(&args.dir, error))?)
        {
            set(&format!("{}.listen", which.name()), &format!("127.0.0.1:{port}"))?;
        }
    }
    for setting in &args.settings {
        let (path, value) = config::assignment(setting).map_err(Failure::usage)?;
        settings.insert(path, value);
    }
    // Absolute, so that each corner's process finds the same file wherever it runs.
    let file = std::path::absolute(args.dir.join(config::FILE)).map_err(|error| Failure::about(&args.dir, error))?;
    Ok((file, config::sample(&settings)))
}

/// The socket that the founding acts reach the ledger by, held from before anything is made: nobody takes its address
/// meanwhile, and nobody else answers there.
fn ledgers_socket(config: &Config) -> Result<TcpListener, Failure> {
    let (at, tls) = (config.ledger.listen, config.ledger.tls.is_some());
    let socket = call::wait(async { eleven_api::serve::listen(at, tls) })?;
    socket.map_err(|error| {
        Failure::usage(format!(
            "the ledger can't listen: {error}: stop what does, or name another address with --free-ports or --set \
             ledger.listen=…; nothing was done"
        ))
    })
}

/// This machine's name as a segment; `localhost` where it has none that is one.
fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    if eleven_core::name::is_segment(&name) { name } else { "localhost".to_owned() }
}

/// Three ports that are free at this moment, all held until all are known.
fn free_ports() -> std::io::Result<[u16; 3]> {
    let held: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&held) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

type Keys = BTreeMap<&'static str, Vec<PublicKey>>;

fn key_of(keys: &Keys, which: Which, usage: KeyUse) -> Result<&PublicKey, Failure> {
    let key = keys.get(which.name()).and_then(|keys| keys.iter().find(|key| key.usage == usage));
    key.ok_or_else(|| Failure::new(format!("the {} made no {} key", which.name(), usage.name())))
}

/// The root key, outside all three folders, and the root that it signs.
fn make_root(
    config: &Config,
    dir: &Path,
    keys: &Keys,
    witnesses: Witnesses,
    window: (Time, Time),
) -> Result<TrustRoot, Failure> {
    let signer = root_key::create(&dir.join(ROOT_KEY), format!("key:{}/root/{LABEL}", config.domain))?;
    let owner = format!("human:root:{}", config.env);
    let own = PublicKey { kid: signer.kid().to_owned(), usage: KeyUse::Root, owner, public: signer.public() };
    let root = TrustRoot {
        domain: config.domain.clone(),
        version: 1,
        threshold: 1,
        keys: vec![within(&own, window)],
        roles: vec![
            within(key_of(keys, Which::Ledger, KeyUse::Head)?, window),
            within(key_of(keys, Which::Authority, KeyUse::Policy)?, window),
            within(key_of(keys, Which::Authority, KeyUse::Registry)?, window),
        ],
        witnesses,
        nbf: window.0,
        exp: window.1,
        prev: None,
        sigs: Vec::new(),
    };
    let root = root.signed(&[&signer])?;
    write_public(&config.root, &root.to_value().canonical())?;
    Ok(root)
}

/// The first keys of the registry, granted by the authority's registry key.
fn grant(file: &Path, keys: &Keys, window: (Time, Time)) -> Result<Value, Failure> {
    let first = [
        (Which::Authority, KeyUse::Issuer),
        (Which::Authority, KeyUse::Event),
        (Which::Ledger, KeyUse::Event),
        (Which::Runtime, KeyUse::Event),
        (Which::Runtime, KeyUse::Attestation),
    ];
    let records = first.map(|(which, usage)| key_of(keys, which, usage).map(|key| within(key, window).to_value()));
    let records = Value::Array(records.into_iter().collect::<Result<_, _>>()?);
    let granted = parse(&corner(Which::Authority, &["grant"], file, Some(&records))?).map_err(Failure::new)?;
    for key in granted.as_array().unwrap_or_default() {
        GrantedKey::read(key.clone())?;
    }
    Ok(granted)
}

/// What the authority does before there is an operator; adding one is the last of it.
fn founding_acts(config: &Config, keys: &Keys, policy: &Path, exposure: Exposure) -> Result<Value, Failure> {
    let authority = config.authority_name();
    let tokens = key_of(keys, Which::Authority, KeyUse::Identity)?;
    let point = key_of(keys, Which::Runtime, KeyUse::Event)?;
    let who = format!("human:operator:{}", config.env);
    let kid = format!("key:{}/operator/{LABEL}", config.domain);
    let operator = OperatorKey::create(&config.operator_key, &who, &kid, &Zeroizing::new(edge::random()))?;
    let bundle = Source::read(policy)?.into_object();
    let source = identity::jwt_source("authority", &authority, &tokens.kid, &tokens.public);
    let operator = identity::operator_source("operator", &operator.identity, &kid, &operator.signer.public());
    let act = founding_act;
    // What counts where nothing is set need not be set.
    let exposed =
        (exposure != Exposure::default()).then(|| act("exposure.set", Object::new().with("exposure", exposure.name())));
    let acts = [
        act("source.register", source.to_value().into_object()),
        act("policy.publish", Object::new().with("bundle", bundle)),
        act("runtime.register", admin::measured(config, point.kid.clone())?.to_value().into_object()),
        act("source.register", operator.to_value().into_object()),
    ];
    Ok(Value::Array(exposed.into_iter().chain(acts).collect()))
}

/// Runs the founding acts over a ledger that runs for as long as they take.
fn found(config: &Config, file: &Path, acts: &Value, socket: TcpListener) -> Result<(), Failure> {
    let mut ledger = Running::start(Which::Ledger, file, socket)?;
    let began = Instant::now();
    while !matches!(call::wait(health::of(Which::Ledger, config))?, Health::Ours(_)) {
        ledger.still_runs()?;
        if began.elapsed() > READY {
            let https = config.ledger.url.starts_with("https:");
            let hint = if https { ": does this machine, or SSL_CERT_FILE, trust its certificate?" } else { "" };
            return Err(Failure::new(format!("the ledger does not answer at {}{hint}", config.ledger.url)));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    corner(Which::Authority, &["found"], file, Some(acts))?;
    ledger.stop()
}

/// A corner's process that ends with this value.
struct Running(Child);

impl Running {
    /// Starts it on its socket, which goes with it.
    fn start(which: Which, file: &Path, socket: TcpListener) -> Result<Self, Failure> {
        let parent = std::process::id().to_string();
        let mut command = program();
        command.args([which.name(), "serve", "--parent", &parent, "--config"]).arg(file);
        command.env("ELEVEN_LOG", "warn").stdin(Stdio::from(OwnedFd::from(socket))).stdout(Stdio::null());
        command.spawn().map(Self).map_err(Failure::new)
    }

    fn still_runs(&mut self) -> Result<(), Failure> {
        match self.0.try_wait().map_err(Failure::new)? {
            None => Ok(()),
            Some(status) => Err(Failure::new(format!("the ledger ended ({status}): its own message stands above"))),
        }
    }

    fn stop(mut self) -> Result<(), Failure> {
        terminate(&self.0)?;
        let status = self.0.wait().map_err(Failure::new)?;
        if status.success() { Ok(()) } else { Err(Failure::new(format!("the ledger ended badly ({status})"))) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where it ended already there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn terminate(child: &Child) -> Result<(), Failure> {
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or_else(|| Failure::new("the ledger's process has no number"))?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).map_err(Failure::new)
}

/// Runs a corner's own command as its own process and gives back what it printed.
fn corner(which: Which, args: &[&str], file: &Path, input: Option<&Value>) -> Result<Vec<u8>, Failure> {
    let mut command = program();
    command.arg(which.name()).args(args).arg("--config").arg(file).env("ELEVEN_LOG", "warn");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(Failure::new)?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        stdin.write_all(&input.canonical()).map_err(Failure::new)?;
    }
    let ended = child.wait_with_output().map_err(Failure::new)?;
    if ended.status.success() {
        return Ok(ended.stdout);
    }
    // A command that was to print JSON says what failed there, too.
    let told = parse(ended.stdout.trim_ascii()).ok();
    let told = told.as_ref().and_then(|value| value.get("error")).and_then(Value::as_str);
    let said = told.map_or_else(|| String::from_utf8_lossy(&ended.stderr), Cow::Borrowed);
    let said: Vec<&str> = said.lines().map(|line| line.trim_start_matches("eleven: ").trim()).collect();
    let said = said.join("; ");
    Err(Failure::new(format!("{} {}: {said}", which.name(), args.join(" "))))
}

fn summary(args: &Init, config: &Config, until: Time, output: Output) {
    let dir = args.dir.display();
    let value = || {
        let urls = Object::new()
            .with("authority", &config.authority.url)
            .with("ledger", &config.ledger.url)
            .with("runtime", &config.runtime.url);
        Value::Object(
            Object::new()
                .with("domain", &config.domain)
                .with("config", config.file.display().to_string())
                .with("root", config.root.display().to_string())
                .with("root_key", config.file.with_file_name(ROOT_KEY).display().to_string())
                .with("point", &config.point.name)
                .with("until", until.to_seconds_value())
                .with("urls", urls),
        )
    };
    let text = || {
        let take_away = format!(
            "Take {dir}/{ROOT_KEY} away from this machine: whoever has it can replace every other key of the domain."
        );
        let ends = format!(
            "The root and all keys count until {}: renew them before, or the domain stops for good then. `eleven doctor` tells \
             ahead, docs/keys.md how.",
            until.seconds()
        );
        format!(
            "domain {} in {dir}\n\
             \x20 {dir}/eleven.toml          every key of the configuration, with what it is for\n\
             \x20 {dir}/root.json            the trust root: give it to whoever is to verify\n\
             \x20 {dir}/operator.key         signs `policy publish`, `artifact revoke` and so on\n\
             \x20 {dir}/policies/starter.*   permits {} to call {}, and nothing else\n\
             \x20 {dir}/authority, ledger, runtime: the corners' own folders and keys\n\
             {}\n\
             {}\n\
             All corners run as one user here: that is for development. deploy/ has them as three.\n\
             Next: {} up --config {}",
            config.domain,
            starter::IDENTITY,
            starter::MODEL,
            output.paint(Paint::Warn, &take_away),
            output.paint(Paint::Warn, &ends),
            invoked(),
            word(&format!("{dir}/eleven.toml")),
        )
    };
    output.either(value, text);
}
