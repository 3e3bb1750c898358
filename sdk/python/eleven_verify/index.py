"""The sparse Merkle tree of the operation index and of the registry's items (PROTOCOL 9, 11)."""

from . import form
from .encoding import canonical
from .form import require
from .hashes import sha256

EMPTY = bytes(32)
MAX_SIBLINGS = 256


def leaf(key: bytes, value: bytes) -> bytes:
    return sha256(b"\x00" + key + value)


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


def bit(key: bytes, depth: int) -> int:
    return key[depth >> 3] >> (7 - (depth & 7)) & 1


def root(items: dict[bytes, bytes]) -> bytes:
    """The root over 32-byte keys and values; a subtree with one leaf is that leaf."""
    return _subtree(sorted(items.items()), 0)


def _subtree(items: list[tuple[bytes, bytes]], depth: int) -> bytes:
    if not items:
        return EMPTY
    if len(items) == 1:
        return leaf(*items[0])
    split = next((i for i, (key, _) in enumerate(items) if bit(key, depth)), len(items))
    return node(_subtree(items[:split], depth + 1), _subtree(items[split:], depth + 1))


def prove(items: dict[bytes, bytes], key: bytes) -> dict:
    """The proof of `key`'s presence or absence under `root(items)`."""
    here, siblings = sorted(items.items()), []
    while len(here) > 1:
        depth = len(siblings)
        zero = [item for item in here if not bit(item[0], depth)]
        one = [item for item in here if bit(item[0], depth)]
        here, other = (one, zero) if bit(key, depth) else (zero, one)
        siblings.append(shown(_subtree(other, depth + 1)))
    end = {"key": shown(here[0][0]), "value": shown(here[0][1])} if here else None
    return {"siblings": siblings, "end": end}


def shown(digest: bytes) -> str:
    return "sha256:" + digest.hex()


def check_members(proof):
    form.members(proof, {"siblings", "end"}, what="proof")
    form.listing(proof["siblings"], "siblings")
    if proof["end"] is not None:
        form.members(proof["end"], {"key", "value"}, what="proof end")


def proves(proof, key: bytes, against: str) -> tuple[str, bytes | None]:
    """("present", value), ("absent", None) or ("nothing", None) under the root `against`."""
    try:
        return _proves(proof, key, form.raw(against, "sha256"))
    except (form.FormError, KeyError, TypeError):
        return "nothing", None


def _proves(proof, key: bytes, against: bytes) -> tuple[str, bytes | None]:
    siblings = [form.raw(item, "sha256") for item in form.listing(proof["siblings"], "siblings")]
    require(len(siblings) <= MAX_SIBLINGS, "more than 256 siblings")
    end = proof["end"]
    if end is None:
        here, verdict = EMPTY, ("absent", None)
    else:
        end_key, end_value = form.raw(end["key"], "sha256"), form.raw(end["value"], "sha256")
        here = leaf(end_key, end_value)
        verdict = ("present", end_value) if end_key == key else ("absent", None)
        require(all(bit(end_key, d) == bit(key, d) for d in range(len(siblings))), "the end is on another path")
    for depth in range(len(siblings) - 1, -1, -1):
        here = node(siblings[depth], here) if bit(key, depth) else node(here, siblings[depth])
    return verdict if here == against else ("nothing", None)


# The operation index ------------------------------------------------------


def op_key(op: str) -> bytes:
    return sha256(b"op:" + op.encode())


def op_value(op: str, n: int, tip: str, tip_alt: str) -> bytes:
    return sha256(canonical({"n": n, "op": op, "tip": tip, "tip_alt": tip_alt}))


def revoked_key(artifact: str) -> bytes:
    return sha256(b"revoked:" + artifact.encode())


def revoked_value(event_hash: str) -> bytes:
    return sha256(form.raw(event_hash, "sha3-512"))
