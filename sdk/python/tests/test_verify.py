import base64
import contextlib
import copy
import io
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from eleven_verify import Asked, EncodingError, TooMuch, canonical, conformance, form, parse, parse_file, verify
from eleven_verify.cli import main, shown

from . import VECTORS, vectors


def _leaves(value, path=()):
    if isinstance(value, dict):
        for key in value:
            yield from _leaves(value[key], (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _leaves(item, (*path, position))
    else:
        yield path


def _with_leaf_changed(bundle, path):
    changed = copy.deepcopy(bundle)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    value = holder[path[-1]]
    if isinstance(value, bool):
        value = not value
    elif isinstance(value, int):
        value += 1
    elif value is None:
        value = "x"
    else:
        value = value[:-1] + ("1" if value.endswith("0") else "0")
    holder[path[-1]] = value
    return changed


class Vectors(unittest.TestCase):
    def test_every_vector(self):
        lines = []
        passed, failed = conformance.run(VECTORS, lines.append)
        self.assertEqual([line for line in lines if line.startswith("FAIL")], [])
        self.assertEqual(failed, 0)
        self.assertGreater(passed, 400)

    def test_a_folder_without_vectors_fails(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(main(["conformance", folder]), 1)


class _Counted(list):
    """A list that counts how often it is gone through."""

    walked = 0

    def __iter__(self):
        self.walked += 1
        return super().__iter__()


class Bundles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = vectors("root.json")
        cls.bundle = vectors("bundle.proof.json")

    def test_no_value_of_a_bundle_can_be_changed(self):
        for path in _leaves(self.bundle):
            result = verify(_with_leaf_changed(self.bundle, path), Asked(self.root))
            self.assertEqual(result.verdict, "failed", path)

    def test_nothing_makes_it_raise(self):
        for member in self.bundle:
            for value in (None, 1, "", [], {}, [[]], [{}], {"kind": []}):
                self.assertEqual(verify({**self.bundle, member: value}, Asked(self.root)).verdict, "failed")
        for value in (None, 1, "", [], {}):
            self.assertEqual(verify(value, Asked(self.root)).verdict, "failed")

    def test_freshness(self):
        at = 1_778_605_454_000  # 2026-05-12T17:04:14Z, the head's own time
        for age, status in (
            (0, "passed"),
            (10_000, "passed"),
            (10_001, "failed"),
            (-2000, "passed"),
            (-2001, "failed"),
        ):
            result = verify(self.bundle, Asked(self.root, max_age_ms=10_000, now_ms=at + age))
            self.assertEqual(result.status()["head.fresh"], status, age)
        timeless = verify(self.bundle, Asked(self.root, max_age_ms=10_000))
        fresh = next(check for check in timeless.checks if check.name == "head.fresh")
        said = "an age was asked for, and no time given to measure it by"
        self.assertEqual((fresh.status, fresh.detail), ("failed", said))

    def test_a_file_holds_no_more_than_a_proof(self):
        self.assertEqual(parse_file((VECTORS / "bundle.proof.json").read_bytes()), self.bundle)
        values = b"[" + b"0," * form.VALUES_LIMIT + b"0]"
        for data in (values, b" " * form.PROOF_FILE_LIMIT + b"0"):
            with self.assertRaises(TooMuch):
                parse_file(data)
        with self.assertRaises(EncodingError):
            parse_file(b'{"a":1,"a":2}')

    def test_the_keys_are_looked_for_once_and_the_first_of_a_name_counts(self):
        kid = self.bundle["events"][0]["kid"]
        other = {"kind": "key", "record": {"kid": kid}}
        shown = self.bundle["registry"]
        for records, status in (([*shown["records"], other], "passed"), ([other, *shown["records"]], "failed")):
            bundle = {**self.bundle, "registry": {**shown, "records": records}}
            self.assertEqual(verify(bundle, Asked(self.root)).status()["lineage.signatures"], status)
        # What is no key is another check's to notice.
        bundle = {**self.bundle, "registry": {**shown, "records": [{"kind": "runtime"}, *shown["records"]]}}
        found = verify(bundle, Asked(self.root)).status()
        self.assertEqual((found["lineage.signatures"], found["registry.records"]), ("passed", "failed"))
        self.assertEqual(found["attestation.binding"], "passed")
        records = _Counted(shown["records"])
        events, entries = (self.bundle[name][:1] * 50 for name in ("events", "entries"))
        bundle = {**self.bundle, "events": events, "entries": entries, "registry": {**shown, "records": records}}
        self.assertEqual(verify(bundle, Asked(self.root)).status()["lineage.signatures"], "passed")
        # What asks each event's key asks none of the others.
        self.assertLess(records.walked, 10)

    def test_of_many_roots_the_pinned_one_is_encoded_once_and_more_than_there_is_room_for_are_not_looked_at(self):
        keys = _Counted(self.root["keys"])
        for shown in (self.bundle, vectors("equivocation.json")["cases"][0]["evidence"]):
            result = verify({**shown, "roots": [{}] * 50}, Asked({**self.root, "keys": keys}))
            self.assertEqual(result.status()["root.pinned"], "failed")
            many = [self.root] * (form.BUNDLE_LIMIT // len(canonical(self.root)) + 1)
            with mock.patch("eleven_verify.root.check") as check:
                result = verify({**shown, "roots": many}, Asked(self.root))
            check.assert_not_called()
            self.assertEqual((result.verdict, result.status()["root.signed"]), ("failed", "failed"))
        self.assertLess(keys.walked, 10)

    def test_a_statement_has_no_more_values_than_a_record_has_room_for(self):
        for values, says in ((form.EVENT_LIMIT - 1, "statement is not an object"), (form.EVENT_LIMIT, "more values")):
            events = copy.deepcopy(self.bundle["events"])
            payload = b"[" + b",".join([b"0"] * values) + b"]"
            events[4]["data"]["envelope"]["payload"] = base64.b64encode(payload).decode()
            result = verify({**self.bundle, "events": events}, Asked(self.root))
            (binding,) = (check for check in result.checks if check.name == "attestation.binding")
            self.assertEqual(binding.status, "failed")
            self.assertIn(says, binding.detail)

    def test_the_recorded_decision_input_is_not_replayed_here(self):
        result = verify({**self.bundle, "decision": {}}, Asked(self.root))
        self.assertEqual(result.status()["policy.replay"], "failed")

    def test_another_kind_or_operation_than_asked_for(self):
        self.assertEqual(
            verify(self.bundle, Asked(self.root, kind="execution", op=self.bundle["op"])).verdict, "verified"
        )
        self.assertEqual(verify(self.bundle, Asked(self.root, kind="unused")).verdict, "failed")
        self.assertEqual(verify(self.bundle, Asked(self.root, op="0" * 32)).verdict, "failed")

    def test_of_what_was_not_used_no_window_is_judged_also_without_its_artifact(self):
        bundle = next(case["bundle"] for case in vectors("bundles.json") if case["what"] == "unused-bounded")
        without = {name: value for name, value in bundle.items() if name != "artifact"}
        result = verify(without, Asked(self.root))
        self.assertEqual((result.verdict, result.status()["artifact.window"]), ("failed", "not_checked"))


class CommandLine(unittest.TestCase):
    def run_main(self, *arguments):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            try:
                code = main(["verify", *map(str, arguments)])
            except SystemExit as stop:
                code = stop.code
        return code, out.getvalue()

    def test_exit_codes(self):
        proof, root = VECTORS / "bundle.proof.json", VECTORS / "root.json"
        self.assertEqual(self.run_main(proof, "--root", root)[0], 0)
        self.assertEqual(self.run_main(proof)[0], 1)
        self.assertEqual(self.run_main(proof, "--root", root, "--kind", "denial")[0], 1)
        op = parse(proof.read_bytes())["op"]
        named = [(op, 0), (f"lineage://op/{op}", 0), (f"auth_{op}", 0), (f"lineage://op/auth_{op}", 1), ("", 1)]
        for name, code in named:
            self.assertEqual(self.run_main(proof, "--root", root, "--op", name)[0], code, name)
        self.assertEqual(self.run_main(proof, "--root", proof)[0], 2)
        self.assertEqual(self.run_main(proof, "--root", root, "--max-age", "soon")[0], 2)
        self.assertEqual(self.run_main(VECTORS / "nothing.json", "--root", root)[0], 2)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.proof.json"
            path.write_bytes(b'{"a":1,"a":2}')
            self.assertEqual(self.run_main(path, "--root", root)[0], 3)
            self.assertEqual(self.run_main(proof, "--root", path)[0], 2)
            path.write_bytes(b"[]")
            self.assertEqual(self.run_main(path, "--root", root)[0], 1)

    def run_process(self, path, encoding="utf-8", stdout=subprocess.PIPE):
        command = [sys.executable, "-m", "eleven_verify", "verify", str(path), "--root", str(VECTORS / "root.json")]
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, env=environment)

    def test_what_the_output_can_not_say_stands_as_an_escape(self):
        bundle = {**vectors("bundle.proof.json"), "kind": "\u4e2d", "\u4e2d": 1}
        for encoding in ("ascii", "cp1252"):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "x.proof.json"
                path.write_bytes(canonical(bundle))
                done = self.run_process(path, encoding)
            lines = done.stdout.decode("ascii").splitlines()
            self.assertEqual((done.returncode, done.stderr, len(lines)), (1, b"", 27), encoding)
            self.assertTrue(lines[-1].startswith("failed: \\u4e2d "), lines[-1])

    def test_who_leaves_before_the_end_is_told_nothing_more(self):
        read, write = os.pipe()
        os.close(read)
        try:
            done = self.run_process(VECTORS / "bundle.proof.json", stdout=write)
        finally:
            os.close(write)
        said = done.stderr.decode().splitlines()
        self.assertEqual((done.returncode, len(said)), (1, 1), said)
        self.assertTrue(said[0].startswith("eleven_verify: standard output: "), said)

    def test_what_a_file_says_steers_no_terminal(self):
        forged = "\x1b[2J\x1b[H\x1b[32mVERIFIED\x1b[0m\x9b1A\x7f\r\u202e\u2066\u2028"
        bundle = {**vectors("bundle.proof.json"), "kind": forged, "op": forged, forged: 1}
        bundle["head"] = {**bundle["head"], "at": forged}
        for options in ([], ["--json"]):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "x.proof.json"
                path.write_bytes(canonical(bundle))
                code, out = self.run_main(path, "--root", VECTORS / "root.json", *options)
            self.assertEqual(code, 1)
            self.assertEqual([c for c in out.replace("\n", "") if not (" " <= c <= "~" or c == "\x7f")], [], options)
        self.assertIn("bundle.form", out)

    def test_a_line_shows_what_would_steer_a_terminal(self):
        self.assertEqual(shown("a\x1b[2J\x9bé\u202e\u2069\t漢"), r"a\u{1b}[2J\u{9b}é\u{202e}\u{2069}\u{9}漢")

    def test_a_file_may_be_written_with_more_white_space_than_a_bundle_is_long(self):
        proof = (VECTORS / "bundle.proof.json").read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.proof.json"
            for length, code in ((5 * 1024 * 1024, 0), (form.PROOF_FILE_LIMIT + 1, 2)):
                path.write_bytes(proof.ljust(length))
                self.assertEqual(self.run_main(path, "--root", VECTORS / "root.json")[0], code, length)

    def test_a_file_of_more_values_than_any_bundle_has_is_not_read(self):
        # Two bytes a value, the array's own among them: the shorter one is past a bundle's 4 MiB by a byte.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.proof.json"
            for values, code in ((form.VALUES_LIMIT, 1), (form.VALUES_LIMIT + 1, 2)):
                path.write_bytes(b"[" + b"0," * (values - 2) + b"0]")
                self.assertEqual(self.run_main(path)[0], code, values)

    def test_result_document(self):
        code, out = self.run_main(VECTORS / "bundle.proof.json", "--root", VECTORS / "root.json", "--json")
        document = parse(out.encode())
        self.assertEqual(code, 0)
        self.assertEqual(set(document), {"verdict", "kind", "op", "size", "at", "checks"})
        self.assertEqual(len(document["checks"]), 26)
        self.assertEqual(document["checks"][0], {"name": "bundle.form", "status": "passed"})
        self.assertEqual(parse(canonical(document)), document)


if __name__ == "__main__":
    unittest.main()
