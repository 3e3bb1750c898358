"""Admission (PROTOCOL 4.1): what an enforcement point asks before anything runs.

Pure: everything a point knows comes in as one object of the form of
`vectors/admission.json`; the answer is None (a permit may be made) or a reason.
"""

import base64
import binascii
import re

from . import artifact as artifacts
from . import event, form, hashes, policy, registry
from . import root as trust
from .encoding import EncodingError, canonical, parse_canonical, same
from .form import FormError, require
from .signatures import counts_at, find, require_of_domain, require_signed, valid

AHEAD_MS = 2000
_URLSAFE = re.compile(r"[A-Za-z0-9_-]+")
_MALFORMED = (FormError, EncodingError, KeyError, TypeError, ValueError)


class Denied(Exception):
    """Carries the reason of 4.1; its message is the detail beside it."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(detail or reason)
        self.reason = reason


def decide(known: dict) -> str | None:
    """The reason of the first step that fails, or None."""
    try:
        admit(known)
    except Denied as denied:
        return denied.reason
    return None


def admit(known: dict) -> dict:
    """The artifact that may now be consumed; steps 1 to 18 in order, the first failure is raised."""
    token = decode(known.get("token"))
    artifact, issued = token["artifact"], token["issued"]
    now = form.millis(known["now"], "now")
    _clock(known, now)
    _registry_view(known, now)
    row = _this_point(known)
    issuer, recorder = _keys(known, artifact, issued, now)
    _signatures(artifact, issued, issuer, recorder)
    _digests(artifact, issued)
    _window(artifact, now)
    _identity(known, artifact)
    _operation(known, token)
    _environment(known, artifact, row)
    _policy(known, artifact)
    _revocation(known, artifact)
    _containment(known, artifact)
    if known["backlog_ms"] > known["backlog_bound_ms"]:
        raise Denied("audit.discontinuity", "the audit backlog is past its bound")
    _use(known, artifact, now)
    if not known["journal_writable"]:
        raise Denied("audit.unavailable", "the journal can't be written")
    return artifact


def decode(token) -> dict:
    """Steps 1 and 2: the token that travels, of exactly its form."""
    if token is None:
        raise Denied("artifact.missing")
    try:
        return _decode(token)
    except _MALFORMED as error:
        raise Denied("artifact.malformed", str(error)) from error


def _decode(token) -> dict:
    require(isinstance(token, str) and len(token) <= form.TOKEN_LIMIT, "the token is longer than 14 KiB")
    require(_URLSAFE.fullmatch(token) is not None, "the token is not unpadded base64url")
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except binascii.Error as error:
        raise FormError("the token is not base64url") from error
    require(base64.urlsafe_b64encode(data).rstrip(b"=").decode() == token, "the token is not canonical base64url")
    value = parse_canonical(data)
    form.members(value, {"artifact", "issued", "salt"}, what="token")
    require(value["salt"] == "" or len(form.bare_base64(value["salt"], "salt")) == 16, "the salt is not 16 bytes")
    artifacts.check(value["artifact"])
    event.check(value["issued"])
    return value


def _clock(known, now: int):
    if known.get("last_now") is not None and now < form.millis(known["last_now"]):
        raise Denied("runtime.clock", "the clock is behind what this point has seen")
    stamp = known.get("stamp")
    issued = stamp.get("issued") if isinstance(stamp, dict) else None
    try:
        ahead = form.millis(issued) - now
    except FormError:
        return  # step 4 refuses a malformed stamp
    if ahead > AHEAD_MS:
        raise Denied("runtime.clock", "the stamp is ahead of the clock")


def _registry_view(known, now: int):
    try:
        _check_view(known, now)
    except _MALFORMED as error:
        raise Denied("issuer.unavailable", str(error)) from error
    if known["registry"]["header"]["epoch"] < known["seen_epoch"]:
        raise Denied("runtime.contained", "an older epoch than this point has seen")


def _check_view(known, now: int):
    root, view, stamp = known["root"], known["registry"], known["stamp"]
    trust.check(root)
    trust.require_signed(root, root)
    require(trust.in_force(root, now), "the root is not in force")
    registry.check_snapshot(view)
    registry.check_stamp(stamp)
    header = view["header"]
    for signed, what in ((header, "registry header"), (stamp, "stamp")):
        require(signed["domain"] == root["domain"], f"{what} of another domain")
        body = hashes.without(signed, "sig")
        key = require_signed(root["roles"], "registry", None, now, body, signed["sig"], what)
        require_of_domain(key, root["domain"], what)
    require(stamp["epoch"] == header["epoch"], "the stamp is for another epoch")
    require(stamp["hash"] == registry.header_hash(header), "the stamp is for another snapshot")
    require(now - form.millis(stamp["issued"]) <= header["fresh"] * 1000, "the registry view is too old")


def _this_point(known) -> dict:
    row = next((row for row in known["registry"]["runtimes"] if row["point"] == known["point"]), None)
    if row is None:
        raise Denied("runtime.unregistered")
    if row["binary"] != known["binary"] or row["config"] != known["config"]:
        raise Denied("runtime.integrity")
    return row


def _keys(known, artifact, issued, now: int):
    keys = known["registry"]["keys"]
    issuer = find(keys, artifact["sig"]["kid"], "issuer")
    recorder = find(keys, issued["kid"], "event")
    for key in (issuer, recorder):
        if key is None or key["owner"] != artifact["iss"] or not counts_at(key, now):
            raise Denied("artifact.issuer.untrusted")
    return issuer, recorder


def _signatures(artifact, issued, issuer, recorder):
    if not valid(issuer, artifacts.payload(artifact), artifact["sig"]["val"]):
        raise Denied("artifact.signature.invalid", "the artifact's signature does not verify")
    if not valid(recorder, canonical(event.body(issued)), issued["sig"]["val"]):
        raise Denied("artifact.signature.invalid", "the issuance record's signature does not verify")


def _digests(artifact, issued):
    try:
        artifacts.require_digests(artifact)
        require_issuance(issued, artifact)
        require(issued["event_hash"] == event.event_hash(issued), "event_hash is not the record's")
        require(issued["event_hash_alt"] == event.event_hash_alt(issued), "event_hash_alt is not the record's")
    except _MALFORMED as error:
        raise Denied("artifact.digest.mismatch", str(error)) from error


def require_issuance(issued: dict, artifact: dict):
    """`issued` is the authorization.issued of this artifact: the members of 5.1 and no others."""
    require(issued.keys() == event.REQUIRED | set(event.NAMED), "members of an authorization.issued")
    require(issued["event"] == "authorization.issued" and issued["n"] == 1, "not an authorization.issued")
    require(issued["op"] == artifact["id"].removeprefix("auth_"), "issued for another operation")
    require(issued["by"] == artifact["iss"], "issued by another authority")
    for member, value in named(artifact).items():
        require(issued[member] == value, f"{member} is not the artifact's")
    form.members(issued["data"], {"chash", "exp", "request"}, what="issued data")
    require(issued["data"]["chash"] == artifact["chash"], "chash is not the artifact's")
    require(issued["data"]["exp"] == artifact["exp"], "exp is not the artifact's")
    form.sha3(issued["data"]["request"], "request")


def named(artifact: dict) -> dict:
    """What every event of a lineage names of its artifact (5.1)."""
    return {
        "identity": artifact["sub"],
        "operation": artifact["op"]["name"],
        "artifact_id": artifact["id"],
        "issuer": artifact["iss"],
        "runtime": artifact["env"]["runtime"],
        "policy": artifact["pol"],
    }


def _window(artifact, now: int):
    if now < form.seconds(artifact["nbf"]):
        raise Denied("artifact.not_yet_valid")
    if now >= form.seconds(artifact["exp"]):
        raise Denied("artifact.expired")


def _identity(known, artifact):
    if artifact["sub"] != known["caller"]:
        raise Denied("identity.mismatch", "the caller is not the artifact's subject")
    if "holder" in artifact and artifact["holder"] != known.get("holder"):
        raise Denied("identity.mismatch", "the caller did not show the holder's key")


def _operation(known, token):
    granted, wanted = token["artifact"]["op"], known["operation"]
    if not same(hashes.without(granted, "scope", "params"), hashes.without(wanted, "scope", "params")):
        raise Denied("operation.mismatch", "operation or parameters differ")
    scope = wanted.get("scope")
    if not isinstance(scope, list) or any(entry not in granted["scope"] for entry in scope):
        raise Denied("operation.mismatch", "more scope than granted")
    if "params" in granted and granted["params"] != artifacts.request_binding(token["salt"], known["request"]):
        raise Denied("operation.mismatch", "another request than the one bound")


def _environment(known, artifact, row):
    for member in ("runtime", "region", "tenancy"):
        if not artifact["env"][member] == known["environment"].get(member) == row[member]:
            raise Denied("environment.mismatch", f"another {member}")


def _policy(known, artifact):
    rows = known["registry"]["policies"]
    covering = [row for row in rows if policy.covers(row, artifact["op"]["name"], artifact["env"]["runtime"])]
    if len(covering) != 1 or {"ref": covering[0]["ref"], "hash": covering[0]["hash"]} != artifact["pol"]:
        raise Denied("policy.mismatch")


def _revocation(known, artifact):
    revoked = {row["artifact"] for row in known["registry"]["revoked"]}
    if revoked & {artifact["id"], *artifact.get("parent", {}).get("ancestors", [])}:
        raise Denied("artifact.revoked")


def _containment(known, artifact):
    for row in known["registry"]["containments"]:
        if contains(row, known["root"]["domain"], known["point"], artifact):
            raise Denied("runtime.contained", f"{row['kind']} {row['subject']} is contained")


def contains(row: dict, domain: str, point: str, artifact: dict) -> bool:
    """Does this containment hold the operation? An unknown kind does, and so does one of a model or a tool where the
    operation has one that can't be read, for it may be the one (4.1 step 15, 14.2)."""
    kind, subject = row["kind"], row["subject"]
    op, origin = artifact["op"], artifact.get("origin", {})
    if kind == "runtime":
        return any(under(subject, where) for where in (point, artifact["env"]["runtime"]))
    if kind == "domain":
        return subject in (domain, origin.get("domain"), artifact["sub"].partition("@")[2])
    if kind in ("model", "tool"):
        return kind in op and (op[kind] == subject or not isinstance(op[kind], str))
    subjects = {
        "identity": artifact["sub"],
        "operation": op["name"],
        "policy": artifact["pol"]["ref"],
        "route": origin.get("route"),
    }
    return kind not in subjects or subjects[kind] == subject


def under(subject: str, name: str) -> bool:
    """`k8s://c` holds `k8s://c/ns/x` and `k8s://c#p`, not `k8s://c2`."""
    return name == subject or name.startswith((subject + "/", subject + "#"))


def _use(known, artifact, now: int):
    use, times = artifact["use"], known["uses"].get(artifact["id"], [])
    if use["mode"] == "single" and times:
        raise Denied("artifact.replayed")
    if use["mode"] == "bounded" and len(times) >= use["max"]:
        raise Denied("artifact.use.exhausted")
    if use["mode"] == "rate":
        start = now - use["per"] * 1000
        if sum(start < form.millis(time) <= now for time in times) >= use["max"]:
            raise Denied("artifact.rate.exceeded")
