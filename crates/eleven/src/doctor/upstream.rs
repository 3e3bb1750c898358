//! Whether somebody listens where the enforcement point sends calls on to, and is trusted there.

use super::{Finding, good, warn};
use crate::call;
use crate::output::Failure;
use eleven_api::client::handshake;
use std::time::Duration;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);

/// A connection, with its handshake where it is by HTTPS, and nothing asked by it: what a request would come to is between the
/// upstream and its callers.
pub(super) fn look(url: &str) -> Result<Finding, Failure> {
    let what = "upstream";
    Ok(match call::wait(handshake(url, CONNECT))? {
        Ok(()) if url.starts_with("https:") => good(what, format!("{url} takes connections, and is trusted here")),
        Ok(()) => good(what, format!("{url} takes connections")),
        // Only the point has to reach it, which may run on another machine, or with other certificate authorities.
        Err(error) => warn(what, format!("{error}; where that is so for the runtime, every call fails")),
    })
}
