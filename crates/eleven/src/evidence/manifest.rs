//! `manifest.json`: what was asked, what there is of it, under which head, and the hash of every other file.

use super::folder::{Listed, is_name, most_values};
use eleven_core::encoding::{Object, Value, parse_at_most};
use eleven_core::event::Record;
use eleven_core::form::{Form, FormError, require};
use eleven_core::head::Head;
use eleven_core::name;
use eleven_core::time::Time;
use std::collections::BTreeMap;

/// The `type` of every manifest.
pub(crate) const TYPE: &str = "11-11/evidence";

/// In which revision this version makes what follows from the records: page, OSCAL document, counts and the texts of gaps. Whoever
/// verifies makes all of it again, so whatever changes a byte of it raises this.
const REVISION: u32 = 7;

/// This program, with its version and its revision of what it makes.
pub(crate) fn tool() -> String {
    format!("eleven {} ({REVISION})", env!("CARGO_PKG_VERSION"))
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// The first moment.
    pub(crate) from: Time,
    /// The moment after the last.
    pub(crate) to: Time,
    /// Only the operations of this identity.
    pub(crate) identity: Option<String>,
    /// Only operations of this name.
    pub(crate) operation: Option<String>,
    /// The regimes whose controls were asked for.
    pub(crate) regimes: Vec<String>,
}

/// What could not be shown: a control without evidence, or something without its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The regime and the control, where it is one.
    pub(crate) control: Option<(String, String)>,
    /// What is missing.
    pub(crate) what: String,
    /// Why a proof file is missing, in the words that the exporter got for it. Nothing in a folder shows that they are so.
    pub(crate) why: Option<String>,
}

/// The manifest.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    /// The program that exported, with its version.
    pub(crate) tool: String,
    /// When, by the exporter's clock.
    pub(crate) made: Time,
    /// What was asked.
    pub(crate) query: Query,
    /// The numbers of the range's entries: from the first up to, not including, the second.
    pub(crate) range: (u64, u64),
    /// The head that all of it stands under.
    pub(crate) head: Head,
    /// The checkpoint beside it.
    pub(crate) checkpoint: String,
    /// How many there are of what.
    pub(crate) counts: Object,
    /// What could not be shown.
    pub(crate) gaps: Vec<Gap>,
    /// Every other file.
    pub(crate) files: BTreeMap<String, Listed>,
}

impl Query {
    /// Whether it asks for the operation that an event belongs to.
    pub(crate) fn asks_for(&self, record: &Record) -> bool {
        let about = &record.about;
        let is = |asked: &Option<String>, found: &Option<String>| asked.is_none() || asked == found;
        is(&self.identity, &about.identity) && is(&self.operation, &about.operation)
    }

    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "query")?;
        let query = Self {
            from: form.millis("from")?,
            to: form.millis("to")?,
            identity: form.opt_named("identity", "an identity", name::is_identity)?,
            operation: form.opt_named("operation", "an operation's name", name::is_operation)?,
            regimes: form.strings("regimes")?,
        };
        form.finish()?;
        require(
            query.regimes.iter().all(|id| name::is_segment(id)),
            "query: `regimes` holds what is no regime's name",
        )?;
        require(query.from < query.to, "query: `from` is not before `to`")?;
        Ok(query)
    }

    /// Whether it asks for some operations only.
    pub(crate) fn is_filtered(&self) -> bool {
        self.identity.is_some() || self.operation.is_some()
    }

    /// Its time, in words.
    pub(crate) fn range(&self) -> String {
        format!("from {} to {}", self.from, self.to)
    }

    /// The operations that it asks for, in words.
    pub(crate) fn filter(&self) -> String {
        let of = |what: &str, name: &Option<String>| name.as_ref().map(|name| format!(" {what} {name}"));
        match (of("of", &self.identity), of("named", &self.operation)) {
            (None, None) => "all operations".to_owned(),
            (identity, operation) => {
                format!("operations{}{}", identity.unwrap_or_default(), operation.unwrap_or_default())
            }
        }
    }

    /// Its members.
    pub(crate) fn to_object(&self) -> Object {
        Object::new()
            .with("from", self.from.to_millis_value())
            .with("to", self.to.to_millis_value())
            .with_some("identity", self.identity.as_ref())
            .with_some("operation", self.operation.as_ref())
            .with("regimes", self.regimes.as_slice())
    }
}

impl Gap {
    /// Something without its proof.
    pub(crate) fn plain(what: impl Into<String>) -> Self {
        Self { control: None, what: what.into(), why: None }
    }

    /// In one line.
    pub(crate) fn said(&self) -> String {
        match (&self.control, &self.why) {
            (Some((regime, control)), _) => format!("{regime} {control}: {}", self.what),
            (None, Some(why)) => format!("{}; the reason that was given: {why:?}", self.what),
            (None, None) => self.what.clone(),
        }
    }

    fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "gap")?;
        let control = if form.has("control") { Some((form.string("regime")?, form.string("control")?)) } else { None };
        let what = form.string("what")?;
        let why = if control.is_none() && form.has("why") { Some(form.string("why")?) } else { None };
        let gap = Self { control, what, why };
        form.finish()?;
        Ok(gap)
    }

    fn to_value(&self) -> Value {
        let (regime, control) = self.control.as_ref().map(|(regime, control)| (regime, control)).unzip();
        let object = Object::new().with_some("regime", regime).with_some("control", control);
        Value::Object(object.with("what", &self.what).with_some("why", self.why.as_ref()))
    }
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// Where it is not of its form, or names a file outside of the folder.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::of(parse_at_most(bytes, most_values(bytes))?, "manifest")?;
        form.version()?;
        form.named("type", TYPE, |found| found == TYPE)?;
        let range = |value: Value| {
            let mut form = Form::of(value, "range")?;
            let range = (form.uint("first")?, form.uint("end")?);
            form.finish()?;
            require(range.0 <= range.1, "range: `first` is past `end`")?;
            Ok::<_, FormError>(range)
        };
        let manifest = Self {
            tool: form.named("tool", "a program's name", |tool| !tool.chars().any(char::is_control))?,
            made: form.millis("made")?,
            query: Query::read(form.take("query")?)?,
            range: range(form.take("range")?)?,
            head: Head::read(form.take("head")?)?,
            checkpoint: form.string("checkpoint")?,
            counts: form.object("counts")?,
            gaps: form.array("gaps")?.into_iter().map(Gap::read).collect::<Result<_, _>>()?,
            files: form.object("files")?.iter().map(read_file).collect::<Result<_, _>>()?,
        };
        form.named("ledger", "the head's ledger", |ledger| ledger == manifest.head.commitment.ledger)?;
        form.finish()?;
        Ok(manifest)
    }

    /// That what is made of the records comes out otherwise, and what to do about it where another version made the folder.
    pub(crate) fn otherwise(&self, what: &str) -> String {
        let (made, this) = (&self.tool, tool());
        if *made == this {
            return what.to_owned();
        }
        format!("{what}; the manifest says that {made} made it, and this is {this}: verify with that version")
    }

    /// The canonical bytes.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        let file = |listed: &Listed| Object::new().with("bytes", listed.bytes).with("hash", listed.hash);
        let files = self.files.iter().fold(Object::new(), |files, (name, listed)| files.with(name, file(listed)));
        Object::new()
            .with("v", "1")
            .with("type", TYPE)
            .with("tool", &self.tool)
            .with("made", self.made.to_millis_value())
            .with("ledger", &self.head.commitment.ledger)
            .with("query", self.query.to_object())
            .with("range", Object::new().with("first", self.range.0).with("end", self.range.1))
            .with("head", self.head.to_value())
            .with("checkpoint", &self.checkpoint)
            .with("counts", self.counts.clone())
            .with("gaps", self.gaps.iter().map(Gap::to_value).collect::<Vec<_>>())
            .with("files", files)
            .canonical()
    }
}

fn read_file((name, value): (&str, &Value)) -> Result<(String, Listed), FormError> {
    require(is_name(name), "manifest: a file's name leads out of the folder")?;
    let mut form = Form::of(value.clone(), "file")?;
    let listed = Listed { bytes: form.uint("bytes")?, hash: form.sha3("hash")? };
    form.finish()?;
    Ok((name.to_owned(), listed))
}
