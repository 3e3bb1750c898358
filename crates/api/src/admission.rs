//! `POST /runtime/admit` and `POST /runtime/complete` (PROTOCOL 12): enforcement for a workload that the point does not run
//! itself.

use crate::audit::Durability;
use eleven_core::artifact::Token;
use eleven_core::encoding::{Object, Value};
use eleven_core::form::{Form, FormError};
use eleven_core::hash::Sha3;
use eleven_core::limits::MAX_RUNTIME;
use eleven_core::name;

/// What is to be admitted. A member that is missing is left to admission, which names the reason.
#[derive(Clone, Debug)]
pub struct Admit {
    /// The artifact with its issuance record and salt; `None` where nothing was presented.
    pub token: Option<Token>,
    /// The digest of the workload's image.
    pub image: Sha3,
    /// The runtime it is to run on.
    pub runtime: String,
}

impl Admit {
    /// Reads a body: `{artifact, issued, salt, workload:{image, runtime}}`.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub fn read(body: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::of_text(body, "admit request")?;
        let mut workload = form.form("workload", "workload")?;
        let image = workload.sha3("image")?;
        let fits = |runtime: &str| runtime.len() <= MAX_RUNTIME && name::is_runtime(runtime);
        let runtime = workload.named("runtime", "a runtime's name of at most 512 bytes", fits)?;
        workload.finish()?;
        let token = form.has("artifact").then(|| Token::take(&mut form)).transpose()?;
        if token.is_none() {
            // Whatever else of a token there is, without an artifact it is none.
            let _ = (form.opt("issued"), form.opt("salt"));
        }
        form.finish()?;
        Ok(Self { token, image, runtime })
    }
}

/// The answer where the workload is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Names the admission in `complete`.
    pub attestation_id: String,
    /// The lineage.
    pub lineage: String,
    /// How durable the admission is.
    pub durability: Durability,
}

impl Admitted {
    /// The body.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(
            Object::new()
                .with("admitted", true)
                .with("attestation_id", &self.attestation_id)
                .with("lineage", &self.lineage)
                .with("lineage_event", "03 admission.granted")
                .with("durability", self.durability.name()),
        )
    }
}

/// How an admitted workload ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complete {
    /// The admission.
    pub attestation_id: String,
    /// `completed`, `failed` or `interrupted`.
    pub outcome: String,
    /// SHA3-512 of the result's bytes.
    pub body: Sha3,
    /// How many bytes.
    pub bytes: u64,
    /// The status, HTTP or exit.
    pub status: u16,
}

impl Complete {
    /// Reads a body: `{attestation_id, outcome, result:{body, bytes, status}}`.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub fn read(body: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::of(eleven_core::encoding::parse(body)?, "complete request")?;
        let attestation_id = form.string("attestation_id")?;
        let outcome = form.named("outcome", "completed, failed or interrupted", |outcome| {
            matches!(outcome, "completed" | "failed" | "interrupted")
        })?;
        let mut result = Form::of(form.take("result")?, "result")?;
        let (body, bytes) = (result.sha3("body")?, result.uint("bytes")?);
        let status = u16::try_from(result.uint("status")?).map_err(|_| result.wrong("status", "not a status"))?;
        result.finish()?;
        form.finish()?;
        Ok(Self { attestation_id, outcome, body, bytes, status })
    }
}

/// The answer to a completion.
#[must_use]
pub fn completed(durability: Durability) -> Value {
    Value::Object(Object::new().with("lineage_event", "07 evidence.committed").with("durability", durability.name()))
}

#[cfg(test)]
mod tests;
