//! `POST /v1/govern/execute` (PROTOCOL 12): one operation, decided and authorised before it runs.

use eleven_core::artifact::{RequestBinding, Token};
use eleven_core::encoding::{Object, Value};
use eleven_core::form::{Form, FormError, require};
use eleven_core::hash::Sha3;
use eleven_core::{id, name};

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
        let mut form = Form::of(eleven_core::encoding::parse(body)?, "execute request")?;
        let identity = form.named("identity", "an identity", name::is_identity)?;
        let op = form.object("op")?;
        let mut env = Form::of(form.take("env")?, "env")?;
        let runtime = env.named("runtime", "a runtime's name", name::is_runtime)?;
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
    /// The body: `{decision, artifact_id, artifact, issued, salt, lineage}`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let Token { artifact, issued, salt } = &self.token;
        Value::Object(
            Object::new()
                .with("decision", "allow")
                .with("artifact_id", &artifact.id)
                .with("artifact", artifact.to_value())
                .with("issued", issued.to_value())
                .with("salt", salt)
                .with("lineage", id::lineage_name(artifact.content_id())),
        )
    }

    /// Reads a body.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub fn read(body: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::of(eleven_core::encoding::parse(body)?, "execute answer")?;
        form.named("decision", "\"allow\"", |decision| decision == "allow")?;
        let (named, lineage) = (form.string("artifact_id")?, form.string("lineage")?);
        let token = Object::new()
            .with("artifact", form.take("artifact")?)
            .with("issued", form.take("issued")?)
            .with("salt", form.take("salt")?);
        form.finish()?;
        let token = Token::of_value(Value::Object(token))?;
        let artifact = &token.artifact;
        require(named == artifact.id, "execute answer: `artifact_id` names another artifact")?;
        let own = id::lineage_name(artifact.content_id());
        require(lineage == own, "execute answer: `lineage` is another artifact's")?;
        Ok(Self { token })
    }
}

#[cfg(test)]
mod tests;
