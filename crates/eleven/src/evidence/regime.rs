//! A regime as data: its controls, and for each what in a ledger counts as evidence, and how much of it. The files stand in
//! `regimes/`; one's own has the same form. No control is code.

use super::folder::most_values;
use eleven_core::encoding::{Value, parse, parse_at_most};
use eleven_core::event::Event;
use eleven_core::form::{Form, FormError, require};
use eleven_core::name;
use eleven_core::reason::Reason;
use std::path::Path;

/// The regimes that come with the program. Their names are theirs: nobody else's terms go by them.
const EMBEDDED: [(&str, &str); 5] = [
    ("eu-ai-act", include_str!("../../../../regimes/eu-ai-act.json")),
    ("hipaa", include_str!("../../../../regimes/hipaa.json")),
    ("sec-17a-4", include_str!("../../../../regimes/sec-17a-4.json")),
    ("soc2", include_str!("../../../../regimes/soc2.json")),
    ("nist-800-53", include_str!("../../../../regimes/nist-800-53.json")),
];
/// More bytes than this no file of a regime has.
const MAX_FILE: u64 = 1024 * 1024;

/// A regime.
#[derive(Clone, Debug)]
pub(crate) struct Regime {
    /// Its name.
    pub(crate) id: String,
    /// What it is called.
    pub(crate) title: String,
    /// For how many days records have to be kept, where it says so.
    pub(crate) retention_days: Option<u64>,
    /// What no ledger can show of it.
    pub(crate) not_shown: String,
    /// Its controls, as far as a ledger can speak to them.
    pub(crate) controls: Vec<Control>,
    /// The file's bytes.
    pub(crate) source: Vec<u8>,
}

/// A control.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    /// Its name within the regime.
    pub(crate) id: String,
    /// What it is about.
    pub(crate) title: String,
    /// What it asks, in our words.
    pub(crate) asks: String,
    /// Whether every kind of evidence is needed, or one.
    pub(crate) all: bool,
    /// What counts as evidence.
    pub(crate) evidence: Vec<Evidence>,
    /// What this evidence does not show.
    pub(crate) not_shown: String,
}

/// Something that counts as evidence.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    /// What it shows.
    pub(crate) what: String,
    /// Where to look for it.
    pub(crate) asked: Asked,
    /// How much of it is enough.
    pub(crate) minimum: u64,
}

/// Where evidence is looked for.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// Events of these names, and of these reasons where any are named.
    Events { names: Vec<String>, reasons: Vec<Reason> },
    /// Lineages whose proof file is of one of these kinds.
    Lineages(Vec<String>),
    /// What of the registry was in force in the range: `keys`, `policies`, `points`, `sources`.
    InForce(String),
    /// The range itself, complete under the head.
    Range,
    /// Entries as far back as the regime demands.
    Retention,
}

impl Regime {
    /// The regimes of a query's names that come with the program, and those of files.
    ///
    /// # Errors
    /// Where there is no such regime, a file is not of its form or takes the name of one that comes with the program, or
    /// one is named twice.
    pub(crate) fn all(names: &[String], files: &[impl AsRef<Path>]) -> Result<Vec<Self>, String> {
        let mut regimes = Vec::new();
        for name in names {
            let known = Self::embedded(name).ok_or_else(|| {
                let known: Vec<&str> = EMBEDDED.iter().map(|(known, _)| *known).collect();
                format!("there is no regime `{name}`: use one of {}, or --regime-file", known.join(", "))
            })?;
            regimes.push(known.map_err(|error| format!("{name}: {error}"))?);
        }
        let own = Self::of_files(files)?;
        if let Some(Self { id, .. }) = own.iter().find(|regime| regime.is_reserved()) {
            return Err(format!(
                "--regime-file: `{id}` is the name of a regime that comes with the program: ask for that one with --regime {id}, or give yours another name"
            ));
        }
        regimes.extend(own);
        once(regimes)
    }

    /// The regimes of files, whatever their names.
    ///
    /// # Errors
    /// Where a file is not of its form, or one is named twice.
    pub(crate) fn of_files(files: &[impl AsRef<Path>]) -> Result<Vec<Self>, String> {
        once(files.iter().map(|file| Self::of_file(file.as_ref())).collect::<Result<_, _>>()?)
    }

    fn of_file(file: &Path) -> Result<Self, String> {
        let failed = |what: &dyn std::fmt::Display| format!("{}: {what}", file.display());
        let size = std::fs::metadata(file).map_err(|error| failed(&error))?.len();
        if size > MAX_FILE {
            return Err(failed(&"larger than any regime's file (1 MiB)"));
        }
        let bytes = std::fs::read(file).map_err(|error| failed(&error))?;
        Self::read(&bytes).map_err(|error| failed(&error))
    }

    /// The regime of this name that comes with the program, where there is one.
    pub(crate) fn embedded(id: &str) -> Option<Result<Self, FormError>> {
        EMBEDDED.iter().find(|(known, _)| *known == id).map(|(_, source)| Self::read(source.as_bytes()))
    }

    /// Whether its name is that of a regime that comes with the program.
    pub(crate) fn is_reserved(&self) -> bool {
        EMBEDDED.iter().any(|(known, _)| *known == self.id)
    }

    /// Whether both ask the same, however their files are laid out.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        parse(&self.source) == parse(&other.source)
    }

    /// Reads a regime.
    ///
    /// # Errors
    /// Where it is not of its form, or asks for what a ledger does not have.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::of(parse_at_most(bytes, most_values(bytes))?, "regime")?;
        form.version()?;
        let regime = Self {
            id: form.named("regime", "a name", name::is_segment)?,
            title: form.named("title", "a line of text", is_line)?,
            retention_days: if form.has("retention_days") { Some(form.positive("retention_days")?) } else { None },
            not_shown: form.named("does_not_show", "a text", is_text)?,
            controls: form.array("controls")?.into_iter().map(Control::read).collect::<Result<_, _>>()?,
            source: bytes.to_vec(),
        };
        form.finish()?;
        require(!regime.controls.is_empty(), "regime: `controls` is empty")?;
        let unlike = regime.controls.iter().enumerate();
        let unlike =
            unlike.filter(|(at, control)| regime.controls.iter().skip(at + 1).any(|other| other.id == control.id));
        require(unlike.count() == 0, "regime: a control's `id` stands twice")?;
        Ok(regime)
    }
}

impl Control {
    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "control")?;
        let control = Self {
            id: form.named("id", "a letter and letters, digits, `.`, `-`", is_control)?,
            title: form.named("title", "a line of text", is_line)?,
            asks: form.named("asks", "a text", is_text)?,
            all: form.named("needs", "all or any", |needs| matches!(needs, "all" | "any"))? == "all",
            evidence: form.array("evidence")?.into_iter().map(Evidence::read).collect::<Result<_, _>>()?,
            not_shown: form.named("does_not_show", "a text", is_text)?,
        };
        form.finish()?;
        require(!control.evidence.is_empty(), "control: `evidence` is empty")?;
        Ok(control)
    }
}

impl Evidence {
    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "evidence")?;
        let what = form.named("what", "a line of text", is_line)?;
        let minimum = form.positive("minimum")?;
        let asked = Asked::read(&mut form)?;
        form.finish()?;
        Ok(Self { what, asked, minimum })
    }
}

impl Asked {
    fn read(form: &mut Form<'_>) -> Result<Self, FormError> {
        if form.has("events") {
            let names = form.strings("events")?;
            require(!names.is_empty(), "evidence: `events` is empty")?;
            let known = names.iter().all(|name| Event::parse(name).is_some());
            require(known, "evidence: `events` names an event that the catalogue does not have")?;
            let reasons = if form.has("reasons") { form.strings("reasons")? } else { Vec::new() };
            let reasons: Option<Vec<Reason>> = reasons.iter().map(|reason| Reason::parse(reason)).collect();
            let reasons = reasons.ok_or_else(|| form.wrong("reasons", "not a list of reasons' codes"))?;
            return Ok(Self::Events { names, reasons });
        }
        if form.has("lineages") {
            let kinds = form.strings("lineages")?;
            let known = !kinds.is_empty() && kinds.iter().all(|kind| eleven_verify::Kind::parse(kind).is_some());
            require(known, "evidence: `lineages` is not a list of kinds of proof files")?;
            return Ok(Self::Lineages(kinds));
        }
        if form.has("in_force") {
            let lists = ["keys", "policies", "points", "sources"];
            let list = form.named("in_force", "keys, policies, points or sources", |list| lists.contains(&list))?;
            return Ok(Self::InForce(list));
        }
        match form.named("ledger", "range or retention", |of| matches!(of, "range" | "retention"))?.as_str() {
            "range" => Ok(Self::Range),
            _ => Ok(Self::Retention),
        }
    }
}

/// The greatest floor of all regimes, in days.
pub(crate) fn retention_days(regimes: &[Regime]) -> Option<u64> {
    regimes.iter().filter_map(|regime| regime.retention_days).max()
}

/// The regimes, where none of them is there twice.
fn once(regimes: Vec<Regime>) -> Result<Vec<Regime>, String> {
    let is_again = |(at, regime): &(usize, &Regime)| regimes.iter().take(*at).any(|before| before.id == regime.id);
    match regimes.iter().enumerate().find(is_again) {
        Some((_, regime)) => Err(format!("the regime `{}` is asked for twice", regime.id)),
        None => Ok(regimes),
    }
}

/// Whether it says something: no title or description of an OSCAL document is empty.
fn is_text(text: &str) -> bool {
    !text.trim().is_empty()
}

/// The same in one line, as a title is.
fn is_line(text: &str) -> bool {
    is_text(text) && !text.chars().any(char::is_control)
}

fn is_control(id: &str) -> bool {
    let first = id.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    first && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}
