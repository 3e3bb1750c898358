"""Bundles that keep every hash, proof and signature and break one rule of form. Each fails in the check that reads it; the
other verifier says the same (`test_differential`)."""

import unittest

from eleven_verify import Asked, verify

from . import forge, vectors


def _op(**more):
    return lambda parts: parts.artifact["op"].update(more)


def _data(name: str, **more):
    return lambda parts: parts.event(name)["data"].update(more)


def _revoked(**more):
    def change(parts):
        parts.revoke()
        parts.revocation.update(more)

    return change


def _many_operations(parts):
    parts.policy["operations"] = sorted(["model.invoke", *(f"op.{number:060}" for number in range(300))])


# What was changed, how, and the check that has to fail; None where it has to verify.
CASES = [
    ("nothing", lambda parts: None, None),
    ("revoked at the end", _revoked(), None),
    # A commitment is a hash, and whatever else stands there stands in clear (5.2).
    ("a sensitive value as `_sd`", _op(patient={"_sd": "p-4711"}), "policy.hash"),
    ("an object as `_sd`", _op(patient={"_sd": {"name": "p-4711"}}), "policy.hash"),
    ("another hash as `_sd`", _op(patient={"_sd": "sha256:" + "0" * 64}), "policy.hash"),
    # An event record is at most 16 KiB and of its form, wherever it stands (5, 13).
    ("an event of more than 16 KiB", _data("execution.completed", cause="x" * 16_384), "lineage.order"),
    ("a publication of more than 16 KiB", _many_operations, "policy.published"),
    ("a publication at no time", lambda parts: parts.published.update(ts="yesterday"), "policy.published"),
    ("a publication without number", lambda parts: parts.published.update(src_seq="1"), "policy.published"),
    ("a revocation of more than 16 KiB", _revoked(reason="x" * 16_384), "artifact.unrevoked"),
    ("a revocation for no reason known", _revoked(reason="because"), "artifact.unrevoked"),
    ("a revocation at no time", _revoked(ts="2026-05-12"), "artifact.unrevoked"),
]


class Forged(unittest.TestCase):
    def test_each_fails_where_its_form_is_read(self):
        root = vectors("root.json")
        for what, change, check in CASES:
            with self.subTest(what):
                result = verify(forge.forged(change), Asked(root))
                failed = [check.name for check in result.checks if check.status == "failed"]
                self.assertEqual(result.verdict, "failed" if check else "verified", failed)
                self.assertTrue(check is None or check in failed, failed)


if __name__ == "__main__":
    unittest.main()
