//! `POST /v1/govern/execute` (PROTOCOL 12): one operation, decided and authorised before it runs.

use eleven_core::artifact::{RequestBinding, Token};
use eleven_core::encoding::{Object, Value};
use eleven_core::form::{Form, FormError, require};
use eleven_core::hash::Sha3;
use eleven_core::limits::MAX_RUNTIME;
use eleven_core::{id, name};

/// The headers by which a point acts for a caller, beside the caller's own credential: the point's name; when it signed, to the
/// millisecond; and in padded base64 its event key's signature over [`statement`].
pub const POINT: &str = "eleven-point";
/// When it signed.
pub const POINT_TIME: &str = "eleven-point-time";
/// Its signature.
pub const POINT_SIGNATURE: &str = "eleven-point-signature";

/// What a point signs that acts for a caller: JCS({"body","caller","point","time"}), `body` and `caller` the SHA3-512 of the request's
/// bytes and of the caller's credential.
#[must_use]
pub fn statement(body: Sha3, caller: Sha3, point: &str, time: &str) -> Vec<u8> {
    Object::new().with("body", body).with("caller", caller).with("point", point).with("time", time).canonical()
}

/// What a caller, or a point on a caller's behalf, asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execute {
    /// Who asks; must be the authenticated caller.
    pub identity: String,
    /// The operation as framed: `name`, `scope` in any order, parameters.
    pub op: Object,
    /// The runtime it is to run on; region and tenancy come from the registry.
    pub runtime: String,
    /// The exact request, where the policy binds it.
    pub request: Option<RequestBinding>,
}

impl Execute {
    /// Reads a body: `{identity, op, env:{runtime}, request?:{body, method, path}}`.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub fn read(body: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::of_text(body, "execute request")?;
        let identity = form.named("identity", "an identity", name::is_identity)?;
        let op = form.object("op")?;
        let mut env = form.form("env", "env")?;
        let fits = |runtime: &str| runtime.len() <= MAX_RUNTIME && name::is_runtime(runtime);
        let runtime = env.named("runtime", "a runtime's name of at most 512 bytes", fits)?;
        env.finish()?;
        let request = form.opt("request").map(read_binding).transpose()?;
        form.finish()?;
        Ok(Self { identity, op, runtime, request })
    }

    /// The body.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let env = Object::new().with("runtime", &self.runtime);
        let request = self.request.as_ref().map(|request| {
            let object = Object::new().with("body", request.body).with("method", &request.method);
            object.with("path", &request.path)
        });
        let object = Object::new().with("identity", &self.identity).with("op", self.op.clone()).with("env", env);
        Value::Object(object.with_some("request", request))
    }
}

fn read_binding(value: Value) -> Result<RequestBinding, FormError> {
    let mut form = Form::of(value, "request")?;
    let body: Sha3 = form.sha3("body")?;
    let (method, path) = (form.string("method")?, form.string("path")?);
    form.finish()?;
    Ok(RequestBinding { body, method, path })
}

/// The answer where the decision is allow.
#[derive(Clone, Debug)]
pub struct Allowed {
    /// The token's parts: artifact, issuance record, salt.
    pub token: Token,
}

impl Allowed {
    /// The body: `{decision, artifact_id, artifact, issued, salt, lineage}`, around the bytes that were signed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Token { artifact, issued, salt } = &self.token;
        let id = &artifact.id;
        let lineage = id::lineage_name(artifact.content_id());
        // Neither an id nor a salt has anything to escape.
        let between = format!(r#","artifact_id":"{id}","decision":"allow","issued":"#);
        let end = format!(r#","lineage":"{lineage}","salt":"{salt}"}}"#);
        [br#"{"artifact":"#, artifact.canonical(), between.as_bytes(), issued.canonical(), end.as_bytes()].concat()
    }

    /// Reads a body.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub fn read(body: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::of_text(body, "execute answer")?;
        form.named("decision", "\"allow\"", |decision| decision == "allow")?;
        let (named, lineage) = (form.string("artifact_id")?, form.string("lineage")?);
        let token = Token::take(&mut form)?;
        form.finish()?;
        let artifact = &token.artifact;
        require(named == artifact.id, "execute answer: `artifact_id` names another artifact")?;
        let own = id::lineage_name(artifact.content_id());
        require(lineage == own, "execute answer: `lineage` is another artifact's")?;
        Ok(Self { token })
    }
}

#[cfg(test)]
mod tests;
