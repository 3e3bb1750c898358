//! What commands say: text for people, one JSON document a line for machines, and why something did not go.
//!
//! Machines get what is there, byte for byte. For people, all text goes through here on its way to the terminal, and what
//! others wrote in it is [`shown`].

mod foreign;

pub(crate) use foreign::{shown, shown_document};

use eleven_core::encoding::{Object, Value};
use eleven_core::reason::Reason;
use std::ffi::OsString;
use std::fmt;
use std::io::{ErrorKind, IsTerminal, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// Done.
pub(crate) const EXIT_DONE: u8 = 0;
/// Refused, failed, or not verified.
pub(crate) const EXIT_FAILED: u8 = 1;
/// The command line or the configuration is wrong; nothing was done.
pub(crate) const EXIT_USAGE: u8 = 2;
/// No start of this corner helps before a person has: what it keeps is not what it has to be (`EX_DATAERR` of sysexits).
pub(crate) const EXIT_STUCK: u8 = 65;
/// A corner made place for another process of the same corner: start that one (`EX_TEMPFAIL` of sysexits).
pub(crate) const EXIT_RESTART: u8 = 75;

/// How a corner is started that does not answer.
const START: &str = "`eleven up` starts all corners";

/// What the lines of a row after its first begin with.
const FOLD: &str = "    ";
/// The last column of a table may be prose, which a terminal may break: it need have no more room than this.
const PROSE: usize = 32;

/// How to speak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// For machines.
    pub(crate) json: bool,
    colour: bool,
    /// How wide the terminal is, where it is one.
    columns: Option<usize>,
}

/// Colours of what went well, what did not, and what is beside the point.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Paint {
    /// It holds.
    Good,
    /// It does not hold.
    Bad,
    /// Look at it.
    Warn,
    /// Beside the point.
    Dim,
    /// What stands out.
    Bold,
}

/// What begins the mark of a colour.
const ESCAPE: char = '\x1b';
/// The marks of all colours without their beginning, and the one that ends each.
const MARKS: [&str; 6] = ["[32m", "[31m", "[33m", "[2m", "[1m", RESET];
const RESET: &str = "[0m";

impl Paint {
    const fn mark(self) -> &'static str {
        let [good, bad, warn, dim, bold, _] = MARKS;
        match self {
            Self::Good => good,
            Self::Bad => bad,
            Self::Warn => warn,
            Self::Dim => dim,
            Self::Bold => bold,
        }
    }
}

/// Why a command did not do what was asked, and with which status it ends.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    what: String,
    reason: Option<Reason>,
    lineage: Option<String>,
    /// What would be taken in the place of what was refused.
    next: Option<String>,
    /// How whoever did not answer is started, where that is why.
    start: Option<&'static str>,
    /// Whether what was asked for may be done all the same.
    open: bool,
}

impl Output {
    /// How to speak on this standard output: colour on terminals only, and not where `NO_COLOR` is set.
    pub(crate) fn new(json: bool) -> Self {
        Self { json, colour: !json && coloured(&std::io::stdout()), columns: columns() }
    }

    /// Prints a document as one line of canonical JSON.
    pub(crate) fn document(self, value: &Value) {
        print(&value.canonical());
    }

    /// Prints `value` for machines, or what `text` makes for people.
    pub(crate) fn either(self, value: impl FnOnce() -> Value, text: impl FnOnce() -> String) {
        print(&self.line(value, text));
    }

    /// Prints a text for people. Machines are told all at once, in a document.
    pub(crate) fn text(self, text: &str) {
        if !self.json {
            print(self.tame(text.trim_end()).as_bytes());
        }
    }

    /// Prints `value` for machines, or a secret for people, and what is `told` of it. Into a file or another program the
    /// secret goes alone, and that beside it. Where it can't be printed it is lost, and what it stands for is there all the
    /// same: `undo` is the command that takes that away.
    pub(crate) fn secret(
        self,
        value: impl FnOnce() -> Value,
        secret: &str,
        told: impl Fn() -> String,
        undo: impl FnOnce() -> String,
    ) {
        let alone = !self.json && !std::io::stdout().is_terminal();
        let line =
            if alone { self.tame(secret).into_bytes() } else { self.line(value, || format!("{secret}\n{}", told())) };
        if let Err(error) = written(&line) {
            let lost = format!("the secret is lost, and what it stands for is there: `{}`, and add it again", undo());
            unwritten(&error, Some(&lost));
        }
        if alone {
            // Nobody is left to tell where this fails.
            let _ = writeln!(std::io::stderr(), "{}", self.tame(told().trim_end()));
        }
    }

    /// What [`Output::either`] prints, for whoever writes it elsewhere.
    pub(crate) fn line(self, value: impl FnOnce() -> Value, text: impl FnOnce() -> String) -> Vec<u8> {
        if self.json { value().canonical() } else { self.tame(text().trim_end()).into_bytes() }
    }

    /// A text as it may go to a terminal: line ends, tabs and, where there is colour, what [`Output::paint`] wrote. The lines
    /// of a text that others wrote are not told from ours here: whoever puts it into one of ours has it [`shown`] before.
    fn tame(self, text: &str) -> String {
        let mut pieces = text.split(ESCAPE);
        let mut out = foreign::lines(pieces.next().unwrap_or_default());
        for piece in pieces {
            let ours = self.colour && MARKS.iter().any(|mark| piece.starts_with(mark));
            if ours {
                out.push(ESCAPE);
            } else {
                out.extend(ESCAPE.escape_unicode());
            }
            out += &foreign::lines(piece);
        }
        out
    }

    /// A text in a colour, where colour is wanted.
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        if self.colour { format!("{ESCAPE}{}{text}{ESCAPE}{RESET}", paint.mark()) } else { text.to_owned() }
    }

    /// Rows in columns under a heading. Every cell is [`shown`]. On a terminal that is narrower all rows go on below, each column
    /// under its heading.
    pub(crate) fn table_of(
        self,
        heading: impl IntoIterator<Item: ToString>,
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> String {
        let heading: Vec<String> = heading.into_iter().map(|name| name.to_string()).collect();
        self.table(&std::iter::once(heading).chain(rows).collect::<Vec<_>>())
    }

    /// The same of rows of which the first is the heading.
    fn table(self, rows: &[Vec<String>]) -> String {
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| shown(cell)).collect()).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let line = |(at, row): (usize, &Vec<String>)| {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}", width = *width)).collect();
            let line = self.row(&cells, &widths, "  ");
            if at == 0 { self.paint(Paint::Dim, &line) } else { line }
        };
        rows.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The cells of a row with a gap between them, each as wide already as its column, on as many lines as these columns take
    /// here. Where the lines break depends on the columns alone, so that it is the same for all rows.
    pub(crate) fn row(self, cells: &[String], widths: &[usize], gap: &str) -> String {
        let (mut row, mut used) = (String::new(), 0);
        for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let least = if at + 1 == widths.len() { (*width).min(PROSE) } else { *width };
            if at > 0 && self.columns.is_some_and(|columns| used + gap.len() + least > columns) {
                row.truncate(row.trim_end().len());
                row.push('\n');
                row += FOLD;
                used = FOLD.len();
            } else if at > 0 {
                row += gap;
                used += gap.len();
            }
            row += cell;
            used += width;
        }
        row.truncate(row.trim_end().len());
        row
    }
}

/// How wide the terminal is on standard output; nothing where that is none, or does not say.
fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Whether there is colour where this goes: on terminals that can only, and not where `NO_COLOR` is set.
pub(crate) fn coloured(place: &impl IsTerminal) -> bool {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let able = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    wanted && able && place.is_terminal()
}

/// This program as whoever typed the command has it: by its path where it was named by one, since their shell may find it by no
/// other name.
pub(crate) fn invoked() -> String {
    named_by(std::env::args_os().next())
}

fn named_by(typed: Option<OsString>) -> String {
    let path = typed.filter(|typed| Path::new(typed).components().count() > 1);
    path.map_or_else(|| "eleven".to_owned(), |path| word(&shown(&path.to_string_lossy())))
}

/// A word of a command that is to be typed, such as a path: as a shell takes it for one word, and for that one.
pub(crate) fn word(word: &impl fmt::Display) -> String {
    let word = word.to_string();
    let plain = |c: char| c.is_alphanumeric() || "_-./:@%+=,#".contains(c);
    if !word.is_empty() && !word.starts_with('#') && word.chars().all(plain) {
        return word;
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Tells a person something beside what a command prints, such as what it waits for.
pub(crate) fn aside(what: &str) {
    // Nobody is left to tell where this fails.
    let _ = writeln!(std::io::stderr(), "eleven: {}", shown(what));
}

/// Prints a line, or ends the process. Whoever closed standard output wants no more; anybody else is told.
fn print(bytes: &[u8]) {
    if let Err(error) = written(bytes) {
        let lost = "what was to be said there is lost, and what was done stands";
        unwritten(&error, Some(lost).filter(|_| error.kind() != ErrorKind::BrokenPipe));
    }
}

/// Ends the process whose whole matter was what is `printed`: with 0 where that is said.
pub(crate) fn end(printed: std::io::Result<()>) -> ! {
    let Err(error) = printed.and_then(|()| std::io::stdout().flush()) else {
        std::process::exit(i32::from(EXIT_DONE));
    };
    unwritten(&error, Some("what was asked for is not said").filter(|_| error.kind() != ErrorKind::BrokenPipe));
}

/// Writes a line to standard output.
fn written(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Ends a process whose standard output can't be written, with what is `lost` by that.
fn unwritten(error: &std::io::Error, lost: Option<&str>) -> ! {
    if let Some(lost) = lost {
        // Nobody is left to tell where this fails.
        let _ = writeln!(std::io::stderr(), "eleven: standard output: {error}: {}", shown(lost));
    }
    std::process::exit(i32::from(EXIT_FAILED))
}

impl Failure {
    /// It was refused or failed.
    pub(crate) fn new(what: impl fmt::Display) -> Self {
        let what = what.to_string();
        Self { code: EXIT_FAILED, what, reason: None, lineage: None, next: None, start: None, open: false }
    }

    /// The command line or the configuration is wrong.
    pub(crate) fn usage(what: impl fmt::Display) -> Self {
        Self { code: EXIT_USAGE, ..Self::new(what) }
    }

    /// It failed by a file or folder: which, and what is the matter with it.
    pub(crate) fn about(path: &Path, what: impl fmt::Display) -> Self {
        Self::new(format!("{}: {what}", path.display()))
    }

    /// The same where a command was given another one than it takes.
    pub(crate) fn usage_about(path: &Path, what: impl fmt::Display) -> Self {
        Self { code: EXIT_USAGE, ..Self::about(path, what) }
    }

    /// The same with what was tried before it.
    pub(crate) fn while_(mut self, doing: &str) -> Self {
        self.what = format!("{doing}: {}", self.what);
        self
    }

    /// The reference of what would be taken instead, where whoever refused it names that.
    pub(crate) fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// The same where what was asked for was sent, and nothing says what became of it.
    pub(crate) fn left_open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Whether what was asked for may be done all the same: it was sent, and was not refused.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Whether it was refused for this reason.
    pub(crate) fn is(&self, reason: Reason) -> bool {
        self.reason == Some(reason)
    }

    /// The same with a hint, unless it was followed already.
    pub(crate) fn or_else_try(mut self, followed: bool, hint: &str) -> Self {
        if !followed {
            self.what = format!("{} ({hint})", self.what);
        }
        self
    }

    /// The same where whoever did not answer is to be started otherwise than by `eleven up`.
    pub(crate) fn started_by(mut self, start: &'static str) -> Self {
        self.start = self.start.map(|_| start);
        self
    }

    fn said(&self) -> String {
        match self.start {
            Some(start) => format!("{}: is it running? {start}", self.what),
            None => self.what.clone(),
        }
    }

    /// Says it, and gives the exit status. Where a machine can't be told on standard output, a person is, and the status stays.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        let document = || {
            let object = Object::new()
                .with("error", self.said())
                .with_some("reason", self.reason.map(Reason::code))
                .with_some("lineage", self.lineage.as_ref());
            Value::Object(object).canonical()
        };
        if !json || written(&document()).is_err() {
            aside(&self.to_string());
        }
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = self.reason {
            write!(f, "{reason}: ")?;
        }
        f.write_str(&self.said())?;
        match &self.lineage {
            // Whoever answered wrote it.
            Some(lineage) => write!(f, " (eleven why {})", word(lineage)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<crate::keystore::KeystoreError> for Failure {
    fn from(error: crate::keystore::KeystoreError) -> Self {
        Self::new(error)
    }
}

impl From<eleven_core::form::FormError> for Failure {
    fn from(error: eleven_core::form::FormError) -> Self {
        Self::new(error)
    }
}

impl From<eleven_store::FolderError> for Failure {
    fn from(error: eleven_store::FolderError) -> Self {
        match error {
            // Whoever runs it is the wrong one, and nothing was done.
            error @ eleven_store::FolderError::Owner { .. } => Self::usage(error),
            error => Self::new(error),
        }
    }
}

impl From<eleven_runtime::RuntimeError> for Failure {
    fn from(error: eleven_runtime::RuntimeError) -> Self {
        Self { code: if error.stays() { EXIT_STUCK } else { EXIT_FAILED }, ..Self::new(error) }
    }
}

impl From<eleven_api::tasks::Ended> for Failure {
    fn from(ended: eleven_api::tasks::Ended) -> Self {
        Self::new(ended)
    }
}

impl From<eleven_ledger::LedgerError> for Failure {
    fn from(error: eleven_ledger::LedgerError) -> Self {
        match error {
            eleven_ledger::LedgerError::Folder(error) => error.into(),
            error => Self::new(error),
        }
    }
}

impl From<eleven_ledger::follow::FollowError> for Failure {
    fn from(error: eleven_ledger::follow::FollowError) -> Self {
        match error {
            eleven_ledger::follow::FollowError::Folder(error) => error.into(),
            error => Self::new(error),
        }
    }
}

impl From<eleven_ledger::witness::WitnessError> for Failure {
    fn from(error: eleven_ledger::witness::WitnessError) -> Self {
        match error {
            eleven_ledger::witness::WitnessError::Folder(error) => error.into(),
            error => Self::new(error),
        }
    }
}

impl From<eleven_api::client::CallError> for Failure {
    fn from(error: eleven_api::client::CallError) -> Self {
        use eleven_api::client::CallError;
        match error {
            CallError::Refused(problem) => Self {
                code: EXIT_FAILED,
                what: problem.detail.clone(),
                reason: problem.reason,
                lineage: problem.lineage,
                next: problem.next,
                start: None,
                // Any other status says nothing of what became of what was asked for.
                open: !(400..500).contains(&problem.status),
            },
            CallError::Unreachable(what) => Self { start: Some(START), ..Self::new(what) },
            CallError::Late(what) | CallError::Broken(what) => {
                Self { start: Some(START), ..Self::new(what).left_open() }
            }
            CallError::Untrusted(what) => Self::new(what),
            CallError::Malformed(what) => Self::new(what).left_open(),
        }
    }
}

#[cfg(test)]
mod tests;
