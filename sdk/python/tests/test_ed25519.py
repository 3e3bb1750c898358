import unittest

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eleven_verify import ed25519

SEED = bytes(range(32))
PUBLIC = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()


class Strict(unittest.TestCase):
    def test_a_signature(self):
        signature = ed25519.sign(SEED, b"message")
        self.assertTrue(ed25519.verify(PUBLIC, b"message", signature))
        for position in range(64):
            flipped = bytearray(signature)
            flipped[position] ^= 1
            self.assertFalse(ed25519.verify(PUBLIC, b"message", bytes(flipped)))

    def test_s_plus_l(self):
        signature = ed25519.sign(SEED, b"message")
        s = int.from_bytes(signature[32:], "little") + ed25519.L
        self.assertFalse(ed25519.verify(PUBLIC, b"message", signature[:32] + s.to_bytes(32, "little")))

    def test_points(self):
        self.assertTrue(ed25519.acceptable_point(PUBLIC))
        identity, order_two = (1).to_bytes(32, "little"), (ed25519.P - 1).to_bytes(32, "little")
        order_four = bytes(32)
        not_canonical = (ed25519.P + 1).to_bytes(32, "little")
        off_the_curve = (2).to_bytes(32, "little")
        for encoded in (identity, order_two, order_four, not_canonical, off_the_curve):
            self.assertFalse(ed25519.acceptable_point(encoded))

    def test_order_eight(self):
        encoded = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
        self.assertIsNotNone(ed25519._decode(encoded))
        self.assertFalse(ed25519.acceptable_point(encoded))

    def test_lengths(self):
        self.assertFalse(ed25519.verify(PUBLIC[:31], b"", bytes(64)))
        self.assertFalse(ed25519.verify(PUBLIC, b"", bytes(63)))


if __name__ == "__main__":
    unittest.main()
