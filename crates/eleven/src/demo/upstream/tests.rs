use super::*;
use eleven_api::client::Client;
use eleven_api::serve::Listener;
use http_body_util::{BodyExt as _, Full};

fn args() -> Args {
    Args {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        log: None,
        delay_ms: 0,
        break_after_chunks: None,
        noop: false,
    }
}

/// An upstream on a free port for as long as the sender lives.
async fn started(args: Args) -> (String, watch::Sender<bool>) {
    let listener = Listener::bind(args.listen, None).await.expect("binds");
    let at = listener.local_addr().expect("an address");
    let (told, stop) = watch::channel(false);
    let upstream = Upstream { log: CallLog::open(None).expect("opens"), noop: bytes::Bytes::from("{}"), args };
    tokio::spawn(listener.serve(router(upstream), stop, Duration::ZERO));
    (format!("http://{at}"), told)
}

fn request(base: &str, body: &str) -> http::Request<Full<bytes::Bytes>> {
    let request = http::Request::post(format!("{base}/v1/chat/completions"));
    request.body(Full::new(bytes::Bytes::from(body.to_owned()))).expect("a request")
}

const PLAIN: &str =
    r#"{"model":"demo-summarizer","messages":[{"role":"user","content":"Ice melts. Ice is water. So it goes."}]}"#;
const STREAM: &str =
    r#"{"model":"demo-summarizer","stream":true,"messages":[{"role":"user","content":"Ice melts. Ice is water."}]}"#;

async fn calls(base: &str) -> i64 {
    let answer = Client::new().get_json(base, "/calls", Duration::from_secs(5)).await.expect("an answer");
    answer.get("calls").and_then(eleven_core::encoding::Value::as_int).expect("a number")
}

#[tokio::test]
async fn a_plain_call_is_summarised_and_counted() {
    let (base, _told) = started(args()).await;
    let answer = Client::new().send(request(&base, PLAIN)).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.expect("whole").to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(body["choices"][0]["message"]["content"], "Ice melts.");
    assert_eq!(body["usage"]["total_tokens"], 8 + 2);
    assert_eq!(calls(&base).await, 1);
    let wrong = Client::new().send(request(&base, "{}")).await.expect("an answer");
    assert_eq!(wrong.status(), 404);
}

#[tokio::test]
async fn a_stream_comes_in_chunks_and_ends_with_its_mark() {
    let (base, _told) = started(args()).await;
    let answer = Client::new().send(request(&base, STREAM)).await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let body = answer.into_body().collect().await.expect("whole").to_bytes();
    let text = String::from_utf8(body.to_vec()).expect("text");
    assert!(text.ends_with("data: [DONE]\n\n") && text.matches("data: ").count() >= 4, "{text}");
}

#[tokio::test]
async fn it_breaks_off_where_it_is_told_to() {
    let (base, _told) = started(Args { break_after_chunks: Some(2), ..args() }).await;
    let mut body = Client::new().send(request(&base, STREAM)).await.expect("an answer").into_body();
    let mut pieces = 0;
    let broken = loop {
        match body.frame().await {
            Some(Ok(_)) => pieces += 1,
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broken && pieces == 2, "{pieces}");
    let plain = Client::new().send(request(&base, PLAIN)).await.expect("an answer");
    assert!(plain.into_body().collect().await.is_err());
}
