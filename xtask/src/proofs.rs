//! Values that stand for something that happened, an admission, a sync, both: each is made where that is known and nowhere else, and
//! what a permit is for takes it by value (DESIGN, invariants 1 and 3). Private fields keep other crates out; these rules hold for
//! the crate's own files, and for what an enforcement point does with a permit.

use crate::code::{Token, tokens};
use crate::{File, Finding, is_test};

/// A type, the file that makes it, and in how many places that does.
const MADE: &[(&str, &str, usize)] = &[
    ("Admitted", "crates/enforce/src/admission.rs", 1),
    ("Permit", "crates/enforce/src/permit.rs", 1),
    ("Durable", "crates/store/src/log.rs", 2),
];

/// Where permits are used.
const POINT: &str = "crates/runtime/src/";

/// The one file of a point that sends anything to an upstream.
const SENDS: &str = "crates/runtime/src/execution.rs";

/// Every place beside its own at which one of them is made, and those of which there are more or fewer than were looked at.
#[must_use]
pub fn made(files: &[File<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, home, expected) in MADE {
        let folder = home.split_inclusive('/').take(3).collect::<String>();
        let mut at_home = 0;
        for file in files.iter().filter(|file| file.path.starts_with(&folder) && !is_test(file.path)) {
            for line in makes(&tokens(file.text), name) {
                if file.path == *home {
                    at_home += 1;
                } else {
                    findings.push(Finding::at(file.path, line, format!("makes a {name}; only {home} may")));
                }
            }
        }
        if at_home != *expected {
            let what = format!(
                "makes a {name} in {at_home} places and not in {expected}; look at each, then at xtask/src/proofs.rs"
            );
            findings.push(Finding::new(*home, what));
        }
    }
    findings
}

/// Every permit that is taken by reference, and whatever is sent from another file than the one that runs permits.
#[must_use]
pub fn used(files: &[File<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut sends = 0;
    for file in files.iter().filter(|file| file.path.starts_with(POINT) && !is_test(file.path)) {
        let found = tokens(file.text);
        for (at, token) in found.iter().enumerate() {
            let rest: Vec<&str> = found[at..].iter().take(5).map(|token| token.text).collect();
            let is_borrowed = matches!(
                rest.as_slice(),
                ["&", "Permit", ..]
                    | ["&", "mut", "Permit", ..]
                    | ["&", "'", _, "Permit", ..]
                    | ["&", "'", _, "mut", "Permit"]
            );
            if is_borrowed {
                let what = "takes a permit by reference; running consumes it, so take it by value";
                findings.push(Finding::at(file.path, token.line, what));
            }
            if matches!(rest.as_slice(), ["client", ".", "send", "(", ..]) {
                sends += 1;
                if file.path != SENDS {
                    let what = format!("sends a request; what reaches an upstream goes by {SENDS}, with a permit");
                    findings.push(Finding::at(file.path, token.line, what));
                }
            }
        }
    }
    if sends == 0 {
        findings.push(Finding::new(SENDS, "sends nothing; is what reaches an upstream where it was?"));
    }
    findings
}

/// The lines at which a type is made: by its name, or as `Self` in what is implemented of it.
fn makes(found: &[Token<'_>], name: &str) -> Vec<usize> {
    let text = |at: usize| found.get(at).map_or("", |token| token.text);
    let before = |at: usize, by: usize| at.checked_sub(by).map_or("", text);
    // The brackets that are open, and how many of them were when an `impl` of the type began.
    let (mut open, mut own) = (0usize, None);
    let mut lines = Vec::new();
    for (at, token) in found.iter().enumerate() {
        match token.text {
            "{" => {
                if before(at, 1) == name && (before(at, 2) == "impl" || before(at, 2) == "for") {
                    own = Some(open);
                }
                open += 1;
            }
            "}" => {
                open = open.saturating_sub(1);
                if own == Some(open) {
                    own = None;
                }
            }
            _ => {}
        }
        let is_it = token.text == name || (token.text == "Self" && own.is_some());
        let declares = matches!(before(at, 1), "struct" | "impl" | "for");
        let returns = before(at, 1) == ">" && before(at, 2) == "-";
        if is_it && text(at + 1) == "{" && !declares && !returns {
            lines.push(token.line);
        }
    }
    lines
}

#[cfg(test)]
mod tests;
