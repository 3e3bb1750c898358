import hashlib
import unittest

from eleven_verify import index, ledger
from eleven_verify.form import FormError

LEAVES = [hashlib.sha256(bytes([n])).digest() for n in range(40)]


class Rfc6962(unittest.TestCase):
    def test_inclusion_at_every_size(self):
        for size in range(1, len(LEAVES) + 1):
            root = ledger.tree_root(LEAVES[:size])
            for seq in range(size):
                path = ledger.inclusion_path(LEAVES[:size], seq)
                self.assertEqual(ledger.root_from_inclusion(LEAVES[seq], seq, size, path), root)
                if path:
                    with self.assertRaises(FormError):
                        ledger.root_from_inclusion(LEAVES[seq], seq, size, path[:-1])
                with self.assertRaises(FormError):
                    ledger.root_from_inclusion(LEAVES[seq], seq, size, [*path, bytes(32)])

    def test_consistency_of_all_sizes(self):
        roots = [ledger.tree_root(LEAVES[:size]) for size in range(len(LEAVES) + 1)]
        for second in range(1, len(LEAVES) + 1):
            for first in range(1, second + 1):
                path = ledger.consistency_path(LEAVES[:second], first)
                self.assertTrue(ledger.consistent(first, roots[first], second, roots[second], path))
                self.assertFalse(ledger.consistent(first, roots[first - 1], second, roots[second], path))
                self.assertFalse(ledger.consistent(first, roots[first], second, roots[second], [*path, bytes(32)]))


class Sparse(unittest.TestCase):
    def setUp(self):
        self.items = {hashlib.sha256(leaf).digest(): leaf for leaf in LEAVES}
        self.root = index.shown(index.root(self.items))

    def test_presence_and_absence(self):
        for key, value in self.items.items():
            self.assertEqual(index.proves(index.prove(self.items, key), key, self.root), ("present", value))
        for number in range(200):
            key = hashlib.sha256(b"absent %d" % number).digest()
            self.assertEqual(index.proves(index.prove(self.items, key), key, self.root), ("absent", None))

    def test_a_present_key_is_not_shown_absent(self):
        for key in self.items:
            proof = index.prove(self.items, key)
            for other in self.items:
                if other != key:
                    self.assertNotEqual(index.proves(index.prove(self.items, other), key, self.root)[0], "absent")
            self.assertEqual(index.proves({**proof, "end": None}, key, self.root)[0], "nothing")

    def test_neighbours_that_differ_in_the_last_bit(self):
        low, high = bytes(32), bytes(31) + b"\x01"
        items = {low: LEAVES[0], high: LEAVES[1]}
        root, proof = index.shown(index.root(items)), index.prove(items, low)
        self.assertEqual(len(proof["siblings"]), 256)
        self.assertEqual(index.proves(proof, low, root), ("present", LEAVES[0]))
        longer = {**proof, "siblings": [*proof["siblings"], index.shown(bytes(32))]}
        self.assertEqual(index.proves(longer, low, root)[0], "nothing")

    def test_empty(self):
        self.assertEqual(index.proves({"siblings": [], "end": None}, bytes(32), index.shown(index.EMPTY))[0], "absent")


if __name__ == "__main__":
    unittest.main()
