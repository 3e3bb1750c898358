//! `/tile/…`: what mirrors, monitors and auditors copy.

use super::gate::Reader;
use super::proofs::reading_off;
use crate::ledger::Inner;
use crate::tiles;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use eleven_api::problem::Problem;
use eleven_api::public;
use eleven_api::serve::Named;
use eleven_core::tile::{Content, Tile};
use std::sync::Arc;

/// `GET /tile/<L>/<N>[.p/<W>]` and `GET /tile/entries/<N>[.p/<W>]`.
pub(super) async fn tile(
    State(inner): State<Arc<Inner>>,
    reader: Reader,
    Named(path): Named,
) -> Result<Response, Problem> {
    let tile = Tile::parse(&path).ok_or_else(|| Problem::with_status(404, "this is no tile's name"))?;
    if tile.content == Content::Entries {
        reader.may_read_entries()?;
    }
    let bytes =
        reading_off(inner, reader.is_known(), move |shared| tiles::tile(shared, tile).map_err(Into::into)).await?;
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    // A partial tile is named with its width: its bytes change as little as those of a full one.
    Ok(public::kept(response, public::FOREVER))
}
