//! An enforcement point that acts for its caller: with the caller's own credential and its own registered signature
//! (PROTOCOL 12).

use crate::registry::Current;
use axum::http::HeaderMap;
use bytes::Bytes;
use eleven_api::govern::{POINT, POINT_SIGNATURE, POINT_TIME, statement};
use eleven_api::header::only;
use eleven_core::hash::{Sha3, unbase64};
use eleven_core::reason::Reason;
use eleven_core::time::Time;
use std::fmt;

/// How far the point's time may lie from ours, in milliseconds.
const MAX_APART_MS: i64 = 10_000;

/// Why the point is not believed. Its caller is known by then, and its credential is in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PointError {
    /// Some of the three headers are there and some are not, or one stands twice or is not of its form.
    Headers,
    /// The time is more than ten seconds from ours.
    Time,
    /// No such point, or no event key of its own that counts.
    Unknown,
    /// The signature is not the point's over this request and caller.
    Signature,
}

impl PointError {
    /// The reason for which the request is refused; `None` where it is not of its form.
    pub(super) const fn reason(self) -> Option<Reason> {
        match self {
            Self::Headers => None,
            Self::Time => Some(Reason::RuntimeClock),
            Self::Unknown | Self::Signature => Some(Reason::RuntimeUnregistered),
        }
    }
}

impl fmt::Display for PointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Headers => {
                "a point that acts for a caller sends eleven-point, eleven-point-time and eleven-point-signature"
            }
            Self::Time => "the point signed more than ten seconds away from this authority's clock: set its clock",
            Self::Unknown => "the point is not registered, or its event key does not count: register it",
            Self::Signature => {
                "the signature is not by the event key that the point is registered with, over this request and this \
                 caller's credential: where the point signs by another, its `/health` says in `unapproved` what helps"
            }
        })
    }
}

/// The point that acts, where one does.
pub(super) fn acting(
    headers: &HeaderMap,
    body: &Bytes,
    bearer: &str,
    current: &Current,
    now: Time,
) -> Result<Option<String>, PointError> {
    if [POINT, POINT_TIME, POINT_SIGNATURE].iter().all(|name| !headers.contains_key(*name)) {
        return Ok(None);
    }
    let text = |name: &str| only(headers, name).ok_or(PointError::Headers);
    let (point, time, signature) = (text(POINT)?, text(POINT_TIME)?, text(POINT_SIGNATURE)?);
    let signed_at = Time::parse_millis(time).ok_or(PointError::Headers)?;
    let signature: [u8; 64] = unbase64(signature).and_then(|bytes| bytes.try_into().ok()).ok_or(PointError::Headers)?;
    if now.since(signed_at).saturating_abs() > MAX_APART_MS {
        return Err(PointError::Time);
    }
    let key = current.point_key(point, now).ok_or(PointError::Unknown)?;
    let (body, caller) = Sha3::of_both([&body[..]], [bearer.as_bytes()]);
    if key.verifies(&statement(body, caller, point, time), &signature) {
        Ok(Some(point.to_owned()))
    } else {
        Err(PointError::Signature)
    }
}
