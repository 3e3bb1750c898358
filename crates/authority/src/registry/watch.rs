//! Epochs and stamps as server-sent events: `event: epoch` with the epoch as its id and `{"epoch","hash"}`, `event: stamp`
//! with the signed stamp. A client that lost its connection names the last epoch it knows and misses none that counts:
//! only the last epoch ever does. A stream ends with the registry by which who opened it may not read any more: when the domain
//! becomes private, of whoever opened it as anybody might, and who may go on reading opens it anew; when it is private, of whoever
//! is no auditor or operator any more, or whose key counts no more. All streams end when the corner is told to stop: a planned restart
//! waits for no reader.

use super::gate::Reads;
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

/// The events after the epoch `known`, for whoever was let in as it `reads`: by the registry of that moment, which may be another by
/// now.
pub(super) fn stream(registry: &Registry, known: Option<u64>, reads: Reads) -> Events {
    let (events, body) = mpsc::channel(BACKLOG);
    let mut changes = registry.current.subscribe();
    changes.mark_changed();
    let (mut stop, clock) = (registry.stop.clone(), Arc::clone(&registry.clock));
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
            if !reads.may(&current, clock.now()) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{NOW, apply, fold, root, signer};
    use crate::ledger::Ledger;
    use eleven_api::client::Client;
    use eleven_api::edge::ManualClock;
    use eleven_api::secret::{AUDITOR, source_of};
    use eleven_core::encoding::{Object, Value};
    use eleven_core::hash::Sha3;
    use eleven_core::registry::exposure::{EXPOSURE_SERVICE, Exposure};
    use eleven_core::registry::{ApprovedInterface, Fold, InterfaceRecord, Item as _};
    use eleven_core::signature::Signer as _;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn who_was_let_in_reads_nothing_of_a_registry_by_which_that_would_not_be() {
        let (_running, stop) = tokio::sync::watch::channel(false);
        let nowhere = Ledger::new(Client::new(), "http://127.0.0.1:9");
        let clock = Arc::new(ManualClock::new(NOW));
        let registry = Registry::new(nowhere, root(), signer("registry").into(), clock, stop);
        let mut fold = fold(&[]);
        let auditor = |secret: u8| source_of(AUDITOR, "a", "human:auditor:dev", &Sha3([secret; 64]));
        apply(&mut fold, "source.registered", auditor(1).to_value());
        let key = |role: &str| Reads::Key(signer(role).kid().to_owned());
        let put = |fold: &Fold| {
            let current = Current::of_fold(fold.clone(), Vec::new(), NOW, &signer("registry")).expect("an epoch");
            registry.current.send_replace(Some(Arc::new(current)));
        };
        put(&fold);
        assert!(stream(&registry, None, Reads::Anybody).frame().await.is_some(), "anybody may");
        let hash = Sha3::of_value(&Exposure::Private.document("11-11"));
        let record = InterfaceRecord { service: EXPOSURE_SERVICE.to_owned(), version: "1".to_owned(), hash };
        let approved = ApprovedInterface::sign("11-11", record, &signer("policy"));
        apply(&mut fold, "interface.approved", Value::Object(approved.to_object()));
        let retired = Object::new().with("kid", signer("point").kid());
        apply(&mut fold, "key.retired", Value::Object(retired));
        put(&fold);
        for (reads, may) in [
            (Reads::Anybody, false),
            (Reads::Source(auditor(1)), true),
            // Revoked, and another of that name since.
            (Reads::Source(auditor(2)), false),
            (key("event"), true),
            (key("point"), false),
            // It signs no events.
            (key("issuer"), false),
        ] {
            let told = format!("{reads:?}");
            assert_eq!(stream(&registry, None, reads).frame().await.is_some(), may, "{told}");
        }
    }

    #[tokio::test]
    async fn a_reader_that_does_not_keep_up_is_cut_off_and_gets_what_waits_for_it() {
        let (_running, stop) = tokio::sync::watch::channel(false);
        let nowhere = Ledger::new(Client::new(), "http://127.0.0.1:9");
        let clock = Arc::new(ManualClock::new(NOW));
        let registry = Registry::new(nowhere, root(), signer("registry").into(), clock, stop);
        let current = Current::of_fold(fold(&[]), Vec::new(), NOW, &signer("registry")).expect("an epoch");
        let current = Arc::new(current);
        registry.current.send_replace(Some(Arc::clone(&current)));
        let mut events = stream(&registry, None, Reads::Anybody);
        let mut stamps = 0;
        while registry.current.receiver_count() > 0 {
            registry.current.send_replace(Some(Arc::clone(&current)));
            tokio::task::yield_now().await;
            stamps += 1;
            assert!(stamps < 100 * BACKLOG, "all that comes is kept for it");
        }
        for number in 0..BACKLOG {
            let frame = events.frame().await.expect("it waits").expect("a frame").into_data().expect("data");
            assert_eq!(frame.starts_with(b"event: epoch\n"), number == 0, "an epoch is told once");
        }
        assert!(events.frame().await.is_none(), "and asks anew");
    }
}
