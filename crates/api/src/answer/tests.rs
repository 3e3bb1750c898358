use super::*;
use crate::problem::Problem;
use eleven_core::encoding::TOO_MUCH;

#[test]
fn an_answer_of_more_values_than_are_read_is_refused() {
    assert_eq!(read_json(br#"{"a":[0]}"#).map(|value| value.to_string()), Ok(r#"{"a":[0]}"#.to_owned()));
    let many = format!("[{}0]", "0,".repeat(MAX_VALUES - 1));
    assert_eq!(read_json(many.as_bytes()).map_err(|error| error.what), Err(TOO_MUCH));
    // A refusal is an answer, too.
    let refusal = format!(r#"{{"detail":"x","reason":"policy.denied","more":{many}}}"#);
    let problem = Problem::read(403, refusal.as_bytes());
    assert_eq!((problem.reason, problem.detail.as_str()), (None, "the other side answered 403"));
}
