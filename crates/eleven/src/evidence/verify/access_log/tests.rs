use super::*;

const OP: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn at(text: &str) -> Option<Time> {
    Time::parse_millis(text)
}

#[test]
fn lines_of_json_tell_lineage_and_time_by_their_common_names() {
    let lines = [
        format!(r#"{{"at":"2026-01-31T08:00:00.250Z","lineage":"lineage://op/{OP}"}}"#),
        format!(r#"{{"time":"2026-01-31T09:00:00.25+01:00","http_eleven_lineage":"lineage://op/{OP}"}}"#),
        format!(r#"{{"ts":1769846400.25,"request":{{"headers":{{"Eleven-Lineage":"lineage://op/{OP}"}}}}}}"#),
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
    for line in ["POST", "[31/Foo/2026:10:00:00 +0200]", "{\"at\":true}", "[", "{", "é[é]", "\"2026-02-30T00:00:00Z\""]
    {
        assert_eq!(call(line), Call { text: line.to_owned(), ..Call::default() }, "{line}");
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
