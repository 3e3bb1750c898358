use super::*;
use eleven_core::encoding::parse;

const COLOURED: Output = Output { json: false, colour: true, columns: None };
const PLAIN: Output = Output { json: false, colour: false, columns: None };

#[test]
fn a_text_of_others_stays_on_its_line_and_moves_no_cursor() {
    assert_eq!(shown("op\x1b[2J\r\nVERIFIED\t\u{7f}"), r"op\u{1b}[2J\u{d}\u{a}VERIFIED\u{9}\u{7f}");
    assert_eq!(shown("\u{9b}2J \u{202e}DELIAF\u{2069} \u{2028}"), r"\u{9b}2J \u{202e}DELIAF\u{2069} \u{2028}");
    let plain = "svc:demo-app:dev, naïve 日本 „und“ – ✓";
    assert_eq!(shown(plain), plain, "what is only seen is left as it is");
}

#[test]
fn a_document_is_shown_with_all_that_is_in_it() {
    let document = parse(br#"{"a":["x\u001b"],"b":{"c\n":"\u0000"},"n":7,"t":true,"z":null}"#).expect("I-JSON");
    let told = shown_document(&document).to_string();
    assert_eq!(told, r#"{"a":["x\\u{1b}"],"b":{"c\\u{a}":"\\u{0}"},"n":7,"t":true,"z":null}"#);
}

#[test]
fn only_the_marks_of_colours_reach_a_terminal_and_only_where_there_is_colour() {
    let painted = COLOURED.paint(Paint::Bad, "FAILED");
    assert_eq!(COLOURED.tame(&format!("{painted}\nnext\tcell")), "\x1b[31mFAILED\x1b[0m\nnext\tcell");
    assert_eq!(COLOURED.tame("\x1b[2J\x1b]0;title\x07\x1b"), r"\u{1b}[2J\u{1b}]0;title\u{7}\u{1b}");
    assert_eq!(PLAIN.tame("\x1b[32mVERIFIED\x1b[0m\r"), r"\u{1b}[32mVERIFIED\u{1b}[0m\u{d}");
}

#[test]
fn a_cell_of_a_table_begins_no_row() {
    let table = PLAIN.table(&[vec!["OP".into(), "WHO".into()], vec!["a\nVERIFIED".into(), "b".into()]]);
    assert_eq!(table, "OP              WHO\na\\u{a}VERIFIED  b");
}

#[test]
fn a_table_that_is_wider_than_the_terminal_goes_on_below_column_under_column() {
    let rows = [
        ["N", "EVENT", "BY", "SAYS"],
        ["01", "authorization.issued", "governance://acme", ""],
        ["02", "execution.started", "host://a", "use 1"],
    ];
    let rows: Vec<Vec<String>> = rows.map(|row| row.map(str::to_owned).to_vec()).to_vec();
    let of_width = |columns| Output { columns: Some(columns), ..PLAIN }.table(&rows);
    assert_eq!(of_width(50), PLAIN.table(&rows), "it fits");
    let below = |by: &str, says: &str| format!("    {by:17}  {says}").trim_end().to_owned();
    let (heading, first, second) = (below("BY", "SAYS"), below("governance://acme", ""), below("host://a", "use 1"));
    let expected = format!("N   EVENT\n{heading}\n01  authorization.issued\n{first}\n02  execution.started\n{second}");
    assert_eq!(of_width(40), expected);
    let prose = vec![vec!["ok".to_owned(), "what is said of it, in more words than there is room for".to_owned()]];
    let narrow = Output { columns: Some(40), ..PLAIN };
    assert_eq!(narrow.table(&prose), PLAIN.table(&prose), "the terminal breaks what is said at the end");
}

#[test]
fn who_does_not_answer_is_said_to_be_started_by_what_starts_it() {
    use eleven_api::client::CallError;
    let silent = || Failure::from(CallError::Unreachable("http://127.0.0.1:1 is not reachable".into()));
    let of_a_corner = silent().while_("key.retire").to_string();
    let expected = "key.retire: http://127.0.0.1:1 is not reachable: is it running? `eleven up` starts all corners";
    assert_eq!(of_a_corner, expected);
    let other = silent().started_by("`eleven witness serve` starts it").to_string();
    assert_eq!(other, "http://127.0.0.1:1 is not reachable: is it running? `eleven witness serve` starts it");
    assert_eq!(Failure::new("it is none").started_by("`eleven witness serve` starts it").to_string(), "it is none");
}

#[test]
fn only_a_refusal_or_nothing_that_was_sent_settles_what_was_asked_for() {
    use eleven_api::client::CallError;
    use eleven_api::problem::Problem;
    let refused = |status| CallError::Refused(Problem::with_status(status, "x"));
    for error in [
        CallError::Late("within 10000 ms".into()),
        CallError::Broken("it broke off".into()),
        CallError::Malformed("no I-JSON".into()),
        refused(302),
        refused(500),
        refused(503),
    ] {
        let what = error.to_string();
        assert!(Failure::from(error).while_("operator.add").is_open(), "{what}");
    }
    for error in [
        CallError::Unreachable("nobody".into()),
        CallError::Untrusted("by whom".into()),
        refused(400),
        refused(409),
        refused(499),
    ] {
        let what = error.to_string();
        assert!(!Failure::from(error).is_open(), "{what}");
    }
    assert!(!Failure::new("the operator's key can't be read").is_open());
}

#[test]
fn who_runs_it_as_the_wrong_user_has_the_wrong_command_whichever_corner_it_is() {
    use eleven_ledger::LedgerError;
    use eleven_ledger::follow::FollowError;
    use eleven_ledger::witness::WitnessError;
    use eleven_store::FolderError;
    let owned = || FolderError::Owner { path: "ledger".into(), owner: 65534 };
    let locked = || FolderError::Locked { path: "ledger".into(), pid: Some(1) };
    let failures = |error: &dyn Fn() -> FolderError| {
        let (ledger, mirror) = (LedgerError::Folder(error()), FollowError::Folder(error()));
        let witness = WitnessError::Folder(error());
        [Failure::from(error()), ledger.into(), mirror.into(), witness.into()].map(|failure: Failure| failure.code)
    };
    assert_eq!(failures(&owned), [EXIT_USAGE; 4], "nothing was done");
    assert_eq!(failures(&locked), [EXIT_FAILED; 4], "it was not to be had");
}

#[test]
fn what_is_to_be_typed_next_begins_as_what_was_typed() {
    assert_eq!(named_by(Some("target/debug/eleven".into())), "target/debug/eleven");
    assert_eq!(named_by(Some("./eleven".into())), "./eleven");
    assert_eq!(named_by(Some("eleven".into())), "eleven", "it is found by its name");
    assert_eq!(named_by(None), "eleven");
}

#[test]
fn a_word_that_is_to_be_typed_is_one_to_a_shell() {
    for plain in ["dom/eleven.toml", "/tmp/a.b-c_1", "host://vm/gateway#gw-0", "svc:demo-app:dev", "größe"] {
        assert_eq!(word(&plain), plain);
    }
    for (text, typed) in
        [("my dom", "'my dom'"), ("*", "'*'"), ("it's", r"'it'\''s'"), ("$HOME", "'$HOME'"), ("#1", "'#1'"), ("", "''")]
    {
        assert_eq!(word(&text), typed);
    }
}

#[test]
fn who_refuses_puts_nothing_into_a_command_but_one_word() {
    use eleven_api::client::CallError;
    use eleven_api::problem::Problem;
    let refused = |lineage: &str| {
        let problem = Problem { lineage: Some(lineage.into()), ..Problem::with_status(403, "no") };
        Failure::from(CallError::Refused(problem)).to_string()
    };
    assert_eq!(refused("lineage://op/X"), "no (eleven why lineage://op/X)");
    assert_eq!(refused("X; rm -r d"), "no (eleven why 'X; rm -r d')");
}

#[test]
fn the_unit_of_a_point_knows_the_status_that_no_start_helps() {
    let unit = include_str!("../../../../deploy/systemd/eleven-runtime.service");
    for line in [format!("\nRestartPreventExitStatus={EXIT_STUCK}\n"), format!("\"$$EXIT_STATUS\" != {EXIT_STUCK} ]")] {
        assert!(unit.contains(&line), "{line}");
    }
}
