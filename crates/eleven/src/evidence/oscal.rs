//! The answers as OSCAL assessment-results (version 1.1.3 of the format): a result for each regime, a finding for each of
//! its controls, and observations that each name one leaf of the ledger, what it is, and the file that proves it.

use super::controls::{self, Finding, Found, Shown};
use super::facts::{Facts, Place};
use super::folder::{self, Listed};
use super::manifest::{Manifest, Query};
use super::regime::Regime;
use eleven_core::encoding::{Object, Value};
use eleven_core::hash::{Sha256, hex};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the format.
const VERSION: &str = "1.1.3";
/// Whose the names of our properties are.
const NS: &str = "https://11-11.example/ns/oscal";

/// The document. It is made of the manifest, the facts and the regimes alone, so that whoever verifies makes the same bytes.
/// `files` are those of the export but for this document and the page.
pub(crate) fn results(
    manifest: &Manifest,
    facts: &Facts,
    regimes: &[Regime],
    files: &BTreeMap<String, Listed>,
) -> Object {
    let plan = uuid(manifest, "plan");
    let results: Vec<Value> = match regimes {
        [] => vec![Value::Object(unasked(manifest, facts))],
        regimes => regimes.iter().map(|regime| Value::Object(result(manifest, facts, regime))).collect(),
    };
    let metadata = Object::new()
        .with("title", format!("What {} shows", manifest.head.commitment.ledger))
        .with("last-modified", manifest.made.millis())
        .with("version", manifest.head.commitment.size.to_string())
        .with("oscal-version", VERSION)
        .with("props", vec![prop("tool", &manifest.tool), prop("manifest", folder::MANIFEST)])
        .with(
            "remarks",
            format!(
                "Of each kind of evidence the first {} leaves are observations of their own, in the order of the records. \
                 What stands as `found` counts all of them, `observed` those that are observations, each once in a finding; all \
                 stand in {}.",
                controls::SHOWN,
                folder::RECORDS
            ),
        );
    let document = Object::new()
        .with("uuid", uuid(manifest, "document"))
        .with("metadata", metadata)
        .with("import-ap", Object::new().with("href", format!("#{plan}")))
        .with("results", results)
        .with("back-matter", Object::new().with("resources", resources(manifest, plan, regimes, files)));
    Object::new().with("assessment-results", document)
}

fn result(manifest: &Manifest, facts: &Facts, regime: &Regime) -> Object {
    let findings = controls::findings(regime, facts, &manifest.head);
    let selected: Vec<Value> =
        regime.controls.iter().map(|control| Value::Object(Object::new().with("control-id", &control.id))).collect();
    let mut observed = Observed { manifest, result: &regime.id, made: BTreeMap::new() };
    let findings: Vec<Value> = findings.iter().map(|finding| observed.finding(regime, finding)).collect();
    let whose = if regime.is_reserved() { "" } else { "The questions are the exporter's own. " };
    head(manifest, &regime.id, &regime.title)
        .with("remarks", format!("{whose}Not shown by a ledger: {}", regime.not_shown))
        .with("reviewed-controls", selection(Object::new().with("include-controls", selected)))
        .with_some("observations", observed.list())
        .with("findings", findings)
}

/// Without a regime nothing is judged: each lineage that came to its last event in the range is an observation.
fn unasked(manifest: &Manifest, facts: &Facts) -> Object {
    const RESULT: &str = "lineages";
    let mut observed = Observed { manifest, result: RESULT, made: BTreeMap::new() };
    for (lineage, last) in facts.came_to().take(controls::SHOWN) {
        let what = format!("{} {}, {}", lineage.kind, lineage.op, lineage.ended_as());
        observed.note(&Shown { place: last.place, what, proof: folder::proof(&lineage.op) });
    }
    let all = facts.came_to().count();
    head(manifest, RESULT, "Operations of the range")
        .with("props", vec![prop("found", &all.to_string()), prop("observed", &all.min(controls::SHOWN).to_string())])
        .with("reviewed-controls", selection(Object::new().with("include-all", Object::new())))
        .with_some("observations", observed.list())
}

fn head(manifest: &Manifest, name: &str, title: &str) -> Object {
    let Query { from, to, .. } = &manifest.query;
    let (first, end) = manifest.range;
    let unproven = match manifest.gaps.iter().filter(|gap| gap.control.is_none()).count() {
        0 => String::new(),
        count => format!(" What could not be shown, {count} in all, stands under `gaps` in {}.", folder::MANIFEST),
    };
    Object::new()
        .with("uuid", uuid(manifest, &format!("result {name}")))
        .with("title", title)
        .with(
            "description",
            format!(
                "What the ledger holds from {from} to {to}: entries {first} up to, not including, {end}, under the head of \
                 {} entries; {}.{unproven}",
                manifest.head.commitment.size,
                manifest.query.filter()
            ),
        )
        .with("start", from.millis())
        .with("end", to.millis())
}

fn selection(selection: Object) -> Object {
    Object::new().with("control-selections", vec![Value::Object(selection)])
}

/// The observations of a result. Some leaves are evidence of more than one thing, as the genesis of each key that came with it.
struct Observed<'a> {
    manifest: &'a Manifest,
    /// The result's name.
    result: &'a str,
    made: BTreeMap<(u64, String, String), Value>,
}

impl Observed<'_> {
    fn finding(&mut self, regime: &Regime, finding: &Finding<'_>) -> Value {
        let control = finding.control;
        let (mut related, mut counts) = (BTreeSet::new(), Vec::new());
        for (at, found) in finding.found.iter().enumerate() {
            let before = related.len();
            related.extend(found.shown.iter().map(|shown| self.note(shown)));
            counts.extend(count(at, found, related.len() - before));
        }
        let related: Vec<Value> =
            related.into_iter().map(|uuid| Value::Object(Object::new().with("observation-uuid", uuid))).collect();
        let met = finding.is_met();
        let state = if met { "satisfied" } else { "not-satisfied" };
        let status = Object::new().with("state", state).with("reason", if met { "pass" } else { "other" }).with(
            "remarks",
            if met {
                "Evidence is here."
            } else {
                "There is no evidence in this range, which is not evidence of a failure."
            },
        );
        let target = Object::new()
            .with("type", "objective-id")
            .with("target-id", &control.id)
            .with("title", &control.title)
            .with("description", &control.asks)
            .with("status", status);
        let lines: Vec<String> = finding.found.iter().map(line).collect();
        Value::Object(
            Object::new()
                .with("uuid", uuid(self.manifest, &format!("finding {} {}", regime.id, control.id)))
                .with("title", &control.title)
                .with("description", lines.join(" "))
                .with("props", counts)
                .with("target", target)
                .with_some("related-observations", (!related.is_empty()).then_some(related))
                .with("remarks", format!("Not shown by this: {}", control.not_shown)),
        )
    }

    /// Makes the observation of a leaf as what it is and with its file, once, and gives its name. Another result has one of its
    /// own for the same leaf: no name may stand twice in a document.
    fn note(&mut self, shown: &Shown) -> String {
        let Place { seq, at, leaf } = shown.place;
        let name = uuid(self.manifest, &format!("leaf {} {seq} {} {}", self.result, shown.proof, shown.what));
        let ledger = &self.manifest.head.commitment.ledger;
        let evidence = Object::new()
            .with("href", format!("../{}", shown.proof))
            .with("description", format!("Proves that entry {seq} stands in {ledger}."));
        let observation = Object::new()
            .with("uuid", &name)
            .with("title", &shown.what)
            .with("description", format!("{}: entry {seq} of {ledger}.", shown.what))
            .with("props", vec![prop("ledger", ledger), prop("seq", &seq.to_string()), prop("leaf", &leaf.to_string())])
            .with("methods", vec![Value::from("TEST")])
            .with("types", vec![Value::from("finding")])
            .with("relevant-evidence", vec![Value::Object(evidence)])
            .with("collected", at.millis());
        let key = (seq, shown.what.clone(), shown.proof.clone());
        self.made.entry(key).or_insert(Value::Object(observation));
        name
    }

    fn list(self) -> Option<Vec<Value>> {
        let list: Vec<Value> = self.made.into_values().collect();
        (!list.is_empty()).then_some(list)
    }
}

/// What a finding says of one kind of its evidence: how much there is, and how much of it is `observed` one by one and was not
/// as evidence of an earlier kind.
fn count(at: usize, found: &Found<'_>, observed: usize) -> [Value; 2] {
    [("found", found.count.to_string()), ("observed", observed.to_string())].map(|(name, n)| {
        let prop = prop(name, &n).as_object().cloned().unwrap_or_default();
        Value::Object(prop.with("class", format!("evidence-{}", at + 1)).with("remarks", &found.evidence.what))
    })
}

/// What was found of one kind of evidence, in a sentence.
fn line(found: &Found<'_>) -> String {
    let (count, shown) = (found.count, found.shown.len());
    let more =
        if u64::try_from(shown) == Ok(count) { String::new() } else { format!(", the first {shown} observed here") };
    format!("{}: {count} of at least {}{more}.", found.evidence.what, found.evidence.minimum)
}

/// The files, with their hashes, and what stands for the plan: nobody planned this, the regimes' questions were asked.
fn resources(manifest: &Manifest, plan: String, regimes: &[Regime], files: &BTreeMap<String, Listed>) -> Vec<Value> {
    let asked: Vec<&str> = regimes.iter().map(|regime| regime.id.as_str()).collect();
    let said = match asked.as_slice() {
        [] => "No regime was asked for: nothing is judged.".to_owned(),
        asked => format!("The questions of the regimes {}, each a file beside this one.", asked.join(", ")),
    };
    // A resource has to lead somewhere. The manifest, which names what was asked, has the hash of this document, so not the
    // other way round.
    let query = Object::new().with("href", format!("../{}", folder::MANIFEST)).with("media-type", "application/json");
    let of_plan = Object::new()
        .with("uuid", plan)
        .with("title", "In place of an assessment plan")
        .with("description", said)
        .with("rlinks", vec![Value::Object(query)]);
    // Proof files stand in the observations that they prove, and all files in the manifest.
    let listed = files.iter().filter(|(name, _)| !name.starts_with("proofs/"));
    let file = |(name, listed): (&String, &Listed)| {
        let hash = Object::new().with("algorithm", "SHA3-512").with("value", listed.hash.hex());
        let link = Object::new().with("href", format!("../{name}")).with("hashes", vec![Value::Object(hash)]);
        let resource = Object::new().with("uuid", uuid(manifest, &format!("file {name}"))).with("title", name);
        Value::Object(resource.with("rlinks", vec![Value::Object(link)]))
    };
    std::iter::once(Value::Object(of_plan)).chain(listed.map(file)).collect()
}

fn prop(name: &str, value: &str) -> Value {
    Value::Object(Object::new().with("name", name).with("ns", NS).with("value", value))
}

/// A name of the format's form (RFC 9562, version 4) that the same export gives again, and none of another question: hashed
/// instead of random.
fn uuid(manifest: &Manifest, of: &str) -> String {
    let head = &manifest.head.commitment;
    let (made, query) = (manifest.made.millis(), manifest.query.to_object().canonical());
    let Sha256(mut bytes) = Sha256::of(&[head.ledger.as_bytes(), &head.root.0, made.as_bytes(), &query, of.as_bytes()]);
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = *version & 0x0f | 0x40;
    *variant = *variant & 0x3f | 0x80;
    let text = hex(&bytes);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
