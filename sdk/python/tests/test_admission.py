"""Further cases in the form of `admission.json`: lists that the registry key signed, and that no point takes for a registry."""

import base64
import copy
import unittest

from eleven_verify import admission, canonical, event, form, hashes, index, registry

from . import forge, vectors

KID = "key:11-11/further/1"
FURTHER = {
    "kid": KID,
    "alg": "ed25519",
    "public": forge.public(KID),
    "use": "event",
    "owner": "k8s://lab#p-0",
    "nbf": "2026-04-01T00:00:00Z",
    "exp": "2026-07-01T00:00:00Z",
    "status": "active",
    "since": None,
}
CASES = [
    ("a further key", {}, None),
    ("a key for identities", {"use": "identity", "owner": "svc:a:prod"}, "issuer.unavailable"),
    ("a key of a witness", {"use": "witness", "owner": "witness.example"}, "issuer.unavailable"),
    ("a root key", {"use": "root", "owner": "human:root"}, "issuer.unavailable"),
    ("a public key of small order", {"public": form.to_binary(b"\x01" + bytes(31))}, "issuer.unavailable"),
    ("a public key that is no point", {"public": form.to_binary(b"\xff" * 32)}, "issuer.unavailable"),
]


def _signed(body: dict) -> dict:
    return {**body, "sig": forge.sign(body["kid"], body)}


class FurtherKeys(unittest.TestCase):
    def test_what_stands_in_no_registry_makes_none(self):
        base = vectors("admission.json")["base"]
        for what, change, expected in CASES:
            with self.subTest(what):
                known = copy.deepcopy(base)
                snapshot, stamp = known["registry"], known["stamp"]
                snapshot["keys"].append({**FURTHER, **change})
                snapshot["keys"].sort(key=lambda key: key["kid"])
                listed = [(name, record) for name in registry.LISTS for record in snapshot[name]]
                items = index.shown(index.root(dict(registry.item(name, record) for name, record in listed)))
                snapshot["header"] = _signed({**hashes.without(snapshot["header"], "sig"), "items": items})
                hashed = {"hash": registry.header_hash(snapshot["header"])}
                known["stamp"] = _signed({**hashes.without(stamp, "sig"), **hashed})
                self.assertEqual(admission.decide(known), expected)


class OtherRecords(unittest.TestCase):
    """The record presented as issuance is one, or is not, at step 8; step 2 judges form alone."""

    def test_a_record_of_another_event_is_of_an_events_form(self):
        base = vectors("admission.json")["base"]
        token = admission.decode(base["token"])
        for name, unsigned, signed in (
            ("execution.denied", "artifact.signature.invalid", "artifact.digest.mismatch"),
            ("a", "artifact.signature.invalid", "artifact.digest.mismatch"),
            ("of words", "artifact.malformed", "artifact.malformed"),
        ):
            changed = {**token["issued"], "event": name}
            body = event.body(changed)
            hashed = {"event_hash": event.event_hash(changed), "event_hash_alt": event.event_hash_alt(changed)}
            anew = {**body, **hashed, "sig": forge.sign(body["kid"], body)}
            for record, expected in ((changed, unsigned), (anew, signed)):
                with self.subTest(name, expected=expected):
                    known = {**base, "token": _text({**token, "issued": record})}
                    self.assertEqual(admission.decide(known), expected)


def _text(token: dict) -> str:
    return base64.urlsafe_b64encode(canonical(token)).rstrip(b"=").decode()


class Contained(unittest.TestCase):
    def test_a_model_or_a_tool_that_cannot_be_read_may_be_the_one(self):
        artifact = {
            "sub": "svc:a",
            "env": {"runtime": "host://a"},
            "pol": {"ref": "policy://a/v1"},
            "op": {"name": "tool.call"},
        }
        committed = {"_sd": "sha3-512:" + "0" * 128}
        for kind in ("model", "tool"):
            for member, expected in [({}, False), ({kind: "m"}, True), ({kind: "n"}, False), ({kind: committed}, True)]:
                with self.subTest(kind=kind, member=member):
                    held = {**artifact, "op": {**artifact["op"], **member}}
                    row = {"kind": kind, "subject": "m"}
                    self.assertEqual(admission.contains(row, "11-11", "host://a#p", held), expected)


if __name__ == "__main__":
    unittest.main()
