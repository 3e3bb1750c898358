"""Entries, both chains and the RFC 6962 tree (PROTOCOL 6)."""

from . import form, hashes
from .encoding import canonical
from .form import require

EMPTY_ROOT = hashes.sha256(b"")


def entry_bytes(at: str, prev, prev_alt, record: dict, seq: int) -> bytes:
    return canonical({"at": at, "prev": prev, "prev_alt": prev_alt, "record": record, "seq": seq})


def bytes_of(entry: dict) -> bytes:
    """The bytes of an entry shown as `{"seq","at","prev","prev_alt","record",…}`."""
    return entry_bytes(entry["at"], entry["prev"], entry["prev_alt"], entry["record"], entry["seq"])


def chain_values(data: bytes, prev, prev_alt) -> tuple[str, str]:
    """Both chain values of the entry `data`; its `prev` and `prev_alt` are null at 0."""
    raw = form.raw(prev, "sha3-512", "prev") if prev is not None else b""
    raw_alt = form.raw(prev_alt, "blake2b-512", "prev_alt") if prev_alt is not None else b""
    return hashes.sha3_512(data + raw), hashes.blake2b_512(data + raw_alt)


def check_place(entry: dict):
    """Forms of `seq`, `at`, `prev`, `prev_alt`."""
    first = form.integer(entry["seq"], "seq") == 0
    form.millis(entry["at"], "at")
    for member, algorithm in (("prev", "sha3-512"), ("prev_alt", "blake2b-512")):
        require((entry[member] is None) == first, f"{member} is null in entry 0 and only there")
        if not first:
            form.raw(entry[member], algorithm, member)


# The tree ---------------------------------------------------------------------


def leaf_hash(data: bytes) -> bytes:
    return hashes.sha256(b"\x00" + data)


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashes.sha256(b"\x01" + left + right)


def tree_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 over leaf hashes."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return node_hash(tree_root(leaves[:split]), tree_root(leaves[split:]))


def inclusion_path(leaves: list[bytes], seq: int) -> list[bytes]:
    if len(leaves) <= 1:
        return []
    split = _split(len(leaves))
    if seq < split:
        return inclusion_path(leaves[:split], seq) + [tree_root(leaves[split:])]
    return inclusion_path(leaves[split:], seq - split) + [tree_root(leaves[:split])]


def consistency_path(leaves: list[bytes], first: int) -> list[bytes]:
    return _subproof(leaves, first, True)


def _subproof(leaves: list[bytes], first: int, whole: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if whole else [tree_root(leaves)]
    split = _split(len(leaves))
    if first <= split:
        return _subproof(leaves[:split], first, whole) + [tree_root(leaves[split:])]
    return _subproof(leaves[split:], first - split, False) + [tree_root(leaves[:split])]


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def root_from_inclusion(leaf: bytes, seq: int, size: int, path: list[bytes]) -> bytes:
    """RFC 9162 2.1.3.2; FormError where the path has the wrong length."""
    require(0 <= seq < size, "the entry lies outside the tree")
    here, last, root = seq, size - 1, leaf
    for sibling in path:
        require(last > 0, "the path is too long")
        if here & 1 or here == last:
            root = node_hash(sibling, root)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        here, last = here >> 1, last >> 1
    require(last == 0, "the path is too short")
    return root


def require_included(entry: dict, record: dict, size: int, root: str):
    """The entry of `record` stands at `entry.seq` of the tree of that size and root."""
    check_place(entry)
    form.integer(size, "size", 1)
    data = entry_bytes(entry["at"], entry["prev"], entry["prev_alt"], record, entry["seq"])
    path = [form.raw(item, "sha256", "proof") for item in form.listing(entry["proof"], "proof")]
    found = root_from_inclusion(leaf_hash(data), entry["seq"], size, path)
    require(found == form.raw(root, "sha256", "root"), f"entry {entry['seq']} is not in the tree")


def consistent(first: int, first_root: bytes, second: int, second_root: bytes, path: list[bytes]) -> bool:
    """RFC 9162 2.1.4.2: the tree of size `second` extends that of size `first` (1 <= first <= second)."""
    if not 1 <= first <= second:
        return False
    if first == second:
        return not path and first_root == second_root
    nodes = list(path)
    if first & (first - 1) == 0:
        nodes.insert(0, first_root)
    if not nodes:
        return False
    here, last = first - 1, second - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old = new = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        here, last = here >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root
