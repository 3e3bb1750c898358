import random
import tracemalloc
import unittest

from eleven_verify import ed25519, form, head, policy
from eleven_verify.encoding import EncodingError, canonical, parse, parse_canonical, same


def _random_value(rng: random.Random, depth: int):
    kind = rng.randrange(7 if depth else 5)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.randint(-(2**53) + 1, 2**53 - 1)
    if kind < 5:
        return "".join(chr(rng.choice([rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)])) for _ in range(4))
    if kind == 5:
        return [_random_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {_random_value(rng, 0).__repr__(): _random_value(rng, depth - 1) for _ in range(rng.randrange(4))}


def _refused(read, text: str):
    try:
        read(text)
    except form.FormError:
        return
    raise AssertionError("it was taken")


class Encoding(unittest.TestCase):
    def test_what_is_encoded_parses_to_the_same(self):
        rng = random.Random(11)
        for _ in range(500):
            value = _random_value(rng, 4)
            data = canonical(value)
            self.assertTrue(same(parse(data), value))
            self.assertEqual(canonical(parse_canonical(data)), data)

    def test_members_sort_by_utf16(self):
        self.assertEqual(canonical({"\ufb33": 1, "\U0001f600": 2}), '{"\U0001f600":2,"\ufb33":1}'.encode())

    def test_not_canonical(self):
        for data in (b'{"b":1,"a":2}', b"[1, 2]", b'"\\u0041"', b"[1]\n"):
            parse(data)
            with self.assertRaises(EncodingError):
                parse_canonical(data)

    def test_depth(self):
        parse(b"[" * 32 + b"]" * 32)
        for data in (b"[" * 33 + b"]" * 33, b"[" * 100_000):
            with self.assertRaises(EncodingError):
                parse(data)

    def test_truth_is_not_one(self):
        self.assertFalse(same({"a": True}, {"a": 1}))

    def test_a_string_is_the_same_however_it_is_escaped(self):
        whole = '"\\/\b\f\n\r\t\x01\x7fA\u00e9\u2028\U0001f600'
        for text in (
            rb'"\"\\\/\b\f\n\r\t\u0001\u007f\u0041\u00e9\u2028\ud83d\ude00"',
            rb'"\u0022\u005c\u002F\u0008\u000c\u000A\u000D\u0009\u0001\u007F\u0041\u00E9\u2028\uD83D\uDE00"',
            canonical(whole),
        ):
            self.assertEqual(parse(text), whole)
        halves = (r"\ud83d", r"\ude00", r"\ude00\ud83d", r"\ud83d\u0041", r"\ud83d\n")
        for inside in (*halves, r"\x", r"\u12", r"\u+123", r"\u1_23", "\n", "\x00", "\\"):
            with self.assertRaises(EncodingError, msg=inside):
                parse(f'"{inside}"'.encode())

    def test_one_long_text_takes_no_more_than_a_few_times_its_size(self):
        size = 1 << 20
        slashes = "/op/" + "/" * size
        for what, call in (
            ("escapes", lambda: parse(b'"' + b"\\n" * (size // 2) + b'"')),
            ("what needs escapes", lambda: canonical("\n" * size)),
            ("a runtime", lambda: form.is_named("k8s://" + "a/" * (size // 2) + "a", "runtime")),
            ("a policy", lambda: form.is_named("policy://" + "a/" * (size // 2) + "v1", "policy")),
            ("a pointer that is sensitive", lambda: policy.in_clear({}, slashes)),
            ("a pointer", lambda: policy.resolve({}, slashes)),
            ("lines of a note", lambda: _refused(head.parse_checkpoint, "a\n1\n" + "A" * 43 + "=\n\n" + "\n" * size)),
            ("a line of a note", lambda: _refused(head._signature_line, "\u2014" + " " * size)),
        ):
            with self.subTest(what):
                tracemalloc.start()
                try:
                    call()
                    _, peak = tracemalloc.get_traced_memory()
                finally:
                    tracemalloc.stop()
                self.assertLess(peak, 6 * size)

    def test_of_what_is_long_nothing_is_remembered(self):
        canonical({"a": "b"})
        tracemalloc.start()
        try:
            for number in range(40):
                text = "x" * (1 << 20) + str(number)
                canonical({text: text})
                for signature in (bytes(64), text.encode()):
                    self.assertFalse(ed25519.verify(bytes(32), text.encode(), signature))
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertLess(kept, 8 << 20)

    def test_what_has_no_encoding(self):
        for value in (1.5, 2**53, "\ud800", {1: 2}, b"x"):
            with self.assertRaises(EncodingError):
                canonical(value)


if __name__ == "__main__":
    unittest.main()
