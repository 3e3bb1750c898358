"""The OSCAL document of an evidence export, read by the models that others generate from the published schema.

Makes a domain, calls through it, exports with every regime, and reads the document with compliance-trestle (OSCAL 1.1.x).
Beyond the schema: every reference within the document resolves, and every link leads to a file. Closes with
"N passed, N failed, N skipped".
"""

import json
import sys
from pathlib import Path

try:
    from trestle.oscal.assessment_results import Model
except ImportError as error:
    print(f"skipped: compliance-trestle is not here ({error})")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)

import openai  # noqa: E402
from openai_client import MESSAGES, MODEL, Domain  # noqa: E402

REGIMES = ("eu-ai-act", "hipaa", "sec-17a-4", "soc2", "nist-800-53")


def export(domain: Domain, out: Path):
    secret = domain.secret("oscal", "svc:demo-app:dev")
    client = openai.OpenAI(base_url=f"{domain.urls['runtime']}/v1", api_key=secret, max_retries=0, timeout=20)
    answer = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
    domain.bundle(answer.headers["eleven-lineage"], "execution")
    try:
        client.chat.completions.create(model="another", messages=MESSAGES)
    except openai.PermissionDeniedError as denied:
        domain.bundle(denied.response.headers["eleven-lineage"], "denial")
    wanted = [argument for regime in REGIMES for argument in ("--regime", regime)]
    domain.run("evidence", "export", "--json", "--out", str(out), *wanted)


def leaves(node, found):
    """Every member of the document, by name."""
    if isinstance(node, dict):
        for name, value in node.items():
            found.setdefault(name, []).append(value)
            leaves(value, found)
    elif isinstance(node, list):
        for value in node:
            leaves(value, found)
    return found


def main() -> int:
    results = []

    def check(name: str, holds: bool, detail: object = ""):
        results.append(holds)
        print(f"{'ok  ' if holds else 'FAIL'} {name} {'' if holds else detail}")

    domain = Domain()
    try:
        out = domain.folder / "evidence"
        export(domain, out)
        path = out / "oscal" / "assessment-results.json"
        document = json.loads(path.read_text())
        read = Model.parse_obj(document).assessment_results
        check("the document is of the published schema", read.metadata.oscal_version.__root__ == "1.1.3")
        check("a result for each regime", len(read.results) == len(REGIMES), len(read.results))
        for regime, result in zip(REGIMES, read.results):
            asked = json.loads((out / "regimes" / f"{regime}.json").read_text())["controls"]
            targets = [finding.target.target_id for finding in result.findings]
            check(f"{regime}: a finding for each control", targets == [control["id"] for control in asked], targets)
        found = leaves(document, {})
        uuids = set(found["uuid"])
        again, unlike = shared(document)
        check("no name stands twice", len(uuids) == len(found["uuid"]) - again, len(found["uuid"]))
        check("one name is one observation", not unlike, unlike)
        wrong = miscounted(document)
        check("what counts as observed is related", not wrong, wrong)
        check("observations resolve", set(found["observation-uuid"]) <= uuids)
        check("the plan resolves", document["assessment-results"]["import-ap"]["href"][1:] in uuids)
        hrefs = [href for href in found["href"] if not href.startswith("#")]
        lost = [href for href in hrefs if not (path.parent / href).is_file()]
        check("links lead to files", hrefs and not lost, lost)
        states = {state for state in found["state"]}
        check("what has evidence and what has not", states == {"satisfied", "not-satisfied"}, states)
    finally:
        domain.end()
    passed = sum(results)
    print(f"{passed} passed, {len(results) - passed} failed")
    return 0 if passed == len(results) else 1


def shared(document):
    """What two regimes name is one observation with one name in two results: how often, and which differ all the same."""
    seen, again, unlike = {}, 0, []
    for result in document["assessment-results"]["results"]:
        for observation in result.get("observations", []):
            again += observation["uuid"] in seen
            if seen.setdefault(observation["uuid"], observation) != observation:
                unlike.append(observation["uuid"])
    return again, unlike


def miscounted(document):
    """The findings whose counts of what is observed are not what they relate to, or relate to what is not of their result."""
    wrong = []
    for result in document["assessment-results"]["results"]:
        here = [observation["uuid"] for observation in result.get("observations", [])]
        for finding in result["findings"]:
            related = [one["observation-uuid"] for one in finding.get("related-observations", [])]
            observed = sum(int(prop["value"]) for prop in finding["props"] if prop["name"] == "observed")
            if observed != len(related) or len(set(related)) != len(related) or not set(related) <= set(here):
                wrong.append(finding["target"]["target-id"])
        if len(set(here)) != len(here):
            wrong.append(result["title"])
    return wrong


if __name__ == "__main__":
    sys.exit(main())
