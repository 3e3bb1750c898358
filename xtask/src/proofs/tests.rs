use super::{made, used};
use crate::File;

const ADMISSION: &str = "impl Admitted { fn token(&self) -> &Token { &self.token } } fn f() -> Result<Admitted, Denial> { Ok(Admitted { token }) }";
const PERMIT: &str =
    "pub struct Permit { execution: Execution } impl Opened { fn permit(self) -> Permit { Permit { execution } } }";
const LOG: &str = "impl Durable { fn one() -> Durable { Durable { first } } fn part(&self) -> Option<Self> { x.then_some(Self { first }) } }";

fn with(path: &str, text: &str) -> Vec<String> {
    let files = [
        File { path: "crates/enforce/src/admission.rs", text: ADMISSION },
        File { path: "crates/enforce/src/permit.rs", text: PERMIT },
        File { path: "crates/store/src/log.rs", text: LOG },
        File { path, text },
    ];
    made(&files).iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_made_elsewhere_is_found() {
    for (path, bad) in [
        ("crates/enforce/src/journal.rs", "fn f(execution: Execution) -> Permit { Permit { execution } }"),
        ("crates/enforce/src/journal.rs", "match x { Ok(token) => Admitted { token }, Err(_) => panic!() }"),
        ("crates/enforce/src/journal.rs", "impl Default for Permit { fn default() -> Self { Self { execution } } }"),
        ("crates/store/src/group.rs", "let durable = Durable { first: 0, next: u64::MAX, level };"),
    ] {
        assert_eq!(with(path, bad).len(), 1, "{bad}: {:?}", with(path, bad));
    }
    for (path, good) in [
        ("crates/enforce/src/journal.rs", "impl Execution { fn new() -> Self { Self { op } } }"),
        ("crates/enforce/src/journal.rs", "// Permit { }\nfn f(permit: Permit) { g(permit) } impl X for Permit {}"),
        ("crates/enforce/src/journal/tests.rs", "let permit = Permit { execution };"),
        ("crates/policy/src/decide.rs", "Ok(rule) => Decision::Permit { rule },"),
    ] {
        assert_eq!(with(path, good), [""; 0], "{good}");
    }
}

#[test]
fn another_number_of_places_is_found_at_home() {
    assert_eq!(made(&[]).len(), 3, "what is made nowhere is no longer looked for where it is");
    let twice = format!("{PERMIT} fn g() {{ Permit {{ execution }}; }}");
    let files = [
        File { path: "crates/enforce/src/admission.rs", text: ADMISSION },
        File { path: "crates/enforce/src/permit.rs", text: &twice },
        File { path: "crates/store/src/log.rs", text: LOG },
    ];
    let found = made(&files);
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().contains("in 2 places"), "{}", found[0]);
}

#[test]
fn a_permit_that_is_borrowed_and_a_request_that_is_sent_past_it_are_found() {
    let sends = File { path: "crates/runtime/src/execution.rs", text: "self.until(gate.client.send(request)).await" };
    let with = |path: &str, text: &str| used(&[sends, File { path, text }]).len();
    for bad in [
        "fn run(permit: &Permit) {}",
        "fn run(permit: &mut Permit) {}",
        "fn run<'a>(permit: &'a Permit) {}",
        "fn run<'a>(permit: &'a mut Permit) {}",
        "self.client.send(request).await",
    ] {
        assert_eq!(with("crates/runtime/src/a.rs", bad), 1, "{bad}");
        assert_eq!(with("crates/runtime/src/a/tests.rs", bad), 0, "{bad}");
    }
    for good in ["fn run(permit: Permit) {}", "sender.send(permit)", "struct Place<'a>(mpsc::Permit<'a, Bytes>);"] {
        assert_eq!(with("crates/runtime/src/a.rs", good), 0, "{good}");
    }
    assert_eq!(used(&[]).len(), 1, "what sends nothing is not where it was");
}
