//! What a path names behind its route, without percent-encoding.

use crate::problem::Problem;
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

/// The name, which may hold slashes where its route takes them.
#[derive(Debug)]
pub struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::<String>::from_request_parts(parts, state).await;
        // A route that takes a name has one: it is no text, or there were no such route.
        named.map(|Path(name)| Self(name)).map_err(|_| Problem::malformed("what the path names is no UTF-8"))
    }
}
