//! What the gate makes of the numbers that a stage's tools print (`ci/count.awk`): nothing that did not run is a success.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// "passed failed skipped" of a stage that printed this and ended with this status.
fn counted(printed: &str, status: u8) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/count.awk");
    let mut awk = Command::new("awk");
    awk.arg("-v").arg(format!("status={status}")).arg("-f").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut awk = awk.spawn().expect("awk");
    awk.stdin.take().expect("its input").write_all(printed.as_bytes()).expect("it reads");
    let output = awk.wait_with_output().expect("it ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("utf-8").trim().to_owned()
}

#[test]
fn each_tool_is_read_in_its_own_words() {
    let nextest = "     Summary [ 190.6s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 4 skipped\n";
    let cargo = "test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
    let unittest = "Ran 45 tests in 0.3s\n\nFAILED (failures=1, errors=2, skipped=3)\n";
    for (printed, status, numbers) in [
        (nextest, 1, "9 3 4"),
        (cargo, 1, "3 1 2"),
        (unittest, 1, "39 3 3"),
        ("Ran 5 tests in 0.3s\n\nOK (skipped=3)\n", 0, "2 0 3"),
        ("Ran 5 tests in 0.3s\n\nOK\n", 0, "5 0 0"),
        ("450 passed, 0 failed\n", 0, "450 0 0"),
        ("2 passed, 0 failed, 1 skipped\nok\n3 passed, 0 failed\n", 0, "5 0 1"),
    ] {
        assert_eq!(counted(printed, status), numbers, "{printed}");
    }
}

#[test]
fn what_counts_nothing_is_one_case_and_what_ran_nothing_is_no_success() {
    assert_eq!(counted("", 0), "1 0 0");
    assert_eq!(counted("error: it does not build\n", 101), "0 1 0");
    assert_eq!(counted("3 passed, 0 failed\n", 1), "3 1 0");
    assert_eq!(counted("0 passed, 0 failed, 1 skipped\n", 0), "0 0 1");
    assert_eq!(counted("0 passed, 0 failed\n", 0), "0 1 0");
}
