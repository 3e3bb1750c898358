//! Access logs as upstreams write them: JSON lines, or lines of text, a call each; of an array each element is one. What a line
//! says of lineage and time is looked for by the names that are common; what a line does not say stays open. What begins as
//! JSON and is none could hide calls behind its first, so a log with such a line is not read. A line quotes whoever called, too,
//! who may write a moment there; so every moment of a line is kept, and whether the first may be theirs.

use eleven_core::artifact::RequestBinding;
use eleven_core::hash::Sha3;
use eleven_core::time::Time;
use serde_json::Value;
use std::path::Path;

/// More bytes than this no log is read of.
const MAX_FILE: u64 = 4 << 30;
/// More bytes than this no line has: an array of calls is in memory whole.
const MAX_LINE: usize = 64 << 20;
/// Characters of a line that are shown.
const SHOWN: usize = 160;
/// How deep a line's objects are looked into.
const DEEP: usize = 4;
/// Bytes of a moment in brackets, at most.
const LONGEST: usize = 32;
/// What a line's moment is called.
const MOMENTS: [&str; 8] = ["at", "time", "timestamp", "@timestamp", "ts", "time-iso8601", "time-local", "start-time"];
/// What the names of members have in them whose content is the caller's.
const CALLERS: [&str; 4] = ["header", "query", "cookie", "body"];

/// A log.
pub(super) struct Log {
    /// Its file's name.
    pub(super) name: String,
    /// Its calls.
    pub(super) calls: Vec<Call>,
}

/// A call, as a line tells of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    /// The line's number.
    pub(super) line: usize,
    /// The line, shortened.
    pub(super) text: String,
    /// When: the first moment that it tells.
    pub(super) at: Option<Time>,
    /// Whether that one may be in the caller's words.
    pub(super) theirs: bool,
    /// All moments that it tells, that one among them.
    pub(super) moments: Vec<Time>,
    /// The operation that it names.
    pub(super) op: Option<String>,
    /// Whether it names more than one, and thereby none.
    pub(super) several: bool,
    /// The request, where the line has its digest.
    pub(super) request: Option<RequestBinding>,
}

/// Reads a log.
///
/// # Errors
/// Where it can't be read.
pub(super) fn read(file: &Path) -> Result<Log, String> {
    let failed = |what: &dyn std::fmt::Display| format!("{}: {what}", file.display());
    if std::fs::metadata(file).map_err(|error| failed(&error))?.len() > MAX_FILE {
        return Err(failed(&"larger than 4 GiB: give it in parts"));
    }
    let bytes = std::fs::read(file).map_err(|error| failed(&error))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut calls = Vec::new();
    for (at, line) in lines(&text).map(bare).enumerate().filter(|(_, line)| !line.is_empty()) {
        let line = calls_of(line).map_err(|why| failed(&format!("line {}: {why}", at + 1)))?;
        calls.extend(line.into_iter().map(|call| Call { line: at + 1, ..call }));
    }
    let name = file.file_name().map_or_else(|| file.display().to_string(), |name| name.to_string_lossy().into_owned());
    Ok(Log { name, calls })
}

/// The lines of a text, whichever of a line feed and a carriage return ends them, or both.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('\r'))
}

/// A line without what is blank around it, and without the mark of a file that begins there: of files that were joined it stands
/// in the middle.
fn bare(line: &str) -> &str {
    line.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// The calls that a line tells of: one, and of an array one for each element.
///
/// # Errors
/// Where it begins as JSON, and may tell of more calls than could be read.
fn calls_of(line: &str) -> Result<Vec<Call>, &'static str> {
    if line.len() > MAX_LINE {
        return Err("it is longer than 64 MiB: write a call a line");
    }
    match serde_json::from_str(line) {
        Ok(Value::Array(items)) => items.iter().map(of_element).collect(),
        Ok(value @ Value::Object(_)) => Ok(vec![Call { text: shortened(line), ..of_json(&value) }]),
        _ if is_json(line) => {
            Err("it begins as JSON and is not one value: write a call a line, or all of them as one array")
        }
        _ => Ok(vec![of_text(line)]),
    }
}

/// Whether a line wants to be JSON: an object, or an array by its first elements. `[31/Jan/2026:…` and `[info]` do not.
fn is_json(line: &str) -> bool {
    let Some(mut rest) = line.strip_prefix('[') else { return line.starts_with('{') };
    loop {
        rest = rest.trim_start_matches(|c: char| c == '[' || c.is_whitespace());
        if rest.starts_with(['{', '"']) {
            return true;
        }
        let end = rest.find(|c: char| matches!(c, ',' | ']') || c.is_whitespace()).unwrap_or(rest.len());
        let (scalar, after) = rest.split_at(end);
        if ["null", "true", "false"].contains(&scalar) {
            return after.trim_start().starts_with([',', ']']);
        }
        // A number may stand alone in brackets before a text, and what has nothing in it, too: the element after it tells.
        let is_element = scalar.is_empty() || serde_json::from_str::<serde_json::Number>(scalar).is_ok();
        match after.trim_start_matches(|c: char| c == ']' || c.is_whitespace()).strip_prefix(',') {
            Some(next) if is_element => rest = next,
            _ => return false,
        }
    }
}

fn shortened(line: &str) -> String {
    line.chars().take(SHOWN).filter(|c| !c.is_control()).collect()
}

fn of_element(value: &Value) -> Result<Call, &'static str> {
    match value.is_object() {
        true => Ok(Call { text: shortened(&value.to_string()), ..of_json(value) }),
        false => Err("an element of its array is no object, and so no call"),
    }
}

fn of_text(line: &str) -> Call {
    let times = times(line);
    let first = times.first().copied();
    let theirs = first.is_some_and(|(place, _)| may_be_theirs(line, place));
    let (at, moments) = (first.map(|(_, at)| at), times.into_iter().map(|(_, at)| at).collect());
    named(line).in_call(Call { text: shortened(line), at, theirs, moments, ..Call::default() })
}

/// The moments that a text tells, in their order, each with where it stands.
fn times(line: &str) -> Vec<(usize, Time)> {
    let parts = |c: char| c.is_whitespace() || matches!(c, '=' | '"');
    let (mut times, mut place) = (Vec::new(), 0);
    for word in line.split_inclusive(parts) {
        times.extend(iso(word.trim_end_matches(parts)).map(|at| (place, at)));
        place += word.len();
    }
    // A moment ends soon: else a line of brackets alone would be read as often as it has bytes.
    let ends =
        |place: usize| line.bytes().skip(place).take(LONGEST).position(|byte| byte == b']').map(|end| place + end);
    let in_brackets = |(place, _): (usize, &str)| {
        let text = line.get(place..=ends(place)?)?;
        common(text).map(|at| (place, at))
    };
    times.extend(line.match_indices('[').filter_map(in_brackets));
    times.sort_by_key(|(place, _)| *place);
    times
}

/// Whether the caller may have written what stands there: a request's line, or a path, or a field in quotes stands before it.
fn may_be_theirs(line: &str, place: usize) -> bool {
    line.get(..place).is_none_or(|before| before.contains('/') || before.matches('"').count() > 1)
}

fn of_json(value: &Value) -> Call {
    let lineage =
        member(value, &["eleven-lineage", "http-eleven-lineage", "lineage"], DEEP).map_or(Named::Nothing, whose);
    let named = match lineage {
        Named::Nothing => member(value, &["op"], DEEP).and_then(Value::as_str).map_or(Named::Nothing, Named::one),
        named => named,
    };
    let (own, mut moments) = (dated(value, DEEP), Vec::new());
    note_moments(value, DEEP, &mut moments);
    let at = own.or_else(|| moments.first().copied());
    let theirs = own.is_none() && at.is_some();
    let text = |names: &[&str]| member(value, names, DEEP).and_then(Value::as_str);
    let body = text(&["digest", "body-sha3-512", "request-digest"]).and_then(Sha3::parse);
    let method = text(&["method", "request-method"]);
    let path = text(&["path", "request-uri", "uri"]);
    let request = body.zip(method).zip(path).map(|((body, method), path)| RequestBinding {
        body,
        method: method.to_owned(),
        path: path.to_owned(),
    });
    named.in_call(Call { at, theirs, moments, request, ..Call::default() })
}

/// A member's name as it is looked for: `_` and `-` are one, and so are cases.
fn written(key: &str) -> String {
    key.to_ascii_lowercase().replace('_', "-")
}

/// The moments of an object's own members, in the order of the names.
fn moments_of(object: &serde_json::Map<String, Value>) -> impl Iterator<Item = Time> {
    let of_name = move |name: &'static str| object.iter().filter(move |(key, _)| written(key) == name);
    MOMENTS.into_iter().flat_map(of_name).filter_map(|(_, value)| moment(value))
}

/// The moment that a line has in words that are not the caller's: the first in the object, or in those within it.
fn dated(value: &Value, deep: usize) -> Option<Time> {
    let object = value.as_object().filter(|_| deep > 0)?;
    let is_theirs = |key: &str| CALLERS.iter().any(|name| written(key).contains(*name));
    let within = || object.iter().filter(|(key, _)| !is_theirs(key)).find_map(|(_, value)| dated(value, deep - 1));
    moments_of(object).next().or_else(within)
}

/// Every moment in the object and in those within it.
fn note_moments(value: &Value, deep: usize, moments: &mut Vec<Time>) {
    let Some(object) = value.as_object().filter(|_| deep > 0) else { return };
    moments.extend(moments_of(object));
    for value in object.values() {
        note_moments(value, deep - 1, moments);
    }
}

/// The first member of one of these names, in the object or in those within it.
fn member<'a>(value: &'a Value, names: &[&str], deep: usize) -> Option<&'a Value> {
    let object = value.as_object().filter(|_| deep > 0)?;
    let of_name = |name: &&str| object.iter().find(|(key, _)| written(key) == **name).map(|(_, value)| value);
    let here = names.iter().find_map(of_name);
    here.or_else(|| object.values().find_map(|value| member(value, names, deep - 1)))
}

/// The operation that something names.
enum Named {
    Nothing,
    One(String),
    /// More than one, of which nobody knows which the call was.
    Several,
}

impl Named {
    fn one(op: &str) -> Self {
        Self::One(op.to_owned())
    }

    fn in_call(self, call: Call) -> Call {
        match self {
            Self::Nothing => call,
            Self::One(op) => Call { op: Some(op).filter(|op| !op.is_empty() && op != "-"), ..call },
            Self::Several => Call { several: true, ..call },
        }
    }
}

/// The operation in a member that is a lineage's. Some logs have a header as an array of its values.
fn whose(value: &Value) -> Named {
    let of = |text: &str| match named(text) {
        Named::Nothing => Named::one(text),
        named => named,
    };
    match value {
        Value::String(text) => of(text),
        Value::Array(items) => match items.as_slice() {
            [Value::String(text)] => of(text),
            [_, _, ..] => Named::Several,
            _ => Named::Nothing,
        },
        _ => Named::Nothing,
    }
}

/// The operation in a text that names a lineage, once or more often.
fn named(text: &str) -> Named {
    let op = |rest: &str| {
        let op: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
        Some(op.trim_end_matches('.').to_owned()).filter(|op| !op.is_empty())
    };
    let mut ops = text.split("lineage://op/").skip(1).filter_map(op);
    let Some(first) = ops.next() else { return Named::Nothing };
    if ops.any(|other| other != first) { Named::Several } else { Named::One(first) }
}

fn moment(value: &Value) -> Option<Time> {
    match value {
        Value::String(text) => iso(text).or_else(|| common(text)).or_else(|| common_bare(text)),
        Value::Number(number) => {
            // Seconds since 1970 are below this number for three thousand years, milliseconds above since 1973.
            const MILLIS: f64 = 1e11;
            // Less is no moment since 2001, but how long something took.
            const LEAST: f64 = 1e9;
            let n = number.as_f64().filter(|n| (LEAST..1e15).contains(n))?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "within bounds just checked, and a log's own precision"
            )]
            let millis = if n < MILLIS { (n * 1000.0) as i64 } else { n as i64 };
            Some(Time(millis))
        }
        _ => None,
    }
}

/// A time of ISO 8601 with any fraction, in UTC or with an offset.
fn iso(text: &str) -> Option<Time> {
    let text = text.trim_matches(|c| matches!(c, '"' | '[' | ']' | ','));
    let (date, rest) = text.split_at_checked(19)?;
    let at = Time::parse_seconds(&format!("{}Z", date.replacen(' ', "T", 1)))?;
    let (fraction, zone) = match rest.strip_prefix(['.', ',']) {
        Some(rest) => rest.split_at_checked(rest.bytes().take_while(u8::is_ascii_digit).count())?,
        None => ("", rest),
    };
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some(at.plus_millis(millis.parse().ok()?).plus_seconds(-offset(zone)?))
}

/// A time as access logs have it: `[31/Jan/2026:08:00:00 +0000]`.
fn common(line: &str) -> Option<Time> {
    let (_, rest) = line.split_once('[')?;
    common_bare(rest.split_once(']')?.0)
}

/// The same without its brackets.
fn common_bare(text: &str) -> Option<Time> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (moment, zone) = text.split_once(' ')?;
    let mut parts = moment.splitn(3, '/');
    let (day, month, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (year, time) = rest.split_once(':')?;
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let at = Time::parse_seconds(&format!("{year}-{month:02}-{day}T{time}Z"))?;
    Some(at.plus_seconds(-offset(zone)?))
}

/// Seconds east of UTC of `Z`, `+0100` or `+01:00`.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits.replace(':', "")),
        ("-", digits) => (-1, digits.replace(':', "")),
        _ => return None,
    };
    let (hours, minutes) = digits.split_at_checked(2).filter(|_| digits.len() == 4)?;
    Some(sign * (hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60))
}

#[cfg(test)]
mod tests;
