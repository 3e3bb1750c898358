//! The load tool: what it prints is what it measured, and nothing that it started is left.

use crate::domain::{eleven, text};
use eleven_core::encoding::{Value, parse};

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).unwrap_or_else(|| panic!("no list `{name}` in {value}"))
}

fn number(value: &Value, name: &str) -> i64 {
    value.get(name).and_then(Value::as_int).unwrap_or_else(|| panic!("no number `{name}` in {value}"))
}

#[test]
fn a_measurement_answers_every_call_on_every_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let load = ["--connections", "4", "--rate", "40", "--seconds", "1", "--json", "--dir"];
    let measured = eleven().args(["bench", "gateway"]).args(load).arg(folder.path()).output().expect("it runs");
    assert!(measured.status.success(), "{}", text(&measured));
    let document = parse(&measured.stdout).expect("a JSON document");
    assert!(
        list(&document, "primitives").iter().all(|one| number(one, "alone_ns") > 0 && number(one, "all_cores_ns") > 0)
    );
    let loads = list(&document, "loads");
    assert_eq!(loads.len(), 2);
    for load in loads {
        for path in ["direct", "bare_path", "governed"] {
            let outcome = load.get(path).unwrap_or_else(|| panic!("no `{path}` in {load}"));
            assert_eq!(number(outcome, "failed"), 0, "{path}: {load}");
            assert!(number(outcome, "calls") > 0, "{path}: {load}");
        }
    }
    // At a fixed rate there are as many calls as are due in a second.
    let at_rate = ["direct", "bare_path", "governed"].map(|path| number(loads[0].get(path).expect("a path"), "calls"));
    assert_eq!(at_rate, [40; 3]);
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0, "its own folder is gone");
}
