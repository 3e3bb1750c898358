//! What is said about the cases, and the small readers that all of them use.

use crate::output::{Output, Paint, shown};
use eleven_core::encoding::{EncodingError, Object, Value};
use eleven_core::form::FormError;
use std::fmt;
use std::process::ExitCode;

/// What is wrong with a case.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong(pub(crate) String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<FormError> for Wrong {
    fn from(error: FormError) -> Self {
        Self(error.to_string())
    }
}

impl From<EncodingError> for Wrong {
    fn from(error: EncodingError) -> Self {
        Self(error.to_string())
    }
}

impl From<&str> for Wrong {
    fn from(what: &str) -> Self {
        Self(what.to_owned())
    }
}

impl From<String> for Wrong {
    fn from(what: String) -> Self {
        Self(what)
    }
}

/// What a case came to: passed, perhaps with a remark, or what is wrong.
pub(crate) type Outcome = Result<Option<String>, Wrong>;

/// A case passes without a remark where nothing is wrong.
pub(crate) fn plain(result: Result<(), Wrong>) -> Outcome {
    result.map(|()| None)
}

/// Writes cases as they come, and counts them.
pub(crate) struct Report {
    output: Output,
    /// What a machine is told: the cases, and what is none.
    cases: Vec<Value>,
    notes: Vec<Value>,
    file: &'static str,
    passed: u64,
    failed: u64,
}

impl Report {
    pub(crate) const fn new(output: Output) -> Self {
        Self { output, cases: Vec::new(), notes: Vec::new(), file: "", passed: 0, failed: 0 }
    }

    /// The cases that follow are of this file.
    pub(crate) fn begin(&mut self, file: &'static str) {
        self.file = file;
    }

    /// One case.
    pub(crate) fn case(&mut self, name: &str, outcome: Outcome) {
        let (passed, detail) = match outcome {
            Ok(remark) => (true, remark),
            Err(wrong) => (false, Some(wrong.0)),
        };
        *(if passed { &mut self.passed } else { &mut self.failed }) += 1;
        if self.output.json {
            let status = if passed { "passed" } else { "failed" };
            let case = Object::new().with("file", self.file).with("case", name).with("status", status);
            self.cases.push(case.with_some("detail", detail).into());
            return;
        }
        let (word, paint) = if passed { ("ok  ", Paint::Good) } else { ("FAIL", Paint::Bad) };
        let detail = detail.map_or(String::new(), |detail| format!(": {}", shown(&detail)));
        let word = self.output.paint(paint, word);
        self.output.text(&format!("{word}  {:<23} {}{detail}", self.file, shown(name)));
    }

    /// One case that has no remark.
    pub(crate) fn check(&mut self, name: &str, result: Result<(), Wrong>) {
        self.case(name, plain(result));
    }

    /// Something that is no case.
    pub(crate) fn note(&mut self, text: &str) {
        self.output.text(&format!("note  {}", shown(text)));
        self.notes.push(text.into());
    }

    /// How many cases passed and failed until now.
    pub(crate) const fn counts(&self) -> (u64, u64) {
        (self.passed, self.failed)
    }

    /// The closing line, or the whole document.
    pub(crate) fn finish(self) -> ExitCode {
        let (passed, failed) = self.counts();
        let document = || {
            let object = Object::new().with("cases", self.cases).with("notes", self.notes);
            Value::Object(object.with("passed", passed).with("failed", failed))
        };
        self.output.either(document, || format!("{passed} passed, {failed} failed"));
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Fails where `got` is not what was wanted, and shows both.
pub(crate) fn same<T: PartialEq + fmt::Debug>(got: &T, wanted: &T) -> Result<(), Wrong> {
    if got == wanted {
        return Ok(());
    }
    Err(Wrong(format!("got {}, wanted {}", shortened(got), shortened(wanted))))
}

fn shortened(value: &impl fmt::Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Fails with `what` where the condition does not hold.
pub(crate) fn holds(condition: bool, what: &str) -> Result<(), Wrong> {
    if condition { Ok(()) } else { Err(what.into()) }
}

/// A member that has to be there.
pub(crate) fn member<'a>(value: &'a Value, name: &str) -> Result<&'a Value, Wrong> {
    value.get(name).ok_or_else(|| Wrong(format!("the case lacks the member `{name}`")))
}

/// A member that is a text.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, Wrong> {
    member(value, name)?.as_str().ok_or_else(|| Wrong(format!("`{name}` is not a text")))
}

/// A member that is a number from 0.
pub(crate) fn number(value: &Value, name: &str) -> Result<u64, Wrong> {
    let number = member(value, name)?.as_uint();
    number.ok_or_else(|| Wrong(format!("`{name}` is not a number from 0")))
}

/// A member that is an array.
pub(crate) fn items<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], Wrong> {
    member(value, name)?.as_array().ok_or_else(|| Wrong(format!("`{name}` is not an array")))
}

/// A member read by `parse`, for instance a hash or a time.
pub(crate) fn read<T>(value: &Value, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Wrong> {
    parse(text(value, name)?).ok_or_else(|| Wrong(format!("`{name}` is not of its form")))
}

/// A member that is `base64:` and bytes.
pub(crate) fn bytes(value: &Value, name: &str) -> Result<Vec<u8>, Wrong> {
    read(value, name, |text| eleven_core::hash::unbase64(text.strip_prefix("base64:")?))
}
