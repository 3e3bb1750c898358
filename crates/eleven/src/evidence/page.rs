//! `index.html`: the same for people. One file without scripts, readable on a screen and on paper, in light and in dark.

use super::controls::{self, Finding, Found, Shown};
use super::facts::{Facts, Place};
use super::folder;
use super::history::Life;
use super::lineage::Lineage;
use super::manifest::Manifest;
use super::regime::Regime;
use eleven_core::encoding::Value;
use eleven_core::root::{KeyRecord, KeyStatus};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

/// Operations that the page lists; all of them stand in the records.
const LISTED: usize = 500;

const STYLE: &str = include_str!("page.css");

/// The page.
pub(crate) fn page(manifest: &Manifest, facts: &Facts, regimes: &[Regime]) -> String {
    let mut out = String::new();
    let ledger = Text(&manifest.head.commitment.ledger);
    out += "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
    out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    say(
        &mut out,
        format_args!("<title>Evidence of {ledger}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"),
    );
    heading(&mut out, manifest, &facts.stretch.went_back);
    numbers(&mut out, manifest);
    gaps(&mut out, manifest);
    for regime in regimes {
        answers(&mut out, manifest, facts, regime);
    }
    refusals(&mut out, manifest);
    operations(&mut out, facts);
    policies(&mut out, facts);
    kept(&mut out, facts);
    keys(&mut out, facts);
    checking(&mut out);
    out += "</main>\n</body>\n</html>\n";
    out
}

/// Text for people, escaped.
struct Text<T>(T);

impl<T: fmt::Display> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.to_string().chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

fn say(out: &mut String, text: fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
}

fn heading(out: &mut String, manifest: &Manifest, went_back: &[String]) {
    let query = &manifest.query;
    let head = &manifest.head.commitment;
    say(out, format_args!("<header>\n<p class=\"kind\">Evidence</p>\n<h1>{}</h1>\n", Text(&head.ledger)));
    say(out, format_args!("<p class=\"range\"><time>{}</time> to <time>{}</time></p>\n<dl>\n", query.from, query.to));
    let mut row = |name: &str, value: &dyn fmt::Display| {
        say(out, format_args!("<div><dt>{name}</dt><dd>{}</dd></div>\n", Text(value)));
    };
    if let Some(identity) = &query.identity {
        row("Only identity", identity);
    }
    if let Some(operation) = &query.operation {
        row("Only operation", operation);
    }
    if query.is_filtered() {
        let (shown, all) = (count(manifest, "lineages"), count(manifest, "operations_in_range"));
        row(
            "Shown",
            &format!(
                "{shown} of {all} operations of the range; of the others the entries alone, so that none is missed. Events of no \
                 operation are those of all"
            ),
        );
    }
    row("Entries", &format!("{} up to, not including, {}", manifest.range.0, manifest.range.1));
    for said in went_back {
        row("Given up", said);
    }
    row("Under the head", &format!("{} entries, signed {} by {}", head.size, manifest.head.at, manifest.head.sig.kid));
    row("Tree", &head.root);
    row("Exported", &format!("{} by {}", manifest.made, manifest.tool));
    *out += "</dl>\n</header>\n";
}

fn count(manifest: &Manifest, name: &str) -> i64 {
    manifest.counts.get(name).and_then(Value::as_int).unwrap_or(0)
}

fn numbers(out: &mut String, manifest: &Manifest) {
    *out += "<section class=\"numbers\">\n";
    let shown = [
        ("lineages", "operations"),
        ("execution", "executed"),
        ("denial", "refused"),
        ("unused", "not used"),
        ("open", "not ended"),
        ("later", "with events after the range"),
        ("entries", "entries in the range"),
        ("counted_refusals", "refusals of strangers, counted"),
        ("refused_records", "records that the ledger refused"),
    ];
    for (name, label) in shown {
        say(out, format_args!("<p><b>{}</b> {label}</p>\n", count(manifest, name)));
    }
    *out += "</section>\n";
}

fn gaps(out: &mut String, manifest: &Manifest) {
    *out += "<section>\n<h2>Gaps</h2>\n";
    if manifest.gaps.is_empty() {
        let of = if manifest.query.is_filtered() { "that was asked for" } else { "of the range" };
        let controls = match manifest.query.regimes.as_slice() {
            [] => "; no regime was asked for",
            _ => ", and every control that was asked for has evidence",
        };
        say(out, format_args!("<p>None: every operation {of} has its proof{controls}.</p>\n"));
    } else {
        *out += "<p>What could not be shown. A control without evidence in this range is not thereby violated.</p>\n<ul class=\"gaps\">\n";
        for gap in &manifest.gaps {
            match &gap.control {
                Some((regime, control)) => say(
                    out,
                    format_args!("<li><code>{} {}</code> {}</li>\n", Text(regime), Text(control), Text(&gap.what)),
                ),
                None => {
                    say(out, format_args!("<li>{}", Text(&gap.what)));
                    if let Some(why) = &gap.why {
                        say(
                            out,
                            format_args!("; the reason that was given, which nothing here shows: <q>{}</q>", Text(why)),
                        );
                    }
                    *out += "</li>\n";
                }
            }
        }
        *out += "</ul>\n";
    }
    let refused = count(manifest, "refused_records");
    if refused > 0 {
        let what = "what their producers say in them may have happened, and nothing here proves it";
        say(out, format_args!("<p>Records that the ledger refused in this range: {refused}; {what}.</p>\n"));
    }
    *out += "</section>\n";
}

fn answers(out: &mut String, manifest: &Manifest, facts: &Facts, regime: &Regime) {
    let findings = controls::findings(regime, facts, &manifest.head);
    let met = findings.iter().filter(|finding| finding.is_met()).count();
    say(out, format_args!("<section>\n<h2>{}</h2>\n", Text(&regime.title)));
    say(out, format_args!("<p>{met} of {} controls have evidence in this range.</p>\n", findings.len()));
    if !regime.is_reserved() {
        let file = folder::regime(&regime.id);
        say(
            out,
            format_args!(
                "<p class=\"not\">These questions are the exporter's own: <a href=\"{file}\">{file}</a>.</p>\n"
            ),
        );
    }
    for finding in &findings {
        answer(out, finding);
    }
    say(out, format_args!("<p class=\"not\">No ledger shows: {}</p>\n</section>\n", Text(&regime.not_shown)));
}

fn answer(out: &mut String, finding: &Finding<'_>) {
    let control = finding.control;
    let (class, word) = if finding.is_met() { ("met", "evidence") } else { ("gap", "gap") };
    say(
        out,
        format_args!("<article class=\"{class}\">\n<h3><code>{}</code> {}", Text(&control.id), Text(&control.title)),
    );
    say(out, format_args!(" <span class=\"mark\">{word}</span></h3>\n<p>{}</p>\n<ul>\n", Text(&control.asks)));
    for found in &finding.found {
        say(out, format_args!("<li><b>{}</b> {}", found.count, Text(&found.evidence.what)));
        leaves(out, found);
        *out += "</li>\n";
    }
    say(out, format_args!("</ul>\n<p class=\"not\">Not shown: {}</p>\n</article>\n", Text(&control.not_shown)));
}

/// Where the first few stand.
fn leaves(out: &mut String, found: &Found<'_>) {
    const FEW: usize = 4;
    // What came with the genesis stands in one entry.
    let mut shown: Vec<&Shown> = found.shown.iter().collect();
    shown.dedup_by_key(|shown| shown.place.seq);
    let link = |shown: &&Shown| format!("<a href=\"{}\">{}</a>", Text(&shown.proof), shown.place.seq);
    let links: Vec<String> = shown.iter().take(FEW).map(link).collect();
    if !links.is_empty() {
        let more = if shown.len() > FEW { ", …" } else { "" };
        let word = if shown.len() == 1 { "entry" } else { "entries" };
        say(out, format_args!(" <span class=\"where\">{word} {}{more}</span>", links.join(", ")));
    }
}

fn refusals(out: &mut String, manifest: &Manifest) {
    let Some(reasons) = manifest.counts.get("refusals").and_then(Value::as_object).filter(|all| !all.is_empty()) else {
        return;
    };
    let most = reasons.iter().filter_map(|(_, n)| n.as_int()).max().unwrap_or(1).max(1);
    *out += "<section>\n<h2>Refusals by reason</h2>\n<table class=\"bars\">\n";
    for (reason, n) in reasons.iter() {
        let n = n.as_int().unwrap_or(0);
        let width = n * 100 / most;
        let bar = format!("<span class=\"bar\" style=\"width:{width}%\"></span>");
        say(
            out,
            format_args!("<tr><th scope=\"row\"><code>{}</code></th><td>{n}</td><td>{bar}</td></tr>\n", Text(reason)),
        );
    }
    *out += "</table>\n</section>\n";
}

fn operations(out: &mut String, facts: &Facts) {
    let all = facts.lineages.len();
    *out += "<section>\n<h2>Operations</h2>\n";
    if all > LISTED {
        say(
            out,
            format_args!(
                "<p>The first {LISTED} of {all}; all of them stand in <a href=\"{0}\">{0}</a>.</p>\n",
                folder::RECORDS
            ),
        );
    }
    *out += "<table>\n<thead><tr><th>Time</th><th>Identity</th><th>Operation</th><th>Outcome</th><th>Proof</th></tr></thead>\n<tbody>\n";
    for lineage in facts.lineages.iter().take(LISTED) {
        operation(out, lineage);
    }
    *out += "</tbody>\n</table>\n</section>\n";
}

fn operation(out: &mut String, lineage: &Lineage) {
    let at = lineage.events.first().map(|fact| fact.place.at.seconds()).unwrap_or_default();
    let text = |text: &Option<String>| Text(text.clone().unwrap_or_else(|| "—".to_owned())).to_string();
    let runtime = lineage.runtime.as_ref().map(|runtime| format!("<br><small>{}</small>", Text(runtime)));
    say(
        out,
        format_args!(
            "<tr class=\"{}\"><td><time>{at}</time></td><td>{}</td><td>{}{}</td><td><span class=\"mark\">{}</span></td>\
             <td><a href=\"{}\"><code>{}</code></a></td></tr>\n",
            Text(&lineage.kind),
            text(&lineage.identity),
            text(&lineage.operation),
            runtime.unwrap_or_default(),
            Text(lineage.ended_as()),
            Text(folder::proof(&lineage.op)),
            Text(&lineage.op),
        ),
    );
}

fn until(life: &Life) -> String {
    life.ended
        .as_ref()
        .map_or_else(|| "in force".to_owned(), |(event, place)| format!("{event} {}", place.at.seconds()))
}

fn policies(out: &mut String, facts: &Facts) {
    *out += "<section>\n<h2>Policies</h2>\n<table>\n<thead><tr><th>Policy</th><th>Published</th><th>Then</th><th>Operations</th></tr></thead>\n<tbody>\n";
    let mut named: BTreeMap<String, u64> = BTreeMap::new();
    for lineage in &facts.lineages {
        if let Some((_, hash)) = &lineage.policy {
            *named.entry(hash.hex()).or_default() += 1;
        }
    }
    for policy in facts.policies() {
        let (reference, hash) = (&policy.id.reference, policy.id.hash);
        say(
            out,
            format_args!(
                "<tr><td><a href=\"{}\">{}</a></td><td><time>{}</time>, entry {}</td><td>{}</td><td>{}</td></tr>\n",
                Text(folder::policy(hash)),
                Text(reference),
                policy.life.began.at.seconds(),
                policy.life.began.seq,
                Text(until(&policy.life)),
                named.get(&hash.hex()).copied().unwrap_or(0),
            ),
        );
    }
    *out += "</tbody>\n</table>\n</section>\n";
}

/// What the domain set about keeping.
fn kept(out: &mut String, facts: &Facts) {
    let history = &facts.history;
    *out += "<section>\n<h2>Retention and legal holds</h2>\n";
    if history.retentions.is_empty() && history.holds.is_empty() {
        *out += "<p>None is set: no content may be moved out of the ledger.</p>\n</section>\n";
        return;
    }
    *out += "<table>\n<thead><tr><th>What</th><th>Since</th><th>Then</th></tr></thead>\n<tbody>\n";
    let mut row = |what: &str, place: &Place, then: &str| {
        let (what, at, then) = (Text(what), place.at.seconds(), Text(then));
        say(
            out,
            format_args!("<tr><td>{what}</td><td><time>{at}</time>, entry {}</td><td>{then}</td></tr>\n", place.seq),
        );
    };
    let last = history.retentions.len();
    for (at, set) in history.retentions.iter().enumerate() {
        let what = format!("content is kept for {} days ({})", set.retention.days, set.retention.regime);
        row(&what, &set.place, if at + 1 == last { "in force" } else { "raised" });
    }
    for life in &history.holds {
        let then = life
            .ended
            .as_ref()
            .map_or_else(|| "placed".to_owned(), |(_, place)| format!("lifted {}", place.at.seconds()));
        row(&format!("legal hold on {}", life.name), &life.began, &then);
    }
    *out += "</tbody>\n</table>\n</section>\n";
}

fn keys(out: &mut String, facts: &Facts) {
    *out += "<section>\n<h2>Keys</h2>\n<table>\n<thead><tr><th>Key</th><th>Signs</th><th>For</th><th>Counts</th><th>Status</th></tr></thead>\n<tbody>\n";
    let of_roots = facts.history.roots().flat_map(|root| root.roles.iter().chain(&root.keys));
    let mut seen = Vec::new();
    for key in of_roots.chain(facts.history.keys.iter().filter_map(|life| facts.history.key(&life.name))) {
        if !seen.contains(&&key.kid) {
            seen.push(&key.kid);
            row_of_key(out, key);
        }
    }
    *out += "</tbody>\n</table>\n</section>\n";
}

fn row_of_key(out: &mut String, key: &KeyRecord) {
    let status = match key.status {
        KeyStatus::Active => "active".to_owned(),
        KeyStatus::Retired(since) => format!("retired {}", since.seconds()),
        KeyStatus::Compromised(since) => format!("compromised since {}", since.seconds()),
    };
    say(
        out,
        format_args!(
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td><time>{}</time> to <time>{}</time></td><td>{}</td></tr>\n",
            Text(&key.kid),
            key.usage.name(),
            Text(&key.owner),
            key.nbf.seconds(),
            key.exp.seconds(),
            Text(status),
        ),
    );
}

fn checking(out: &mut String) {
    say(
        out,
        format_args!(
            "<section>\n<h2>How to check this</h2>\n<p>Nothing on this page has to be believed. It is made of the files beside \
             it; <a href=\"{0}\">{0}</a> lists them with their hashes. With the domain's trust root, from where you trust \
             it, and without any network:</p>\n<pre>eleven evidence verify . --root ROOT</pre>\n<p>It tells five things apart: \
             whether the files are whole, whether the right keys signed, whether anything of the range is missing, whether \
             records reach back far enough, and, where an upstream's access log is given with <code>--access-log</code>, \
             whether it holds calls that no record explains. Any single proof file verifies alone: <code>eleven verify \
             proofs/… --root ROOT</code>.</p>\n<p class=\"not\">A ledger shows what passed through it. That nothing went \
             another way, it can't show; hence the access log.</p>\n</section>\n",
            folder::MANIFEST
        ),
    );
}
