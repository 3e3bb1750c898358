"""Event records and the catalogue of events (PROTOCOL 5, 5.3)."""

from . import form, hashes
from .encoding import canonical
from .form import require
from .signatures import check_signature

REQUIRED = {
    "v", "event", "op", "n", "prev_hash", "prev_hash_alt", "ts", "by", "src_seq", "kid", "data",
    "event_hash", "event_hash_alt", "sig",
}  # fmt: skip
OPTIONAL = {
    "identity", "operation", "artifact_id", "issuer", "runtime", "policy", "policy_required", "reason", "fingerprint",
}  # fmt: skip
NAMED = ("identity", "operation", "artifact_id", "issuer", "runtime", "policy")

REASONS = frozenset(
    """artifact.missing artifact.malformed runtime.clock issuer.unavailable runtime.contained runtime.unregistered
    runtime.integrity artifact.issuer.untrusted artifact.signature.invalid artifact.digest.mismatch
    artifact.not_yet_valid artifact.expired identity.mismatch operation.mismatch environment.mismatch policy.mismatch
    artifact.revoked audit.discontinuity artifact.replayed artifact.use.exhausted artifact.rate.exceeded
    audit.unavailable policy.none policy.ambiguous policy.denied policy.error approval.required
    identity.unauthenticated interface.unapproved delegation.exceeds_parent limits.exceeded federation.no_route
    federation.constraint federation.drift federation.revoked""".split()
)

LINEAGE = frozenset(
    """authorization.issued authorization.consumed admission.granted execution.started attestation.signed
    execution.completed execution.failed execution.interrupted evidence.committed""".split()
)
LIFECYCLE = frozenset("baseline authorized activated governed drifting contained recovering revoked proven".split())

_LEDGER, _AUTHORITY, _POINT = {"ledger"}, {"authority"}, {"point"}
PRODUCERS = {
    **dict.fromkeys(("ledger.genesis", "ledger.sealed", "ledger.refused", "ledger.recovered"), _LEDGER),
    **dict.fromkeys(
        """root.published key.registered key.retired key.compromised policy.published policy.retired
        runtime.registered runtime.removed interface.approved source.registered source.removed
        authorization.revoked approval.granted approval.refused domain.stated authorization.issued""".split(),
        _AUTHORITY,
    ),
    **dict.fromkeys(LINEAGE - {"authorization.issued"}, _POINT),
    **dict.fromkeys(("audit.discontinuity", "audit.resumed"), _LEDGER | _POINT),
    **dict.fromkeys((f"lifecycle.{state}" for state in LIFECYCLE), _AUTHORITY | _POINT),
    "runtime.step": _POINT,
    "execution.denied": _AUTHORITY | _POINT,
}

COUNTED = frozenset({"count", "window", "listener"})
COUNTED_REASONS = frozenset({"identity.unauthenticated", "artifact.missing", "artifact.malformed"})
_COUNTED_WITHOUT = frozenset({"identity", "operation", "artifact_id", "issuer", "policy", "policy_required"})


def check_members(record):
    """Members alone: known ones, the required ones there."""
    form.members(record, REQUIRED, OPTIONAL, "event")
    require(record["v"] == "1", "event of another version of the protocol")
    form.members(record["sig"], {"alg", "kid", "val"}, what="event signature")
    require(isinstance(record["data"], dict), "data is not an object")
    if "policy" in record:
        form.members(record["policy"], {"ref", "hash"}, what="policy")


def check_values(record):
    """Forms of the members an event may have; reads nothing else."""
    # Whether there is such an event, the catalogue says.
    form.named(record["event"], "segment", "event")
    form.named(record["op"], "lineage", "op")
    first = form.integer(record["n"], "n", 1) == 1
    for member, algorithm in (("prev_hash", "sha3-512"), ("prev_hash_alt", "blake2b-512")):
        require((record[member] is None) == first, f"{member} is null at n = 1 and only there")
        if not first:
            form.raw(record[member], algorithm, member)
    form.raw(record["event_hash"], "sha3-512", "event_hash")
    form.raw(record["event_hash_alt"], "blake2b-512", "event_hash_alt")
    form.millis(record["ts"], "ts")
    producer(record["by"])
    form.integer(record["src_seq"], "src_seq")
    form.named(record["kid"], "key")
    check_signature(record["sig"], record["kid"])
    require(isinstance(record["data"], dict), "data is not an object")
    _check_named(record)


def _check_named(record):
    kinds = {"identity": "identity", "operation": "operation", "artifact_id": "artifact", "issuer": "authority",
             "runtime": "runtime", "policy_required": "policy"}  # fmt: skip
    for member, kind in kinds.items():
        if member in record:
            form.named(record[member], kind, member)
    if "policy" in record:
        form.members(record["policy"], {"ref", "hash"}, what="policy")
        form.named(record["policy"]["ref"], "policy", "policy ref")
        form.sha3(record["policy"]["hash"], "policy hash")
    if "reason" in record:
        require(record["reason"] in REASONS, "unknown reason")
    if "fingerprint" in record:
        form.sha3(record["fingerprint"], "fingerprint")


def check(record):
    """The whole form of an event record, with its limit."""
    check_members(record)
    check_values(record)
    form.canonical_within(record, form.EVENT_LIMIT, "event")
    # The request that brings the record and the bundle that shows it hold it in a list: two containers more.
    canonical([[record]])


def producer(by) -> str:
    """Which corner `by` is: ledger, authority or point."""
    for kind in ("ledger", "authority", "point"):
        if form.is_named(by, kind):
            return kind
    raise form.FormError("by is neither a ledger, an authority nor an enforcement point")


def body(record: dict) -> dict:
    return hashes.without(record, "event_hash", "event_hash_alt", "sig")


def event_hash(record: dict) -> str:
    return _chained(record, "sha3-512", "prev_hash", hashes.sha3_512)


def event_hash_alt(record: dict) -> str:
    return _chained(record, "blake2b-512", "prev_hash_alt", hashes.blake2b_512)


def _chained(record: dict, algorithm: str, member: str, digest) -> str:
    former = record[member]
    return digest(canonical(body(record)) + (form.raw(former, algorithm) if former is not None else b""))


def single_op(record: dict) -> str:
    """The op of a lineage of one event: content id of its body without `op`."""
    return hashes.content_id(hashes.without(body(record), "op"))


def subject_op(data: dict) -> str:
    """The op of a governed subject's lineage."""
    return hashes.content_id({"kind": data["kind"], "subject": data["subject"]})


def attestation_id(artifact_id: str, by: str, op: str) -> str:
    return "att_" + hashes.content_id({"artifact_id": artifact_id, "by": by, "op": op})


def check_denial(record: dict):
    """`execution.denied`: a reason, and the form of a counted one."""
    require("reason" in record, "a denial without reason")
    if not COUNTED & record["data"].keys():
        return
    form.members(record["data"], set(COUNTED), what="counted denial")
    require(record["reason"] in COUNTED_REASONS, "denials with this reason are not counted")
    require(not _COUNTED_WITHOUT & record.keys(), "a counted denial names a caller or an artifact")
    form.integer(record["data"]["count"], "count", 1)
    form.text(record["data"]["listener"], "listener")
    start, _, span = form.text(record["data"]["window"], "window").partition("/")
    require(span == "PT1S", "window is not one second")
    form.millis(start, "window")
