//! Whatever is changed in a bundle that verifies, it verifies no longer; and nothing makes the verifier panic.

extern crate std;

use super::{bytes, text, valid, valid_bundles, vector};
use crate::{Caller, Pinned, Verdict, verify, verify_bytes};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use eleven_core::encoding::{Object, Value};
use proptest::prelude::{ProptestConfig, any, prop, proptest};

/// Every other bundle that one change at a path makes, and what was changed.
pub(crate) fn changed_at<'a>(bundle: &'a Value, path: &'a [String]) -> impl Iterator<Item = (String, Value)> + 'a {
    let here = at(bundle, path);
    let made = changes(here).into_iter().filter(move |(_, change)| change.as_ref() != Some(here));
    let made = made.chain([("taken out", None)]);
    made.map(move |(how, change)| (format!("/{}: {how}", path.join("/")), changed(bundle, path, change)))
}

/// The paths of every value below the bundle itself, containers included.
fn collect(value: &Value, path: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(name, value)| (name.into(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, value)| (format!("{i}"), value)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        path.push(name);
        paths.push(path.clone());
        collect(child, path, paths);
        path.pop();
    }
}

fn at<'a>(value: &'a Value, path: &[String]) -> &'a Value {
    path.iter().fold(value, |here, name| match here {
        Value::Array(items) => &items[name.parse::<usize>().expect("an index")],
        other => other.get(name).expect("a member"),
    })
}

/// Other values for a value: of the same type and nearly the same, of another type, and with something unknown in it.
fn changes(value: &Value) -> Vec<(&'static str, Option<Value>)> {
    let other = |how, value| (how, Some(value));
    match value {
        Value::Null => vec![other("not null", Value::Int(0))],
        Value::Bool(b) => vec![other("the other", Value::Bool(!b)), other("null", Value::Null)],
        Value::Int(n) => vec![
            other("one more", Value::Int(n + 1)),
            other("negative", Value::Int(-n - 1)),
            other("the greatest", Value::Int((1 << 53) - 1)),
            other("a string", format!("{n}").into()),
        ],
        Value::Str(text) => {
            let first = text.chars().next().map_or('a', |c| if c == '0' { '1' } else { '0' });
            let rest: String = text.chars().skip(1).collect();
            let mut last: Vec<char> = text.chars().collect();
            if let Some(last) = last.last_mut() {
                *last = if *last == '0' { '1' } else { '0' };
            }
            let middle = middle_changed(text);
            vec![
                other("another first character", format!("{first}{rest}").into()),
                other("another character in the middle", middle.into()),
                other("another last character", last.into_iter().collect::<String>().into()),
                other("longer", format!("{text}0").into()),
                other("empty", "".into()),
                other("null", Value::Null),
            ]
        }
        Value::Array(items) => {
            let mut doubled = items.clone();
            doubled.extend(items.first().cloned());
            let mut longer = items.clone();
            longer.push(Value::Int(1));
            vec![
                other("one twice", Value::Array(doubled)),
                other("one more", Value::Array(longer)),
                other("an object", Value::Object(Object::new())),
            ]
        }
        Value::Object(object) => vec![
            other("an unknown member", Value::Object(object.clone().with("zz", "x"))),
            other("empty", Value::Object(Object::new())),
            other("an array", Value::Array(Vec::new())),
        ],
    }
}

fn middle_changed(text: &str) -> String {
    let middle = text.chars().count() / 2;
    let change = |(i, c): (usize, char)| match c {
        c if i != middle => c,
        'a' => 'b',
        _ => 'a',
    };
    text.chars().enumerate().map(change).collect()
}

/// The value with another one at a path, or with nothing there.
fn changed(value: &Value, path: &[String], change: Option<Value>) -> Value {
    let Some((name, rest)) = path.split_first() else { return change.expect("something at the top") };
    let below =
        |child: &Value| if rest.is_empty() { change.clone() } else { Some(changed(child, rest, change.clone())) };
    match value {
        Value::Object(object) => {
            let mut object = object.clone();
            match below(object.get(name).expect("a member")) {
                Some(child) => object.insert(name.clone(), child),
                None => object.remove(name),
            };
            Value::Object(object)
        }
        Value::Array(items) => {
            let mut items = items.clone();
            let index: usize = name.parse().expect("an index");
            match below(&items[index]) {
                Some(child) => items[index] = child,
                None => drop(items.remove(index)),
            }
            Value::Array(items)
        }
        _ => panic!("a path leads through containers"),
    }
}

pub(crate) fn paths(bundle: &Value) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    collect(bundle, &mut Vec::new(), &mut paths);
    paths
}

/// What still verified, out of changes that should not have.
fn verified(bundles: impl Iterator<Item = (String, Value)>) -> Vec<String> {
    let root = Pinned::new(vector("root.json"));
    let caller = Caller { root: Some(&root), ..Caller::default() };
    bundles.filter(|(_, bundle)| verify(bundle, &caller).verdict != Verdict::Failed).map(|(what, _)| what).collect()
}

#[test]
fn no_change_of_an_execution_verifies() {
    let bundle = valid("execution");
    let paths = paths(&bundle);
    let survivors = verified(paths.iter().flat_map(|path| changed_at(&bundle, path)));
    assert_eq!(survivors, Vec::<String>::new());
}

/// Of the other bundles, what an execution has not; one change for each value.
#[test]
fn no_change_of_the_other_bundles_verifies() {
    const OWN: &[&str] = &["kind", "op", "events", "entries", "index", "artifact", "revocation"];
    for (name, bundle) in valid_bundles().into_iter().filter(|(name, _)| name != "execution") {
        let paths = paths(&bundle);
        let own = paths.iter().filter(|path| path.first().is_some_and(|name| OWN.contains(&name.as_str())));
        let one = own.enumerate().filter_map(|(i, path)| {
            let changes = changed_at(&bundle, path).count();
            changed_at(&bundle, path).nth(i % changes)
        });
        assert_eq!(verified(one), Vec::<String>::new(), "{name}");
    }
}

/// Values that are no bundle, and bundles with a member of another or with anything in its place. Only the records of the
/// registry may be another's: where the head is the same, more records than are needed are proven as well.
#[test]
fn values_of_every_shape_fail_and_nothing_panics() {
    let scalars = [Value::Null, Value::Bool(true), Value::Int(7), "x".into(), Value::Array(vec![Value::Null])];
    for scalar in &scalars {
        assert_eq!(verify(scalar, &Caller::default()).verdict, Verdict::Failed);
    }
    let bundles = valid_bundles();
    for (_, bundle) in &bundles {
        for (name, value) in bundle.as_object().expect("a bundle").iter() {
            let others = bundles.iter().filter_map(|(_, other)| other.get(name)).filter(|_| name != "registry");
            for other in scalars.iter().chain(others).filter(|other| *other != value) {
                let mixed = changed(bundle, &[name.into()], Some(other.clone()));
                assert_eq!(verify(&mixed, &Caller::default()).verdict, Verdict::Failed, "{name}: {other}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let report = verify_bytes(&bytes, &Caller::default());
        assert!(report.is_err() || report.is_ok_and(|report| report.verdict == Verdict::Failed));
    }

}

/// The same bytes in every run: every 61st, and in the long tests every one.
#[test]
fn a_file_with_another_byte_in_it_never_verifies() {
    let file = bytes("bundle.proof.json");
    let step = if std::env::var_os("ELEVEN_LONG").is_some() { 1 } else { 61 };
    // The neighbour of a digit, and the other case of a letter: both are mostly of the form still.
    for (at, xor) in (0..file.len()).step_by(step).flat_map(|at| [(at, 0x01u8), (at, 0x20)]) {
        let mut file = file.clone();
        file[at] ^= xor;
        let report = verify_bytes(&file, &Caller::default());
        assert!(report.is_err() || report.is_ok_and(|report| report.verdict == Verdict::Failed), "{at} by {xor}");
    }
}

/// A line of a checkpoint is one key's: without it the check that asks for that key fails, and no other.
#[test]
fn a_signature_line_that_is_changed_is_nobody_s() {
    let bundle = valid("execution");
    let (body, lines) = text(&bundle, "checkpoint").split_once("\n\n").expect("lines behind an empty one");
    let lines: Vec<&str> = lines.lines().collect();
    let asked = ["head.checkpoint", "witness.quorum", "witness.quorum"];
    assert_eq!(lines.len(), asked.len());
    for (place, asks) in asked.into_iter().enumerate() {
        let (name, blob) = lines[place].rsplit_once(' ').expect("a name and what it signed");
        // Up to the last group, whose bits past the last byte are of the form.
        for at in (0..blob.len() - 4).step_by(7) {
            let mut other = blob.as_bytes().to_vec();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let line = format!("{name} {}", String::from_utf8(other).expect("ASCII"));
            let mut lines = lines.clone();
            lines[place] = &line;
            let note = format!("{body}\n\n{}\n", lines.join("\n"));
            let report = verify(&changed(&bundle, &["checkpoint".into()], Some(note.into())), &Caller::default());
            let failed: Vec<&str> = report.failed().map(|check| check.name).collect();
            assert_eq!(failed, [asks], "{line}");
        }
    }
}
