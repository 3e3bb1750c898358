"""The two verifiers over evidence of equivocation: of the vectors, with something changed; and made anew, with a part
changed before what follows from it is made and signed, so that no signature and no hash tells. Equal verdicts, and no
check fails here that passes there.

Needs the binary, as `test_differential`, and goes by the same seed and the same variables.
"""

import base64
import copy
import functools
import os
import random
import tempfile
import unittest
from pathlib import Path

from eleven_verify import canonical, ed25519, event, form, hashes, head, index, ledger, registry
from eleven_verify import root as trust
from eleven_verify.admission import named

from . import vectors
from .test_differential import BINARY, _bytes, _change, _count, _Other, _ours, _places, _seed, moved

_LEAVES = [hashes.sha256(b"leaf %d" % number) for number in range(9)]
_FORKED = [*_LEAVES[:3], hashes.sha256(b"another"), *_LEAVES[4:]]
_AT, _LATER, _DUE = "2026-05-12T17:00:01.000Z", "2026-05-12T17:00:02.000Z", "2026-05-12T17:01:01.001Z"
_OTHER = {hashes.sha256(b"another lineage"): hashes.sha256(b"its last event")}
_SPOILT = (LookupError, TypeError, AttributeError, ValueError)


class Evidence(unittest.TestCase):
    @unittest.skipUnless(BINARY and os.path.exists(BINARY), "no binary to compare with: set ELEVEN_BIN")
    def test_both_verifiers_say_the_same(self):
        seed, count, file = _seed(), _count() // 5, _file()
        print(f"evidence: {2 * count} random changes, ELEVEN_SEED={seed}")
        shown = [("", case["evidence"]) for case in file["cases"]]
        proven = dict.fromkeys(_KINDS, 0)
        with tempfile.TemporaryDirectory() as folder:
            pinned = Path(folder) / "root.json"
            pinned.write_bytes(canonical(file["root"]))
            with _Other(pinned) as other:
                for number in range(count):
                    how, changed = _changed(random.Random(f"{seed} e {number}"), shown)
                    self._agree(changed, file["root"], other, f"{number}: {how}")
                for number in range(count):
                    dice = random.Random(f"{seed} f {number}")
                    kind = dice.choice(list(_KINDS))
                    how, made = _made_changed(kind, dice, shown)
                    verdict = made and self._agree(made, file["root"], other, f"{number}: {kind}, {how}")
                    proven[kind] += verdict == "verified"
        self.assertTrue(all(proven.values()), proven)

    def _agree(self, evidence, root, other, how: str) -> str | None:
        ours, theirs = _ours(_bytes(evidence), root), other.verify(_bytes(evidence))
        # Each stands alone: what is malformed may fail a check there that it does not fail here.
        passed = {name for name, status in theirs.get("checks", {}).items() if status == "passed"}
        failed = {name for name, status in ours.get("checks", {}).items() if status == "failed"}
        self.assertEqual((ours.get("verdict"), passed & failed), (theirs.get("verdict"), set()), how)
        return ours.get("verdict")

    def test_what_is_made_here_is_proven(self):
        for kind, make in _KINDS.items():
            with self.subTest(kind):
                result = _ours(_bytes(make(lambda _, part: part)), _file()["root"])
                self.assertEqual(result["verdict"], "verified", result)


def _changed(dice: random.Random, shown: list) -> tuple[str, dict]:
    changed = copy.deepcopy(dice.choice(shown)[1])
    return "; ".join(_changed_once(changed, shown, dice) for _ in range(dice.choice((1, 1, 2)))), changed


def _made_changed(kind: str, dice: random.Random, shown: list) -> tuple[str, dict | None]:
    """Evidence of this kind, one or two parts of which were changed; None where none comes of it."""
    parts: list[str] = []
    _KINDS[kind](lambda name, part: parts.append(name) or part)
    chosen, said, seen = dice.choices(range(len(parts)), k=dice.choice((1, 1, 2))), [], []

    def change(name, part):
        seen.append(name)
        for _ in range(chosen.count(len(seen) - 1)):
            part = copy.deepcopy(part)
            said.append(f"{name}: {_changed_once(part, shown, dice)}")
        return part

    try:
        made = _KINDS[kind](change)
    except _SPOILT:  # What the parts are to follow from was changed away.
        made = None
    return "; ".join(said), made


def _changed_once(part, shown: list, dice: random.Random) -> str:
    """A change of any kind; of a time often a step to one side, and of a key that it was taken out of service."""
    moments = [path for path in _places(part) if path[-1] in ("at", "ts", "nbf", "exp", "since", "status")]
    if not moments or dice.random() < 0.6:
        return _change(part, shown, dice)
    path, holder = dice.choice(moments), part
    for step in path[:-1]:
        holder = holder[step]
    if path[-1] == "status":
        holder.update(status=dice.choice(("retired", "compromised")), since=dice.choice((_AT, _LATER, _DUE)))
    else:
        holder[path[-1]] = moved(holder[path[-1]], part, shown, dice)
    return f"moved {path}"


# What is made ------------------------------------------------------------------------------------


@functools.cache
def _file() -> dict:
    return vectors("equivocation.json")


def _shown(member: str) -> dict:
    """The evidence of the vectors that has this member."""
    return next(case["evidence"] for case in _file()["cases"] if member in case["evidence"])


def _kid(label: str) -> str:
    return f"key:11-11/{label}/1"


def _sign(label: str, body) -> dict:
    value = ed25519.sign(hashes.sha256(b"seed of " + label.encode()), canonical(body))
    return {"alg": "ed25519", "kid": _kid(label), "val": form.to_binary(value)}


def _evidence(change, kind: str, statements: list, **more) -> dict:
    """With a second root, which begins later than the heads."""
    first = _file()["root"]
    body = {**trust.body(first), "version": 2, "prev": trust.root_hash(first), "nbf": "2026-05-13T00:00:00Z"}
    body = change("root", body)
    second = {**body, "sigs": [{"kid": _kid("root"), "val": _sign("root", body)["val"]}]}
    shown = {"v": "1", "type": "11-11/equivocation", "kind": kind, "roots": [first, second]}
    return change("evidence", {**shown, "statements": statements, **more})


def _head(change, at: str, leaves: list, items=None, **more) -> dict:
    over = {"v": "1", "ledger": "ledger://11-11", "size": len(leaves), "hash": "sha3-512:" + "1" * 128}
    over |= {"hash_alt": "blake2b-512:" + "1" * 128, "root": index.shown(ledger.tree_root(leaves)), "at": at}
    over |= {"index": index.shown(index.root(items or _OTHER)), "kid": _kid("head")}
    over = change("head", over | {"registry": {"epoch": 1, "hash": "sha3-512:" + "1" * 128}, **more})
    return {"head": {**over, "sig": _sign("head", over)}}


def _checkpoint(change, leaves: list) -> dict:
    root = base64.b64encode(ledger.tree_root(leaves)).decode()
    note = change("checkpoint", {"origin": "11-11/ledger", "size": len(leaves), "root": root})
    text, seed = f"{note['origin']}\n{note['size']}\n{note['root']}\n", hashes.sha256(b"seed of head")
    blob = head.key_id(note["origin"], ed25519.public(seed)) + ed25519.sign(seed, text.encode())
    return {"checkpoint": f"{text}\n\u2014 {note['origin']} {base64.b64encode(blob).decode()}\n"}


def _one_size(change) -> dict:
    return _evidence(change, "fork", [_head(change, _AT, _LEAVES), _head(change, _LATER, _FORKED)])


def _checkpoints(change) -> dict:
    return _evidence(change, "fork", [_checkpoint(change, _LEAVES), _checkpoint(change, _FORKED)])


def _two_sizes(change) -> dict:
    trees = {"first": _LEAVES[:6], "second": _FORKED}
    leaves = {name: {"hash": index.shown(tree[3]), "proof": _path(tree, 3)} for name, tree in trees.items()}
    statements = [_head(change, _AT, _LEAVES[:6]), _checkpoint(change, _FORKED)]
    return _evidence(change, "fork", statements, leaves=change("leaves", {"seq": 3, **leaves}))


def _back(change) -> dict:
    return _evidence(change, "back", [_head(change, _AT, _LEAVES), _head(change, _LATER, _LEAVES[:6])])


def _path(leaves: list, seq: int) -> list:
    return [index.shown(part) for part in ledger.inclusion_path(leaves, seq)]


def _issuance(change) -> tuple[dict, dict]:
    """An artifact and its issuance."""
    evidence = _shown("artifact")
    body = change("artifact", hashes.without(evidence["artifact"], "id", "chash", "sig"))
    body = {**body, "id": "auth_" + hashes.content_id(body)}
    artifact = {**body, "chash": hashes.of(body), "sig": _sign("issuer", body)}
    issued = {**event.body(evidence["record"]), **named(artifact), "op": body["id"].removeprefix("auth_")}
    issued["data"] = {**issued["data"], "chash": artifact["chash"], "exp": artifact["exp"]}
    issued = change("issued", issued)
    both = {"event_hash": event.event_hash(issued), "event_hash_alt": event.event_hash_alt(issued)}
    return artifact, {**issued, **both, "sig": _sign("authority", issued)}


def _included(change) -> dict:
    _, record = _issuance(change)
    place = {"seq": 2, "at": _AT, "prev": "sha3-512:" + "1" * 128, "prev_alt": "blake2b-512:" + "1" * 128}
    entry = change("entry", place)
    leaves = [*_LEAVES[:2], ledger.leaf_hash(ledger.bytes_of({**entry, "record": record})), *_LEAVES[3:]]
    statements = [_checkpoint(change, leaves), _head(change, _LATER, leaves)]
    more = {"record": record, "index": index.prove(_OTHER, index.op_key(record["op"]))}
    return _evidence(change, "omission", statements, **more, entry={**entry, "proof": _path(leaves, 2)})


def _handed_out(change) -> dict:
    artifact, record = _issuance(change)
    shown = _shown("registry")["registry"]
    keys = change("keys", [item["record"] for item in shown["records"]])
    items = dict(registry.item("keys", key) for key in keys)
    header = hashes.without(shown["header"], "sig") | {"items": index.shown(index.root(items))}
    header = change("header", header)
    proofs = [index.prove(items, registry.item("keys", key)[0]) for key in keys]
    records = [{"kind": "key", "record": key, "proof": proof} for key, proof in zip(keys, proofs, strict=True)]
    epoch = {"epoch": header["epoch"], "hash": registry.header_hash(header)}
    statements = [_head(change, _DUE, _LEAVES, registry=epoch)]
    more = {"record": record, "index": index.prove(_OTHER, index.op_key(record["op"])), "artifact": artifact}
    more["registry"] = {"header": {**header, "sig": _sign("registry", header)}, "records": records}
    return _evidence(change, "omission", statements, **more)


_KINDS = {
    "two heads of one size": _one_size,
    "two checkpoints": _checkpoints,
    "a leaf that differs": _two_sizes,
    "a head that went back": _back,
    "an event that was included": _included,
    "an artifact that was handed out": _handed_out,
}


if __name__ == "__main__":
    unittest.main()
