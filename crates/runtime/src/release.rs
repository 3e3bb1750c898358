//! Holding back the end of a stream until its evidence is durable (PROTOCOL 5.1, `release: stream`).
//!
//! A server-sent stream is cut into its events; of nothing else an end is seen before it has passed. The last event with content is
//! always held, and what comes behind it without any: with the first event that carries a finish reason, with one that can't be read,
//! with `[DONE]`, and at the end of the stream, what is held stays held. Until then comments pass at once, ahead of what is held: they
//! carry nothing, and keep a connection open that would be cut off while the upstream thinks.

use bytes::{Bytes, BytesMut};
use eleven_core::limits::MAX_STREAM_EVENT;
use serde_json::Value;

/// A byte order mark, which may stand before the first event and is no part of it.
const MARK: &[u8] = "\u{feff}".as_bytes();
/// The data of the event that ends an answer.
const DONE: &str = "[DONE]";

/// Cuts a stream and holds back its end.
pub(crate) struct Holdback {
    /// Whether the first event came.
    begun: bool,
    limit: usize,
    partial: BytesMut,
    /// So many bytes of `partial` were looked at, and no event ends in them.
    looked: usize,
    /// What is held, in one piece: events of two bytes would take many times their size.
    held: BytesMut,
    /// Whether content is held.
    content: bool,
    /// Whether everything is held from here on.
    holding: bool,
    /// Whether an end came.
    ending: bool,
}

/// What is to be held is too large.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// What a piece of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing but comments: it keeps the connection open.
    Comment,
    /// It says nothing of the answer: it stays behind the content before it.
    Empty,
    /// A part of the answer, or what can't be told from one.
    Content,
    /// It can't be read. An end may stand in it, so from here on everything is held.
    Unread,
    /// From here on everything is held.
    End,
}

impl Holdback {
    /// For a stream of server-sent events, of which at most `limit` bytes are held.
    pub(crate) fn new(limit: usize) -> Self {
        let (partial, held) = (BytesMut::new(), BytesMut::new());
        Self { begun: false, limit, partial, looked: 0, held, content: false, holding: false, ending: false }
    }

    /// Takes what came, and gives what may pass.
    ///
    /// # Errors
    /// Where an event is larger than one may be, in however many pieces it comes, or more would be held than may be.
    pub(crate) fn push(&mut self, piece: Bytes) -> Result<Vec<Bytes>, TooLarge> {
        let (mut passing, mut large) = (Vec::new(), false);
        self.partial.extend_from_slice(&piece);
        while let Some(event) = self.event() {
            large |= event.len() > MAX_STREAM_EVENT;
            let first = !std::mem::replace(&mut self.begun, true);
            let kind = kind(event.strip_prefix(MARK).filter(|_| first).unwrap_or(&event));
            self.next(kind, event, &mut passing);
        }
        let holds = self.held.len().saturating_add(self.partial.len());
        large |= self.partial.len() > MAX_STREAM_EVENT;
        if large || holds > self.limit { Err(TooLarge) } else { Ok(passing) }
    }

    /// Takes the first event off, where it is whole. Each byte is looked at once, in however many pieces the event comes.
    fn event(&mut self) -> Option<Bytes> {
        let end = event_end(&self.partial, self.looked);
        self.looked = if end.is_some() { 0 } else { self.partial.len() };
        end.map(|end| self.partial.split_to(end).freeze())
    }

    fn next(&mut self, kind: Kind, piece: Bytes, passing: &mut Vec<Bytes>) {
        self.ending |= kind == Kind::End;
        self.holding |= matches!(kind, Kind::End | Kind::Unread);
        if kind == Kind::Comment && !self.holding {
            passing.push(piece);
            return;
        }
        let follows = kind == Kind::Empty && self.content;
        if !self.holding && !follows {
            if !self.held.is_empty() {
                passing.push(std::mem::take(&mut self.held).freeze());
            }
            self.content = false;
        }
        self.content |= kind == Kind::Content;
        self.held.extend_from_slice(&piece);
    }

    /// Whether an end came: a finish reason, or `[DONE]`.
    pub(crate) const fn is_ending(&self) -> bool {
        self.ending
    }

    /// The end that was held, once its evidence is durable.
    pub(crate) fn finish(self) -> Bytes {
        let mut tail = self.held;
        tail.extend_from_slice(&self.partial);
        tail.freeze()
    }
}

/// Whether there is an end among events that came in one piece.
pub(crate) fn has_end(events: &Bytes) -> bool {
    let mut holdback = Holdback::new(usize::MAX);
    // What is too large for an event, and did not end, ends nothing either.
    let _ = holdback.push(events.clone());
    holdback.is_ending()
}

/// Where the first event ends: behind an empty line. None ends in the bytes before `from`.
fn event_end(bytes: &[u8], from: usize) -> Option<usize> {
    let feeds = bytes.iter().enumerate().skip(from).filter(|(_, byte)| **byte == b'\n');
    let mut ends = feeds.map(|(at, _)| at + 1);
    ends.find(|end| bytes.get(..*end).is_some_and(|line| line.ends_with(b"\n\n") || line.ends_with(b"\r\n\r\n")))
}

/// What an event is: it ends the content by `[DONE]` and by a finish reason, which is neither null nor empty.
fn kind(event: &[u8]) -> Kind {
    if is_comment(event) {
        return Kind::Comment;
    }
    let mut data = String::new();
    // A line also ends with a carriage return alone.
    for line in String::from_utf8_lossy(event).split(['\n', '\r']) {
        if let Some(rest) = line.strip_prefix("data:") {
            data.push_str(rest.strip_prefix(' ').unwrap_or(rest));
        }
    }
    if data.is_empty() {
        return Kind::Empty; // a name, a number or a time to wait, and no data
    }
    let Some(value) = read(&data) else {
        return if data.trim_end().ends_with(DONE) { Kind::End } else { Kind::Unread };
    };
    let Some(choices) = value.get("choices").and_then(Value::as_array) else { return Kind::Content };
    let finishes = |reason: &Value| !reason.is_null() && reason.as_str().is_none_or(|reason| !reason.is_empty());
    if choices.iter().any(|choice| choice.get("finish_reason").is_some_and(finishes)) {
        return Kind::End;
    }
    if choices.iter().all(says_nothing) { Kind::Empty } else { Kind::Content }
}

/// The data of an event, where it is JSON. Upstreams that cut a text by the units of UTF-16 part some characters between two events,
/// and write each half as an escape that is no character by itself. Those who read it take that; here, where no text counts, it is
/// read as another character.
fn read(data: &str) -> Option<Value> {
    let whole = || serde_json::from_str(&data.replace("\\ud", "\\uf").replace("\\uD", "\\uF")).ok();
    serde_json::from_str(data).ok().or_else(whole)
}

/// Whether all lines of an event are comments. A line may also end with a carriage return alone, which is no comment's part.
fn is_comment(event: &[u8]) -> bool {
    let mut lines = event.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty()).peekable();
    lines.peek().is_some() && lines.all(|line| line.starts_with(b":"))
}

/// Whether a choice carries nothing of the answer: its delta holds at most who speaks, and there is no text beside it.
fn says_nothing(choice: &Value) -> bool {
    let Some(choice) = choice.as_object() else { return false };
    choice.iter().all(|(name, value)| match (name.as_str(), value) {
        ("index" | "finish_reason" | "content_filter_results" | "content_filter_offsets", _) => true,
        ("delta", Value::Object(delta)) => delta.iter().all(|(name, value)| name == "role" || is_empty(value)),
        (_, value) => is_empty(value),
    })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.iter().all(is_empty),
        Value::Object(members) => members.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 8 * MAX_STREAM_EVENT;

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
            let mut holdback = Holdback::new(LIMIT);
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
    fn an_event_ends_behind_the_first_empty_line_wherever_the_pieces_part() {
        for (stream, ends) in [
            ("data: 1\n\ndata: 2\n\n", 9),
            ("data: 1\r\n\r\ndata: 2\n\n", 11),
            ("data: 1\n\r\n\n\n", 11),
            ("\n\n", 2),
            ("\r\n\r\n", 4),
        ] {
            assert_eq!(event_end(stream.as_bytes(), 0), Some(ends), "{stream:?}");
            for cut in 0..ends {
                assert_eq!(event_end(&stream.as_bytes()[..cut], 0), None, "{stream:?} up to {cut}");
                assert_eq!(event_end(stream.as_bytes(), cut), Some(ends), "{stream:?} from {cut}");
            }
        }
    }

    #[test]
    fn what_was_looked_at_once_is_not_looked_at_again() {
        let mut holdback = Holdback::new(LIMIT);
        let (content, part) = (chunk("a", "null"), format!("data: \"{}", "x".repeat(1000)));
        for piece in [content.as_str(), &part, &part, "\"\n"] {
            holdback.push(Bytes::copy_from_slice(piece.as_bytes())).expect("small");
            assert_eq!(holdback.looked, holdback.partial.len(), "the next look begins behind what came so far");
        }
        let rest = ["\n", &content, &content, "data"].concat();
        holdback.push(Bytes::from(rest)).expect("small");
        assert_eq!((holdback.looked, holdback.partial.len()), (4, 4));
    }

    #[test]
    fn what_carries_no_content_does_not_push_out_what_does() {
        let delta = |delta: &str| {
            format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}]}}\n\n")
        };
        let empty = [
            "event: ping\nid: 7\n\n".to_owned(),
            ": with a number\nid: 7\n\n".to_owned(),
            "data: {\"choices\":[],\"usage\":{\"total_tokens\":7}}\n\n".to_owned(),
            delta("{}"),
            delta("{\"content\":\"\"}"),
            delta("{},\"logprobs\":{\"content\":[],\"refusal\":null}"),
            delta("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]}"),
        ];
        for rider in &empty {
            let mut holdback = Holdback::new(LIMIT);
            let mut push = |event: &str| holdback.push(Bytes::from(event.to_owned())).expect("small").concat();
            let (first, last) = (chunk("a", "null"), chunk("b", "null"));
            assert_eq!(push(rider), b"", "the first of all is held, whatever it is");
            assert_eq!(push(&first), rider.as_bytes());
            assert_eq!(push(rider), b"");
            assert_eq!(
                push(&last),
                [first.as_str(), rider].concat().as_bytes(),
                "it goes along, behind what it came behind"
            );
            assert_eq!((push(rider), push(rider)), (vec![], vec![]), "{rider}");
            assert_eq!(push(&chunk("", "\"stop\"")), b"");
            let tail = [last.as_str(), rider, rider, &chunk("", "\"stop\"")].concat();
            assert_eq!(holdback.finish(), tail.as_bytes());
        }
        for content in [
            "data: {\"error\":{\"message\":\"overloaded\"}}\n\n".to_owned(),
            "data: {\"choices\":[{\"text\":\"b\"}]}\n\n".to_owned(),
            "data: {\"choices\":[7]}\n\n".to_owned(),
            delta("{\"content\":\" \"}"),
            delta("{\"reasoning_content\":\"hm\"}"),
            delta("\"b\""),
        ] {
            assert_eq!(kind(content.as_bytes()), Kind::Content, "{content}");
        }
    }

    #[test]
    fn what_is_held_has_a_limit() {
        // The first of two choices has ended, the second goes on.
        let (ended, more) = (chunk("", "\"stop\""), chunk("more", "null"));
        let mut holdback = Holdback::new(ended.len() + 2 * more.len());
        for event in [&ended, &more, &more] {
            assert_eq!(holdback.push(Bytes::from(event.clone())), Ok(Vec::new()));
        }
        assert_eq!(holdback.push(Bytes::from(more)), Err(TooLarge));
        let mut endless = Holdback::new(100);
        assert_eq!(endless.push(Bytes::from(vec![b'x'; 101])), Err(TooLarge), "an event that does not end counts");
        let mut passing = Holdback::new(200);
        for _ in 0..100 {
            assert!(passing.push(Bytes::from(chunk("a", "null"))).is_ok(), "what passes does not");
        }
    }

    #[test]
    fn an_empty_finish_reason_is_none() {
        // Some upstreams write it so until the last event.
        let (first, last) = (chunk("a", "\"\""), chunk("b", "\"\""));
        let mut holdback = Holdback::new(LIMIT);
        assert_eq!(holdback.push(Bytes::from(first.clone())), Ok(Vec::new()));
        assert_eq!(holdback.push(Bytes::from(last.clone())), Ok(vec![Bytes::from(first.clone())]), "it streams");
        assert!(!holdback.is_ending() && !has_end(&Bytes::from([first, last].concat())), "a cut is not whole");
        for finish in ["\"stop\"", "7", "false", "[]", "{}"] {
            assert_eq!(kind(chunk("a", finish).as_bytes()), Kind::End, "{finish}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_held_with_all_behind_it_and_is_no_end() {
        for unread in ["data: one\n\n", "data: {\"choices\":[\n\n", "data: DONE\n\n", "data: [DONE] and more\n\n"] {
            let mut holdback = Holdback::new(LIMIT);
            for event in [unread, &chunk("a", "null"), ": and\n\n", &chunk("b", "null")] {
                assert_eq!(holdback.push(Bytes::from(event.to_owned())), Ok(Vec::new()), "{unread:?}");
            }
            assert!(!holdback.is_ending(), "{unread:?}: a cut is not whole");
            assert_eq!(holdback.push(Bytes::from_static(b"data: [DONE]\n\n")), Ok(Vec::new()));
            assert!(holdback.is_ending());
        }
    }

    #[test]
    fn a_character_that_is_parted_between_two_events_holds_nothing_up() {
        let halves = [chunk(r"\ud83d", "null"), chunk(r"\uDE00", "null"), chunk(r"\ud83d\ude00 \\ud83d", "null")];
        let mut holdback = Holdback::new(LIMIT);
        let mut push = |event: &str| holdback.push(Bytes::from(event.to_owned())).expect("small").concat();
        assert_eq!(push(&halves[0]), b"");
        for (held, next) in halves.iter().zip(&halves[1..]) {
            assert_eq!(push(next), held.as_bytes());
        }
        for end in [chunk(r"\ud83d", "\"stop\""), chunk("a", r#""\ude00""#)] {
            assert_eq!(kind(end.as_bytes()), Kind::End, "{end}");
        }
        assert_eq!(kind(chunk(r"\ud83", "null").as_bytes()), Kind::Unread, "that is half an escape");
    }

    #[test]
    fn events_have_an_end_where_a_whole_one_says_so() {
        let cut = [chunk("a", "null"), ": keep-alive\n\n".into(), chunk("", "null")].concat();
        for end in [chunk("b", "\"length\""), "data: [DONE]\n\n".into()] {
            assert!(has_end(&Bytes::from([cut.as_str(), &end].concat())), "{end}");
            assert!(!has_end(&Bytes::from([cut.as_str(), &end[..end.len() - 1]].concat())), "{end} is not whole");
        }
        assert!(!has_end(&Bytes::from(cut)) && !has_end(&Bytes::new()));
    }

    #[test]
    fn a_comment_passes_ahead_of_what_is_held_until_the_end_begins() {
        for comment in [": keep-alive\n\n", ":\n: and more\n\n", ": keep-alive\r\n\r\n", "\n: behind an empty line\n\n"]
        {
            let mut holdback = Holdback::new(LIMIT);
            let mut push = |event: &str| holdback.push(Bytes::from(event.to_owned())).expect("small").concat();
            let (content, end) = (chunk("a", "null"), chunk("", "\"stop\""));
            assert_eq!(push(comment), comment.as_bytes(), "nothing is held");
            assert_eq!(push(&content), b"");
            assert_eq!((push(comment), push(comment)), (comment.into(), comment.into()), "a pause after content");
            assert_eq!(push(&end), b"");
            assert_eq!(push(comment), b"", "from the end on everything is held");
            assert_eq!(holdback.finish(), [&content, &end, comment].concat().as_bytes());
        }
    }

    #[test]
    fn what_only_begins_like_a_comment_is_held() {
        for event in [": and\ndata: 7\n\n", ": and\rdata: 7\n\n", ": and\r\nevent: x\r\n\r\n", " : x\n\n", "\n\n"] {
            assert_ne!(kind(event.as_bytes()), Kind::Comment, "{event:?}");
        }
    }

    #[test]
    fn a_line_also_ends_with_a_carriage_return_alone() {
        for before in ["event: message\r", "id: 7\r", ": and\r", "retry: 1\r\r", "\r", "id\n\r"] {
            let event = |event: String| kind(format!("{before}{event}").as_bytes());
            assert_eq!(event(chunk("a", "null")), Kind::Content, "{before:?}");
            assert_eq!(event(chunk("a", "\"stop\"")), Kind::End, "{before:?}");
            assert_eq!(event("data: [DONE]\n\n".into()), Kind::End, "{before:?}");
        }
        // What is one event here is several to whoever reads it.
        for end in ["data: [DONE]\rid: 7\n\n", "data: [DONE]\r\rid: 7\n\n", "data: [DONE]\r\r: and\n\n"] {
            assert_eq!(kind(end.as_bytes()), Kind::End, "{end:?}");
        }
        let first = chunk("a", "null").replace("\n\n", "\r\r");
        assert_eq!(kind([first.as_str(), "data: [DONE]\n\n"].concat().as_bytes()), Kind::End);
        // Which of them ends what is not read: all of it is held, and what comes behind it.
        let two = first + &chunk("b", "\"stop\"");
        assert_eq!(kind(two.as_bytes()), Kind::Unread);
        let mut holdback = Holdback::new(LIMIT);
        for event in [two.as_str(), ": and\n\n", &chunk("c", "null"), &chunk("d", "null")] {
            assert_eq!(holdback.push(Bytes::from(event.to_owned())), Ok(Vec::new()), "{event:?}");
        }
        // Nothing that follows pushes it out.
        let mut holdback = Holdback::new(LIMIT);
        let mut push = |event: &str| holdback.push(Bytes::from(event.to_owned())).expect("small").concat();
        let last = format!("event: message\r{}", chunk("a", "null"));
        assert_eq!((push(&last), push("event: ping\n\n"), push("id: 7\n\n")), (vec![], vec![], vec![]));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_event_and_of_every_other() {
        let marked = |event: &str| Bytes::from(format!("\u{feff}{event}"));
        let (content, done) = (chunk("a", "null"), "data: [DONE]\n\n");
        let mut holdback = Holdback::new(LIMIT);
        assert_eq!(holdback.push(marked(&content)), Ok(Vec::new()));
        assert_eq!(
            holdback.push(Bytes::from("id: 7\n\n")),
            Ok(Vec::new()),
            "it is content, which nothing empty pushes out"
        );
        // To whoever reads it that is no field.
        assert_eq!(holdback.push(marked(&content)), Ok(Vec::new()));
        assert!(has_end(&marked(done)) && !has_end(&Bytes::from([content.as_bytes(), &marked(done)].concat())));
    }

    #[test]
    fn an_event_is_as_large_as_one_may_be_and_no_larger_in_however_many_pieces_it_comes() {
        let event = |bytes: usize| [&b"data: \""[..], "x".repeat(bytes - 10).as_bytes(), b"\"\n\n"].concat();
        for (bytes, taken) in [(MAX_STREAM_EVENT, true), (MAX_STREAM_EVENT + 1, false)] {
            for size in [bytes, bytes - 1, bytes / 2, 1 << 20] {
                let (mut holdback, stream) = (Holdback::new(LIMIT), event(bytes));
                let pushed = stream.chunks(size).try_for_each(|piece| {
                    let passing = holdback.push(Bytes::copy_from_slice(piece))?;
                    assert!(passing.is_empty(), "the first of all is held");
                    Ok::<_, TooLarge>(())
                });
                assert_eq!(pushed.is_ok(), taken, "{bytes} in pieces of {size}");
            }
        }
        // What came behind it is seen all the same.
        let all = [event(MAX_STREAM_EVENT + 1).as_slice(), b"data: [DONE]\n\n"].concat();
        assert!(has_end(&Bytes::from(all)));
    }

    #[test]
    fn comments_without_end_are_not_held_and_an_endless_event_is_refused() {
        let mut holdback = Holdback::new(200);
        assert_eq!(holdback.push(Bytes::from(chunk("a", "null"))), Ok(Vec::new()));
        for _ in 0..100 {
            assert_eq!(holdback.push(Bytes::from_static(b": keep-alive\n\n")).expect("small").len(), 1);
        }
        let mut endless = Holdback::new(LIMIT);
        assert_eq!(endless.push(Bytes::from(vec![b'x'; MAX_STREAM_EVENT + 1])), Err(TooLarge));
    }
}
