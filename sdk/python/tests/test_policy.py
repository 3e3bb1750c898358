import unittest

from eleven_verify import admission, form, policy


def _row(*patterns, operations=("model.invoke",)):
    return {"operations": list(operations), "runtimes": list(patterns)}


class Patterns(unittest.TestCase):
    def test_matches(self):
        yes = [
            ("k8s://*/ns/inference", "k8s://c/ns/inference"),
            ("k8s://east-*/ns/*", "k8s://east-1/ns/x"),
            ("k8s://a*b*c/x", "k8s://aXbYc/x"),
            ("host://h/p", "host://h/p"),
        ]
        no = [
            ("k8s://*/ns/inference", "k8s://c/d/ns/inference"),
            ("k8s://east-*/ns/*", "k8s://east-/ns/x"),
            ("k8s://a*b*c/x", "k8s://abc/x"),
            ("k8s://a*a/x", "k8s://aa/x"),
            ("k8s://*/ns/x", "host://c/ns/x"),
            ("k8s://c", "k8s://c/ns"),
        ]
        for pattern, runtime in yes:
            self.assertTrue(policy.matches(pattern, runtime), (pattern, runtime))
        for pattern, runtime in no:
            self.assertFalse(policy.matches(pattern, runtime), (pattern, runtime))

    def test_overlap(self):
        self.assertTrue(policy.overlap(_row("k8s://*/ns/x"), _row("k8s://c/ns/*")))
        self.assertFalse(policy.overlap(_row("k8s://c/ns/x"), _row("k8s://c/ns/y")))
        self.assertFalse(policy.overlap(_row("k8s://*/ns/x"), _row("k8s://c/ns/*", operations=("tool.call",))))

    def test_under(self):
        self.assertTrue(admission.under("k8s://c", "k8s://c/ns/x#p"))
        self.assertTrue(admission.under("k8s://c", "k8s://c#p"))
        self.assertFalse(admission.under("k8s://c", "k8s://c2"))


class Names(unittest.TestCase):
    def test_names(self):
        good = {
            "identity": "svc:a@eu.example",
            "key": "key:11-11/prod/2026-q2",
            "point": "exec://h/p#x",
            "lineage": "0" * 32 + ".3",
        }
        bad = {"identity": "svc:A", "key": "key:11-11/prod", "point": "exec://h/p", "lineage": "0" * 32 + ".03"}
        for kind, name in good.items():
            self.assertTrue(form.is_named(name, kind), name)
        for kind, name in bad.items():
            self.assertFalse(form.is_named(name, kind), name)

    def test_segments_and_domains(self):
        """Each of 64 characters at most, the three of an escape among them; a domain is one segment, of labels."""
        name, last, escaped = "a" * 64, "k8s://" + "/".join(["a" * 64] * 3), "%C3%A9" * 10 + "abcd"
        for kind, good in (
            ("domain", name),
            ("domain", "my_domain.eu-1"),
            ("key", f"key:{name}/a/b"),
            ("identity", f"svc:{escaped}@{name}"),
            ("runtime", last),
            ("ledger", "ledger://a.b"),
            ("policy", "policy://a/v999999999999999"),
        ):
            self.assertTrue(form.is_named(good, kind), good)
        for kind, bad in (
            ("domain", name + "a"),
            ("domain", "a..b"),
            ("domain", ".a"),
            ("domain", "a."),
            ("domain", "a%20b"),
            ("key", f"key:{name}a/a/b"),
            ("key", f"key:a/{name}a/b"),
            ("identity", f"svc:{escaped}a"),
            ("identity", "svc:%c3"),
            ("identity", "svc:%C"),
            ("runtime", last + "a"),
            ("ledger", "ledger://a."),
            ("policy", "policy://a/v1000000000000000"),
            ("lineage", "0" * 32 + "." + "1" * 16),
        ):
            self.assertFalse(form.is_named(bad, kind), bad)

    def test_an_escape_stands_for_what_does_not_stand_there_itself(self):
        plain = set(b"abcdefghijklmnopqrstuvwxyz0123456789._-")
        for byte in range(256):
            self.assertEqual(form.is_named(f"a%{byte:02X}", "segment"), byte not in plain, byte)
        for name in ("svc:%61", "svc:a:%70rod", "svc:%4", "svc:%GG"):
            self.assertFalse(form.is_named(name, "identity"), name)

    def test_times(self):
        self.assertEqual(form.to_seconds(form.seconds("2026-05-12T17:05:00Z")), "2026-05-12T17:05:00Z")
        for time in (
            "2026-05-12T17:05:00.0Z",
            "2026-02-30T00:00:00Z",
            "2026-05-12T24:00:00Z",
            "2026-05-12 17:05:00Z",
            None,
        ):
            with self.assertRaises(form.FormError):
                form.seconds(time)


if __name__ == "__main__":
    unittest.main()
