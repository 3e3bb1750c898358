import copy
import unittest

from eleven_verify import Asked, canonical, ed25519, form, hashes, index, ledger, registry, verify
from eleven_verify import root as trust

from . import vectors


class Evidence(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        file = vectors("equivocation.json")
        cls.root = file["root"]
        cls.proven = [(case["what"], case["evidence"]) for case in file["cases"] if not case["failed"]]

    def failed(self, evidence, **asked) -> list[str]:
        result = verify(evidence, Asked(self.root, **asked))
        return [check.name for check in result.checks if check.status == "failed"]

    def test_who_asks_for_a_bundle_gets_none(self):
        self.assertGreater(len(self.proven), 8)
        for what, evidence in self.proven:
            with self.subTest(what):
                self.assertEqual(self.failed(evidence), [])
                self.assertEqual(self.failed(evidence, kind="execution"), ["evidence.form"])
                self.assertEqual(self.failed(evidence, max_age_ms=1000, now_ms=0), ["evidence.form"])

    def test_what_is_of_no_kind_promised_nothing(self):
        for what, evidence in self.proven:
            result = verify({name: value for name, value in evidence.items() if name != "kind"}, Asked(self.root))
            status = result.status()
            self.assertEqual((status["evidence.form"], status["statements.conflict"]), ("failed", "failed"), what)
            for name in ("registry.signed", "registry.committed", "registry.records", "promise.made", "promise.broken"):
                self.assertEqual(status[name], "not_checked", (what, name))

    def test_a_kind_is_one_that_a_file_names(self):
        for what, evidence in self.proven:
            for kind in ("included", "issued", "Omission", "", 1, None, ["omission"]):
                with self.subTest((what, kind)):
                    self.assertIn("evidence.form", self.failed({**evidence, "kind": kind}))

    def test_there_are_no_more_than_two_statements(self):
        fork = dict(self.proven)["two checkpoints of one size"]
        first, second = fork["statements"]
        for statements in ([first, first, second], [first, second] * 500):
            self.assertEqual(
                self.failed({**fork, "statements": statements}), ["statements.signed", "statements.conflict"]
            )

    def omission_of(self, record: dict) -> dict:
        """The omission of what stands here as a record, from a tree that holds nothing else."""
        evidence = copy.deepcopy(dict(self.proven)["an event that a later index lacks"])
        head = evidence["statements"][0]["head"]
        entry = {"seq": 0, "at": head["at"], "prev": None, "prev_alt": None, "record": record}
        empty = "sha256:" + "0" * 64
        over = {**head, "root": index.shown(ledger.leaf_hash(ledger.bytes_of(entry))), "index": empty}
        statements = [{"head": _signed({**over, "size": size})} for size in (1, 2)]
        entry = {**hashes.without(entry, "record"), "proof": []}
        proof = {"siblings": [], "end": None}
        return {**evidence, "statements": statements, "record": record, "entry": entry, "index": proof}

    def test_what_is_not_of_an_events_form_nobody_promised(self):
        record = dict(self.proven)["an event that a later index lacks"]["record"]
        self.assertEqual(self.failed(self.omission_of(record)), [])
        promise, large = ["promise.made", "promise.broken"], {"note": "x" * form.EVENT_LIMIT}
        self.assertEqual(self.failed(self.omission_of({**record, "note": "x"})), ["evidence.form", *promise])
        self.assertEqual(self.failed(self.omission_of({**record, "data": large})), promise)
        self.assertEqual(self.failed(self.omission_of({**record, **large})), ["evidence.form", *promise])

    def test_an_event_of_no_catalogue_was_promised_as_any_other(self):
        record = dict(self.proven)["an event that a later index lacks"]["record"]
        for name, failed in (
            ("a", []),
            ("of.no.catalogue", []),
            ("a" * 64, []),
            ("a" * 65, ["promise.made", "promise.broken"]),
            ("of words", ["promise.made", "promise.broken"]),
        ):
            self.assertEqual(self.failed(self.omission_of({**record, "event": name})), failed, name)

    def test_an_artifact_by_a_key_that_the_registry_calls_compromised_was_not_promised(self):
        evidence = dict(self.proven)["an artifact that was handed out"]
        keys = [item["record"] for item in evidence["registry"]["records"]]
        self.assertEqual(self.failed(_under(evidence, keys)), [])
        since = evidence["statements"][0]["head"]["at"]
        for number, key in enumerate(keys):
            for status, failed in (("compromised", ["promise.made"]), ("retired", [])):
                ended = {**key, "status": status, "since": since}
                shown = _under(evidence, [*keys[:number], ended, *keys[number + 1 :]])
                self.assertEqual(self.failed(shown), failed, (key["use"], status))

    def test_a_head_from_after_a_root_calls_its_key_compromised_is_not_the_ledgers(self):
        evidence = dict(self.proven)["two heads of one size"]
        first, last = evidence["roots"][0], max(said["head"]["at"] for said in evidence["statements"])
        for since, failed in ((last, ["statements.signed"]), (last[:-2] + "9Z", [])):
            roles = [{**key, "status": "compromised", "since": since} for key in first["roles"] if key["use"] == "head"]
            body = {**trust.body(first), "version": 2, "prev": trust.root_hash(first), "nbf": "2026-05-13T00:00:00Z"}
            body["roles"] = [*roles, *(key for key in first["roles"] if key["use"] != "head")]
            second = {**body, "sigs": [{"kid": first["keys"][0]["kid"], "val": _sign("root", body)}]}
            self.assertEqual(self.failed({**evidence, "roots": [first, second]}), failed, since)

    def test_no_unknown_member_anywhere(self):
        for what, evidence in self.proven:
            for path in _objects(evidence):
                # What an event and an operation carry is theirs; it is hashed and signed.
                if path[:2] == ("record", "data") or path[:2] == ("artifact", "op"):
                    continue
                changed = copy.deepcopy(evidence)
                holder = changed
                for step in path:
                    holder = holder[step]
                holder["note"] = ""
                self.assertNotEqual(self.failed(changed), [], (what, path))


def _signed(head: dict) -> dict:
    """By the head key of these vectors, whose seed is a hash of its label."""
    body = hashes.without(head, "sig")
    return {**body, "sig": {"alg": "ed25519", "kid": head["kid"], "val": _sign("head", body)}}


def _sign(label: str, body) -> str:
    return form.to_binary(ed25519.sign(hashes.sha256(b"seed of " + label.encode()), canonical(body)))


def _under(evidence: dict, keys: list[dict]) -> dict:
    """The same evidence, the registry under its one head being of these keys."""
    items = dict(registry.item("keys", key) for key in keys)
    header = hashes.without(evidence["registry"]["header"], "sig") | {"items": index.shown(index.root(items))}
    sig = {"alg": "ed25519", "kid": header["kid"], "val": _sign("registry", header)}
    records = [{"kind": "key", "record": key, "proof": index.prove(items, registry.item("keys", key)[0])} for key in keys]
    head = evidence["statements"][0]["head"]
    head = _signed({**head, "registry": {"epoch": header["epoch"], "hash": registry.header_hash(header)}})
    return {**evidence, "registry": {"header": {**header, "sig": sig}, "records": records}, "statements": [{"head": head}]}


def _objects(value, path=()):
    """The path of every object in a value, its own included."""
    if isinstance(value, dict):
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in inner:
        yield from _objects(child, (*path, step))


if __name__ == "__main__":
    unittest.main()
