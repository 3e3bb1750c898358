//! The shapes of the chat completions interface, as far as a model needs them.

use super::summary;
use serde_json::{Value, json};

/// The one model that is served.
pub(crate) const MODEL: &str = "demo-summarizer";
/// Words in one chunk of a stream.
const WORDS_PER_CHUNK: usize = 6;

/// A request, as far as it matters here.
pub(super) struct Request {
    pub(super) model: String,
    pub(super) text: String,
    pub(super) stream: bool,
    include_usage: bool,
    max_words: Option<usize>,
}

/// What is wrong with a request: status, code and message of an OpenAI error.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Request {
    /// Reads a body of `POST /v1/chat/completions`. Members that a summariser has no use for are left alone.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let wrong = |code, message: String| Refusal { status: 400, code, message };
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| wrong("invalid_json", format!("the body is no JSON: {error}")))?;
        let model = body["model"].as_str().unwrap_or_default().to_owned();
        if model != MODEL {
            let message = format!("there is no model `{model}` here; use `{MODEL}`");
            return Err(Refusal { status: 404, code: "model_not_found", message });
        }
        let messages = body["messages"].as_array().filter(|messages| !messages.is_empty());
        let messages = messages.ok_or_else(|| wrong("missing_messages", "`messages` is empty".to_owned()))?;
        let asked = messages.iter().rev().find(|message| message["role"] == "user").or(messages.last());
        let text = asked.map(|message| content(&message["content"])).unwrap_or_default();
        let limit = body["max_completion_tokens"].as_u64().or_else(|| body["max_tokens"].as_u64());
        Ok(Self {
            model,
            text,
            stream: body["stream"] == true,
            include_usage: body["stream_options"]["include_usage"] == true,
            max_words: limit.and_then(|limit| usize::try_from(limit).ok()),
        })
    }

    /// The summary that answers it.
    pub(super) fn answer(&self) -> String {
        summary::summarise(&self.text, self.max_words)
    }

    fn usage(&self, answer: &str) -> Value {
        let (prompt, completion) = (summary::words(&self.text), summary::words(answer));
        json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
    }
}

/// A message's text: a string, or the text parts of a list.
fn content(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// The whole answer of a plain call.
pub(super) fn completion(id: &str, created: i64, request: &Request) -> Value {
    let answer = request.answer();
    json!({
        "id": id, "object": "chat.completion", "created": created, "model": request.model,
        "choices": [{
            "index": 0, "finish_reason": "stop", "logprobs": null,
            "message": {"role": "assistant", "content": answer, "refusal": null},
        }],
        "usage": request.usage(&answer),
    })
}

/// The events of a stream, each already framed: role, content in several chunks, the finish reason, usage where it was
/// asked for, and the end mark.
pub(super) fn chunks(id: &str, created: i64, request: &Request) -> Vec<String> {
    let answer = request.answer();
    let chunk = |choices: Value, usage: Option<Value>| {
        let mut chunk = json!({
            "id": id, "object": "chat.completion.chunk", "created": created, "model": request.model, "choices": choices,
        });
        if request.include_usage {
            chunk["usage"] = usage.unwrap_or(Value::Null);
        }
        format!("data: {chunk}\n\n")
    };
    let delta = |delta: Value, reason: Option<&str>| {
        chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}]), None)
    };
    let mut events = vec![delta(json!({"role": "assistant", "content": ""}), None)];
    let words: Vec<&str> = answer.split_inclusive(' ').collect();
    events.extend(words.chunks(WORDS_PER_CHUNK).map(|words| delta(json!({"content": words.concat()}), None)));
    events.push(delta(json!({}), Some("stop")));
    if request.include_usage {
        events.push(chunk(json!([]), Some(request.usage(&answer))));
    }
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// The list of models.
pub(super) fn models() -> Value {
    json!({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1_778_544_000, "owned_by": "11-11-demo"}]})
}

/// An error as OpenAI clients read it.
pub(super) fn error(refusal: &Refusal) -> Value {
    json!({"error": {
        "message": refusal.message, "type": "invalid_request_error", "param": null, "code": refusal.code,
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(more: Value) -> Request {
        let mut body = json!({"model": MODEL, "messages": [
            {"role": "system", "content": "be short"},
            {"role": "user", "content": [{"type": "text", "text": "One thing matters. It matters a lot."}]},
        ]});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        Request::read(body.to_string().as_bytes()).expect("a request")
    }

    #[test]
    fn the_chunks_of_a_stream_say_what_the_plain_answer_says() {
        let asked = request(json!({"stream": true, "stream_options": {"include_usage": true}}));
        let events = chunks("chatcmpl-1", 7, &asked);
        assert_eq!(events.last().map(String::as_str), Some("data: [DONE]\n\n"));
        let read = |event: &String| serde_json::from_str::<Value>(event.strip_prefix("data: ").expect("data").trim());
        let events: Vec<Value> = events[..events.len() - 1].iter().map(|event| read(event).expect("JSON")).collect();
        let text: String = events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect();
        let plain = completion("chatcmpl-1", 7, &request(json!({"temperature": 0.7})));
        assert_eq!(plain["choices"][0]["message"]["content"], text);
        assert!(!text.is_empty());
        let reasons: Vec<&Value> = events.iter().map(|e| &e["choices"][0]["finish_reason"]).collect();
        assert_eq!(reasons.iter().filter(|reason| **reason == "stop").count(), 1);
        assert_eq!(events.last().expect("usage")["usage"], plain["usage"]);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (body, status) in [("{", 400), (r#"{"model":"gpt-5","messages":[]}"#, 404), ("{}", 404)] {
            assert_eq!(Request::read(body.as_bytes()).err().map(|refusal| refusal.status), Some(status), "{body}");
        }
        let empty = json!({"model": MODEL, "messages": []}).to_string();
        assert_eq!(Request::read(empty.as_bytes()).err().map(|refusal| refusal.code), Some("missing_messages"));
    }
}
