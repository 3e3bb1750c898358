//! Whether somebody listens where the enforcement point sends calls on to.

use super::{Finding, good, warn};
use http::Uri;
use std::io::{Error, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);

/// A connection, and nothing sent by it: what a request would come to is between the upstream and its callers.
pub(super) fn look(url: &str) -> Finding {
    let what = "upstream";
    match connect(url) {
        Ok(()) => good(what, format!("{url} takes connections")),
        // Only the point has to reach it, which may run on another machine.
        Err(error) => warn(what, format!("{url} can't be connected from here ({error}): every call would fail there")),
    }
}

fn connect(url: &str) -> std::io::Result<()> {
    let uri: Uri = url.parse().map_err(Error::other)?;
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let mut failed = Error::new(ErrorKind::NotFound, "it has no address");
    for at in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&at, CONNECT) {
            Ok(_) => return Ok(()),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
