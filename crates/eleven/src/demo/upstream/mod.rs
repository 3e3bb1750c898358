//! `eleven demo-upstream`: the model that the demo, the benchmarks and the tests put behind the gateway.
//!
//! A process of its own that knows nothing of governance: it summarises the text it is given, answers as an
//! OpenAI-compatible endpoint, and logs the calls that reach it. Where the gateway refuses, this log must not grow.

mod log;
mod openai;
mod reply;
mod summary;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use eleven_api::edge::{Clock as _, SystemClock};
use http::{HeaderMap, StatusCode};
use log::CallLog;
use openai::{Refusal, Request};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub(crate) use openai::MODEL;

/// Bytes of a request: the gateway's default limit.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// How the upstream is to behave.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one, which the first line of output names
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// The file that gets a line for each call that arrives
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Wait this long before an answer, and between the chunks of a stream
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub(crate) delay_ms: u64,
    /// Break the connection after this many chunks of a stream, or halfway through a plain answer
    #[arg(long, value_name = "N")]
    pub(crate) break_after_chunks: Option<usize>,
    /// Answer at once with the same short text: for measuring what stands before it
    #[arg(long)]
    pub(crate) noop: bool,
}

struct Upstream {
    args: Args,
    log: CallLog,
    /// The whole answer of `--noop`, made once.
    noop: bytes::Bytes,
}

/// Serves until the process is told to end. The first line on standard output is `listening http://ADDRESS`.
pub(crate) fn run(args: Args) -> ExitCode {
    // A demo or test that dies must not leave its upstream behind.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(|error| error.to_string()).and_then(|runtime| runtime.block_on(serve(args)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "eleven demo-upstream: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: Args) -> Result<(), String> {
    let log = CallLog::open(args.log.as_deref()).map_err(|error| format!("the log cannot be opened: {error}"))?;
    let asked = format!(r#"{{"model":"{MODEL}","messages":[{{"role":"user","content":"Nothing to do."}}]}}"#);
    let noop = Request::read(asked.as_bytes()).map_err(|refusal| refusal.message)?;
    let noop = openai::completion("chatcmpl-noop", 0, &noop).to_string().into();
    let (told, stop) = watch::channel(false);
    let listener = crate::child::listen(args.listen).await?;
    let serving = listener.serve(router(Upstream { args, log, noop }), stop, Duration::from_secs(1));
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => {}
        () = ended() => {
            let _ = told.send(true);
            serving.await;
        }
    }
    Ok(())
}

async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

fn router(upstream: Upstream) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/v1/models", get(|| async { reply::json(StatusCode::OK, &openai::models()) }))
        .route("/calls", get(calls))
        .fallback(|| async {
            let message = "there is nothing here; POST /v1/chat/completions".to_owned();
            refused(&Refusal { status: 404, code: "not_found", message })
        })
        .with_state(Arc::new(upstream))
}

/// How many calls reached the model: `{"calls": n}`.
async fn calls(State(upstream): State<Arc<Upstream>>) -> Response {
    reply::json(StatusCode::OK, &serde_json::json!({"calls": upstream.log.calls()}))
}

async fn complete(State(upstream): State<Arc<Upstream>>, headers: HeaderMap, body: axum::body::Body) -> Response {
    let body = match eleven_api::serve::body(body, MAX_BODY).await {
        Ok(body) => body,
        Err(problem) => {
            return refused(&Refusal { status: problem.status, code: "invalid_body", message: problem.detail });
        }
    };
    let number = match upstream.log.note(&headers, &body) {
        Ok(number) => number,
        Err(error) => {
            let message = format!("the call log cannot be written: {error}");
            return refused(&Refusal { status: 500, code: "log", message });
        }
    };
    let pause = Duration::from_millis(upstream.args.delay_ms);
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    if upstream.args.noop {
        return reply::whole(StatusCode::OK, upstream.noop.clone(), false);
    }
    let request = match Request::read(&body) {
        Ok(request) => request,
        Err(refusal) => return refused(&refusal),
    };
    let (id, created) = (format!("chatcmpl-{number}"), SystemClock.now().0 / 1000);
    let breaks = upstream.args.break_after_chunks;
    if request.stream {
        return reply::stream(openai::chunks(&id, created, &request), pause, breaks);
    }
    let answer = openai::completion(&id, created, &request).to_string();
    reply::whole(StatusCode::OK, answer.into(), breaks.is_some())
}

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply::json(status, &openai::error(refusal))
}

#[cfg(test)]
mod tests;
