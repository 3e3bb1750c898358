import copy
import unittest

from eleven_verify import Asked, verify

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


def _objects(value, path=()):
    """The path of every object in a value, its own included."""
    if isinstance(value, dict):
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in inner:
        yield from _objects(child, (*path, step))


if __name__ == "__main__":
    unittest.main()
