"""The attestation: DSSE around an in-toto statement (PROTOCOL 10)."""

from . import ed25519, form, hashes, lineage, policy
from .encoding import canonical, parse, same
from .form import require
from .result import NotChecked
from .signatures import counts_at, find

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_INLINE_EVIDENCE = 4096
_PREDICATE = {
    "op", "operation", "identity", "runtime", "environment", "workload", "policy", "started", "finished", "outcome",
    "result", "evidence",
}  # fmt: skip


def check_envelope(envelope):
    form.members(envelope, {"payloadType", "payload", "signatures"}, what="envelope")
    require(envelope["payloadType"] == PAYLOAD_TYPE, "another payload type")
    require(len(form.listing(envelope["signatures"], "signatures")) == 1, "an envelope has one signature")
    form.members(envelope["signatures"][0], {"keyid", "sig"}, what="envelope signature")


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(payload_type.encode()), payload_type.encode(), len(payload), payload)


def require_signed(envelope: dict, keys, by: str, at: int):
    """Signed by an attestation key of the point `by` that counts at `at` (ms)."""
    check_envelope(envelope)
    (signature,) = envelope["signatures"]
    key = find(keys, signature["keyid"], "attestation")
    require(key is not None, "no attestation key of that id is known")
    require(key["owner"] == by, "the attestation key belongs to another point")
    require(counts_at(key, at), "the attestation key does not count at that time")
    message = pae(envelope["payloadType"], form.bare_base64(envelope["payload"], "payload"))
    value = form.bare_base64(signature["sig"], "signature")
    require(ed25519.verify(form.binary(key["public"]), message, value), "the envelope's signature does not verify")


def statement(envelope: dict) -> dict:
    """The statement inside, of its form."""
    # It stands in a record, which has no more bytes than that.
    value = parse(form.bare_base64(envelope["payload"], "payload"), form.EVENT_LIMIT)
    form.members(value, {"_type", "subject", "predicateType", "predicate"}, what="statement")
    require(value["_type"] == "https://in-toto.io/Statement/v1", "not an in-toto statement v1")
    form.text(value["predicateType"], "predicateType")
    require(len(form.listing(value["subject"], "subject")) == 1, "a statement has one subject")
    form.members(value["subject"][0], {"name", "digest"}, what="subject")
    form.members(value["subject"][0]["digest"], {"sha3_512"}, what="subject digest")
    # The predicate may hold more than the protocol names (section 1); what it names must be there.
    missing = _PREDICATE - value["predicate"].keys()
    require(not missing, f"the predicate lacks {sorted(missing)}")
    # These two are compared where the outcome is in the ledger, and are of their form before, too.
    require(f"execution.{value['predicate']['outcome']}" in lineage.OUTCOMES, "no outcome of an execution")
    lineage.check_result(value["predicate"]["result"])
    return value


def require_bound(envelope: dict, artifact: dict, terms: dict, events: list, ended: dict | None, registered: dict):
    """The statement agrees with the artifact, the lineage and the point's registration.

    `events` are the lineage from authorization.issued; the positions are those of 5.1. `ended` is the outcome, where
    the ledger has it.
    """
    consumed, granted, signed = events[1], events[2], events[4]
    require(granted["event"] == "admission.granted", "the third event is not admission.granted")
    require(signed["event"] == "attestation.signed", "the fifth event is not attestation.signed")
    value = statement(envelope)
    subject, predicate = value["subject"][0], value["predicate"]
    require(subject["name"] == artifact["id"], "the subject is another artifact")
    digest = form.raw(artifact["chash"], "sha3-512", "chash").hex()
    require(subject["digest"]["sha3_512"] == digest, "the subject's digest is not chash")
    expected = {
        "op": signed["op"],
        "operation": artifact["op"],
        "identity": artifact["sub"],
        "runtime": artifact["env"]["runtime"],
        "policy": artifact["pol"],
        "workload": granted["data"]["workload"],
        "environment": granted["fingerprint"],
    }
    if ended is not None:
        expected |= {"outcome": ended["event"].removeprefix("execution."), "result": ended["data"]["result"]}
    for member, wanted in expected.items():
        require(same(predicate[member], wanted), f"{member} is not what was authorized and done")
    times = (consumed["ts"], predicate["started"], predicate["finished"], signed["ts"])
    moments = [form.millis(time) for time in times]
    require(moments == sorted(moments), "started and finished don't lie between consumption and attestation")
    _require_evidence(predicate["evidence"], terms, registered)
    for member in ("runtime", "region", "tenancy"):
        require(registered[member] == artifact["env"][member], f"the point is registered for another {member}")


def _require_evidence(evidence, terms: dict, registered: dict):
    reached = 0
    for item in form.listing(evidence, "evidence"):
        kind = item["type"]
        require(kind in policy.LEVELS or kind == "peer-lineage", "evidence of an unknown type")
        require(len(canonical(item)) <= MAX_INLINE_EVIDENCE, "evidence larger than 4 KiB, which stands by digest")
        reached = max(reached, policy.LEVELS.get(kind, 0))
        if kind == "software":
            for member in ("binary", "config"):
                require(item[member] == registered[member], f"{member} is not what the point registered")
    require(reached >= policy.LEVELS[terms["attestation"]], "the evidence does not reach the policy's level")


def require_verifiable(envelope: dict, terms: dict):
    """What hardware says about itself nothing here verifies, whatever it is called, and in whose place it stands."""
    measured = any(item["type"] == "software" for item in statement(envelope)["predicate"]["evidence"])
    if policy.LEVELS[terms["attestation"]] > policy.LEVELS["software"] or not measured:
        raise NotChecked("all agrees; that the evidence of hardware is genuine nothing here verifies")


def envelope_hash(envelope: dict) -> str:
    """What evidence.committed names."""
    return hashes.of(envelope)
