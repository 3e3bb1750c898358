"""Bundles that keep every hash, proof and signature and break one rule of form. Each fails in the check that reads it; the
other verifier says the same (`test_differential`)."""

import unittest

from eleven_verify import Asked, verify

from . import forge, vectors


def _op(**more):
    return lambda parts: parts.artifact["op"].update(more)


def _revoked(**more):
    def change(parts):
        parts.revoke()
        parts.revocation.update(more)

    return change


# What was changed, how, and the check that has to fail; None where it has to verify.
CASES = [
    ("nothing", lambda parts: None, None),
    ("revoked at the end", _revoked(), None),
    # A commitment is a hash, and whatever else stands there stands in clear (5.2).
    ("a sensitive value as `_sd`", _op(patient={"_sd": "p-4711"}), "policy.hash"),
    ("an object as `_sd`", _op(patient={"_sd": {"name": "p-4711"}}), "policy.hash"),
    ("another hash as `_sd`", _op(patient={"_sd": "sha256:" + "0" * 64}), "policy.hash"),
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
