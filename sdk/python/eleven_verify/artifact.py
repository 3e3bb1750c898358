"""The authorization artifact and what binds a request to it (PROTOCOL 4, 5.2)."""

from . import form, hashes
from .encoding import canonical
from .form import require
from .policy import is_commitment, resolve
from .signatures import check_signature

_REQUIRED = {"v", "id", "iss", "sub", "op", "pol", "env", "nbf", "exp", "use", "chash", "sig"}
_OPTIONAL = {"parent", "origin", "holder"}
_USE = {"single": {"mode", "nonce"}, "bounded": {"mode", "nonce", "max"}, "rate": {"mode", "nonce", "max", "per"}}


def check_members(artifact):
    """Members alone, for bundle.form."""
    form.members(artifact, _REQUIRED, _OPTIONAL, "artifact")
    require(artifact["v"] == "1", "artifact of another version of the protocol")
    form.members(artifact["pol"], {"ref", "hash"}, what="pol")
    form.members(artifact["env"], {"runtime", "region", "tenancy"}, what="env")
    form.members(artifact["sig"], {"alg", "kid", "val"}, what="artifact signature")
    require(isinstance(artifact["op"], dict), "op is not an object")
    require(isinstance(artifact["use"], dict), "use is not an object")
    mode = artifact["use"].get("mode")
    require(isinstance(mode, str) and mode in _USE, "unknown use mode")
    form.members(artifact["use"], _USE[mode], what="use")
    if "parent" in artifact:
        form.members(artifact["parent"], {"op", "artifact", "ancestors"}, what="parent")
    if "origin" in artifact:
        form.members(artifact["origin"], {"domain", "op", "artifact", "route"}, what="origin")


def check(artifact):
    """The whole form of an artifact, with its limits; no hash and no signature is computed."""
    check_members(artifact)
    form.named(artifact["id"], "artifact", "id")
    form.named(artifact["iss"], "authority", "iss")
    form.named(artifact["sub"], "identity", "sub")
    check_operation(artifact["op"])
    form.named(artifact["pol"]["ref"], "policy")
    form.sha3(artifact["pol"]["hash"], "policy hash")
    _check_environment(artifact["env"])
    life = form.seconds(artifact["exp"], "exp") - form.seconds(artifact["nbf"], "nbf")
    require(0 < life <= form.LIFE_LIMIT_MS, "the artifact lives longer than an hour, or not at all")
    _check_use(artifact["use"])
    _check_ancestry(artifact)
    form.sha3(artifact["chash"], "chash")
    check_signature(artifact["sig"])
    form.canonical_within(artifact, form.ARTIFACT_LIMIT, "artifact")


def check_decision(decision):
    """The form of a decision's input (11): all that the decision depends on, and nothing else."""
    form.members(decision, {"identity", "op", "env", "facts", "policy", "at"}, what="decision input")
    form.named(decision["identity"], "identity")
    check_operation(decision["op"])
    _check_environment(decision["env"])
    require(isinstance(decision["facts"], dict), "facts is not an object")
    form.members(decision["policy"], {"ref", "hash"}, what="policy")
    form.named(decision["policy"]["ref"], "policy")
    form.sha3(decision["policy"]["hash"], "policy hash")
    form.millis(decision["at"], "at")
    form.canonical_within(decision, form.DECISION_LIMIT, "decision input")


def _check_environment(env):
    form.members(env, {"runtime", "region", "tenancy"}, what="env")
    form.named(env["runtime"], "runtime")
    form.named(env["region"], "segment", "region")
    form.named(env["tenancy"], "segment", "tenancy")


def check_operation(op):
    require(isinstance(op, dict), "op is not an object")
    form.named(op.get("name"), "operation", "operation name")
    scope = form.sorted_ascii(op.get("scope"), "scope")
    require(len(scope) <= form.SCOPE_LIMIT, "more than 64 scope entries")
    for entry in scope:
        form.named(entry, "operation", "scope entry")
    if "params" in op:
        form.sha3(op["params"], "params")
    form.canonical_within(op, form.OP_LIMIT, "op")


def _check_use(use):
    form.named(use["nonce"], "nonce")
    for member in ("max", "per"):
        if member in use:
            form.integer(use[member], member, 1)


def _check_ancestry(artifact):
    if "parent" in artifact:
        parent = artifact["parent"]
        form.named(parent["op"], "lineage", "parent op")
        form.named(parent["artifact"], "artifact", "parent artifact")
        chain = form.listing(parent["ancestors"], "ancestors")
        require(0 < len(chain) <= form.DEPTH_LIMIT, "no ancestors, or more than 16")
        for ancestor in chain:
            form.named(ancestor, "artifact", "ancestor")
        require(len(set(chain)) == len(chain), "an ancestor stands twice")
        require(chain[-1] == parent["artifact"], "the ancestors do not end in the parent")
        require(
            "auth_" + form.lineage_base(parent["op"]) == parent["artifact"], "the parent's op is another artifact's"
        )
    if "origin" in artifact:
        origin = artifact["origin"]
        form.named(origin["domain"], "domain")
        form.named(origin["op"], "lineage", "origin op")
        form.named(origin["artifact"], "artifact", "origin artifact")
        form.sha3(origin["route"], "route")
    if "holder" in artifact:
        form.raw(artifact["holder"], "sha256", "holder")


def payload(artifact: dict) -> bytes:
    """What `chash` hashes and `sig` signs."""
    return canonical(hashes.without(artifact, "chash", "sig"))


def content(artifact: dict) -> str:
    """The id that the artifact's content gives it."""
    return "auth_" + hashes.content_id(hashes.without(artifact, "id", "chash", "sig"))


def require_digests(artifact: dict):
    require(artifact["id"] == content(artifact), "id is not the content's")
    require(artifact["chash"] == hashes.sha3_512(payload(artifact)), "chash is not the payload's")


def request_binding(salt: str, request: dict) -> str:
    """`params` of the exact request {body, method, path}."""
    return hashes.commitment(salt, "/op/params", request)


def result_binding(salt: str, result: dict) -> str:
    """The same for a result {body, status}."""
    return hashes.commitment(salt, "/result", result)


def require_disclosure(artifact: dict, disclosure):
    """A disclosure [salt, path, value] stands as `_sd` at its path of the artifact."""
    require(isinstance(disclosure, list) and len(disclosure) == 3, "a disclosure is [salt, path, value]")
    salt, path, value = disclosure
    require(len(form.bare_base64(salt, "salt")) == 16, "the salt is not 16 bytes")
    require(form.text(path, "path").startswith("/"), "a path starts with /")
    found, held = resolve(artifact, path)
    require(found and is_commitment(held), f"the artifact holds no commitment at {path}")
    require(held["_sd"] == hashes.commitment(salt, path, value), f"{path} was committed with another value")
