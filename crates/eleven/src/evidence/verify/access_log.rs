//! Access logs as upstreams write them: JSON lines, or lines of text, a call each. What a line says of lineage and time is
//! looked for by the names that are common; what a line does not say stays open.

use eleven_core::artifact::RequestBinding;
use eleven_core::hash::Sha3;
use eleven_core::time::Time;
use serde_json::Value;
use std::path::Path;

/// More bytes than this no log is read of.
const MAX_FILE: u64 = 4 << 30;
/// Characters of a line that are shown.
const SHOWN: usize = 160;
/// How deep a line's objects are looked into.
const DEEP: usize = 4;

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
    /// When.
    pub(super) at: Option<Time>,
    /// The operation that it names.
    pub(super) op: Option<String>,
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
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let calls = lines.map(|(at, line)| Call { line: at + 1, ..call(line.trim()) }).collect();
    let name = file.file_name().map_or_else(|| file.display().to_string(), |name| name.to_string_lossy().into_owned());
    Ok(Log { name, calls })
}

/// What a line tells.
pub(super) fn call(line: &str) -> Call {
    let text = line.chars().take(SHOWN).filter(|c| !c.is_control()).collect();
    let call = match serde_json::from_str(line) {
        Ok(Value::Object(object)) => of_json(&Value::Object(object)),
        _ => Call {
            at: line.split_whitespace().find_map(iso).or_else(|| common(line)),
            op: named(line),
            ..Call::default()
        },
    };
    Call { text, ..call }
}

fn of_json(value: &Value) -> Call {
    let op = member(value, &["eleven-lineage", "http-eleven-lineage", "lineage"], DEEP);
    let op = op.and_then(Value::as_str).map(|text| named(text).unwrap_or_else(|| text.to_owned()));
    let op = op.or_else(|| member(value, &["op"], DEEP).and_then(Value::as_str).map(str::to_owned));
    let at = member(value, &["at", "time", "timestamp", "@timestamp", "ts", "time-iso8601", "start-time"], DEEP);
    let text = |names: &[&str]| member(value, names, DEEP).and_then(Value::as_str);
    let body = text(&["digest", "body-sha3-512", "request-digest"]).and_then(Sha3::parse);
    let method = text(&["method", "request-method"]);
    let path = text(&["path", "request-uri", "uri"]);
    let request = body.zip(method).zip(path).map(|((body, method), path)| RequestBinding {
        body,
        method: method.to_owned(),
        path: path.to_owned(),
    });
    Call { at: at.and_then(moment), op: op.filter(|op| !op.is_empty() && op != "-"), request, ..Call::default() }
}

/// The first member of one of these names, in the object or in those within it. `_` and `-` are one, and so are cases.
fn member<'a>(value: &'a Value, names: &[&str], deep: usize) -> Option<&'a Value> {
    let object = value.as_object().filter(|_| deep > 0)?;
    let of_name = |name: &&str| {
        let written = |key: &str| key.to_ascii_lowercase().replace('_', "-");
        object.iter().find(|(key, _)| written(key) == **name).map(|(_, value)| value)
    };
    let here = names.iter().find_map(of_name);
    here.or_else(|| object.values().find_map(|value| member(value, names, deep - 1)))
}

/// The operation in a text that names a lineage.
fn named(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("lineage://op/")?;
    let op: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
    let op = op.trim_end_matches('.');
    (!op.is_empty()).then(|| op.to_owned())
}

fn moment(value: &Value) -> Option<Time> {
    match value {
        Value::String(text) => iso(text).or_else(|| common(text)),
        Value::Number(number) => {
            // Seconds since 1970 are below this number for three thousand years, milliseconds above since 1973.
            const MILLIS: f64 = 1e11;
            let n = number.as_f64().filter(|n| n.is_finite() && *n >= 0.0 && *n < 1e15)?;
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
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = line.split_once('[')?;
    let (text, _) = rest.split_once(']')?;
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
