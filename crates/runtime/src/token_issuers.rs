//! Whose identity tokens are believed.

use eleven_api::token::JWT;
use eleven_core::encoding::Value;
use eleven_core::registry::SourceRecord;
use eleven_core::signature::{VerifyingKey, bytes32};
use std::collections::HashMap;

/// The identity keys that the registry's sources name, by their names. Made where an epoch is taken in, because any stranger may send
/// a token that nobody looked at before, and that is to cost the same whatever else the sources hold.
#[derive(Default)]
pub(crate) struct TokenIssuers(HashMap<String, (String, VerifyingKey)>);

impl TokenIssuers {
    /// Those of these rows. Of two that name a key the same the first counts.
    pub(crate) fn of<'a>(rows: impl Iterator<Item = &'a SourceRecord>) -> Self {
        let mut issuers = HashMap::new();
        for row in rows {
            let text = |name: &str| row.mapping.get(name).and_then(Value::as_str);
            let public = text("public").filter(|_| text("kind") == Some(JWT)).and_then(bytes32);
            if let (Some(kid), Some(key)) = (text("kid"), public.as_ref().and_then(VerifyingKey::new)) {
                issuers.entry(kid.to_owned()).or_insert_with(|| (row.source.clone(), key));
            }
        }
        Self(issuers)
    }

    /// Whose the key of that name is, and the key.
    pub(crate) fn of_key(&self, kid: &str) -> Option<(&str, &VerifyingKey)> {
        self.0.get(kid).map(|(source, key)| (source.as_str(), key))
    }

    /// How many keys there are.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}
