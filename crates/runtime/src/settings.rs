//! What an operator sets for an enforcement gateway.

use crate::standing::Required;
use std::time::Duration;

/// The settings of one enforcement point.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Base URL of the authority.
    pub authority: String,
    /// Base URL of the ledger.
    pub ledger: String,
    /// How long the ledger may leave records unacknowledged before admissions stop: 1 to 60 s (PROTOCOL 13).
    pub audit_bound: Duration,
    /// The durability that everything acknowledged has to reach, and by when; past that admissions stop.
    pub required: Option<Required>,
    /// How long an answer is withheld until its evidence is as durable as its policy asks (PROTOCOL 13).
    pub release_wait: Duration,
    /// How often the registry is asked for its stamp; a fraction of `fresh`.
    pub refresh: Duration,
    /// How long the authority may take for a decision; covers the 2 s that a caller may wait for the ledger.
    pub decision_deadline: Duration,
    /// The gateway's own settings.
    pub gateway: Gateway,
}

/// The settings of the OpenAI-compatible reverse proxy.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Base URL of the upstream, HTTP or HTTPS; the request's path is appended.
    pub upstream: String,
    /// What the upstream expects as its API key, where it expects one. Never logged.
    pub upstream_key: Option<String>,
    /// The operation that a model call is.
    pub operation: String,
    /// The operation that a listing of models is.
    pub list_operation: String,
    /// The scope that calls through this listener touch.
    pub scope: Vec<String>,
    /// Top-level members of the request's body that policy reads, besides `model`.
    pub parameters: Vec<String>,
    /// Bytes of a request's body.
    pub max_body: usize,
    /// Bytes that larger bodies may take of this machine at once; four of the largest in any case.
    pub bodies: usize,
    /// Bytes that are held of a response: all of it, or the end of a stream.
    pub max_response: usize,
    /// How long an execution may run where its policy does not say.
    pub max_run: Duration,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            upstream: String::new(),
            upstream_key: None,
            operation: "model.invoke".into(),
            list_operation: "model.list".into(),
            scope: Vec::new(),
            parameters: Vec::new(),
            max_body: eleven_core::limits::DEFAULT_REQUEST_BODY,
            bodies: eleven_core::limits::MAX_CALLS_HELD,
            max_response: 64 * 1024 * 1024,
            max_run: Duration::from_secs(300),
        }
    }
}
