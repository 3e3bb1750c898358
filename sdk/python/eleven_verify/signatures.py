"""Signatures and key records (PROTOCOL 3)."""

from . import ed25519, form
from .encoding import canonical
from .form import require

ROOT_USES = ("root", "policy", "registry", "head")
REGISTRY_USES = ("issuer", "event", "attestation")
_RECORD = {"kid", "alg", "public", "use", "owner", "nbf", "exp", "status", "since"}


# A signature counts only for the key's owner: whose name is of another form could never sign anything.
_OWNERS = {
    "root": ("identity", "authority"),
    "policy": ("authority",),
    "registry": ("authority",),
    "head": ("ledger",),
    "issuer": ("authority",),
    "event": ("authority", "ledger", "point"),
    "attestation": ("point",),
}


def check_signature(sig, kid: str | None = None):
    """Form of `{"alg","kid","val"}`; `kid` is the signed body's where it has one."""
    form.members(sig, {"alg", "kid", "val"}, what="signature")
    require(sig["alg"] == "ed25519", "signature is not ed25519")
    form.named(sig["kid"], "key")
    form.binary(sig["val"], "signature value", 64)
    require(kid is None or sig["kid"] == kid, "signature names another key than the body")


def check_key(record, uses: tuple):
    """Form of a key record whose use is one of `uses`."""
    form.members(record, _RECORD, what="key record")
    form.named(record["kid"], "key")
    require(record["alg"] == "ed25519", "key is not ed25519")
    form.binary(record["public"], "public key", 32)
    require(record["use"] in uses, "key has another use")
    owners = _OWNERS[record["use"]]
    require(any(form.is_named(record["owner"], kind) for kind in owners), "the owner can't own a key of this use")
    require(form.seconds(record["nbf"]) < form.seconds(record["exp"]), "key window is empty")
    require(record["status"] in ("active", "retired", "compromised"), "unknown key status")
    if record["status"] == "active":
        require(record["since"] is None, "an active key has no since")
    else:
        form.millis(record["since"], "since")


def check_public(public, what: str = "public key"):
    """A public key as key generation gives it: a canonical point of the prime-order group."""
    require(ed25519.is_sound(form.binary(public, what, 32)), f"{what}: no key generation gives this one")


def counts_at(record: dict, t: int) -> bool:
    """The key's signature counts at `t` (ms): in its window, and not yet retired or compromised."""
    if not form.seconds(record["nbf"]) <= t < form.seconds(record["exp"]):
        return False
    return record["status"] == "active" or t < form.millis(record["since"])


def find(records, kid, use: str) -> dict | None:
    """The record of that kid, where `records` are not by kid the first, if it has that use."""
    by_kid = isinstance(records, dict)
    record = records.get(kid) if by_kid else next((item for item in records if item["kid"] == kid), None)
    return record if record is not None and record["use"] == use else None


def valid(record: dict, message: bytes, value: str) -> bool:
    """The strict equation alone, over `base64:` values."""
    return ed25519.verify(form.binary(record["public"]), message, form.binary(value))


def require_signed(records, use: str, owner: str | None, t: int, body, sig: dict, what: str) -> dict:
    """`sig` is by a known key of that use and owner that counts at `t`, over JCS(body)."""
    check_signature(sig)
    record = find(records, sig["kid"], use)
    require(record is not None, f"{what}: no {use} key of that kid is known")
    require(owner is None or record["owner"] == owner, f"{what}: the key belongs to another party")
    require(counts_at(record, t), f"{what}: the key does not count at that time")
    require(valid(record, canonical(body), sig["val"]), f"{what}: the signature does not verify")
    return record


def require_of_domain(record: dict, domain: str, what: str):
    """Registry and policy documents name a domain: their key belongs to an authority of it; a head's to its ledger."""
    kind = "ledger" if record["use"] == "head" else "authority"
    require(form.is_named(record["owner"], kind), f"{what}: the key's owner is no {kind}")
    require(form.domain_of(record["owner"]) == domain, f"{what}: the key belongs to another domain")
