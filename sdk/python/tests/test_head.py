import base64
import unittest

from eleven_verify import form, head

from . import vectors


class Checkpoints(unittest.TestCase):
    """The lines of a signed note, as C2SP gives them: a line that nobody asks for has to be of its form as well."""

    @classmethod
    def setUpClass(cls):
        cls.note = vectors("head.json")["checkpoint"]
        cls.blob = base64.b64encode(bytes(5)).decode()

    def parse(self, *lines: str) -> head.Checkpoint:
        return head.parse_checkpoint(self.note + "".join(f"{line}\n" for line in lines))

    def test_lines_by_others_are_read(self):
        lines = len(self.parse().lines)
        self.assertEqual(len(self.parse(f"\u2014 another.example/log {self.blob}").lines), lines + 1)
        filled = [f"\u2014 a {self.blob}"] * (head.MAX_LINES - lines)
        self.assertEqual(len(self.parse(*filled).lines), head.MAX_LINES)
        with self.assertRaises(form.FormError):
            self.parse(*filled, f"\u2014 a {self.blob}")

    def test_a_line_of_another_form_is_refused(self):
        names = ("a+b", "", "a\u00a0b", "a\u2003b", "a\tb", "a\u0085b", "a\x7fb")
        lines = [f"\u2014 {name} {self.blob}" for name in names]
        lines += [f"- a {self.blob}", f"\u2014 a {self.blob} ", f"\u2014 a {self.blob.rstrip('=')}", "\u2014 a", ""]
        lines += [f"\u2014 a {base64.b64encode(bytes(4)).decode()}"]
        for line in lines:
            with self.subTest(line), self.assertRaises(form.FormError):
                self.parse(line)

    def test_an_origin_is_a_key_s_name_and_a_size_a_number_of_the_protocol(self):
        origin, size, rest = self.note.split("\n", 2)
        for other in (f"a+b\n{size}", f"a b\n{size}", f"\n{size}", f"{origin}\n{2**53}", f"{origin}\n0{size}"):
            with self.subTest(other), self.assertRaises(form.FormError):
                head.parse_checkpoint(f"{other}\n{rest}")


if __name__ == "__main__":
    unittest.main()
