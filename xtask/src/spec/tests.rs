use eleven_core::reason::Reason;

use super::{limits, reasons};

fn page_without(left_out: &str) -> String {
    let row = |reason: &Reason| format!("| `{}` | 1 | why |\n", reason.code());
    Reason::ALL.iter().filter(|reason| reason.code() != left_out).map(row).collect()
}

#[test]
fn every_reason_has_to_be_there() {
    assert_eq!(reasons(&page_without("")), []);
    for reason in Reason::ALL {
        assert_eq!(reasons(&page_without(reason.code())).len(), 1, "{reason}");
    }
}

#[test]
fn a_reason_in_prose_is_no_row() {
    let page = page_without("policy.none") + "The reason `policy.none` is given where no policy covers it.\n";
    assert_eq!(reasons(&page).len(), 1);
}

#[test]
fn a_reason_that_the_code_does_not_have_is_found() {
    assert_eq!(reasons(&(page_without("") + "| `policy.unknown` | 1 | why |\n")).len(), 1);
}

#[test]
fn every_limit_has_to_be_there_with_its_value() {
    let source = "/// Doc.\npub const MAX_OP: usize = 4 * 1024;\npub const SALT: usize = 16;\n";
    let good = "| name | value | unit |\n|---|---|---|\n| `MAX_OP` | `4 * 1024` | bytes |\n| `SALT` | 16 | bytes |\n";
    assert_eq!(limits(source, good), []);
    assert_eq!(limits(source, &good.replace("4 *", "8 *")).len(), 1, "another value");
    assert_eq!(limits(source, &good.replace("| `SALT` | 16 | bytes |", "")).len(), 1, "a missing row");
    assert_eq!(limits(source, &format!("{good}| `MAX_OLD` | 1 | bytes |\n")).len(), 1, "a row too many");
    assert_eq!(limits("", "").len(), 1, "no constants at all");
}
