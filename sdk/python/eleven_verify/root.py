"""The trust root (PROTOCOL 11, 3)."""

from . import form, hashes
from .encoding import canonical
from .form import require
from .signatures import check_key, counts_at, valid

_MEMBERS = {"v", "domain", "version", "threshold", "keys", "roles", "witnesses", "nbf", "exp", "prev", "sigs"}


def check_members(root):
    """Members alone, for bundle.form."""
    form.members(root, _MEMBERS, what="root")
    require(root["v"] == "1", "root of another version of the protocol")
    form.members(root["witnesses"], {"quorum", "auditors", "keys"}, what="witnesses")
    for witness in form.listing(root["witnesses"]["keys"], "witness keys"):
        form.members(witness, {"name", "public", "audits"}, what="witness key")
    for sig in form.listing(root["sigs"], "root sigs"):
        form.members(sig, {"kid", "val"}, what="root signature")
    form.listing(root["keys"], "root keys")
    form.listing(root["roles"], "root roles")


def check(root):
    """Form of a trust root: everything but its signatures."""
    check_members(root)
    form.named(root["domain"], "domain")
    form.integer(root["version"], "version", 1)
    for record in root["keys"]:
        check_key(record, ("root",))
    for record in root["roles"]:
        check_key(record, ("policy", "registry", "head"))
    _check_unique(root)
    _within(root["threshold"], len(root["keys"]), "threshold")
    _check_witnesses(root["witnesses"])
    require(form.seconds(root["nbf"]) < form.seconds(root["exp"]), "root window is empty")
    if root["prev"] is not None:
        form.sha3(root["prev"], "prev")
    require((root["version"] == 1) == (root["prev"] is None), "prev is null in version 1 and only there")
    for sig in root["sigs"]:
        form.named(sig["kid"], "key")
        form.binary(sig["val"], "root signature", 64)
    signers = [sig["kid"] for sig in root["sigs"]]
    require(len(signers) == len(set(signers)), "root: a key signed twice")


def _check_unique(root):
    records = root["keys"] + root["roles"]
    for member in ("kid", "public"):
        values = [record[member] for record in records]
        require(len(set(values)) == len(values), f"a {member} stands twice in the root")


def _within(value, most: int, what: str):
    form.integer(value, what, 1)
    require(value <= most, f"{what} is more than there are keys")


def _check_witnesses(witnesses):
    keys = witnesses["keys"]
    for key in keys:
        form.text(key["name"], "witness name")
        require("+" not in key["name"] and not any(c.isspace() for c in key["name"]), "a witness name holds + or space")
        form.binary(key["public"], "witness key", 32)
        require(isinstance(key["audits"], bool), "audits is true or false")
    for member in ("name", "public"):
        values = [key[member] for key in keys]
        require(len(set(values)) == len(values), f"a witness {member} stands twice")
    form.integer(witnesses["auditors"], "auditors")
    require(witnesses["auditors"] <= sum(key["audits"] for key in keys), "more auditors than keys that audit")
    if keys:
        _within(witnesses["quorum"], len(keys), "quorum")
    else:
        require(witnesses["quorum"] == 0, "a quorum without witness keys")


def body(root: dict) -> dict:
    return hashes.without(root, "sigs")


def root_hash(root: dict) -> str:
    """What `prev` of the next version names: the hash without `sigs`."""
    return hashes.of(body(root))


def require_signed(root: dict, by: dict):
    """`root` carries the threshold of `by`'s root keys, judged at the `nbf` of `root`."""
    message, t = canonical(body(root)), form.seconds(root["nbf"])
    keys = {record["kid"]: record for record in by["keys"]}
    signers = set()
    for sig in root["sigs"]:
        record = keys.get(sig["kid"])
        if record and counts_at(record, t) and valid(record, message, sig["val"]):
            signers.add(record["public"])
    require(len(signers) >= by["threshold"], "fewer signatures than the root's threshold")


def require_successor(root: dict, former: dict):
    """`root` is the next version of `former`, signed by its own threshold and by `former`'s."""
    require(root["domain"] == former["domain"], "a root of another domain")
    require(root["version"] == former["version"] + 1, "root versions are not consecutive")
    require(root["prev"] == root_hash(former), "the root does not follow from the one before")
    require_signed(root, root)
    require_signed(root, former)


def in_force(root: dict, t: int) -> bool:
    return form.seconds(root["nbf"]) <= t < form.seconds(root["exp"])
