//! `eleven.toml`: read once, checked whole, handed on as typed values.
//!
//! The keys are one table ([`table`]); the sample that `init` writes and `docs/config.md` come from it, too. A key that
//! the table does not have is refused with its line: a misspelt limit must not be a limit that is not there.

mod apart;
mod document;
mod form;
mod table;

pub(crate) use document::{markdown, sample};
pub(crate) use form::{Setting, is_base_url};

use crate::keystore;
use eleven_core::encoding::{Object, Value};
use eleven_core::hash::Sha3;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;
use table::{KEYS, Key, SECTIONS};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The file's name where no other is given.
pub(crate) const FILE: &str = "eleven.toml";
/// Bytes of the file.
const MAX_FILE: u64 = 64 * 1024;

/// The whole configuration. Paths are absolute or relative to the working directory, ready to open.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The file it came from.
    pub(crate) file: PathBuf,
    /// The domain's name.
    pub(crate) domain: String,
    /// The environment.
    pub(crate) env: String,
    /// Seconds that a registry view stays fresh: written at genesis.
    pub(crate) fresh: u64,
    /// The trust root's file.
    pub(crate) root: PathBuf,
    /// The operator's key file.
    pub(crate) operator_key: PathBuf,
    /// What the authority has in common with the other corners.
    pub(crate) authority: Corner,
    /// What the ledger has in common with the other corners.
    pub(crate) ledger: Corner,
    /// What the runtime has in common with the other corners.
    pub(crate) runtime: Corner,
    /// How the ledger's heads come, and who cosigns them.
    pub(crate) heads: Heads,
    /// Where content went that is past its retention.
    pub(crate) archive: Option<PathBuf>,
    /// How often the running ledger moves content there.
    pub(crate) archive_every: Option<Duration>,
    /// What makes the enforcement point.
    pub(crate) point: Point,
}

/// What every corner is configured with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Corner {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// How others reach it.
    pub(crate) url: String,
    /// Its folder.
    pub(crate) data: PathBuf,
    /// The passphrase of its keystore.
    pub(crate) passphrase_file: PathBuf,
    /// Certificate and key of its listener.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
}

/// Heads and their witnesses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heads {
    /// Milliseconds between heads.
    pub(crate) interval: u64,
    /// Milliseconds between heads under load.
    pub(crate) busy_interval: u64,
    /// From how many entries a second on there is load.
    pub(crate) busy_rate: u64,
    /// Base URLs of the witnesses.
    pub(crate) witnesses: Vec<String>,
    /// Milliseconds that a head waits for them before the next.
    pub(crate) witness_deadline: u64,
}

/// The enforcement point and its upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// `<runtime>#<point>`.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) region: String,
    /// Whom it serves.
    pub(crate) tenancy: String,
    /// Milliseconds of the audit bound.
    pub(crate) audit_bound_ms: i64,
    /// The predicate type of its attestations.
    pub(crate) predicate_type: String,
    /// The durability that what is acknowledged has to reach.
    pub(crate) require_durability: String,
    /// Seconds within which.
    pub(crate) durability_window: u64,
    /// Base URL of the upstream.
    pub(crate) upstream: String,
    /// File with the upstream's API key.
    pub(crate) upstream_key_file: Option<PathBuf>,
    /// The scope of inline calls.
    pub(crate) scope: Vec<String>,
    /// Members of the body that enter the operation.
    pub(crate) parameters: Vec<String>,
    /// Bytes of a request's body.
    pub(crate) max_body: usize,
    /// The operation that a model call is.
    pub(crate) operation: String,
    /// The operation that a listing of models is.
    pub(crate) list_operation: String,
    /// Bytes of a response that is held whole.
    pub(crate) max_response: usize,
    /// Seconds that a call may run.
    pub(crate) max_run: u64,
}

/// Why a configuration is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConfigError {
    file: PathBuf,
    line: Option<usize>,
    what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file.display(), self.what),
            None => write!(f, "{}: {}", self.file.display(), self.what),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Where it can't be read, is not TOML, or a key is unknown, missing, of another form or out of its range.
    pub(crate) fn load(file: &Path) -> Result<Self, ConfigError> {
        let refuse = |what| ConfigError { file: file.to_owned(), line: None, what };
        let mut text = String::new();
        let read = File::open(file).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
        let size = read.map_err(|error| {
            let make = if error.kind() == ErrorKind::NotFound { "make one with `eleven init DIR`, or " } else { "" };
            refuse(format!("cannot be read ({error}): {make}name it with --config"))
        })?;
        if u64::try_from(size).is_ok_and(|size| size > MAX_FILE) {
            return Err(refuse("is larger than 64 KiB: that is no configuration".to_owned()));
        }
        Self::read(file, &text)
    }

    /// Reads and checks a text as the file at `file`.
    pub(crate) fn read(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let written = Written::read(file, text)?;
        let corner = |name: &str| written.corner(name);
        let config = Self {
            file: file.to_owned(),
            domain: written.text("domain.name")?,
            env: written.text("domain.env")?,
            fresh: written.number("domain.fresh")?,
            root: written.path("domain.root")?,
            operator_key: written.path("operator.key")?,
            authority: corner("authority")?,
            ledger: corner("ledger")?,
            runtime: corner("runtime")?,
            heads: written.heads()?,
            archive: written.opt_path("ledger.archive"),
            archive_every: written.opt_hours("ledger.archive_every"),
            point: written.point()?,
        };
        config.check_apart(&written)?;
        Ok(config)
    }

    /// `governance://<domain>/authority/<env>`.
    pub(crate) fn authority_name(&self) -> String {
        format!("governance://{}/authority/{}", self.domain, self.env)
    }

    /// `ledger://<domain>`.
    pub(crate) fn ledger_name(&self) -> String {
        format!("ledger://{}", self.domain)
    }

    /// The digest of the effective configuration of the enforcement point, as it is registered and measured: everything
    /// that changes what it enforces or where it sends, and nothing that only says where its files lie.
    pub(crate) fn point_digest(&self) -> Sha3 {
        let texts = |list: &[String]| Value::Array(list.iter().map(|text| text.as_str().into()).collect());
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let point = &self.point;
        let effective = Object::new()
            .with("authority", &self.authority.url)
            .with("audit_bound_ms", point.audit_bound_ms)
            .with("domain", &self.domain)
            .with("durability_window", point.durability_window)
            .with("ledger", &self.ledger.url)
            .with("listen", self.runtime.listen.to_string())
            .with("list_operation", &point.list_operation)
            .with("max_body", number(point.max_body))
            .with("max_response", number(point.max_response))
            .with("max_run", point.max_run)
            .with("operation", &point.operation)
            .with("parameters", texts(&point.parameters))
            .with("point", &point.name)
            .with("predicate_type", &point.predicate_type)
            .with("region", &point.region)
            .with("require_durability", &point.require_durability)
            .with("scope", texts(&point.scope))
            .with("tenancy", &point.tenancy)
            .with("tls", self.runtime.tls.is_some())
            .with("upstream", &point.upstream);
        Sha3::of_value(&Value::Object(effective))
    }
}

/// What stands in a file, by key, each with its line.
struct Written {
    file: PathBuf,
    found: BTreeMap<&'static str, (Setting, usize)>,
}

impl Written {
    fn read(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let refuse = |span: Option<Range<usize>>, what: String| ConfigError {
            file: file.to_owned(),
            line: span.map(|span| line_of(text, span.start)),
            what,
        };
        let document = DeTable::parse(text).map_err(|error| refuse(error.span(), error.message().to_owned()))?;
        let mut found = BTreeMap::new();
        let mut open = vec![(String::new(), document.get_ref())];
        while let Some((section, table)) = open.pop() {
            for (name, value) in table {
                let path = if section.is_empty() {
                    name.get_ref().to_string()
                } else {
                    format!("{section}.{}", name.get_ref())
                };
                let known = KEYS.iter().find(|key| key.path == path);
                match (known, value.get_ref()) {
                    (Some(key), _) => {
                        let setting = setting(key, value).map_err(|what| refuse(Some(value.span()), what))?;
                        found.insert(key.path, (setting, line_of(text, name.span().start)));
                    }
                    (None, DeValue::Table(inner)) if SECTIONS.iter().any(|section| section.name == path) => {
                        open.push((path, inner));
                    }
                    (None, _) => return Err(refuse(Some(name.span()), unknown(&path))),
                }
            }
        }
        Ok(Self { file: file.to_owned(), found })
    }

    fn refuse(&self, path: &str, what: String) -> ConfigError {
        ConfigError { file: self.file.clone(), line: self.found.get(path).map(|(_, line)| *line), what }
    }

    /// Whether a key stands in the file.
    fn stands(&self, path: &str) -> bool {
        self.found.contains_key(path)
    }

    /// What stands under a key, or its preset.
    fn setting(&self, path: &str) -> Option<Setting> {
        let preset = || document::preset(&KEYS.iter().find(|key| key.path == path)?.preset);
        self.found.get(path).map(|(setting, _)| setting.clone()).or_else(preset)
    }

    fn missing(&self, path: &str) -> ConfigError {
        self.refuse(path, format!("`{path}` is not set: add it; docs/config.md says what it is for"))
    }

    fn text(&self, path: &str) -> Result<String, ConfigError> {
        match self.setting(path) {
            Some(Setting::Text(text)) => Ok(text),
            _ => Err(self.missing(path)),
        }
    }

    /// A number; the forms of the table let no negative one through.
    fn number<N: TryFrom<i64>>(&self, path: &str) -> Result<N, ConfigError> {
        match self.setting(path) {
            Some(Setting::Int(number)) => N::try_from(number).map_err(|_| self.missing(path)),
            _ => Err(self.missing(path)),
        }
    }

    fn list(&self, path: &str) -> Result<Vec<String>, ConfigError> {
        match self.setting(path) {
            Some(Setting::List(list)) => Ok(list),
            _ => Err(self.missing(path)),
        }
    }

    fn path(&self, path: &str) -> Result<PathBuf, ConfigError> {
        self.text(path).map(|text| self.beside(&text))
    }

    fn opt_path(&self, path: &str) -> Option<PathBuf> {
        match self.setting(path) {
            Some(Setting::Text(text)) => Some(self.beside(&text)),
            _ => None,
        }
    }

    fn opt_hours(&self, path: &str) -> Option<Duration> {
        match self.setting(path) {
            Some(Setting::Int(hours)) => u64::try_from(hours).ok().map(|hours| Duration::from_secs(hours * 3600)),
            _ => None,
        }
    }

    fn beside(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    fn corner(&self, name: &str) -> Result<Corner, ConfigError> {
        let at = |key: &str| format!("{name}.{key}");
        let listen: SocketAddr = self.text(&at("listen"))?.parse().map_err(|_| self.missing(&at("listen")))?;
        let data = self.path(&at("data"))?;
        let tls = match (self.opt_path(&at("tls_certificate")), self.opt_path(&at("tls_key"))) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(self.refuse(&at("tls_certificate"), format!("set `{}`, too", at("tls_key")))),
            (None, Some(_)) => return Err(self.refuse(&at("tls_key"), format!("set `{}`, too", at("tls_certificate")))),
        };
        if tls.is_none() && !listen.ip().to_canonical().is_loopback() {
            let what =
                format!("{listen} is beyond loopback: set `tls_certificate` and `tls_key`, or listen on 127.0.0.1");
            return Err(self.refuse(&at("listen"), what));
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = match self.setting(&at("url")) {
            Some(Setting::Text(url)) => url.trim_end_matches('/').to_owned(),
            _ => format!("{scheme}://{listen}"),
        };
        let passphrase_file = self.opt_path(&at("passphrase_file")).unwrap_or_else(|| data.join(keystore::PASSPHRASE));
        Ok(Corner { listen, url, data, passphrase_file, tls })
    }

    fn heads(&self) -> Result<Heads, ConfigError> {
        Ok(Heads {
            interval: self.number("ledger.head_interval")?,
            busy_interval: self.number("ledger.head_interval_busy")?,
            busy_rate: self.number("ledger.head_busy_rate")?,
            witnesses: self.list("ledger.witnesses")?,
            witness_deadline: self.number("ledger.witness_deadline")?,
        })
    }

    fn point(&self) -> Result<Point, ConfigError> {
        Ok(Point {
            name: self.text("runtime.point")?,
            region: self.text("runtime.region")?,
            tenancy: self.text("runtime.tenancy")?,
            audit_bound_ms: self.number::<i64>("runtime.audit_bound")? * 1000,
            predicate_type: self.text("runtime.predicate_type")?,
            require_durability: self.text("runtime.require_durability")?,
            durability_window: self.number("runtime.durability_window")?,
            upstream: self.text("runtime.gateway.upstream")?.trim_end_matches('/').to_owned(),
            upstream_key_file: self.opt_path("runtime.gateway.upstream_key_file"),
            scope: self.list("runtime.gateway.scope")?,
            parameters: self.list("runtime.gateway.parameters")?,
            max_body: self.number("runtime.gateway.max_body")?,
            operation: self.text("runtime.gateway.operation")?,
            list_operation: self.text("runtime.gateway.list_operation")?,
            max_response: self.number("runtime.gateway.max_response")?,
            max_run: self.number("runtime.gateway.max_run")?,
        })
    }
}

/// A value of the file, in its key's form.
fn setting(key: &Key, value: &Spanned<DeValue<'_>>) -> Result<Setting, String> {
    let text = |value: &DeValue<'_>| value.as_str().map(str::to_owned);
    let read = match value.get_ref() {
        DeValue::String(text) => Some(Setting::Text(text.to_string())),
        DeValue::Integer(number) => {
            let digits = number.as_str().replace('_', "");
            i64::from_str_radix(&digits, number.radix()).ok().map(Setting::Int)
        }
        DeValue::Array(items) => {
            items.iter().map(|item| text(item.get_ref())).collect::<Option<_>>().map(Setting::List)
        }
        _ => None,
    };
    let name = key.path.rsplit_once('.').map_or(key.path, |(_, name)| name);
    read.filter(|value| key.form.admits(value)).ok_or_else(|| format!("`{name}` must be {}", key.form.expected()))
}

/// Reads `key=value` as it would stand in the file; a value that is no TOML is taken as a text.
pub(crate) fn assignment(text: &str) -> Result<(&'static str, Setting), String> {
    let (path, value) = text.split_once('=').ok_or("write it as KEY=VALUE, for instance runtime.audit_bound=2")?;
    let key = KEYS.iter().find(|key| key.path == path.trim()).ok_or_else(|| unknown(path.trim()))?;
    let value = value.trim();
    let written = format!("it = {value}");
    let quoted = format!("it = {}", document::literal(&Setting::Text(value.to_owned())));
    let read = |line: &str| {
        let table = DeTable::parse(line).ok()?;
        table.get_ref().iter().next().and_then(|(_, value)| setting(key, value).ok())
    };
    let setting = read(&written).or_else(|| read(&quoted));
    Ok((key.path, setting.ok_or_else(|| format!("`{path}` must be {}", key.form.expected()))?))
}

fn unknown(path: &str) -> String {
    let name = path.rsplit_once('.').map_or(path, |(_, name)| name);
    let near = KEYS.iter().filter(|key| distance(key.path, path) <= 3 || key.path.ends_with(&format!(".{name}")));
    match near.min_by_key(|key| distance(key.path, path)) {
        Some(key) => format!("unknown key `{path}`: did you mean `{}`?", key.path),
        None => format!("unknown key `{path}`: remove it; docs/config.md lists all"),
    }
}

/// How many single-character edits lie between two short texts.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let edit = (diagonal + usize::from(x != *y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], edit);
        }
    }
    row.last().copied().unwrap_or(0)
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests;
