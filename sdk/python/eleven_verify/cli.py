"""Command line: `verify` one proof file, `conformance` over a folder of vectors."""

import argparse
import io
import json
import os
import re
import sys
import time
from pathlib import Path

from . import bundle, conformance, form
from . import root as trust
from .encoding import EncodingError, TooMuch

VERIFIED, FAILED, USAGE, NOT_I_JSON = 0, 1, 2, 3
# C0 with DEL, C1, the separators of lines and paragraphs, and the marks that turn the direction of text.
_STEERS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class _Stop(Exception):
    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


class _Unsaid(_Stop):
    """Whoever was to read the output is gone, or it has no room left."""


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    # A file may name what the output's encoding can't say: that stands as an escape, and the verdict behind it.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return arguments.run(arguments)
    except _Stop as stop:
        if isinstance(stop, _Unsaid):
            # What is left unsaid would be tried once more at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(shown(f"eleven_verify: {stop}"), file=sys.stderr)
        return stop.code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="eleven_verify", description="verify proofs of the 11/11 protocol, offline")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    verify = commands.add_parser("verify", help="verify a proof file against a pinned trust root")
    verify.add_argument("file", metavar="FILE", type=Path, help="the *.proof.json")
    verify.add_argument("--root", type=Path, help="the trust root you pinned; without it nothing is verified")
    verify.add_argument("--json", action="store_true", help="print the result document")
    verify.add_argument("--kind", choices=bundle.KINDS, help="fail unless the bundle is of this kind")
    verify.add_argument("--op", type=_operation, help="fail unless the bundle is of this operation")
    verify.add_argument("--max-age", type=_age, metavar="S", help="fail if the head is older than S seconds")
    verify.set_defaults(run=_verify)
    run = commands.add_parser("conformance", help="run every vector file of a folder")
    run.add_argument("folder", metavar="DIR", type=Path)
    run.set_defaults(run=_conformance)
    return parser


def _age(value: str) -> int:
    if not (value.isascii() and value.isdecimal()):
        raise argparse.ArgumentTypeError("give a whole number of seconds")
    return int(value)


def _operation(name: str) -> str:
    """The id of an operation that is named by it, or as callers are told of it: by its lineage or its artifact."""
    lineage = name.removeprefix("lineage://op/")
    return lineage if lineage != name else name.removeprefix("auth_")


def _verify(arguments) -> int:
    asked = bundle.Asked(
        root=_root(arguments.root) if arguments.root else None,
        kind=arguments.kind,
        op=arguments.op,
        max_age_ms=None if arguments.max_age is None else arguments.max_age * 1000,
        now_ms=time.time_ns() // 1_000_000,
    )
    result = bundle.verify(_load(arguments.file), asked)
    if arguments.json:
        _say(json.dumps(result.document()))
    else:
        _print(result)
    return VERIFIED if result.verdict == "verified" else FAILED


def _root(path: Path) -> dict:
    data = _read(path)
    try:
        root = bundle.parse_file(data)
        trust.check(root)
    except (form.FormError, TooMuch, EncodingError, KeyError, TypeError) as error:
        raise _Stop(USAGE, f"{path} is not a trust root: {error}") from error
    return root


def _load(path: Path):
    """The parsed file, which may be written as anyone writes JSON: the limit of a bundle is of its canonical bytes."""
    data = _read(path)
    try:
        return bundle.parse_file(data)
    except TooMuch as error:
        raise _Stop(USAGE, f"{path}: more values than any proof file has") from error
    except EncodingError as error:
        raise _Stop(NOT_I_JSON, f"{path} is not I-JSON: {error}") from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(form.PROOF_FILE_LIMIT + 1)
    except OSError as error:
        raise _Stop(USAGE, f"can't read {path}: {error.strerror}") from error
    if len(data) > form.PROOF_FILE_LIMIT:
        raise _Stop(USAGE, f"{path} is larger than any proof file (64 MiB)")
    return data


def _print(result: bundle.Result):
    for check in result.checks:
        _say(shown(f"{check.status:<12} {check.name:<22} {check.detail or ''}".rstrip()))
    _say(shown(f"{result.verdict}: {result.kind} {result.op}, ledger size {result.size} at {result.at}"))


def _say(line: str):
    try:
        print(line, flush=True)
    except OSError as error:
        raise _Unsaid(FAILED, f"standard output: {error.strerror}") from error


def shown(text: str) -> str:
    """A line in which nothing that a file says steers the terminal, or turns the order of what is read."""
    return _STEERS.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", text)


def _conformance(arguments) -> int:
    if not arguments.folder.is_dir():
        raise _Stop(USAGE, f"{arguments.folder} is not a folder")
    passed, failed = conformance.run(arguments.folder, lambda line: _say(shown(line)))
    _say(f"{passed} passed, {failed} failed")
    return VERIFIED if passed and not failed else FAILED
