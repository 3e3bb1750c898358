//! `eleven witness …`: a witness on its own folder, with its own key. It shares nothing with a domain but the public keys
//! that each is told of the other.

use crate::audit_cmd;
use crate::call;
use crate::cli::{WitnessCommand, WitnessKeyCommand, WitnessLogCommand, WitnessServe};
use crate::corner;
use crate::keystore::{self, FileKeystore, Keystore as _, Wanted};
use crate::output::{EXIT_DONE, Failure, Output, shown, word};
use eleven_api::edge::{self, SystemClock};
use eleven_api::routes;
use eleven_api::serve::{Listener, Tls};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::form::{Form, FormError};
use eleven_core::head::checkpoint::{read_vkey, read_witness_vkey, vkey, witness_vkey};
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot, Witness, Witnesses};
use eleven_core::signature::{base64_value, bytes32};
use eleven_ledger::follow::{self, Auditing, Follower, Remote};
use eleven_ledger::witness::{Gate, Log, Open, Settings, WitnessServer};
use eleven_store::Folder;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The mark of a witness's folder and keystore.
const CORNER: &str = "witness";
/// The name of its key: its own keystore holds no other.
const KID: &str = "key:witness/cosignature/1";
/// What is public of it, in its folder: what `init --witness` reads.
const PUBLIC: &str = "witness.json";
/// The verifier keys of the logs that it watches, one a line.
const WATCHED: &str = "watched";
/// The mirror of a ledger that it audits.
const MIRROR: &str = "mirror";

/// Carries out a command, and gives the status to end with.
///
/// # Errors
/// Where it can't be.
pub(crate) fn run(command: WitnessCommand, output: Output) -> Result<ExitCode, Failure> {
    match command {
        WitnessCommand::Serve(args) => return serve(&args, output).map(ExitCode::from),
        WitnessCommand::Key(WitnessKeyCommand::New { dir, name, audits, passphrase_file }) => {
            let passphrase_file = passphrase_file.unwrap_or_else(|| dir.join(keystore::PASSPHRASE));
            new_key(&dir, name, audits, &passphrase_file, output)?;
        }
        WitnessCommand::Log(WitnessLogCommand::Add { dir, root, vkey }) => {
            add_log(&dir, root.as_deref(), vkey.as_deref(), output)?;
        }
        WitnessCommand::Log(WitnessLogCommand::List { dir }) => list_logs(&dir, output)?,
        WitnessCommand::Show { url } => show(&url, output)?,
        WitnessCommand::Evidence { url, root, out } => {
            let evidence = asked(&url, routes::WITNESS_EVIDENCE, "evidence")?;
            match (root, out) {
                (Some(root), Some(out)) => convict(&evidence, &corner::read_root(&root)?, &out, output)?,
                _ => output.document(&evidence),
            }
        }
    }
    Ok(ExitCode::from(EXIT_DONE))
}

fn new_key(dir: &Path, name: String, audits: bool, passphrase_file: &Path, output: Output) -> Result<(), Failure> {
    if name.is_empty() || name.len() > 128 || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+') {
        return Err(Failure::usage("a witness's name is up to 128 printable characters without spaces and `+`"));
    }
    let folder = Folder::open(dir, CORNER)?;
    if passphrase_file.starts_with(dir) {
        keystore::make_passphrase(passphrase_file, &Zeroizing::new(edge::random()))?;
    }
    let passphrase = keystore::passphrase(passphrase_file)?;
    let wanted = vec![Wanted { kid: KID.to_owned(), usage: KeyUse::Witness, owner: name.clone() }];
    let random = || Zeroizing::new(edge::random());
    let store = FileKeystore::create(&folder.path().join(keystore::FILE), CORNER, &passphrase, wanted, random)?;
    let key = store.keys().first().ok_or_else(|| Failure::new("the keystore holds no key"))?;
    let value = Object::new()
        .with("v", "1")
        .with("type", "11-11/witness")
        .with("name", &name)
        .with("public", base64_value(&key.public))
        .with("audits", audits);
    let public = dir.join(PUBLIC);
    keystore::write_public(&public, &value.canonical())?;
    let vkey = witness_vkey(&name, &key.public);
    let text = || {
        format!(
            "witness {name}\n  verifier key  {vkey}\n  for a domain  eleven init DIR --witness {}\n\
             Then: eleven witness log add {} --root DIR/root.json",
            word(&public.display()),
            word(&dir.display())
        )
    };
    output.either(|| Value::Object(value.with("vkey", &vkey)), text);
    Ok(())
}

/// The witnesses of a new trust root, from their public files.
///
/// # Errors
/// Where a file is none, or the numbers don't fit.
pub(crate) fn named(files: &[PathBuf], quorum: Option<u64>, auditors: u64) -> Result<Witnesses, Failure> {
    let keys = files.iter().map(|file| read_public(file)).collect::<Result<Vec<_>, _>>()?;
    let (all, audit) = (keys.len() as u64, keys.iter().filter(|key| key.audits).count() as u64);
    let quorum = quorum.unwrap_or(all);
    if quorum > all || (quorum == 0 && all > 0) {
        return Err(Failure::usage(format!("--quorum {quorum} is not between 1 and the number of witnesses, {all}")));
    }
    if auditors > audit {
        return Err(Failure::usage(format!("--auditors {auditors}: {audit} of the witnesses that are named audit")));
    }
    Ok(Witnesses { quorum, auditors, keys })
}

/// A witness's public file: `witness.json`, or one that holds its verifier key, by which C2SP witnesses of other makes are known. Whether
/// it audits no verifier key says, so it counts as one that does not. Its name is the root's to judge.
///
/// # Errors
/// Where it is neither.
pub(crate) fn read_public(file: &Path) -> Result<Witness, Failure> {
    let failed = |what: &dyn std::fmt::Display| Failure::usage_about(file, what);
    let bytes = std::fs::read(file).map_err(|error| failed(&error))?;
    let verifier = std::str::from_utf8(&bytes).ok().and_then(|text| read_witness_vkey(text.trim()));
    if let Some((name, public)) = verifier {
        return Ok(Witness { name, public, audits: false });
    }
    let read = || {
        let mut form = Form::of(parse(&bytes)?, "witness")?;
        form.version()?;
        form.named("type", "\"11-11/witness\"", |kind| kind == "11-11/witness")?;
        let name = form.string("name")?;
        let public = bytes32(&form.string("public")?).ok_or_else(|| form.wrong("public", "not 32 bytes in base64"))?;
        let audits = form.boolean("audits")?;
        form.finish()?;
        Ok::<_, FormError>(Witness { name, public, audits })
    };
    read().map_err(|error| failed(&error))
}

fn add_log(dir: &Path, root: Option<&Path>, vkey_given: Option<&str>, output: Output) -> Result<(), Failure> {
    let (added, stolen): (Vec<String>, Vec<String>) = match (root, vkey_given) {
        (Some(root), _) => {
            let root = corner::read_root(root)?;
            let origin = root.origin();
            let heads = root.roles.iter().filter(|key| key.usage == KeyUse::Head);
            let (stolen, own): (Vec<&KeyRecord>, Vec<&KeyRecord>) =
                heads.partition(|key| matches!(key.status, KeyStatus::Compromised(_)));
            let lines =
                |keys: &[&KeyRecord]| -> Vec<String> { keys.iter().map(|key| vkey(&origin, &key.public)).collect() };
            (lines(&own), lines(&stolen))
        }
        (None, Some(vkey)) => (vec![vkey.trim().to_owned()], Vec::new()),
        (None, None) => return Err(Failure::usage("name the log by --root or --vkey")),
    };
    if let Some(wrong) = added.iter().find(|vkey| read_vkey(vkey).is_none()) {
        return Err(Failure::usage(format!("`{wrong}` is no verifier key of Ed25519: `<origin>+<id>+<key>`")));
    }
    holds_witness(dir)?;
    let mut lines = watched_lines(dir)?;
    // Whoever has it could lead this witness off to a tree that the ledger never goes on from.
    lines.retain(|line| !stolen.contains(line));
    lines.extend(added.into_iter().filter(|line| !lines.contains(line)).collect::<Vec<_>>());
    write_watched(dir, &lines).map_err(|error| Failure::about(&dir.join(WATCHED), error))?;
    list_logs(dir, output)
}

fn holds_witness(dir: &Path) -> Result<(), Failure> {
    if dir.join(keystore::FILE).exists() {
        return Ok(());
    }
    Err(Failure::usage(format!("{} holds no witness: make it with `eleven witness key new`", dir.display())))
}

fn list_logs(dir: &Path, output: Output) -> Result<(), Failure> {
    holds_witness(dir)?;
    let lines = watched_lines(dir)?;
    let origin = |line: &String| read_vkey(line).map_or_else(String::new, |(origin, _)| origin);
    let value = || {
        let row = |line: &String| Value::Object(Object::new().with("origin", origin(line)).with("vkey", line.as_str()));
        Value::Object(Object::new().with("logs", lines.iter().map(row).collect::<Vec<_>>()))
    };
    let row = |line: &String| vec![origin(line), line.clone()];
    let text = || output.table_of(["LOG", "VERIFIER KEY"], lines.iter().map(row));
    output.either(value, text);
    Ok(())
}

/// The lines of the watched file; none where it is not there yet.
fn watched_lines(dir: &Path) -> Result<Vec<String>, Failure> {
    let file = dir.join(WATCHED);
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Failure::about(&file, error)),
    }
}

/// Whole or not at all.
fn write_watched(dir: &Path, lines: &[String]) -> std::io::Result<()> {
    let draft = dir.join("watched.tmp");
    let mut file = std::fs::File::create(&draft)?;
    lines.iter().try_for_each(|line| writeln!(file, "{line}"))?;
    file.sync_all()?;
    std::fs::rename(&draft, dir.join(WATCHED))?;
    std::fs::File::open(dir)?.sync_all()
}

/// The watched logs, the keys of one origin together.
fn watched(dir: &Path) -> Result<Vec<Log>, Failure> {
    let mut logs: Vec<Log> = Vec::new();
    for line in watched_lines(dir)? {
        let wrong = || Failure::usage(format!("{}: `{line}` is no verifier key", dir.join(WATCHED).display()));
        let (origin, public) = read_vkey(&line).ok_or_else(wrong)?;
        match logs.iter_mut().find(|log| log.origin == origin) {
            Some(log) => log.keys.push(public),
            None => logs.push(Log { origin, keys: vec![public] }),
        }
    }
    Ok(logs)
}

/// One that was made as an auditor counts as one wherever its public file was named: without a ledger to replay what it cosigns would
/// be D5, and nobody would have replayed it.
fn audits_or_is_plain(dir: &Path, audits: bool) -> Result<(), Failure> {
    let public = dir.join(PUBLIC);
    if audits || !public.exists() || !read_public(&public)?.audits {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} says that this witness audits: name the ledger that it replays with --audit and --root",
        public.display()
    )))
}

/// Runs the witness until it is told to stop; the status says whether another process is to take its place.
fn serve(args: &WitnessServe, output: Output) -> Result<u8, Failure> {
    corner::follow_parent(args.serve.parent)?;
    corner::log();
    corner::close_to_others()?;
    let dir = std::path::absolute(&args.dir).map_err(Failure::new)?;
    holds_witness(&dir)?;
    audits_or_is_plain(&dir, args.audit.is_some())?;
    let passphrase_file = args.passphrase_file.clone().unwrap_or_else(|| dir.join(keystore::PASSPHRASE));
    let audited = args.root.as_deref().map(corner::read_root).transpose()?;
    let secret = audit_cmd::secret(args.secret_file.as_deref())?;
    let tls = args.tls_certificate.iter().chain(&args.tls_key).cloned();
    // Only who follows a ledger asks anybody.
    let names = corner::Names::seen(args.audit.as_deref(), false);
    let confinement = corner::to_folder(tls.chain([passphrase_file.clone()]).collect(), &dir)?;
    tracing::info!(corner = CORNER, files = %confinement, "confined");
    let keys = FileKeystore::open(&dir.join(keystore::FILE), CORNER, &keystore::passphrase(&passphrase_file)?)?;
    let name = keys.keys().iter().find(|key| key.usage == KeyUse::Witness).map(|key| key.owner.clone());
    let name = name.ok_or_else(|| Failure::new("the keystore holds no witness key"))?;
    let gate: Arc<dyn Gate> = match (&args.audit, audited) {
        (Some(url), Some(root)) => {
            let source = Remote::new(call::address(url)?, secret.as_deref()).map_err(Failure::new)?;
            let follower = Follower::open(&dir.join(MIRROR), root)?;
            Arc::new(Auditing::new(follower, Arc::new(source)))
        }
        _ => Arc::new(Open),
    };
    let settings = Settings { logs: watched(&dir)?, folder: dir, name };
    if settings.logs.is_empty() {
        tracing::warn!("no log is watched: add one with `eleven witness log add`");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(Failure::new)?.block_on(async {
        let signals = corner::Signals::heard().and_replaced(names);
        let tls = match (&args.tls_certificate, &args.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls::load(certificate, key).map_err(Failure::new)?),
            _ => None,
        };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = Listener::bind(args.listen, tls).await.map_err(Failure::usage)?;
        let url = format!("{scheme}://{}", listener.local_addr().map_err(Failure::new)?);
        let signer = keys.signer(KeyUse::Witness)?;
        let witness = WitnessServer::open(settings, signer, Arc::new(SystemClock), gate)?;
        output.either(|| Value::Object(Object::new().with("listening", &url)), || format!("listening {url}"));
        corner::until_stopped(signals, |stop| witness.serve(listener, stop)).await
    })
}

/// What a witness answers: its name, and a list.
fn asked(url: &str, path: &str, list: &str) -> Result<Value, Failure> {
    call::get_of(call::address(url)?, path, "witness", |said| {
        said.get("name").and_then(Value::as_str).is_some() && said.get(list).and_then(Value::as_array).is_some()
    })
    .map_err(|failure| failure.started_by("`eleven witness serve` starts a witness"))
}

/// Writes what a witness holds against a ledger as a file that convicts it.
fn convict(evidence: &Value, root: &TrustRoot, out: &Path, output: Output) -> Result<(), Failure> {
    let held = evidence.get("evidence").and_then(Value::as_array).unwrap_or_default().iter();
    let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut files = held.filter_map(|one| follow::convicts(root, &text(one, "held"), &text(one, "shown")));
    let Some(file) = files.next() else {
        return Err(Failure::new(
            "the witness holds nothing that convicts the ledger of this root: name the domain's newest version, in which every \
             head key stands",
        ));
    };
    keystore::write_public(out, &file.canonical())?;
    let out = out.display().to_string();
    let typed = word(&out);
    let text =
        || format!("{out}: the ledger signed two histories; check it anywhere: eleven verify {typed} --root ROOT");
    output.either(|| Value::Object(Object::new().with("file", &out)), text);
    Ok(())
}

fn show(url: &str, output: Output) -> Result<(), Failure> {
    let said = asked(url, routes::WITNESS_LOGS, "seen")?;
    let text = |value: &Value, name: &str| match value.get(name) {
        Some(Value::Str(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let table = || {
        let seen = said.get("seen").and_then(Value::as_array).unwrap_or_default();
        let rows = seen.iter().map(|log| ["origin", "size", "at", "root"].map(|name| text(log, name)).to_vec());
        let watched =
            said.get("watched").and_then(Value::as_array).unwrap_or_default().iter().filter_map(Value::as_str);
        // What was added and never asked to be cosigned.
        let unseen = watched.filter(|log| !seen.iter().any(|seen| text(seen, "origin") == **log));
        let unseen = unseen.map(|log| [log, "-", "nothing yet", "-"].map(str::to_owned).to_vec());
        let table = output.table_of(["LOG", "SIZE", "SEEN", "ROOT"], rows.chain(unseen));
        let evidence = said.get("evidence").and_then(Value::as_int).unwrap_or(0);
        format!("witness {}, {evidence} contradictions kept\n{table}", shown(&text(&said, "name")))
    };
    output.either(|| said.clone(), table);
    Ok(())
}
