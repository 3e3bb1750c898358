"""The two verifiers, which share no code, over the same changed bundles: equal verdicts, the same checks left open, and where
both fail a check that both name. Every single leaf of each valid bundle, every single value taken for null, then
random changes by a seed that is printed; and what was changed before it was signed, so that no signature and no hash
tells.

Needs the binary: `ELEVEN_BIN`. The gate takes the same seed each time, so that what it says is about the change;
`ELEVEN_LONG` takes another at each run. `ELEVEN_SEED` and `ELEVEN_MUTATIONS` choose other random changes, or more.
"""

import copy
import json
import multiprocessing
import os
import random
import subprocess
import unittest

from eleven_verify import Asked, EncodingError, form, parse, verify

from . import VECTORS, forge, vectors
from .test_forged import CASES
from .test_verify import _leaves, _with_leaf_changed

BINARY = os.environ.get("ELEVEN_BIN")
PROCESSES = 2
SEED = 11


class Differential(unittest.TestCase):
    @unittest.skipUnless(BINARY and os.path.exists(BINARY), "no binary to compare with: set ELEVEN_BIN")
    def test_both_verifiers_say_the_same(self):
        seed, count = _seed(), _count()
        print(f"differential: {count} random changes, ELEVEN_SEED={seed}")
        shares = [(part, seed, count) for part in range(PROCESSES)]
        with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
            results = pool.map(_share, shares)
        compared = sum(compared for compared, _ in results)
        differences = [difference for _, found in results for difference in found]
        self.assertEqual(differences[:10], [], f"{len(differences)} of {compared} differ")
        self.assertGreater(compared, count + 7_000)

    @unittest.skipUnless(BINARY and os.path.exists(BINARY), "no binary to compare with: set ELEVEN_BIN")
    def test_both_say_the_same_of_what_is_signed_in_another_form(self):
        root = vectors("root.json")
        with _Other() as other:
            for what, change, _ in CASES:
                with self.subTest(what):
                    data = _bytes(forge.forged(change))
                    ours, theirs = _ours(data, root), other.verify(data)
                    self.assertTrue(_agree(ours, theirs), f"here {ours}, there {theirs}")

    @unittest.skipUnless(BINARY and os.path.exists(BINARY), "no binary to compare with: set ELEVEN_BIN")
    def test_both_say_the_same_of_random_parts_that_are_signed_anew(self):
        seed = _seed()
        count = _count() // 4
        print(f"signed anew: {count} random changes, ELEVEN_SEED={seed}")
        root, bundles, differences, compared = vectors("root.json"), _valid(), [], 0
        with _Other() as other:
            for number in range(count):
                what, bundle = _signed_anew(random.Random(f"{seed} {number}"), bundles)
                if bundle is None:
                    continue
                compared += 1
                ours, theirs = _ours(_bytes(bundle), root), other.verify(_bytes(bundle))
                if not _agree(ours, theirs):
                    differences.append(f"{number}: {what}: here {ours}, there {theirs}")
        self.assertEqual(differences[:10], [], f"{len(differences)} of {compared} differ")
        self.assertGreater(compared, count // 2)


def _seed() -> int:
    another = random.SystemRandom().randrange(1 << 32) if os.environ.get("ELEVEN_LONG") else SEED
    return int(os.environ.get("ELEVEN_SEED") or another)


def _count() -> int:
    return int(os.environ.get("ELEVEN_MUTATIONS") or (20_000 if os.environ.get("ELEVEN_LONG") else 2_000))


def _valid() -> list:
    return [(case["what"], case["bundle"]) for case in vectors("bundles.json")]


def _share(share) -> tuple[int, list[str]]:
    """Every `PROCESSES`-th case, from the first of this part."""
    part, seed, count = share
    root = vectors("root.json")
    compared, differences = 0, []
    with _Other() as other:
        for number, case in enumerate(_cases(seed, count)):
            if number % PROCESSES != part:
                continue
            compared += 1
            what, data = case()
            ours, theirs = _ours(data, root), other.verify(data)
            if not _agree(ours, theirs):
                differences.append(f"{what}: here {ours}, there {theirs}")
    return compared, differences


def _cases(seed: int, count: int):
    """What makes each case: (what was changed, the bytes of the changed bundle)."""
    bundles = _valid()
    for name, bundle in bundles:
        yield lambda n=name, b=bundle: (n, _bytes(b))
        for path in _leaves(bundle):
            yield lambda n=name, b=bundle, p=path: (_at(n, p), _bytes(_with_leaf_changed(b, p)))
        for path in _places(bundle):
            yield lambda n=name, b=bundle, p=path: (f"{_at(n, p)} null", _bytes(_with_null(b, p)))
    for number in range(count):
        yield lambda n=number: _random_case(n, seed, bundles)


def _at(name: str, path) -> str:
    return f"{name} {'/'.join(map(str, path))}"


def _with_null(bundle, path):
    changed = holder = copy.deepcopy(bundle)
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = None
    return changed


def _random_case(number: int, seed: int, bundles) -> tuple[str, bytes]:
    dice = random.Random(f"{seed} {number}")
    name, bundle = dice.choice(bundles)
    changed, said = json.loads(_bytes(bundle)), []
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        said.append(_change(changed, bundles, dice))
    return f"{number}: {name}, {'; '.join(said)}", _bytes(changed)


def _signed_anew(dice: random.Random, bundles) -> tuple[str, dict | None]:
    """A bundle of which one or two parts were changed before they were signed; None where none comes of it."""
    said = []

    def change(parts):
        if dice.random() < 0.3:
            parts.revoke()
        held = {name: getattr(parts, name) for name in _SIGNED}
        held["around"] = {name: parts.bundle[name] for name in _AROUND}
        for _ in range(dice.choice((1, 1, 2))):
            said.append(_change(held, bundles, dice))
        parts.bundle.update(held.pop("around"))
        for name, value in held.items():
            setattr(parts, name, value)

    try:
        return "; ".join(said), forge.forged(change)
    except Exception:  # What the parts are to follow from was changed away.
        return "; ".join(said), None


_SIGNED = ("policy", "artifact", "records", "events", "published", "statement", "root", "revocation")
# What stands around them; of it what follows from the parts is computed anew.
_AROUND = ("head", "entries", "seal", "registry")


def _bytes(bundle) -> bytes:
    return json.dumps(bundle, ensure_ascii=False).encode()


class _Other:
    """The other implementation, one process for all."""

    def __init__(self, root=VECTORS / "root.json"):
        self.root = str(root)

    def __enter__(self):
        command = [BINARY, "verify", "--batch", "--root", self.root]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=30)

    def verify(self, data: bytes) -> dict:
        self.process.stdin.write(data + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def _ours(data: bytes, root: dict) -> dict:
    try:
        result = verify(parse(data), Asked(root))
    except EncodingError as error:
        return {"error": str(error)}
    return {"verdict": result.verdict, "checks": result.status()}


def _agree(ours: dict, theirs: dict) -> bool:
    if "error" in ours or "error" in theirs:
        return "error" in ours and "error" in theirs
    if ours["verdict"] != theirs["verdict"]:
        return False
    # A `passed` that should be `not_checked` is no less wrong than a verdict. Only the other one evaluates Cedar.
    if _of(ours, "not_checked") - {"policy.replay"} != _of(theirs, "not_checked") - {"policy.replay"}:
        return False
    return ours["verdict"] != "failed" or bool(_of(ours, "failed") & _of(theirs, "failed"))


def _of(said: dict, status: str) -> set:
    return {name for name, found in said["checks"].items() if found == status}


# Random changes ----------------------------------------------------------------


def _change(bundle, bundles, dice: random.Random) -> str:
    """Changes one place of `bundle`, and says how."""
    path = dice.choice(_places(bundle))
    holder = bundle
    for step in path[:-1]:
        holder = holder[step]
    last, value = path[-1], holder[path[-1]]
    how = dice.choice(_WAYS)
    changed = how(value, bundle, bundles, dice)
    if changed is _GONE:
        del holder[last]
    else:
        holder[last] = changed
    return f"{how.__name__} at /{'/'.join(map(str, path))}"


def _places(value, path=()) -> list:
    """Every place below the bundle itself, containers included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, child in inner:
        found.append((*path, key))
        found.extend(_places(child, (*path, key)))
    return found


_GONE = object()


def another(value, bundle, bundles, dice):
    """A value of the same kind, nearly the same."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + dice.choice((-1, 1, 1000, -value, 2**53 - 1 - value))
    if isinstance(value, str) and value:
        at = dice.randrange(len(value))
        return value[:at] + dice.choice("0aAzZ9-_./:+=é\u2028") + value[at + 1 :]
    if isinstance(value, list) and value:
        return value[:-1] if dice.random() < 0.5 else [*value, copy.deepcopy(dice.choice(value))]
    if isinstance(value, dict) and value:
        return {name: value[name] for name in value if name != dice.choice(list(value))}
    return 0


def moved(value, bundle, bundles, dice):
    """A time a step earlier or later, the steps being those that limits are given in; anything else nearly the same."""
    by = dice.choice((1, 1000, 2000, 60_000, 3_600_000)) * dice.choice((-1, 1))
    try:
        if len(value) == 20:
            return form.to_seconds(form.seconds(value) + by)
        moment = form.millis(value) + by
        return f"{form.to_seconds(moment)[:-1]}.{moment % 1000:03}Z"
    except (form.FormError, TypeError):
        return another(value, bundle, bundles, dice)


def of_another_type(value, bundle, bundles, dice):
    return dice.choice((None, True, False, 0, -1, 1.5, 2**53, "", "x", [], {}, [[]], [{}], {"a": None}))


def gone(value, bundle, bundles, dice):
    return _GONE


def unknown_member(value, bundle, bundles, dice):
    return {**value, dice.choice(("zz", "v", "id", "é")): dice.choice((0, "x", None))} if isinstance(value, dict) else [value]


def of_elsewhere(value, bundle, bundles, dice):
    """A value of the same type from another place of this or another bundle."""
    _, other = dice.choice([("", bundle), *bundles])
    found = []
    places = _places(other)
    for path in dice.sample(places, min(60, len(places))):
        here = other
        for step in path:
            here = here[step]
        if type(here) is type(value) and here != value:
            found.append(here)
    return copy.deepcopy(dice.choice(found)) if found else None


def turned(value, bundle, bundles, dice):
    """Longer, shorter, or in another order."""
    if isinstance(value, str):
        return dice.choice((value + "0", value[:-1], value.upper(), " " + value, value + "\n", value * 2))
    if isinstance(value, list) and len(value) > 1:
        return dice.sample(value, len(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return [value]


_WAYS = (another, another, moved, moved, of_another_type, gone, unknown_member, of_elsewhere, of_elsewhere, turned)


if __name__ == "__main__":
    unittest.main()
