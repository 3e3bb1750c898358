"""Policy bundles, their patterns and terms (PROTOCOL 11)."""

import itertools
import re

from . import form
from .form import require
from .result import NotChecked

_MEMBERS = {"v", "ref", "operations", "runtimes", "cedar", "schema", "terms"}
_TERMS = {"ttl", "use", "bind_params", "digests", "release", "attestation", "sensitive"}
_MORE_TERMS = {"max", "per", "max_run", "delegates", "approvals", "durability", "envelope"}
LEVELS = {"software": 1, "tpm2-quote": 2, "nitro": 3, "sev-snp": 3, "tdx": 3}
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
MODES = ("single", "bounded", "rate")


def check(bundle):
    """Form of a policy bundle. A term that is not understood makes it invalid."""
    form.members(bundle, _MEMBERS, {"entities"}, "policy")
    require(bundle["v"] == "1", "policy of another version of the protocol")
    form.named(bundle["ref"], "policy")
    check_cover(bundle["operations"], bundle["runtimes"])
    # Text without a rule permits nothing, and is text.
    require(isinstance(bundle["cedar"], str), "cedar is not a text")
    require(bundle["schema"] is None or isinstance(bundle["schema"], str), "schema is text or null")
    require(isinstance(bundle.get("entities", []), list), "entities is not a list")
    check_terms(bundle["terms"])


def check_publication(data):
    """Form of the data of `policy.published`."""
    form.members(data, {"ref", "hash", "operations", "runtimes", "sig"}, what="data")
    form.named(data["ref"], "policy")
    form.sha3(data["hash"])
    check_cover(data["operations"], data["runtimes"])


def check_cover(operations, runtimes):
    for name in form.sorted_ascii(operations, "operations"):
        form.named(name, "operation")
    for pattern in form.listing(runtimes, "runtimes"):
        _check_pattern(pattern)
    require(bool(operations) and bool(runtimes), "a policy that covers nothing")


def _check_pattern(pattern):
    """A runtime's name in which * may stand for characters of its path."""
    scheme, _, _ = form.text(pattern, "runtime pattern").partition("://")
    # 0 is a character of names as good as any that a * stands for.
    form.named(pattern.replace("*", "0"), "runtime", "runtime pattern")
    require("*" not in scheme, "a runtime pattern leaves its scheme open")


def check_terms(terms):
    form.members(terms, _TERMS, _MORE_TERMS, "terms")
    form.integer(terms["ttl"], "ttl", 1)
    require(terms["ttl"] * 1000 <= form.LIFE_LIMIT_MS, "ttl is over an hour")
    modes = form.listing(terms["use"], "use")
    require(bool(modes) and all(mode in MODES for mode in modes), "no use mode, or an unknown one")
    require(isinstance(terms["bind_params"], bool), "bind_params is true or false")
    require(terms["digests"] in ("salted", "plain"), "digests is salted or plain")
    require(terms["release"] in ("whole", "stream"), "release is whole or stream")
    require(terms["attestation"] in LEVELS, "unknown attestation level")
    for pointer in form.listing(terms["sensitive"], "sensitive"):
        require(form.text(pointer, "sensitive").startswith("/op/"), "a sensitive pointer leads into op")
    for member in ("max", "per", "max_run"):
        if member in terms:
            form.integer(terms[member], member, 1)
    for name in form.listing(terms.get("delegates", []), "delegates"):
        form.named(name, "operation")
    _check_approvals(terms)


def _check_approvals(terms):
    if "approvals" in terms:
        form.members(terms["approvals"], {"m", "from"}, what="approvals")
        least, approvers = form.integer(terms["approvals"]["m"], "m", 1), terms["approvals"]["from"]
        form.listing(approvers, "from")
        require(all(isinstance(approver, str) for approver in approvers), "an approver is not a string")
        require(least <= len(approvers), "m is more than from has")
    if "durability" in terms:
        require(terms["durability"] in ("D1", "D2", "D3", "D4", "D5"), "unknown durability")


# Patterns -----------------------------------------------------------------


def covers(policy: dict, operation, runtime) -> bool:
    """Does a policy (a bundle, or its row in the registry) cover this operation at this runtime?"""
    return operation in policy["operations"] and any(matches(pattern, runtime) for pattern in policy["runtimes"])


def matches(pattern: str, runtime) -> bool:
    """`*` is one or more characters within one segment."""
    if not isinstance(runtime, str):
        return False
    ours, theirs = pattern.split("/"), runtime.split("/")
    return len(ours) == len(theirs) and all(map(_segment_matches, ours, theirs))


def _segment_matches(pattern: str, segment: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == segment
    if not segment.startswith(first):
        return False
    at = len(first)
    for number, part in enumerate(rest):
        # Each star takes at least one character; the last part must reach the end.
        if number == len(rest) - 1:
            return len(segment) - len(part) > at and segment.endswith(part) if part else len(segment) > at
        at = segment.find(part, at + 1)
        if at < 0:
            return False
        at += len(part)
    return False


def overlap(a: dict, b: dict) -> bool:
    """Could an operation and a runtime match both? A segment with * meets anything."""
    if not set(a["operations"]) & set(b["operations"]):
        return False
    return any(_patterns_overlap(p, q) for p in a["runtimes"] for q in b["runtimes"])


def _patterns_overlap(a: str, b: str) -> bool:
    left, right = a.split("/"), b.split("/")
    return len(left) == len(right) and all(x == y or "*" in x or "*" in y for x, y in zip(left, right, strict=True))


def path(ref: str) -> str:
    """`policy://<path>` of `policy://<path>/v<N>`."""
    return ref.rsplit("/v", 1)[0]


def version(ref: str) -> int:
    return int(ref.rsplit("/v", 1)[1])


# Terms that an artifact keeps -----------------------------------------------


def require_kept(terms: dict, artifact: dict):
    """The artifact keeps ttl, use, max, per, bind_params and sensitive."""
    life = form.seconds(artifact["exp"]) - form.seconds(artifact["nbf"])
    require(life <= terms["ttl"] * 1000, "the artifact lives longer than the policy's ttl")
    use = artifact["use"]
    require(use["mode"] in terms["use"], "the policy does not allow this use")
    if use["mode"] != "single":
        require(use["max"] <= terms.get("max", use["max"]), "more uses than the policy's max")
    if use["mode"] == "rate":
        require(use["per"] >= terms.get("per", use["per"]), "a window shorter than the policy's per")
    require(not terms["bind_params"] or "params" in artifact["op"], "the request is not bound")
    for pointer in terms["sensitive"]:
        clear = in_clear(artifact["op"], pointer)
        require(clear is None, f"{clear} stands in clear, and {pointer} is sensitive")


def require_shown(terms: dict):
    """Of some terms nothing in a bundle shows that they were kept."""
    if "approvals" in terms or "envelope" in terms:
        raise NotChecked("all that is shown was kept; that of `approvals` and `envelope` no file shows")


def is_commitment(value) -> bool:
    """Exactly `{"_sd":"sha3-512:…"}` (5.2): whatever else stands there stands in clear."""
    return isinstance(value, dict) and value.keys() == {"_sd"} and form.is_raw(value["_sd"], "sha3-512")


def in_clear(op: dict, pointer: str) -> str | None:
    """Where in `op` something that is sensitive by `pointer` stands in clear: at the pointer itself, or at the part of it
    that leads to a value without parts, which may hold it. What has a form of its own there holds nothing of the kind."""
    inside = pointer.split("/", 3)[2]
    ends = (slash.start() for slash in itertools.islice(re.finditer("/", pointer), 2, None))
    for end in itertools.chain(ends, [len(pointer)]):
        path, last = pointer[:end], end == len(pointer)
        found, value = resolve({"op": op}, path)
        if not found:
            return None
        if last or not isinstance(value, (dict, list)):
            clear = not is_commitment(value) and (last or inside not in ("name", "scope", "params"))
            return path if clear else None
    return None


def resolve(value, pointer: str):
    """(True, what the JSON pointer names) or (False, None)."""
    for token in re.finditer("/([^/]*)", pointer):
        part = token[1].replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and _INDEX.fullmatch(part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return False, None
    return True, value
