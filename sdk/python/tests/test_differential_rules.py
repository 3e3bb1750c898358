"""The rules of both implementations over the same changed records and tokens, each signed anew so that no signature and no hash
tells: what is appended (6.1), and the reason of an admission (4.1).

Needs the binary, as `test_differential`, and goes by the same seed and the same variables.
"""

import base64
import copy
import json
import os
import random
import subprocess
import tempfile
import unittest
from pathlib import Path

from eleven_verify import EncodingError, admission, canonical, event, hashes, parse, registry

from . import forge, vectors
from . import test_append_own as own
from .test_differential import BINARY, _change, _count, _seed, _valid

_SPOILT = (LookupError, TypeError, AttributeError, ValueError)
_NONE = {"event_hash": "sha3-512:" + "0" * 128, "event_hash_alt": "blake2b-512:" + "0" * 128}


class Rules(unittest.TestCase):
    @unittest.skipUnless(BINARY and os.path.exists(BINARY), "no binary to compare with: set ELEVEN_BIN")
    def test_both_append_the_same_and_give_the_same_reasons(self):
        seed, count, others = _seed(), _count() // 5, _valid()
        print(f"rules: {count} random changes, ELEVEN_SEED={seed}")
        alone, behind = _lawful()
        files = {
            "append.json": [_appended(random.Random(f"{seed} a {n}"), alone, others) for n in range(count)],
            # Each of these replays a ledger.
            "append-own.json": [_appended(random.Random(f"{seed} b {n}"), behind, others) for n in range(count // 8)],
            "admission.json": [_admitted(random.Random(f"{seed} c {n}"), others) for n in range(count)],
        }
        files = {name: [case for case in cases if case] for name, cases in files.items()}
        said = _other(files)
        for name, cases in files.items():
            # A line for each, so that none is passed over.
            lines = [line.split(maxsplit=2) for line in said if line.split(maxsplit=2)[1:2] == [name]]
            self.assertEqual(len(lines), len(cases), lines[:1])
            differ = [(line[2], case["how"]) for line, case in zip(lines, cases, strict=True) if line[0] != "ok"]
            self.assertEqual(differ[:10], [], f"{len(differ)} of {len(cases)} differ in {name}")


def _other(files: dict) -> list[str]:
    """What the other implementation says of these cases, line by line."""
    with tempfile.TemporaryDirectory() as folder:
        whole = vectors("ledger.json")
        shapes = {
            "ledger.json": whole,
            "append.json": {"prefix": len(whole["entries"]), "cases": files["append.json"]},
            "append-own.json": {"cases": files["append-own.json"]},
            "admission.json": {"base": vectors("admission.json")["base"], "cases": files["admission.json"]},
        }
        for name, shape in shapes.items():
            (Path(folder) / name).write_text(json.dumps(shape, ensure_ascii=False))
        # Of the files that are not there it says that they are not: that it fails says nothing.
        command = [BINARY, "conformance", "vectors", folder]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


# Records -----------------------------------------------------------------------------


def _lawful() -> tuple[list, list]:
    """The records that are appended of this project's vectors, each with its case: without and with entries before them."""
    ledger, alone, behind = own._ledger(), [], []
    for _, expect, make in own._CASES:
        if expect == "accept":
            case = own._Case(ledger)
            record = make(case)
            (behind if case.before else alone).append((case, record))
    return alone, behind


def _appended(dice: random.Random, lawful: list, others: list) -> dict | None:
    case, record = dice.choice(lawful)
    body, alone = copy.deepcopy(event.body(record)), record["op"] == event.single_op(record)
    how = "; ".join(_change(body, others, dice) for _ in range(dice.choice((1, 1, 2))))
    kid = record["kid"]
    try:
        if dice.random() < 0.8:
            _sign_inside(body)
        if alone and dice.random() < 0.9:
            body["op"] = hashes.content_id(hashes.without(body, "op"))
        changed = {**body, "sig": forge.sign(kid, body)}
    except EncodingError:
        return None
    changed |= _hashes(changed)
    said = {"how": f"{record['event']}: {how}", "what": record["event"], "at": case.at, "before": case.before}
    return said | {"record": changed, "expect": case.ledger.judge(changed, case.at).outcome}


def _hashes(record: dict) -> dict:
    try:
        return {"event_hash": event.event_hash(record), "event_hash_alt": event.event_hash_alt(record)}
    except _SPOILT:
        return _NONE


def _sign_inside(body: dict):
    """What carries a signature of its own in the data gets another, as far as it is still there."""
    data = body.get("data")
    try:
        match body.get("event"):
            case "key.registered":
                data["grant"] = forge.sign(own.REGISTRY_KEY, data["key"])
            case "policy.published":
                data["sig"] = forge.sign(own.POLICY_KEY, {"domain": "11-11", "hash": data["hash"], "ref": data["ref"]})
            case "interface.approved":
                ref = f"{data['service']}/{data['version']}"
                data["sig"] = forge.sign(own.POLICY_KEY, {"domain": "11-11", "hash": data["hash"], "ref": ref})
            case "domain.stated":
                statement = data["statement"]
                sig = forge.sign(own.POLICY_KEY, hashes.without(statement, "sig"))
                statement["sig"] = {**sig, "kid": statement["kid"]}
            case "root.published":
                _sign_root(data["root"])
            case "ledger.recovered":
                _sign_root(data)
    except _SPOILT:
        pass


def _sign_root(signed: dict):
    for sig in signed["sigs"]:
        sig["val"] = forge.sign(sig["kid"], hashes.without(signed, "sigs"))["val"]


# Tokens and what a point knows ---------------------------------------------------------


def _admitted(dice: random.Random, others: list) -> dict | None:
    base = vectors("admission.json")["base"]
    member = dice.choice(("token", "token", "token", "registry", "stamp", "root"))
    value = _token(base["token"]) if member == "token" else copy.deepcopy(base[member])
    how = "; ".join(_change(value, others, dice) for _ in range(dice.choice((1, 1, 2))))
    change = {member: value}
    try:
        if dice.random() < 0.8:
            _sign_known(member, change, base, dice)
        if member == "token":
            change["token"] = _text(change["token"])
        canonical(change)
        expected = admission.decide({**base, **change}) or "permit"
    except EncodingError:
        return None
    return {"how": f"{member}: {how}", "what": member, "change": change, "expect": expected}


def _token(text: str) -> dict:
    return parse(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def _text(token) -> str:
    return base64.urlsafe_b64encode(canonical(token)).rstrip(b"=").decode()


def _sign_known(member: str, change: dict, base: dict, dice: random.Random):
    value = change[member]
    try:
        if member == "token":
            _sign_token(value["artifact"], value["issued"], dice.random() < 0.7)
        elif member == "root":
            _sign_root(value)
        elif member == "stamp":
            value["sig"] = forge.sign(base["stamp"]["kid"], hashes.without(value, "sig"))
        else:
            header = value["header"]
            header["items"] = registry.items_root(value)
            header["sig"] = forge.sign(base["stamp"]["kid"], hashes.without(header, "sig"))
            stamp = {**base["stamp"], "epoch": header["epoch"], "hash": registry.header_hash(header)}
            change["stamp"] = {**stamp, "sig": forge.sign(stamp["kid"], hashes.without(stamp, "sig"))}
    except _SPOILT:
        pass


def _sign_token(artifact: dict, issued: dict, whole: bool):
    """By the keys that they name; where it is whole, the id follows from the content, and the record from the artifact."""
    if whole:
        artifact["id"] = "auth_" + hashes.content_id(hashes.without(artifact, "id", "chash", "sig"))
        issued.update(admission.named(artifact), op=artifact["id"].removeprefix("auth_"))
    signed = hashes.without(artifact, "chash", "sig")
    artifact["chash"] = hashes.of(signed)
    artifact["sig"]["val"] = forge.sign(artifact["sig"]["kid"], signed)["val"]
    if whole:
        issued["data"].update(chash=artifact["chash"], exp=artifact["exp"])
    issued.update(_hashes(issued))
    issued["sig"]["val"] = forge.sign(issued["sig"]["kid"], event.body(issued))["val"]


if __name__ == "__main__":
    unittest.main()
