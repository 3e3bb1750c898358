use eleven_core::reason::Reason;

use super::{SOURCE, limits, metrics, paths, reasons, scattered};
use crate::File;

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
fn a_limit_that_stands_elsewhere_is_found() {
    let text = "/// Doc.\npub const MAX_LENGTH: usize = 4096;\n";
    let found = |path: &str| scattered(&[File { path, text }]).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(found("crates/api/src/token.rs").len(), 1);
    assert!(found("crates/api/src/token.rs")[0].starts_with("crates/api/src/token.rs:2: "));
    for path in [SOURCE, "crates/store/src/log.rs", "crates/api/src/token/tests.rs", "xtask/src/size.rs"] {
        assert_eq!(found(path), [""; 0], "{path}");
    }
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

#[test]
fn every_path_has_to_be_named_and_another_that_begins_alike_does_not_do() {
    let listed =
        "/// The head.\npub const PROOF_HEAD: &str = \"/v1/proof/head\";\npub const TILE: &str = \"/tile/\";\n";
    let routed =
        "    Router::new()\n        .route(\"/v1/why/{*op}\", get(why))\n        .route(routes::TILE, get(tile))\n";
    let files = [
        File { path: "crates/api/src/routes.rs", text: listed },
        File { path: "crates/ledger/src/serve.rs", text: routed },
        File { path: "crates/ledger/src/serve/tests.rs", text: ".route(\"/only/a/test\", get(x))" },
        File { path: "crates/eleven/src/demo/upstream.rs", text: ".route(\"/calls\", get(x))" },
    ];
    let good = "| `/v1/proof/head` | x |\n`GET /v1/why/{op}`, `/tile/<L>/<N>`\n";
    assert_eq!(paths(&files, good), []);
    for (path, other) in [("/v1/proof/head", "/v1/proof/heads"), ("/v1/why", "/why"), ("/tile", "/tiles")] {
        assert_eq!(paths(&files, &good.replace(path, other)).len(), 1, "{path}");
    }
    assert_eq!(paths(&[], good).len(), 1, "no sources at all");
}

#[test]
fn every_metric_has_to_have_its_row() {
    let counted = "one(&mut out, \"eleven_ledger_size\", x);\nwriteln!(text, \"eleven_x_seconds_bucket{{le=1}} 2\")?;\n\
                   writeln!(text, \"eleven_x_seconds_sum {}\")?; let kind = \"eleven_error\"; use eleven_core::hash;\n";
    let files = [File { path: "crates/ledger/src/serve/metrics.rs", text: counted }];
    let good = "| `eleven_ledger_size` | gauge |\n| `eleven_x_seconds` | histogram |\n";
    assert_eq!(metrics(&files, good), []);
    assert_eq!(metrics(&files, &good.replace("ledger_size", "ledger_length")).len(), 2, "one missing, one unknown");
    assert_eq!(metrics(&[], good).len(), 1, "no sources at all");
}
