"""This project's own vectors of what is appended (6.1), `append-own.json`: made here from the keys of `ledger.json`, and
compared with what stands there. `ELEVEN_WRITE_VECTORS=1` writes the file anew."""

import copy
import json
import os
import unittest

from eleven_verify import append

from . import VECTORS, forge, vectors
from .test_append import _signed

FILE = "append-own.json"
AT = "2026-05-12T17:04:14.500Z"
AUTHORITY, RUNTIME = "governance://11-11/authority/prod", "k8s://cluster-east-1/ns/inference"
STRANGER = "k8s://lab-cluster/ns/sandbox#p-0"


def _ledger() -> append.Ledger:
    ledger = append.Ledger()
    for entry in vectors("ledger.json")["entries"]:
        assert ledger.append(entry["record"], entry["at"]).outcome == append.ACCEPT
    return ledger


class _Case:
    """What is said of one record, and of the entries that stand before it."""

    def __init__(self, ledger: append.Ledger):
        self.ledger, self.before = copy.deepcopy(ledger), []

    def entry(self, record: dict):
        prev, prev_alt = self.ledger.chain
        entry = {"seq": self.ledger.size, "at": AT, "prev": prev, "prev_alt": prev_alt, "record": record}
        answer = self.ledger.append(record, AT)
        assert answer.outcome == append.ACCEPT, answer
        self.before.append(entry)

    def record(self, body: dict, kid: str) -> dict:
        number = len(self.ledger._seen.get(kid, []))
        return _signed({**body, "kid": kid, "src_seq": number}, forge.seed(kid))

    def key(self, label: str, **more) -> dict:
        """`key.registered` of a key that the registry key grants."""
        kid = f"key:11-11/{label}/1"
        key = {"kid": kid, "alg": "ed25519", "public": forge.public(kid), "use": "event", "owner": STRANGER,
               "nbf": "2026-04-01T00:00:00Z", "exp": "2026-07-01T00:00:00Z", "status": "active", "since": None, **more}  # fmt: skip
        data = {"key": key, "grant": forge.sign("key:11-11/registry/2026-q2", key)}
        body = {"v": "1", "event": "key.registered", "n": 1, "prev_hash": None, "prev_hash_alt": None, "ts": AT,
                "by": AUTHORITY, "data": data}  # fmt: skip
        return self.record(body, "key:11-11/authority/2026-q2")

    def consumed_by(self, point: str, kid: str | None = None) -> dict:
        """The consumption of the vectors' unused artifact by that point, with a key of its own where none is named."""
        cases = vectors("append.json")["cases"]
        lawful = next(c["record"] for c in cases if c["what"] == "the first event of an unused artifact's consumption")
        body = {name: value for name, value in lawful.items() if name not in ("event_hash", "event_hash_alt", "sig")}
        if kid is None:
            kid = "key:11-11/p-0/1"
            self.entry(self.key("p-0", owner=point))
        return self.record({**body, "by": point, "ts": AT}, kid)


_CASES = [
    ("a consumption by a point of the artifact's runtime", "accept",
     lambda case: case.consumed_by(f"{RUNTIME}#gw-0", "key:11-11/gw-0/2026-q2")),
    ("a consumption by a point of another runtime", "refused", lambda case: case.consumed_by(STRANGER)),
    ("a consumption by a point of a path below the runtime", "refused",
     lambda case: case.consumed_by(f"{RUNTIME}/below#gw-0")),
    ("a consumption by a point of a path above the runtime", "refused",
     lambda case: case.consumed_by("k8s://cluster-east-1#gw-0")),
    ("a key for attestations", "accept", lambda case: case.key("further", use="attestation")),
    ("a key for identities", "refused", lambda case: case.key("further", use="identity", owner="svc:a:prod")),
    ("a key of a witness", "refused", lambda case: case.key("further", use="witness", owner="witness.example")),
    ("a key from the year 0 on", "accept", lambda case: case.key("further", nbf="0000-02-29T00:00:00Z")),
    ("a key from a day on that is none", "refused", lambda case: case.key("further", nbf="0000-02-30T00:00:00Z")),
]  # fmt: skip


def _made() -> dict:
    ledger, cases = _ledger(), []
    for what, expect, make in _CASES:
        case = _Case(ledger)
        record = make(case)
        cases.append({"what": what, "before": case.before, "at": AT, "record": record, "expect": expect})
    return {"cases": cases}


class Own(unittest.TestCase):
    def test_the_file_is_what_is_made_of_the_keys_of_the_vectors(self):
        made = _made()
        if os.environ.get("ELEVEN_WRITE_VECTORS"):
            (VECTORS / FILE).write_text(json.dumps(made, ensure_ascii=False, separators=(",", ":")) + "\n")
        self.assertEqual(vectors(FILE), made)


if __name__ == "__main__":
    unittest.main()
