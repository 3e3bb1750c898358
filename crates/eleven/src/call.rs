//! Asking a running corner from the command line.

use crate::output::Failure;
use eleven_api::client::{CallError, Client};
use eleven_core::encoding::{Value, parse};
use http::HeaderValue;
use std::future::Future;
use std::time::Duration;

/// How long a corner may take for an answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a future on this thread until it is done.
///
/// # Errors
/// Where the process can't have what it needs for that.
pub(crate) fn wait<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime
        .map_err(|error| Failure::new(format!("the process cannot wait for the network: {error}")))?
        .block_on(future))
}

/// Gets a document.
///
/// # Errors
/// Where nobody answers, or the answer is a refusal.
pub(crate) fn get(base: &str, path: &str) -> Result<Value, Failure> {
    Ok(wait(async { Client::new().get_json(base, path, PATIENCE).await })??)
}

/// Gets a document as its bytes.
///
/// # Errors
/// As [`get`].
pub(crate) fn get_bytes(base: &str, path: &str) -> Result<Vec<u8>, Failure> {
    Ok(wait(async { Client::new().get(base, path, PATIENCE).await })??.to_vec())
}

/// Posts a document.
///
/// # Errors
/// As [`get`].
pub(crate) fn post(base: &str, path: &str, body: Vec<u8>) -> Result<Value, Failure> {
    let answer = wait(async { Client::new().post(base, path, &[], body, PATIENCE).await })??;
    parse(&answer).map_err(|error| Failure::new(format!("{base}{path} answered what is not I-JSON: {error}")))
}

/// Posts a document with a credential, and gives the answer's bytes.
///
/// # Errors
/// As [`get`].
pub(crate) fn post_as(base: &str, path: &str, bearer: &str, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let mut value = HeaderValue::from_str(&format!("Bearer {bearer}")).map_err(Failure::new)?;
    value.set_sensitive(true);
    let headers = [(http::header::AUTHORIZATION, value)];
    Ok(wait(async { Client::new().post(base, path, &headers, body, PATIENCE).await })??.to_vec())
}

/// What a corner says about its own health, healthy or not; `None` where nobody answers.
pub(crate) async fn health(base: &str) -> Option<bool> {
    let asked = Client::new().get(base, eleven_api::routes::HEALTH, Duration::from_secs(2)).await;
    match asked {
        Ok(_) => Some(true),
        Err(CallError::Refused(_) | CallError::Malformed(_)) => Some(false),
        Err(CallError::Unreachable(_) | CallError::Broken(_)) => None,
    }
}
