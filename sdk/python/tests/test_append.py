import copy
import functools
import unittest
import unittest.mock

from eleven_verify import append, ed25519, event, form, hashes
from eleven_verify import root as trust
from eleven_verify.encoding import canonical

from . import vectors


def _signed(body: dict, seed: bytes) -> dict:
    """A record of a body without `op`, as a lineage of its own where it has none."""
    if "op" not in body:
        body = {**body, "op": hashes.content_id(body)}
    sig = {"alg": "ed25519", "kid": body["kid"], "val": form.to_binary(ed25519.sign(seed, canonical(body)))}
    return {**body, "event_hash": event.event_hash(body), "event_hash_alt": event.event_hash_alt(body), "sig": sig}


class Refusals(unittest.TestCase):
    """Rules that no vector touches."""

    @classmethod
    def setUpClass(cls):
        source = vectors("ledger.json")
        cls.seeds = {name: form.binary(seed) for name, seed in source["seeds"].items()}
        cls.ledger = append.Ledger()
        for entry in source["entries"]:
            assert cls.ledger.append(entry["record"], entry["at"]).outcome == append.ACCEPT
        cls.at = "2026-05-12T17:04:20.000Z"

    def judge(self, name: str, data: dict, producer="authority", **more) -> append.Answer:
        by = {"authority": "governance://11-11/authority/prod", "gw-0": "k8s://cluster-east-1/ns/inference#gw-0"}[
            producer
        ]
        kid = f"key:11-11/{producer}/2026-q2"
        body = {
            "v": "1", "event": name, "n": 1, "prev_hash": None, "prev_hash_alt": None, "ts": self.at, "by": by,
            "src_seq": len(self.ledger._seen[kid]), "kid": kid, "data": data, **more,
        }  # fmt: skip
        return self.ledger.judge(_signed(body, self.seeds[producer]), self.at)

    def refused(self, *arguments, **more):
        answer = self.judge(*arguments, **more)
        self.assertEqual((answer.outcome, answer.numbered), (append.REFUSED, True), answer.detail)

    def test_policies_that_overlap(self):
        root = self.ledger.registry.root
        ref, digest = "policy://other/v1", hashes.sha3_512(b"")
        signed = canonical({"domain": root["domain"], "hash": digest, "ref": ref})
        sig = {
            "alg": "ed25519",
            "kid": "key:11-11/policy/2026-q2",
            "val": form.to_binary(ed25519.sign(self.seeds["policy"], signed)),
        }
        data = {
            "ref": ref,
            "hash": digest,
            "operations": ["model.invoke"],
            "runtimes": ["k8s://c/*/inference"],
            "sig": sig,
        }
        self.refused("policy.published", data)
        apart = {**data, "runtimes": ["k8s://c/*/batch"]}
        self.assertEqual(self.judge("policy.published", apart).outcome, append.ACCEPT)

    def test_counted_denials(self):
        counted = {"count": 2, "window": "2026-05-12T17:04:19.000Z/PT1S", "listener": "127.0.0.1:1113"}
        self.assertEqual(
            self.judge("execution.denied", counted, "gw-0", reason="artifact.missing").outcome, append.ACCEPT
        )
        self.refused("execution.denied", counted, "gw-0", reason="artifact.expired")
        self.refused("execution.denied", counted, "gw-0", reason="artifact.missing", identity="svc:a")
        self.refused("execution.denied", counted, "gw-0")
        self.refused("execution.denied", {}, "gw-0", reason="because")

    def test_removal_of_what_is_not_there(self):
        self.refused("runtime.removed", {"point": "k8s://c#p"})
        self.refused("source.removed", {"name": "nobody"})

    def test_a_key_is_compromised_from_a_moment_that_has_passed_and_does_not_come_back(self):
        def compromised(label: str, since: str) -> dict:
            return {"kid": f"key:11-11/{label}/2026-q2", "since": f"2026-05-12T17:04:{since}Z"}

        self.refused("key.compromised", compromised("gw-0", "20.001"))
        self.assertEqual(self.judge("key.compromised", compromised("gw-0", "20.000")).outcome, append.ACCEPT)
        # The vectors retire this one at 11.531.
        self.refused("key.compromised", compromised("gw-1", "11.532"))
        self.assertEqual(self.judge("key.compromised", compromised("gw-1", "11.531")).outcome, append.ACCEPT)

    def test_a_point_speaks_for_itself_only(self):
        for subject, outcome in (
            ("k8s://cluster-east-1/ns/inference#gw-0", append.ACCEPT),
            ("k8s://cluster-east-1", append.REFUSED),
        ):
            data = {"kind": "runtime", "subject": subject, "cause": "drift.clock"}
            answer = self.judge("lifecycle.contained", data, "gw-0", op=event.subject_op(data))
            self.assertEqual(answer.outcome, outcome)

    def test_a_bounded_artifact_has_as_many_uses_as_it_says(self):
        cases = {case["what"]: case for case in vectors("append.json")["cases"]}
        third = cases["use 3 after use 2"]["record"]
        for use, outcome in (
            ({"mode": "bounded", "max": 3}, append.ACCEPT),
            ({"mode": "bounded", "max": 2}, append.REFUSED),
            ({"mode": "rate", "max": 2, "per": 60}, append.ACCEPT),
        ):
            self.ledger.artifacts = {third["artifact_id"]: {"use": {**use, "nonce": third["data"]["nonce"]}}}
            self.assertEqual(self.ledger.judge(third, self.at).outcome, outcome, use)
        self.ledger.artifacts = {}

    def test_a_revocation_past_what_a_time_can_say(self):
        for day, outcome in (("9999-12-30", append.ACCEPT), ("9999-12-31", append.REFUSED)):
            first = {**self.ledger._first[self._unused()], "exp": f"{day}T12:00:00Z"}
            with unittest.mock.patch.dict(self.ledger._first, {self._unused(): first}):
                data = {"artifact": "auth_" + self._unused(), "exp": first["exp"], "why": "operator"}
                self.assertEqual(self.judge("authorization.revoked", data).outcome, outcome, day)

    @staticmethod
    def _unused() -> str:
        cases = vectors("append.json")["cases"]
        return next(c["record"]["op"] for c in cases if c["what"] == "the first event of an unused artifact's consumption")

    def test_a_form_that_is_wrong_takes_its_number(self):
        self.refused("key.retired", {"kid": "key:11-11/gw-0/2026-q2"}, unknown=1)

    def test_a_genesis_has_a_root_that_holds(self):
        entry = vectors("ledger.json")["entries"][0]
        first = {name: value for name, value in event.body(entry["record"]).items() if name != "op"}

        def with_root(change) -> append.Answer:
            root = copy.deepcopy(trust.body(first["data"]["root"]))
            change(root)
            kid = root["keys"][0]["kid"]
            sig = {"kid": kid, "val": form.to_binary(ed25519.sign(self.seeds["root"], canonical(root)))}
            data = {**first["data"], "root": {**root, "sigs": [sig]}}
            return append.Ledger().judge(_signed({**first, "data": data}, self.seeds["audit"]), entry["at"])

        retired = {"status": "retired", "since": "2026-05-12T16:59:00.000Z"}
        for what, change, outcome in (
            ("as it is", lambda root: None, append.ACCEPT),
            ("lapsed", lambda root: root.update(exp="2026-05-12T16:59:00Z"), append.REFUSED),
            ("without a registry key that counts", lambda root: root["roles"][2].update(retired), append.REFUSED),
        ):
            self.assertEqual(with_root(change).outcome, outcome, what)

    def test_a_record_is_no_deeper_than_a_list_of_records_can_hold(self):
        for depth, outcome in ((30, append.ACCEPT), (31, append.REFUSED)):
            # The record and its data are two of them.
            details = functools.reduce(lambda inner, _: [inner], range(depth - 2), 0)
            answer = self.judge("execution.denied", {"details": details}, reason="policy.denied")
            self.assertEqual(answer.outcome, outcome, depth)

    def test_the_clock_does_not_go_back(self):
        record = vectors("append.json")["cases"][0]["record"]
        self.assertEqual(self.ledger.judge(record, "2026-05-12T17:04:11.538Z").outcome, append.REFUSED)


if __name__ == "__main__":
    unittest.main()
