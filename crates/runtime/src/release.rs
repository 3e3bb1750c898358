//! Holding back the end of a stream until its evidence is durable (PROTOCOL 5.1, `release: stream`).
//!
//! A server-sent stream is cut into its events, anything else into the pieces it came in. One piece is always held: with
//! the first event that carries a finish reason, with `[DONE]`, and at the end of the stream, what is held stays held.

use bytes::{Bytes, BytesMut};

/// Bytes of one event; a stream whose event is larger is no stream of an OpenAI upstream.
const MAX_EVENT: usize = 4 * 1024 * 1024;

/// Cuts a stream and holds back its end.
pub(crate) struct Holdback {
    events: bool,
    partial: BytesMut,
    held: Vec<Bytes>,
    ending: bool,
}

/// The stream can't be cut: an event is too large.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Holdback {
    /// For a stream of server-sent events, or of anything else.
    pub(crate) fn new(events: bool) -> Self {
        Self { events, partial: BytesMut::new(), held: Vec::new(), ending: false }
    }

    /// Takes what came, and gives what may pass.
    ///
    /// # Errors
    /// Where an event is larger than 4 MiB.
    pub(crate) fn push(&mut self, piece: Bytes) -> Result<Vec<Bytes>, TooLarge> {
        let mut passing = Vec::new();
        if !self.events {
            self.next(piece, false, &mut passing);
            return Ok(passing);
        }
        self.partial.extend_from_slice(&piece);
        while let Some(end) = event_end(&self.partial) {
            let event = self.partial.split_to(end).freeze();
            let ending = ends(&event);
            self.next(event, ending, &mut passing);
        }
        if self.partial.len() > MAX_EVENT { Err(TooLarge) } else { Ok(passing) }
    }

    fn next(&mut self, piece: Bytes, ending: bool, passing: &mut Vec<Bytes>) {
        self.ending |= ending;
        if !self.ending {
            passing.append(&mut self.held);
        }
        self.held.push(piece);
    }

    /// The end that was held, once its evidence is durable.
    pub(crate) fn finish(self) -> Bytes {
        let mut tail = BytesMut::new();
        for piece in &self.held {
            tail.extend_from_slice(piece);
        }
        tail.extend_from_slice(&self.partial);
        tail.freeze()
    }
}

/// Where the first event ends: behind an empty line.
fn event_end(bytes: &[u8]) -> Option<usize> {
    let lf = bytes.windows(2).position(|pair| pair == b"\n\n").map(|at| at + 2);
    let crlf = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    match (lf, crlf) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Whether an event ends the content: `[DONE]`, or a finish reason that is not null. An event that can't be read does.
fn ends(event: &[u8]) -> bool {
    let mut data = String::new();
    for line in String::from_utf8_lossy(event).lines() {
        if let Some(rest) = line.strip_prefix("data:") {
            data.push_str(rest.strip_prefix(' ').unwrap_or(rest));
        }
    }
    if data.is_empty() {
        return false; // a comment that keeps the connection open
    }
    let Ok(value) = serde_json::from_str::<serde_json::Value>(&data) else { return true };
    let choices = value.get("choices").and_then(serde_json::Value::as_array);
    choices.is_some_and(|choices| {
        choices.iter().any(|choice| choice.get("finish_reason").is_some_and(|reason| !reason.is_null()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(text: &str, finish: &str) -> String {
        format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{finish}}}]}}\n\n")
    }

    fn stream() -> String {
        [chunk("a", "null"), chunk("b", "null"), chunk("c", "null"), chunk("", "\"stop\""), "data: [DONE]\n\n".into()]
            .concat()
    }

    #[test]
    fn the_last_content_chunk_and_all_after_it_are_held_however_the_bytes_come() {
        let stream = stream();
        let last = stream.find("\"c\"").expect("c") - chunk("c", "null").find("\"c\"").expect("c");
        for size in 1..stream.len() {
            let mut holdback = Holdback::new(true);
            let mut passed = Vec::new();
            for piece in stream.as_bytes().chunks(size) {
                for bytes in holdback.push(Bytes::copy_from_slice(piece)).expect("small events") {
                    passed.extend_from_slice(&bytes);
                }
            }
            assert_eq!(passed, &stream.as_bytes()[..last], "in pieces of {size}");
            passed.extend_from_slice(&holdback.finish());
            assert_eq!(passed, stream.as_bytes());
        }
    }

    #[test]
    fn a_stream_that_is_no_events_holds_its_last_piece() {
        let mut holdback = Holdback::new(false);
        assert!(holdback.push(Bytes::from_static(b"one")).expect("small").is_empty());
        assert_eq!(holdback.push(Bytes::from_static(b"two")).expect("small"), vec![Bytes::from_static(b"one")]);
        assert_eq!(holdback.finish(), Bytes::from_static(b"two"));
    }

    #[test]
    fn comments_pass_and_an_endless_event_does_not() {
        let mut holdback = Holdback::new(true);
        assert!(holdback.push(Bytes::from_static(b": keep-alive\r\n\r\n")).expect("small").is_empty());
        assert_eq!(holdback.push(Bytes::from(chunk("a", "null"))).expect("small").len(), 1);
        let endless = Bytes::from(vec![b'x'; MAX_EVENT + 1]);
        assert_eq!(holdback.push(endless), Err(TooLarge));
    }
}
