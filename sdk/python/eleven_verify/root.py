"""The trust root (PROTOCOL 11, 3)."""

from . import form, hashes
from .encoding import canonical, same
from .form import require
from .signatures import check_key, check_public, counts_at, require_of_domain, valid

ROLES = ("head", "policy", "registry")
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
    # First of all: what follows looks at every key.
    for listed in (root["keys"], root["roles"], root["witnesses"]["keys"], root["sigs"]):
        require(len(listed) <= form.ROOT_KEYS_LIMIT, "root: a list holds more than 256 keys or signatures")
    form.named(root["domain"], "domain")
    form.integer(root["version"], "version", 1)
    for record in root["keys"]:
        check_key(record, ("root",))
    for record in root["roles"]:
        check_key(record, ROLES)
        require_of_domain(record, root["domain"], "role")
    missing = set(ROLES) - {record["use"] for record in root["roles"]}
    require(not missing, f"the root names no {sorted(missing)} key")
    _within(root["threshold"], len(root["keys"]), "threshold")
    _check_witnesses(root["witnesses"])
    _check_unique(root)
    require(form.seconds(root["nbf"]) < form.seconds(root["exp"]), "root window is empty")
    if root["prev"] is not None:
        form.sha3(root["prev"], "prev")
    require((root["version"] == 1) == (root["prev"] is None), "prev is null in version 1 and only there")
    for sig in root["sigs"]:
        form.named(sig["kid"], "key")
        form.binary(sig["val"], "root signature", 64)
    signers = [sig["kid"] for sig in root["sigs"]]
    require(len(signers) == len(set(signers)), "root: a key signed twice")


def check_each(roots: list):
    """The form of each. What no file has room for is not looked at key by key, which takes milliseconds each."""
    form.canonical_within(roots, form.BUNDLE_LIMIT, "the list of roots")
    for root in roots:
        check(root)


def _check_unique(root):
    records = root["keys"] + root["roles"]
    for record in records:
        check_public(record["public"])
    kids = [record["kid"] for record in records]
    require(len(set(kids)) == len(kids), "a kid stands twice in the root")
    known = publics(root)
    require(len(set(known)) == len(known), "a public key stands twice in the root")


def _within(value, most: int, what: str):
    form.integer(value, what, 1)
    require(value <= most, f"{what} is more than there are keys")


def _check_witnesses(witnesses):
    keys = witnesses["keys"]
    for key in keys:
        form.named(key["name"], "witness", "witness name")
        check_public(key["public"], "witness key")
        require(isinstance(key["audits"], bool), "audits is true or false")
    names = [key["name"] for key in keys]
    require(len(set(names)) == len(names), "a witness stands twice")
    form.integer(witnesses["auditors"], "auditors")
    require(witnesses["auditors"] <= sum(key["audits"] for key in keys), "more auditors than keys that audit")
    if keys:
        _within(witnesses["quorum"], len(keys), "quorum")
    else:
        require(form.integer(witnesses["quorum"], "quorum") == 0, "a quorum without witness keys")


def body(root: dict) -> dict:
    return hashes.without(root, "sigs")


def pins(pinned: dict, roots) -> bool:
    """One of `roots` is the one that was pinned, signatures apart."""
    wanted = canonical(body(pinned))
    return any(canonical(body(root)) == wanted for root in roots)


def root_hash(root: dict) -> str:
    """What `prev` of the next version names: the hash without `sigs`."""
    return hashes.of(body(root))


def publics(root: dict) -> list[str]:
    """Every public key in it, those of witnesses too."""
    return [key["public"] for key in root["keys"] + root["roles"] + root["witnesses"]["keys"]]


def signers(signed: dict, sigs: list, by: dict, t: int) -> int:
    """How many distinct root keys of `by` that are active and in their window at `t` signed.

    Whoever signs says what `t` is, so of a key that was taken out of service no moment counts.
    """
    message, found = canonical(signed), set()
    keys = {record["kid"]: record for record in by["keys"]}
    for sig in sigs:
        record = keys.get(sig["kid"])
        counts = record is not None and record["status"] == "active" and counts_at(record, t)
        if counts and valid(record, message, sig["val"]):
            found.add(record["public"])
    return len(found)


def require_signed(root: dict, by: dict):
    """`root` carries the threshold of `by`'s root keys, each active there and judged at the `nbf` of `root`."""
    found = signers(body(root), root["sigs"], by, form.seconds(root["nbf"]))
    require(found >= by["threshold"], "fewer signatures than the root's threshold")


def require_successor(root: dict, former: dict):
    """`root` is the next version of `former`, begins no earlier, has its records, and is signed by both thresholds."""
    require(root["domain"] == former["domain"], "a root of another domain")
    require(root["version"] == former["version"] + 1, "root versions are not consecutive")
    require(root["prev"] == root_hash(former), "the root does not follow from the one before")
    require(form.seconds(root["nbf"]) >= form.seconds(former["nbf"]), "the root begins before the one before")
    records = {record["kid"]: record for record in root["keys"] + root["roles"]}
    for record in former["keys"] + former["roles"]:
        _require_kept(record, records.get(record["kid"]))
    require_signed(root, root)
    require_signed(root, former)


def _require_kept(former: dict, record: dict | None):
    """No record is removed or changed but for its status, and what was taken out of service does not come back."""
    status, since = former["status"], former["since"]
    kept = record is not None and same({**record, "status": status, "since": since}, former)
    require(kept, f"the record of {former['kid']} is not that of the version before")
    if same(record, former) or status == "active":
        return
    later = status == "retired" and record["status"] == "compromised"
    require(later and form.millis(record["since"]) <= form.millis(since), f"{former['kid']} comes back into service")


def in_force(root: dict, t: int) -> bool:
    return form.seconds(root["nbf"]) <= t < form.seconds(root["exp"])
