//! Epochs and stamps as server-sent events: `event: epoch` with the epoch as its id and `{"epoch","hash"}`, `event: stamp`
//! with the signed stamp. A client that lost its connection names the last epoch it knows and misses none that counts:
//! only the last epoch ever does. A stream that was opened while anybody might read ends when the domain becomes private;
//! who may go on reading opens it anew. All streams end when the corner is told to stop: a planned restart waits for no
//! reader.

use super::gate::is_private;
use super::{Current, Registry};
use bytes::{Bytes, BytesMut};
use eleven_api::serve::stopped;
use http_body::{Body, Frame};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Events that may wait for a slow reader before it is cut off; it resumes by itself.
const BACKLOG: usize = 16;

/// A response body that ends when its sender does.
pub(super) struct Events(mpsc::Receiver<Bytes>);

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.0.poll_recv(cx).map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// The events after the epoch `known`.
pub(super) fn stream(registry: &Registry, known: Option<u64>) -> Events {
    let (events, body) = mpsc::channel(BACKLOG);
    let mut changes = registry.current.subscribe();
    changes.mark_changed();
    let mut stop = registry.stop.clone();
    let judged = registry.current().is_some_and(|current| is_private(&current));
    tokio::spawn(async move {
        let mut last = known;
        loop {
            let changed = tokio::select! {
                changed = changes.changed() => changed.is_ok(),
                () = stopped(&mut stop) => false,
            };
            if !changed {
                return;
            }
            let Some(current) = changes.borrow_and_update().clone() else { continue };
            if !judged && is_private(&current) {
                return;
            }
            let text = event_text(&current, &mut last);
            if events.try_send(text).is_err() {
                return;
            }
        }
    });
    Events(body)
}

fn event_text(current: &Arc<Current>, last: &mut Option<u64>) -> Bytes {
    let epoch = current.view.epoch();
    let mut text = BytesMut::new();
    if *last != Some(epoch) {
        text.extend_from_slice(format!("event: epoch\nid: {epoch}\ndata: ").as_bytes());
        text.extend_from_slice(&current.documents().epoch);
        text.extend_from_slice(b"\n\n");
        *last = Some(epoch);
    }
    text.extend_from_slice(b"event: stamp\ndata: ");
    text.extend_from_slice(&current.stamp);
    text.extend_from_slice(b"\n\n");
    text.freeze()
}
