//! What a process logs: to standard error, as much as `ELEVEN_LOG` asks for.
//!
//! An event is one line, whoever wrote what it tells of: why a ledger or an authority refused something is its own text, and who
//! answers in its place writes what he likes. So each field is [`shown`], and no more of it than somebody reads.

use crate::output::{coloured, shown};
use std::fmt::{self, Debug, Write};
use tracing::field::{Field, Visit};
use tracing::subscriber::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::{Directive, LevelFilter};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FormatFields, MakeWriter};
use tracing_subscriber::util::SubscriberInitExt as _;

/// The level of all that `ELEVEN_LOG` gives none.
const PRESET: &str = "info";
/// Bytes of a field that are logged: an answer may be 64 MiB long.
const MOST: usize = 4 * 1024;

/// Sends what is logged to standard error, as `ELEVEN_LOG` asks.
pub(crate) fn log() {
    let asked = std::env::var_os("ELEVEN_LOG").unwrap_or_default();
    let asked = asked.to_string_lossy();
    let (filter, unknown) = filter(&asked);
    let subscriber = subscriber(filter, std::io::stderr, coloured(&std::io::stderr()));
    // Where somebody has set one already, that one stays.
    if subscriber.try_init().is_ok() && !unknown.is_empty() {
        let unknown = unknown.join(",");
        tracing::warn!(
            unknown,
            "ELEVEN_LOG: this is no level (error, warn, info, debug) and no part with one (eleven_ledger=debug)"
        );
    }
}

fn subscriber<W>(filter: EnvFilter, writer: W, colour: bool) -> impl Subscriber + Send + Sync + 'static
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colour)
        .with_target(false)
        // It would say there, too, that a line could not be written, and panic where that can't be.
        .log_internal_errors(false)
        .fmt_fields(Fields)
        .finish()
}

/// How the fields of an event are written: as they are otherwise, each on its line.
struct Fields;

impl<'writer> FormatFields<'writer> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = Line { writer, begun: false, written: Ok(()) };
        fields.record(&mut line);
        line.written
    }
}

/// The fields that are written, one after the other.
struct Line<'writer> {
    writer: Writer<'writer>,
    begun: bool,
    written: fmt::Result,
}

impl Line<'_> {
    fn write(&mut self, field: &Field, value: fmt::Arguments<'_>) -> fmt::Result {
        let mut beginning = Beginning::default();
        // It fails where there is more of it.
        let _ = beginning.write_fmt(value);
        let Beginning { text, more } = beginning;
        let (text, more) = (shown(&text), if more { "…" } else { "" });
        let pause = if std::mem::replace(&mut self.begun, true) { " " } else { "" };
        match field.name() {
            "message" => write!(self.writer, "{pause}{text}{more}"),
            name if self.writer.has_ansi_escapes() => {
                write!(self.writer, "{pause}\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{text}{more}")
            }
            name => write!(self.writer, "{pause}{name}={text}{more}"),
        }
    }
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.written.is_ok() {
            self.written = self.write(field, format_args!("{value:?}"));
        }
    }
}

/// The first bytes of a text.
#[derive(Default)]
struct Beginning {
    text: String,
    more: bool,
}

impl Write for Beginning {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let room = MOST.saturating_sub(self.text.len());
        if piece.len() <= room {
            self.text.push_str(piece);
            return Ok(());
        }
        let end = (0..=room).rev().find(|end| piece.is_char_boundary(*end)).unwrap_or(0);
        self.text.push_str(piece.get(..end).unwrap_or_default());
        self.more = true;
        Err(fmt::Error)
    }
}

/// What is logged, and what of the text is neither a level nor a part of the program with one. A word that is no level would be a
/// part of which alone something is logged, and nothing of all else, not even an error: it counts for nothing.
fn filter(asked: &str) -> (EnvFilter, Vec<&str>) {
    let is_level = |part: &str| part.parse::<LevelFilter>().is_ok();
    let is_part = |part: &str| part.contains(['=', '[']) && part.parse::<Directive>().is_ok();
    let words = asked.split(',').map(str::trim).filter(|word| !word.is_empty());
    let (known, unknown): (Vec<&str>, Vec<&str>) = words.partition(|word| is_level(word) || is_part(word));
    let preset = (!known.iter().any(|word| is_level(word))).then_some(PRESET);
    let directives: Vec<&str> = preset.into_iter().chain(known).collect();
    (EnvFilter::new(directives.join(",")), unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    /// What was logged.
    #[derive(Clone, Default)]
    struct Logged(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Logged {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("whole").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(colour: bool, log: impl FnOnce()) -> String {
        let logged = Logged::default();
        let writes = logged.clone();
        let subscriber = subscriber(EnvFilter::new(PRESET), move || writes.clone(), colour);
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(logged.0.lock().expect("whole").clone()).expect("text")
    }

    #[test]
    fn what_others_wrote_begins_no_line_of_the_log_and_moves_no_cursor() {
        let forged = "no\r\n2026-01-01T00:00:00Z  INFO an act is in force\u{1b}[2J\u{9b}2J\u{202e}";
        let said = logged(false, || {
            tracing::warn!(error = %forged, why = forged, records = 2, "not taken: {forged}");
        });
        assert_eq!(said.lines().count(), 1, "{said}");
        let acts = said.trim_end().chars().find(|c| c.is_control() || *c == '\u{202e}');
        assert_eq!(acts, None, "{said:?}");
        assert!(said.contains(r"WARN not taken: no\u{d}\u{a}2026-01-01T00:00:00Z  INFO an act"), "{said}");
        assert!(said.contains(r"error=no\u{d}\u{a}2026") && said.contains(r#"why="no\r\n2026"#), "{said}");
        assert!(said.trim_end().ends_with("records=2"), "{said}");
        // The colours are ours.
        let said = logged(true, || tracing::warn!(error = %forged, "x"));
        assert_eq!((said.lines().count(), said.matches("\u{1b}[2J").count()), (1, 0), "{said:?}");
        assert!(said.contains("\u{1b}[3merror\u{1b}[0m"), "{said:?}");
    }

    #[test]
    fn of_what_others_wrote_at_length_the_beginning_is_logged() {
        let long = "ä".repeat(MOST);
        let said = logged(false, || tracing::warn!(error = %long, of = 7, "x{long}"));
        assert!(said.len() < 3 * MOST, "{}", said.len());
        let (message, error) = said.split_once(" error=").expect("both");
        assert!(message.contains(" WARN xä") && message.ends_with("ä…"), "{message}");
        assert!(error.starts_with(&long[..MOST]) && error[MOST..].trim_end() == "… of=7", "{error}");
    }

    #[test]
    fn a_word_that_is_no_level_silences_nothing() {
        for (asked, level, unknown) in [
            ("", LevelFilter::INFO, None),
            (" , ", LevelFilter::INFO, None),
            ("WARN", LevelFilter::WARN, None),
            ("off", LevelFilter::OFF, None),
            ("warning", LevelFilter::INFO, Some("warning")),
            ("error,eleven_ledger", LevelFilter::ERROR, Some("eleven_ledger")),
            ("eleven_ledger=verbose", LevelFilter::INFO, Some("eleven_ledger=verbose")),
            (" warn , eleven_ledger=debug", LevelFilter::DEBUG, None),
        ] {
            let (filter, told) = filter(asked);
            assert_eq!(filter.max_level_hint(), Some(level), "{asked}");
            assert_eq!(told, unknown.into_iter().collect::<Vec<_>>(), "{asked}");
        }
        // Of one part more is logged, and of all else what always is.
        let (filter, _) = filter("eleven_ledger=debug");
        assert_eq!(filter.to_string(), "eleven_ledger=debug,info");
    }
}
