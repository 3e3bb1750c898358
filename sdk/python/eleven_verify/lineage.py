"""The lineage of an operation: its one order and the data of each event (PROTOCOL 5.1)."""

from dataclasses import dataclass

from . import event, form, hashes
from .form import require

OUTCOMES = ("execution.completed", "execution.failed", "execution.interrupted")
_AFTER = {
    "authorization.issued": ("authorization.consumed",),
    "authorization.consumed": ("admission.granted",),
    "admission.granted": ("execution.started",),
    "execution.started": ("attestation.signed",),
    "attestation.signed": OUTCOMES,
}
# After a crash these may be followed by an interruption whose effect is unknown.
_CRASHED = ("authorization.consumed", "admission.granted", "execution.started")


@dataclass(frozen=True)
class Tip:
    """What the next event of a lineage depends on."""

    n: int
    name: str
    event_hash: str
    event_hash_alt: str
    crashed: bool = False
    envelope: str | None = None

    @property
    def finished(self) -> bool:
        return self.name == "evidence.committed"


def next_tip(tip: Tip | None, record: dict, use: int = 1) -> Tip:
    """The tip after `record`, or FormError where the order or its data is not that of 5.1.

    `use` is the number k of `<id>.<k>`, 1 for a single use.
    """
    name, data, crashed, envelope = record["event"], record["data"], False, None
    if tip is None:
        require(name == "authorization.issued" and record["n"] == 1, "a lineage begins with authorization.issued")
    else:
        require(record["n"] == tip.n + 1, "n is not the next")
        crashed = tip.crashed or (tip.name in _CRASHED and name == "execution.interrupted")
        _require_order(tip, name, crashed)
        envelope = hashes.of(data["envelope"]) if name == "attestation.signed" else tip.envelope
    _require_optional(record)
    _check_data(record, crashed, use)
    if name == "authorization.consumed":
        # An artifact is for one runtime, and what consumes it is a point of that one (4.1, step 12).
        require(form.runtime_of(record["by"]) == record["runtime"], "consumed by a point of another runtime")
    if name == "evidence.committed":
        require(data["events"] == record["n"], "events is not the number of events")
        require((data["evidence"] is None) == crashed, "evidence is null after a crash and only then")
    return Tip(record["n"], name, record["event_hash"], record["event_hash_alt"], crashed, envelope)


def require_evidence(tip: Tip, record: dict):
    """evidence.committed names the envelope that was signed (append; a bundle: attestation.signature)."""
    if record["event"] == "evidence.committed" and not tip.crashed:
        require(record["data"]["evidence"] == tip.envelope, "evidence is not the envelope's hash")


def _require_order(tip: Tip, name: str, crashed: bool):
    if tip.name in OUTCOMES:
        require(name == "evidence.committed", "only evidence.committed follows an outcome")
    else:
        interrupted = crashed and name == "execution.interrupted"
        require(interrupted or name in _AFTER.get(tip.name, ()), f"{name} does not follow {tip.name}")


def _require_optional(record: dict):
    allowed = event.REQUIRED | set(event.NAMED)
    if record["event"] == "admission.granted":
        require("fingerprint" in record, "admission.granted without fingerprint")
        allowed = allowed | {"fingerprint"}
    require(set(event.NAMED) <= record.keys(), "the event does not name its artifact")
    beyond = (record.keys() & event.OPTIONAL) - allowed
    require(not beyond, f"{sorted(beyond)} do not belong to this event")


def _check_data(record: dict, crashed: bool, use: int):
    data, name = record["data"], record["event"]
    if name == "authorization.issued":
        form.members(data, {"chash", "exp", "request"}, what="data")
        form.sha3(data["chash"])
        form.seconds(data["exp"])
        form.sha3(data["request"])
    elif name == "authorization.consumed":
        _check_consumed(data, use)
    elif name == "admission.granted":
        form.members(data, {"workload"}, what="data")
        form.sha3(data["workload"])
    elif name == "execution.started":
        form.members(data, set(), what="data")
    elif name == "attestation.signed":
        form.members(data, {"attestation", "envelope"}, what="data")
        expected = event.attestation_id(record["artifact_id"], record["by"], record["op"])
        require(data["attestation"] == expected, "another attestation's id")
        require(isinstance(data["envelope"], dict), "envelope is not an object")
    elif name in OUTCOMES:
        _check_outcome(data, crashed)
    elif name == "evidence.committed":
        form.members(data, {"evidence", "events"}, what="data")
        form.integer(data["events"], "events", 1)
        if data["evidence"] is not None:
            form.sha3(data["evidence"])


def _check_consumed(data: dict, use: int):
    form.members(data, {"nonce", "use"}, {"registry"}, what="data")
    form.named(data["nonce"], "nonce")
    require(form.integer(data["use"], "use", 1) == use, "another number of use than the lineage's")
    if "registry" in data:
        form.members(data["registry"], {"epoch", "hash"}, what="registry")
        form.integer(data["registry"]["epoch"], "epoch", 1)
        form.sha3(data["registry"]["hash"])


def _check_outcome(data: dict, crashed: bool):
    if crashed:
        form.members(data, {"cause", "effect"}, what="data")
        form.text(data["cause"], "cause")
        require(data["effect"] == "unknown", "the effect of what crashed is unknown")
        return
    form.members(data, {"result"}, {"cause"}, what="data")
    if "cause" in data:
        form.text(data["cause"], "cause")
    check_result(data["result"])


def check_result(result):
    """Form of what came of an execution, in the outcome's event and in the statement alike."""
    form.members(result, {"digest", "bytes", "status"}, what="result")
    form.sha3(result["digest"])
    form.integer(result["bytes"], "bytes")
    form.integer(result["status"], "status")


def within_max(use: dict, k: int | None) -> bool:
    """A bounded artifact has `max` uses; what a rate artifact has is a matter of time, which its point counts."""
    return use["mode"] != "bounded" or k is None or k <= use["max"]


def use_of(op: str) -> int | None:
    """k of `<id>.<k>`, None of `<id>`."""
    _, dot, k = op.partition(".")
    return int(k) if dot else None
