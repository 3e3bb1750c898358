use super::*;

const OP: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The only call of a line.
fn call(line: &str) -> Call {
    let mut calls = calls_of(line).unwrap_or_else(|why| panic!("{line}: {why}"));
    assert_eq!(calls.len(), 1, "{line}");
    calls.remove(0)
}

/// A log of these bytes, read.
fn log(bytes: &[u8]) -> Result<Log, String> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("written");
    read(file.path())
}

/// The operation of each call of a log, with its line.
fn ops(text: &str) -> Vec<(usize, Option<String>)> {
    let log = log(text.as_bytes()).unwrap_or_else(|why| panic!("{text}: {why}"));
    log.calls.into_iter().map(|call| (call.line, call.op)).collect()
}

fn at(text: &str) -> Option<Time> {
    Time::parse_millis(text)
}

#[test]
fn lines_of_json_tell_lineage_and_time_by_their_common_names() {
    let lines = [
        format!(r#"{{"at":"2026-01-31T08:00:00.250Z","lineage":"lineage://op/{OP}"}}"#),
        format!(r#"{{"time":"2026-01-31T09:00:00.25+01:00","http_eleven_lineage":"lineage://op/{OP}"}}"#),
        format!(r#"{{"ts":1769846400.25,"request":{{"headers":{{"Eleven-Lineage":"lineage://op/{OP}"}}}}}}"#),
        // As Caddy has it: a header is an array of its values.
        format!(r#"{{"ts":1769846400.25,"request":{{"headers":{{"Eleven-Lineage":["lineage://op/{OP}"]}}}}}}"#),
        format!(r#"{{"timestamp":1769846400250,"op":"{OP}"}}"#),
    ];
    for line in &lines {
        let call = call(line);
        assert_eq!((call.op.as_deref(), call.at), (Some(OP), at("2026-01-31T08:00:00.250Z")), "{line}");
    }
}

#[test]
fn lines_of_text_are_read_too() {
    let common =
        format!(r#"10.0.0.7 - - [31/Jan/2026:10:00:00 +0200] "POST /v1/chat/completions" 200 "lineage://op/{OP}.3""#);
    let read = call(&common);
    assert_eq!((read.op.as_deref(), read.at), (Some(format!("{OP}.3").as_str()), at("2026-01-31T08:00:00.000Z")));
    let plain = call("2026-01-31T08:00:00Z POST /v1/chat/completions 200 -");
    assert_eq!((plain.op, plain.at), (None, at("2026-01-31T08:00:00.000Z")));
    for line in [
        "POST",
        "[31/Foo/2026:10:00:00 +0200]",
        "{\"at\":true}",
        "[",
        "é[é]",
        "\"2026-02-30T00:00:00Z\"",
        "[info] POST",
        "[nullable, true]",
        "[] POST",
        "[17] {\"at\":true}",
        "[10.0.0.7, \"POST\"]",
        "[1769846400,250] POST",
    ] {
        assert_eq!(call(line), Call { text: line.to_owned(), ..Call::default() }, "{line}");
    }
}

#[test]
fn a_moment_that_the_caller_wrote_is_told_from_the_logs_own() {
    let (own, other) = (at("2026-01-31T08:00:00.000Z"), at("2020-01-01T00:00:00.000Z"));
    let request = r#""POST /v1/chat/completions HTTP/1.1" 200"#;
    let agent = "curl/8 2020-01-01T00:00:00Z x";
    for line in [
        format!(r#"10.0.0.9 - - [31/Jan/2026:08:00:00 +0000] {request} "{agent}" "-""#),
        format!(r#"2026-01-31T08:00:00Z {request} "{agent}""#),
        format!(r#""2026-01-31T08:00:00Z" {request} "{agent}""#),
        format!(r#"time="2026-01-31T08:00:00Z" msg="{agent}""#),
        format!(r#"time=2026-01-31T09:00:00+01:00 agent="{agent}""#),
        r#"[31/Jan/2026:08:00:00 +0000] "GET /x?since=2020-01-01T00:00:00Z" 200"#.to_owned(),
        r#"10.0.0.9 - - [31/Jan/2026:08:00:00 +0000] "-" "[01/Jan/2020:00:00:00 +0000]""#.to_owned(),
        r#"{"ts":1769846400,"request":{"headers":{"Time":"2020-01-01T00:00:00Z"}}}"#.to_owned(),
        r#"{"time_local":"31/Jan/2026:08:00:00 +0000","headers":{"At":"2020-01-01T00:00:00Z"}}"#.to_owned(),
        r#"{"entry":{"time":0.25,"timestamp":"2026-01-31T08:00:00Z"},"request_body":{"at":1577836800}}"#.to_owned(),
    ] {
        let read = call(&line);
        assert_eq!((read.at, read.theirs), (own, false), "{line}");
        assert_eq!(read.moments.into_iter().map(Some).collect::<Vec<_>>(), [own, other], "{line}");
    }
    // A name that the caller logged in with stands before the log's own moment: the others are kept, too.
    let named = call(&format!("10.0.0.9 - [01/Jan/2020:00:00:00 +0000] [31/Jan/2026:08:00:00 +0000] {request}"));
    assert_eq!(named.moments.into_iter().map(Some).collect::<Vec<_>>(), [other, own]);
    let brackets = call(&format!("{}[31/Jan/2026:08:00:00 +0000]", "[é".repeat(1 << 20)));
    assert_eq!((brackets.at, brackets.moments.len()), (own, 1), "each is looked at for as long as a moment is");
    // Where the log has its moment in a form that is not known, the caller's is the only one.
    for line in [
        format!(r#"31.01.2026 08:00:00 {request} "{agent}""#),
        "2026-01-31 08:00:00 GET /x?since=2020-01-01T00:00:00Z 200".to_owned(),
        r#"{"when":"08:00","request_headers":{"Time":"2020-01-01T00:00:00Z"}}"#.to_owned(),
    ] {
        let read = call(&line);
        assert_eq!((read.at, read.theirs, read.moments.len()), (other, true, 1), "{line}");
    }
}

#[test]
fn a_digest_counts_with_method_and_path() {
    let body = Sha3::of(&[b"{}"]);
    let line = format!(r#"{{"digest":"{body}","method":"POST","path":"/v1/chat/completions","lineage":"-"}}"#);
    let read = call(&line);
    assert_eq!(read.op, None, "a dash is no lineage");
    assert_eq!(read.request, Some(RequestBinding { body, method: "POST".into(), path: "/v1/chat/completions".into() }));
    assert_eq!(call(&format!(r#"{{"digest":"{body}"}}"#)).request, None);
}

#[test]
fn each_call_of_a_log_counts_however_they_are_parted() {
    let named = format!(r#"{{"time":"2026-01-31T08:00:00Z","eleven_lineage":"lineage://op/{OP}"}}"#);
    let bare = r#"{"time":"2026-01-31T08:00:00Z","eleven_lineage":"-"}"#;
    let op = || Some(OP.to_owned());
    assert_eq!(ops(&format!("{named}\n\n{bare}\n")), [(1, op()), (3, None)]);
    assert_eq!(ops(&format!("\u{feff}{named}\r\n{bare}\r\n")), [(1, op()), (2, None)]);
    assert_eq!(ops(&format!("{named}\n\u{feff}{bare}\n\u{feff}\n")), [(1, op()), (2, None)], "files that were joined");
    assert_eq!(ops(&format!("{named}\r{bare}\r{bare}\r")), [(1, op()), (2, None), (3, None)]);
    assert_eq!(ops(&format!("[{named}, {bare},{bare}]\n{named}")), [(1, op()), (1, None), (1, None), (2, op())]);
    assert!(ops("[]\n").is_empty());
    let array = log(format!("[{named},{bare}]").as_bytes()).expect("a log");
    assert!(array.calls.iter().all(|call| call.at == at("2026-01-31T08:00:00.000Z")));
    assert!(array.calls[1].text.contains("\"-\""), "each with its own text: {}", array.calls[1].text);
    for wrong in [
        format!("{named}{bare}"),
        format!("{bare}\n{named} {bare}\n"),
        format!("[{named},"),
        format!("[ {named}\n,{bare}]"),
        format!("{named},"),
        format!("[{named},1]"),
        "[[{}]]".to_owned(),
        "{".to_owned(),
        "{\"at\":nothing}".to_owned(),
        format!("[\"x\",{named},{bare}] x"),
        format!("[[{named},{bare}"),
        format!("[ [ {named},{bare}] x"),
        format!("[null,{named},{bare}"),
        format!("[true , {named},{bare}"),
        format!("[false] {named}"),
        format!("[1, 2.5,{named},{bare}"),
        format!("[[],{named},{bare}"),
        format!("{named}\n\u{feff}{named},{bare}\n"),
        format!("{named}\n \u{feff} [{named},{bare}\n"),
    ] {
        let why = log(wrong.as_bytes()).map(|_| &wrong).expect_err(&wrong);
        assert!(why.contains(": line "), "{why}");
    }
}

#[test]
fn a_line_that_names_two_lineages_names_none() {
    let other = "ABCDEFGHJKMNPQRSTVWXYZ0123456789";
    for line in [
        format!("2026-01-31T08:00:00Z lineage://op/{OP} lineage://op/{other}"),
        format!(r#"{{"lineage":"lineage://op/{OP}, lineage://op/{other}"}}"#),
        format!(r#"{{"Eleven-Lineage":["lineage://op/{OP}","lineage://op/{other}"],"op":"{OP}"}}"#),
        format!(r#"{{"Eleven-Lineage":["lineage://op/{OP}","lineage://op/{OP}"]}}"#),
    ] {
        let read = call(&line);
        assert!(read.several && read.op.is_none(), "{line}");
    }
    let twice = call(&format!("2026-01-31T08:00:00Z lineage://op/{OP} for lineage://op/{OP}."));
    assert_eq!((twice.op.as_deref(), twice.several), (Some(OP), false));
    assert_eq!(
        call(r#"{"Eleven-Lineage":[]}"#),
        Call { text: r#"{"Eleven-Lineage":[]}"#.to_owned(), ..Call::default() }
    );
}

#[test]
fn a_line_or_a_log_that_is_larger_than_any_is_not_read() {
    let long = calls_of(&" ".repeat(MAX_LINE + 1)).err();
    assert_eq!(long, Some("it is longer than 64 MiB: write a call a line"));
    // It has holes, and would be read whole.
    let file = tempfile::NamedTempFile::new().expect("a file");
    file.as_file().set_len(MAX_FILE + 1).expect("stretched");
    let large = read(file.path()).err().expect("it is not read");
    assert!(large.ends_with(": larger than 4 GiB: give it in parts"), "{large}");
}
