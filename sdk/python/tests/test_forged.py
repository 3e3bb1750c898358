"""Bundles that keep every hash, proof and signature and break one rule of form. Each fails in the check that reads it;
the other verifier says the same (`test_differential`)."""

import unittest

from eleven_verify import Asked, canonical, hashes, verify

from . import forge, vectors


class NotShown(str):
    """A check that has to be `not_checked`, since no file shows what it asks for; nothing else is, and nothing fails."""


_HASH = "sha3-512:" + "0" * 128
_RESULT = {"digest": _HASH, "bytes": 0, "status": 200}
_CONTAINED = {
    "kind": "runtime",
    "subject": "k8s://a",
    "state": "contained",
    "since": "2026-05-12T17:04:00.000Z",
    "cause": "operator",
}
_STATED = {
    "v": "1",
    "iss": "11-11",
    "sub": "peer.example",
    "root": {"version": 1, "hash": _HASH},
    "ledger": "peer.example/ledger",
    "constraints": {"operations": []},
    "seq": 1,
    "prev": None,
    "nbf": "2026-05-01T00:00:00Z",
    "exp": "2026-06-01T00:00:00Z",
    "kid": "key:11-11/policy/2026-q2",
    "sig": {"alg": "ed25519", "kid": "key:11-11/policy/2026-q2", "val": "base64:" + "A" * 86 + "=="},
}


def _op(**more):
    return lambda parts: parts.artifact["op"].update(more)


def _data(name: str, **more):
    return lambda parts: parts.event(name)["data"].update(more)


def _policy(**more):
    return lambda parts: parts.policy.update(more)


def _terms(**more):
    return lambda parts: parts.policy["terms"].update(more)


def _both(*changes):
    def change(parts):
        for one in changes:
            one(parts)

    return change


def _revoked(**more):
    def change(parts):
        parts.revoke()
        parts.revocation.update(more)

    return change


def _env(**more):
    return lambda parts: parts.artifact["env"].update(more)


def _identity(name: str):
    return lambda parts: parts.artifact.update(sub=name)


def _shown(kind: str, record: dict):
    """The registry holds a further record, and the bundle shows it."""
    return lambda parts: parts.records.append({"kind": kind, "record": record})


def _point(**more):
    def change(parts):
        _shown("runtime", {**parts.record("runtime"), "point": "k8s://a/b#p", "runtime": "k8s://a/b", **more})(parts)

    return change


def _ran_by(point: str):
    return lambda parts: parts.ran_by(point)


def _attested(**more):
    """The ledger has the attestation and not what follows it yet."""

    def change(parts):
        parts.bundle["kind"] = "open"
        parts.statement["predicate"].update(more)
        del parts.events[5:], parts.bundle["entries"][5:]

    return change


def _decided(about=None, **more):
    """The bundle shows the decision's input, which the issuance recorded; it is about no request, or about this one."""

    def change(parts):
        artifact = parts.artifact
        op = {name: value for name, value in artifact["op"].items() if name != "params" or about == "its own"}
        if about not in (None, "its own"):
            op["params"] = about
        decision = {"identity": artifact["sub"], "op": op, "env": artifact["env"], "policy": artifact["pol"]}
        decision |= {"facts": {}, "at": "2026-05-12T17:04:11.000Z", **more}
        parts.bundle["decision"] = decision
        parts.event("authorization.issued")["data"]["request"] = hashes.of(decision)

    return change


def _key(use: str, **more):
    """The registry holds a further key of that use."""

    def change(parts):
        kid = "key:11-11/further/1"
        held = parts.key("event", parts.events[1]["by"])
        _shown("key", {**held, "kid": kid, "public": forge.public(kid), "use": use, **more})(parts)

    return change


def _evidence(level: str, *items, software: bool = False):
    """The policy asks for that level, and the attestation shows these."""

    def change(parts):
        parts.policy["terms"]["attestation"] = level
        predicate = parts.statement["predicate"]
        predicate["evidence"] = [*(predicate["evidence"] if software else []), *items]

    return change


def _noted(size: int):
    """The software's evidence has a member besides, and so many bytes."""

    def change(parts):
        (software,) = parts.statement["predicate"]["evidence"]
        software["note"] = ""
        software["note"] = "n" * (size - len(canonical(software)))

    return change


def _parent(ancestors: str, op: str = "2", artifact: str = "2"):
    def auth(digit: str) -> str:
        return "auth_" + digit * 32

    parent = {"op": op * 32, "artifact": auth(artifact), "ancestors": [auth(digit) for digit in ancestors]}
    return lambda parts: parts.artifact.update(parent=parent)


def _view(**members):
    return _data("authorization.consumed", registry=members)


def _role(at: int, **more):
    return lambda parts: parts.root["roles"][at].update(more)


def _no_role(at: int):
    """The root in force has another key in place of a record of the version before."""
    kid = "key:11-11/another/2"
    return _role(at, kid=kid, public=forge.public(kid))


def _many_operations(parts):
    parts.policy["operations"] = sorted(["model.invoke", *(f"op.{number:060}" for number in range(300))])


# What was changed, how, and the check that has to fail; None where it has to verify, or which check it then leaves open.
CASES = [
    ("nothing", lambda parts: None, None),
    ("revoked at the end", _revoked(), None),
    # A commitment is a hash, and whatever else stands there stands in clear (5.2).
    ("a sensitive value as `_sd`", _op(patient={"_sd": "p-4711"}), "policy.hash"),
    ("an object as `_sd`", _op(patient={"_sd": {"name": "p-4711"}}), "policy.hash"),
    ("another hash as `_sd`", _op(patient={"_sd": "sha256:" + "0" * 64}), "policy.hash"),
    ("a sensitive pointer into a list", _terms(sensitive=["/op/scope/0"]), "policy.hash"),
    ("a sensitive pointer to no place of a list", _terms(sensitive=["/op/scope/00", "/op/scope/2"]), None),
    # What has no parts may hold what a pointer leads past it to, and is committed whole (5.2).
    ("a text that may hold it", _both(_op(note="p-4711"), _terms(sensitive=["/op/note/id"])), "policy.hash"),
    ("a number deep in what may hold it", _both(_op(a=[{"b": 7}]), _terms(sensitive=["/op/a/0/b/c/d"])), "policy.hash"),
    ("a null that may hold it", _both(_op(note=None), _terms(sensitive=["/op/note/id"])), "policy.hash"),
    ("a commitment that may hold it", _terms(sensitive=["/op/patient/id"]), None),
    ("a sensitive pointer past a name", _terms(sensitive=["/op/name/first", "/op/scope/0/a", "/op/params/a"]), None),
    ("a sensitive pointer to no member", _both(_op(note={"a": 1}), _terms(sensitive=["/op/note/id", "/op/b/c"])), None),
    # A policy is of its form, or invalid (11).
    ("a sensitive pointer out of op", _terms(sensitive=["/env/region"]), "policy.hash"),
    ("approvals", _terms(approvals={"m": 1, "from": ["human:a", "human:b"]}), NotShown("policy.hash")),
    ("an envelope", _terms(envelope={"seccomp": "strict"}), NotShown("policy.hash")),
    ("no text of Cedar", _policy(cedar=""), None),
    ("Cedar that is no text", _policy(cedar=None), "policy.hash"),
    ("no entities", _policy(entities=[]), None),
    ("entities that are one", _policy(entities={}), "policy.hash"),
    ("entities that are null", _policy(entities=None), "policy.hash"),
    ("more approvals than there are", _terms(approvals={"m": 2, "from": ["human:a"]}), "policy.hash"),
    ("approvals of no list", _terms(approvals={"m": 1, "from": "human:a"}), "policy.hash"),
    ("no use mode", _terms(use=[]), "policy.hash"),
    ("delegates", _terms(delegates=["tool.call"]), None),
    ("a delegate that is no operation", _terms(delegates=["tool call"]), "policy.hash"),
    ("operations out of order", _policy(operations=["model.invoke", "a.b"]), "policy.hash"),
    ("a pattern of another scheme", _policy(runtimes=["k8s://*/ns/inference", "ftp://a"]), "policy.hash"),
    ("a pattern for every scheme", _policy(runtimes=["k8s://*/ns/inference", "*://a"]), "policy.hash"),
    # What was decided is what was authorised (11).
    ("a decision", _decided(), None),
    ("a decision about another identity", _decided(identity="svc:another:prod"), "policy.replay"),
    ("a decision about another operation", _decided(op={"name": "model.train", "scope": []}), "policy.replay"),
    ("a decision about no operation", _decided(op=None), "policy.replay"),
    ("a decision about the artifact's request", _decided("its own"), None),
    ("a decision about another request", _decided(_HASH), "policy.replay"),
    ("a decision for another place", _decided(env={"runtime": "k8s://a", "region": "a", "tenancy": "b"}), "policy.replay"),
    ("a decision by facts", _decided(facts={"approvals": []}), None),
    ("a decision by more facts than an input has room for", _decided(facts={"note": "a" * 16 * 1024}), "policy.replay"),
    ("a decision by no facts", _decided(facts=None), "policy.replay"),
    ("a decision at a time without milliseconds", _decided(at="2026-05-12T17:04:11Z"), "policy.replay"),
    ("a decision that depends on more", _decided(note=""), "policy.replay"),
    ("a decision by another policy", _decided(policy={"ref": "policy://a/v1", "hash": _HASH}), "policy.replay"),
    # An event record is at most 16 KiB and of its form, wherever it stands (5, 13).
    ("an event of more than 16 KiB", _data("execution.completed", cause="x" * 16_384), "lineage.order"),
    ("a publication of more than 16 KiB", _many_operations, "policy.published"),
    ("a publication of more", lambda parts: parts.published["data"].update(note=""), "policy.published"),
    ("a publication at no time", lambda parts: parts.published.update(ts="yesterday"), "policy.published"),
    ("a publication without number", lambda parts: parts.published.update(src_seq="1"), "policy.published"),
    ("a revocation of more than 16 KiB", _revoked(reason="x" * 16_384), "artifact.unrevoked"),
    ("a revocation for no reason known", _revoked(reason="because"), "artifact.unrevoked"),
    ("a revocation at no time", _revoked(ts="2026-05-12"), "artifact.unrevoked"),
    # What the events of a lineage carry (5.1).
    ("a view of the registry", _view(epoch=3, hash=_HASH), None),
    ("a view by its hash alone", _view(hash=_HASH), "lineage.order"),
    ("a view of an epoch in words", _view(epoch="3", hash=_HASH), "lineage.order"),
    ("a view of no epoch", _view(epoch=0, hash=_HASH), "lineage.order"),
    ("a cause", _data("execution.completed", cause="upstream.failed"), None),
    ("a cause that says nothing", _data("execution.completed", cause=""), "lineage.order"),
    ("a cause that is no text", _data("execution.completed", cause={"text": "of a caller"}), "lineage.order"),
    # What was authorised is what was used, where, and by whom (4, 4.1).
    ("the last use that there is", lambda parts: parts.use(7, mode="bounded", max=7), None),
    ("a use more than there are", lambda parts: parts.use(7, mode="bounded", max=6), "lineage.order"),
    ("a use of a rate", lambda parts: parts.use(7, mode="rate", max=1, per=60), None),
    ("another point of the runtime", _ran_by("k8s://cluster-east-1/ns/inference#p-0"), None),
    ("a point of another runtime", _ran_by("k8s://lab-cluster/ns/sandbox#p-0"), "lineage.order"),
    ("another region than the point's", _env(region="eu-west-1"), "attestation.binding"),
    ("another tenancy than the point's", _env(tenancy="shared"), "attestation.binding"),
    # What has not come yet can't be compared, and nothing else is left out (5.1, 10).
    ("an attestation without its outcome", _attested(), NotShown("attestation.binding")),
    ("one of another outcome", _attested(outcome="failed"), NotShown("attestation.binding")),
    ("one of no outcome", _attested(outcome="done"), "attestation.binding"),
    ("one of another result", _attested(result={**_RESULT, "status": 503}), NotShown("attestation.binding")),
    ("one of fewer bytes than none", _attested(result={**_RESULT, "bytes": -1}), "attestation.binding"),
    ("one of a result that is more", _attested(result={**_RESULT, "note": ""}), "attestation.binding"),
    ("one of no result", _attested(result=None), "attestation.binding"),
    ("one of another workload", _attested(workload=_HASH), "attestation.binding"),
    ("one of another environment", _attested(environment=_HASH), "attestation.binding"),
    ("one that began before it was consumed", _attested(started="2026-05-12T17:00:00.000Z"), "attestation.binding"),
    ("one with other evidence", _attested(evidence=[{"type": "software", "binary": _HASH, "config": _HASH}]),
     "attestation.binding"),
    # Evidence of hardware is a word here (10).
    ("a quote that is none", _evidence("tdx", {"type": "tdx"}), NotShown("attestation.binding")),
    ("the word in the place of the software", _evidence("software", {"type": "tdx"}), NotShown("attestation.binding")),
    ("the word beside the software", _evidence("software", {"type": "tdx"}, software=True), None),
    # More than 4 KiB of it stands by digest (5).
    ("software of 4 KiB", _noted(4096), None),
    ("software of more than 4 KiB", _noted(4097), "attestation.binding"),
    ("a level that is not reached", _evidence("tdx", {"type": "tpm2-quote"}), "attestation.binding"),
    # A parent's operation is its artifact's, and its ancestors are a chain (2, 4).
    ("a parent", _parent("12"), None),
    ("a parent's operation of another artifact", _parent("12", op="1"), "artifact.digest"),
    ("an ancestor twice", _parent("112"), "artifact.digest"),
    # Records of a root are never removed (3).
    ("a head key that retires later", _role(0, status="retired", since="2026-06-01T00:00:00.000Z"), None),
    ("a registry key's record is gone", _no_role(2), "root.signed"),
    ("a policy key's record is gone", _no_role(1), "root.signed"),
    ("another public key under a name", _role(1, public=forge.public("key:11-11/another/2")), "root.signed"),
    ("a key's window is longer", _role(1, exp="2028-01-01T00:00:00Z"), "root.signed"),
    ("a quorum that is no number", lambda parts: parts.root["witnesses"].update(quorum=False), "root.signed"),
    # Names (2).
    ("a scope entry with a space", _op(scope=["phi.no_export", "phi read"]), "artifact.digest"),
    ("a scope entry of 65 characters", _op(scope=["phi.no_export", "r" * 65]), "artifact.digest"),
    ("a scope entry of 64 characters", _op(scope=["phi.no_export", "r" * 64]), None),
    ("a region with a space", _env(region="us east"), "artifact.digest"),
    ("a tenancy of 65 characters", _env(tenancy="t" * 65), "artifact.digest"),
    ("an identity of 64 characters", _identity("svc:" + "%C3%A9" * 10 + "abcd"), None),
    ("an identity of 65 characters", _identity("svc:" + "%C3%A9" * 10 + "abcde"), "artifact.digest"),
    ("an identity with an escape", _identity("svc:%41"), None),
    ("an identity with the escape of what stands as it is", _identity("svc:%61"), "artifact.digest"),
    ("an identity of a domain with _", _identity("svc:a@my_domain.eu"), None),
    ("an identity of a domain with an empty label", _identity("svc:a@my..eu"), "artifact.digest"),
    # Times (1).
    ("a key of the year 0", _key("event", nbf="0000-02-29T00:00:00Z"), None),
    ("a key of a day that is none", _key("event", nbf="0000-02-30T00:00:00Z"), "registry.records"),
    # Records of the registry (11), and the keys that stand in one (3).
    ("a further key", _key("event"), None),
    ("a key for identities", _key("identity"), "registry.records"),
    ("a key of a witness", _key("witness"), "registry.records"),
    ("a key of the root", _key("policy", owner="governance://11-11/authority/prod"), "registry.records"),
    ("another point", _point(), None),
    ("a point of another runtime", _point(runtime="k8s://other"), "registry.records"),
    ("a point in a region with a space", _point(region="us east"), "registry.records"),
    ("an interface", _shown("interface", {"service": "a/b", "version": "1", "hash": _HASH}), None),
    ("an interface of words", _shown("interface", {"service": "a b", "version": "1", "hash": _HASH}), "registry.records"),
    ("a source", _shown("source", {"name": "a", "source": "https://a", "mapping": {}}), None),
    ("a source without mapping", _shown("source", {"name": "a", "source": "https://a"}), "registry.records"),
    ("a containment", _shown("containment", {**_CONTAINED}), None),
    ("a containment for words", _shown("containment", {**_CONTAINED, "cause": "by me"}), "registry.records"),
    ("a statement", _shown("peer", {**_STATED}), None),
    ("a statement about oneself", _shown("peer", {**_STATED, "sub": "11-11"}), "registry.records"),
    ("a statement with another constraint", _shown("peer", {**_STATED, "constraints": {"a": 1}}), "registry.records"),
]


_STATUSES = ("passed", "failed", "not_checked")


def _open(bundle: dict) -> set:
    """What the bundles here leave open: nobody asked for an age, shows a decision, or is a witness."""
    attested = any(record["event"] == "attestation.signed" for record in bundle["events"])
    nothing = set() if attested else {"attestation.signature", "attestation.binding"}
    return {"head.fresh", "witness.quorum", "policy.replay"} | nothing


class Forged(unittest.TestCase):
    def test_each_fails_where_its_form_is_read(self):
        root = vectors("root.json")
        for what, change, check in CASES:
            with self.subTest(what):
                bundle = forge.forged(change)
                result = verify(bundle, Asked(root))
                of = {status: [c.name for c in result.checks if c.status == status] for status in _STATUSES}
                if check is None or isinstance(check, NotShown):
                    self.assertEqual((result.verdict, of["failed"]), ("verified", []))
                    self.assertEqual(set(of["not_checked"]), _open(bundle) | ({check} if check else set()))
                else:
                    self.assertEqual(result.verdict, "failed")
                    self.assertIn(check, of["failed"])

    def test_a_root_that_is_none_fails_all_that_reads_roots(self):
        for at in (0, 1):
            bundle = forge.forged()
            bundle["roots"][at] = {**bundle["roots"][at], "threshold": 0}
            failed = {c.name for c in verify(bundle, Asked(vectors("root.json"))).checks if c.status == "failed"}
            reads = {"root.signed", "registry.signed", "head.signed", "head.checkpoint", "head.sealed", "witness.quorum"}
            self.assertLessEqual(reads | {"artifact.signature", "policy.published"}, failed, at)

    def test_a_pinned_root_is_compared_as_it_is_written(self):
        bundle = forge.forged()
        keys = bundle["roots"][0]["witnesses"]["keys"]
        keys[0] = {**keys[0], "audits": 1}
        self.assertEqual(verify(bundle, Asked(vectors("root.json"))).status()["root.pinned"], "failed")


if __name__ == "__main__":
    unittest.main()
