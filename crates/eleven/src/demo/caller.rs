//! A caller of the gateway: what an application is, with a clock in its hand.

use super::system::{Part, System};
use super::upstream::MODEL;
use bytes::Bytes;
use eleven_api::client::{CallError, Client};
use eleven_api::govern::{Allowed, Execute};
use eleven_api::routes;
use eleven_core::artifact::{RequestBinding, Token};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::Sha3;
use eleven_core::id;
use eleven_core::name;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const CHAT: &str = "/v1/chat/completions";
const PATIENCE: Duration = Duration::from_secs(10);
/// The scope that the starter policy permits.
const SCOPE: &str = "text.summarize";

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The HTTP status; 0 where nobody answered.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The whole body.
    pub(crate) body: Bytes,
    /// From the first byte sent to the last one received.
    pub(crate) took: Duration,
}

impl Answer {
    /// A member of the body that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let value: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        value.get(name)?.as_str().map(str::to_owned)
    }

    /// The reason of a refusal.
    pub(crate) fn reason(&self) -> Option<String> {
        self.text("reason")
    }

    /// The operation whose lineage holds what happened.
    pub(crate) fn op(&self) -> Option<String> {
        let lineage = self.headers.get("eleven-lineage")?.to_str().ok()?;
        id::operation_of_lineage(lineage).map(str::to_owned)
    }

    /// The summary in a plain answer.
    pub(crate) fn content(&self) -> Option<String> {
        let value: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        value["choices"][0]["message"]["content"].as_str().map(str::to_owned)
    }
}

/// An application with a secret where an OpenAI client puts its API key.
pub(crate) struct Caller {
    runtime: Runtime,
    client: Client,
    gateway: String,
    authority: String,
    point: String,
    identity: String,
    /// The client secret.
    pub(crate) secret: String,
}

impl Caller {
    /// Adds a client of that name for that identity to the domain, as an operator would.
    ///
    /// # Errors
    /// Why the client was not added.
    pub(crate) fn add(system: &System, client: &str, identity: &str) -> Result<Self, String> {
        let said = system.run(&["client", "add", client, "--identity", identity, "--json"])?;
        let said = parse(said.as_bytes()).map_err(|error| error.to_string())?;
        let secret = said.get("secret").and_then(Value::as_str).ok_or("`client add` showed no secret")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            runtime: runtime.map_err(|error| error.to_string())?,
            client: Client::new(),
            gateway: system.url(Part::Runtime).to_owned(),
            authority: system.url(Part::Authority).to_owned(),
            point: system.point().to_owned(),
            identity: identity.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// The same application once more, on connections of its own.
    ///
    /// # Errors
    /// Where the machine has nothing left to run it on.
    pub(crate) fn another(&self) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            runtime: runtime.map_err(|error| error.to_string())?,
            client: Client::new(),
            gateway: self.gateway.clone(),
            authority: self.authority.clone(),
            point: self.point.clone(),
            identity: self.identity.clone(),
            secret: self.secret.clone(),
        })
    }

    /// A chat request, as bytes.
    pub(crate) fn request(text: &str) -> Bytes {
        Self::request_to(MODEL, text, false)
    }

    /// A chat request to a model, perhaps streaming.
    pub(crate) fn request_to(model: &str, text: &str, stream: bool) -> Bytes {
        let message = serde_json::json!({"role": "user", "content": text});
        let body = serde_json::json!({"model": model, "messages": [message], "stream": stream});
        body.to_string().into()
    }

    /// A governed call: the base URL is the gateway's, and nothing else is different.
    pub(crate) fn chat(&self, body: &Bytes) -> Answer {
        self.send(&self.gateway, Method::POST, CHAT, body, &[("authorization", &self.bearer())])
    }

    /// A governed call that presents an artifact; an empty one is none.
    pub(crate) fn present(&self, body: &Bytes, artifact: &str) -> Answer {
        let headers = [("authorization", self.bearer()), ("eleven-authorization", artifact.to_owned())];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.send(&self.gateway, Method::POST, CHAT, body, &headers)
    }

    /// A call without a credential.
    pub(crate) fn anonymous(&self, body: &Bytes) -> Answer {
        self.send(&self.gateway, Method::POST, CHAT, body, &[])
    }

    /// A governed listing of models.
    pub(crate) fn models(&self) -> Answer {
        let bearer = self.bearer();
        self.send(&self.gateway, Method::GET, "/v1/models", &Bytes::new(), &[("authorization", &bearer)])
    }

    /// The same call straight to the upstream, past the gateway.
    pub(crate) fn direct(&self, upstream: &str, body: &Bytes) -> Answer {
        self.send(upstream, Method::POST, CHAT, body, &[])
    }

    /// Gets a document of any corner or of the upstream.
    ///
    /// # Errors
    /// Where nobody answers, or the answer is a refusal.
    pub(crate) fn get(&self, base: &str, path: &str) -> Result<Value, CallError> {
        self.runtime.block_on(self.client.get_json(base, path, PATIENCE))
    }

    /// An artifact for exactly this request on this gateway's runtime.
    ///
    /// # Errors
    /// Why the authority gave none.
    pub(crate) fn artifact(&self, body: &Bytes) -> Result<Token, String> {
        self.artifact_for(body, name::runtime_of_point(&self.point))
    }

    /// An artifact for exactly this request on any runtime.
    ///
    /// # Errors
    /// Why the authority gave none.
    pub(crate) fn artifact_for(&self, body: &Bytes, runtime: &str) -> Result<Token, String> {
        let op = Object::new().with("name", "model.invoke").with("model", MODEL);
        let execute = Execute {
            identity: self.identity.clone(),
            op: op.with("scope", vec![Value::from(SCOPE)]),
            runtime: runtime.to_owned(),
            request: Some(RequestBinding { body: Sha3::of(&[body]), method: "POST".into(), path: CHAT.into() }),
        };
        let body = Bytes::from(execute.to_value().canonical());
        let bearer = self.bearer();
        let answer =
            self.send(&self.authority, Method::POST, routes::GOVERN_EXECUTE, &body, &[("authorization", &bearer)]);
        if answer.status != 200 {
            let why = answer.text("detail").unwrap_or_else(|| format!("status {}", answer.status));
            return Err(format!("the authority gave no artifact: {why}"));
        }
        Allowed::read(&answer.body).map(|allowed| allowed.token).map_err(|error| error.to_string())
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.secret)
    }

    fn send(&self, base: &str, method: Method, path: &str, body: &Bytes, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{base}{path}"));
        request = request.header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let begun = Instant::now();
        let gone =
            |why: String| Answer { status: 0, headers: HeaderMap::new(), body: why.into(), took: begun.elapsed() };
        let request = match request.body(Full::new(body.clone())) {
            Ok(request) => request,
            Err(error) => return gone(error.to_string()),
        };
        let answered = self.runtime.block_on(async {
            let (parts, body) = self.client.send(request).await.map_err(|error| error.to_string())?.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok::<_, String>((parts, body))
        });
        match answered {
            Ok((parts, body)) => {
                Answer { status: parts.status.as_u16(), headers: parts.headers, body, took: begun.elapsed() }
            }
            Err(why) => gone(why),
        }
    }
}
