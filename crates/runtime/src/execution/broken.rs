//! What breaks an execution off, and what is said of it: to its caller, and in the evidence.

use super::UPSTREAM_FAILED;
use crate::opening::{CALLER_LEFT, NOBODY};
use crate::running::STOPPED;
use crate::settings::Gateway;
use eleven_api::problem::Problem;
use eleven_core::attestation::Outcome;
use eleven_core::reason::Reason;
use http::StatusCode;

/// How an execution came to its end before its response was whole.
pub(super) enum Break {
    /// The upstream does not answer, or not to its end; and why, which is for the log only.
    Upstream(String),
    CallerLeft,
    Interrupted(Reason),
    /// This point is about to end.
    Stopped,
    TooLong,
    TooLarge,
}

impl Break {
    /// Of an answer that ended with its connection, while nothing in it says that it is whole.
    pub(super) fn cut() -> Self {
        Self::Upstream("its events ended with its connection, and no end of their own is seen in them".into())
    }

    /// Of an answer that goes on in another protocol, which nobody here asked for.
    pub(super) fn switched() -> Self {
        Self::Upstream("it switches to another protocol (101), which it was not asked for".into())
    }

    /// Of an answer that sends its caller elsewhere. Clients follow that by themselves, request and all, and past this point.
    pub(super) fn redirected(status: StatusCode) -> Self {
        Self::Upstream(format!("it redirects ({status}): name the address that it redirects to as the upstream"))
    }

    /// Of an answer in a transfer coding that is not taken off here: its caller would take the encoded bytes for the answer.
    pub(super) fn encoded() -> Self {
        Self::Upstream("it answers in a transfer coding that it was not asked for".into())
    }

    pub(super) const fn outcome(&self) -> Outcome {
        match self {
            Self::Upstream(_) | Self::TooLarge => Outcome::Failed,
            _ => Outcome::Interrupted,
        }
    }

    pub(super) const fn cause(&self) -> &'static str {
        match self {
            Self::Upstream(_) => UPSTREAM_FAILED,
            Self::TooLarge => "limits.exceeded",
            Self::CallerLeft => CALLER_LEFT,
            Self::Interrupted(reason) => reason.code(),
            Self::Stopped => STOPPED,
            Self::TooLong => "max_run",
        }
    }

    /// What its caller is told. Of a limit that is passed how much it is, and where it is set.
    pub(super) fn problem(&self, settings: &Gateway, term: Option<u64>) -> Problem {
        match self {
            Self::Upstream(_) => Problem::with_status(502, "the upstream does not answer, or broke off its answer"),
            Self::TooLarge => {
                let most = settings.max_response;
                let what = "the upstream's response is larger than the";
                Problem::with_status(502, format!("{what} {most} bytes of runtime.gateway.max_response"))
            }
            Self::CallerLeft => Problem::with_status(NOBODY, "the caller left"),
            Self::Interrupted(reason) => Problem::refused(*reason, "the execution was interrupted"),
            Self::Stopped => {
                Problem::with_status(502, "the execution was interrupted, for this enforcement point was told to stop")
            }
            Self::TooLong => {
                let (seconds, by) = match term {
                    Some(seconds) => (seconds, "the term max_run of its policy"),
                    None => (settings.max_run.as_secs(), "runtime.gateway.max_run"),
                };
                Problem::with_status(504, format!("the execution ran longer than the {seconds} s of {by}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_limit_that_is_passed_says_how_much_it_is_and_where_it_is_set() {
        let settings = Gateway { max_response: 4096, max_run: Duration::from_secs(300), ..Gateway::default() };
        for (broken, term, status, told) in [
            (Break::TooLarge, None, 502, "larger than the 4096 bytes of runtime.gateway.max_response"),
            (Break::TooLong, None, 504, "longer than the 300 s of runtime.gateway.max_run"),
            (Break::TooLong, Some(7), 504, "longer than the 7 s of the term max_run of its policy"),
        ] {
            let problem = broken.problem(&settings, term);
            assert!(problem.status == status && problem.detail.ends_with(told), "{status} {}", problem.detail);
        }
    }

    #[test]
    fn a_caller_is_not_told_where_the_upstream_is() {
        let why = "http://127.0.0.1:8000/v1/chat/completions is not reachable: tcp connect error";
        let problem = Break::Upstream(why.into()).problem(&Gateway::default(), None);
        assert_eq!(problem.status, 502);
        assert!(!problem.detail.contains("127.0.0.1") && !problem.detail.contains("tcp"), "{problem}");
    }
}
