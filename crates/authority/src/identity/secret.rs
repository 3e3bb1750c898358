//! Client secrets: `elk_<client>_<secret>`, 32 random bytes in base32, shown once.

use eleven_api::identity::CLIENT_SECRET_PREFIX;
use eleven_core::hash::Sha3;
use eleven_core::id;
use eleven_core::name;
use std::fmt;

/// Characters of 32 bytes in base32.
const LENGTH: usize = 52;
/// Characters of a client's name: with its prefix it has to be one segment of at most 64.
const MAX_NAME: usize = 48;

/// A client secret in clear. It is never written to a log, an event or an error.
pub struct ClientSecret {
    text: String,
    client: String,
}

impl ClientSecret {
    /// A new secret for a client; `None` where the client's name is not a name.
    #[must_use]
    pub fn new(client: &str, random: &[u8; 32]) -> Option<Self> {
        let text = format!("{CLIENT_SECRET_PREFIX}{client}_{}", id::base32(random));
        is_client(client).then(|| Self { text, client: client.to_owned() })
    }

    /// Reads what stands where a bearer credential is expected; `None` where that is no client secret.
    #[must_use]
    pub fn parse(bearer: &str) -> Option<Self> {
        let (client, secret) = bearer.strip_prefix(CLIENT_SECRET_PREFIX)?.rsplit_once('_')?;
        let whole = secret.len() == LENGTH && secret.bytes().all(|b| b.is_ascii_alphanumeric());
        (is_client(client) && whole).then(|| Self { text: bearer.to_owned(), client: client.to_owned() })
    }

    /// The client it belongs to.
    #[must_use]
    pub fn client(&self) -> &str {
        &self.client
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> Sha3 {
        Sha3::of(&[self.text.as_bytes()])
    }

    /// The text that is shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientSecret({})", self.client)
    }
}

/// Whether a text may name a client.
#[must_use]
pub(super) fn is_client(text: &str) -> bool {
    name::is_segment(text) && text.len() <= MAX_NAME
}
