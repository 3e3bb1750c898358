"""This project's own vectors of what is appended (6.1), `append-own.json`: made here from the keys of `ledger.json`, and
compared with what stands there. `ELEVEN_WRITE_VECTORS=1` writes the file anew."""

import copy
import json
import os
import unittest

from eleven_verify import append, event, hashes
from eleven_verify import root as trust

from . import VECTORS, forge, vectors
from .test_append import _signed

FILE = "append-own.json"
AT = "2026-05-12T17:04:14.500Z"
AUTHORITY, RUNTIME = "governance://11-11/authority/prod", "k8s://cluster-east-1/ns/inference"
POINT = f"{RUNTIME}#gw-0"
STRANGER = "k8s://lab-cluster/ns/sandbox#p-0"
KIDS = {
    AUTHORITY: "key:11-11/authority/2026-q2",
    POINT: "key:11-11/gw-0/2026-q2",
    "ledger://11-11": "key:11-11/audit/2026-q2",
}
REGISTRY_KEY, POLICY_KEY = "key:11-11/registry/2026-q2", "key:11-11/policy/2026-q2"
ISSUER_KEY = "key:11-11/issuer/2026-q2"
ROOT_KEY, NEXT_ROOT_KEY = "key:11-11/root/2026-q2", "key:11-11/root/2"
HASH = "sha3-512:" + "0" * 128
# Of the operations of the vectors, one that was started and one that was only issued.
OPEN, UNUSED = "VF84FC244Y0P40JNH9Z0ECSFNENZGWRR", "GK58X6J0JX918JV4VVTWFPZXSVB18PXH"
ENVELOPE = {"payload": "", "payloadType": "", "signatures": []}


def _ledger() -> append.Ledger:
    ledger = append.Ledger()
    for entry in vectors("ledger.json")["entries"]:
        assert ledger.append(entry["record"], entry["at"]).outcome == append.ACCEPT
    return ledger


class _Case:
    """What is said of one record, and of the entries that stand before it."""

    def __init__(self, ledger: append.Ledger):
        self.ledger, self.before, self.at = copy.deepcopy(ledger), [], AT

    def entry(self, record: dict):
        prev, prev_alt = self.ledger.chain
        entry = {"seq": self.ledger.size, "at": self.at, "prev": prev, "prev_alt": prev_alt, "record": record}
        answer = self.ledger.append(record, self.at)
        assert answer.outcome == append.ACCEPT, answer
        self.before.append(entry)

    def record(self, body: dict, kid: str) -> dict:
        number = len(self.ledger._seen.get(kid, []))
        return _signed({**body, "kid": kid, "src_seq": number}, forge.seed(kid))

    def event(self, name: str, data: dict, by: str = AUTHORITY, **more) -> dict:
        """An event that stands alone, unless `more` says where it does."""
        body = {"v": "1", "event": name, "n": 1, "prev_hash": None, "prev_hash_alt": None, "ts": self.at, "by": by,
                "data": data, **more}  # fmt: skip
        return self.record(body, KIDS[by])

    def key(self, label: str, **more) -> dict:
        """`key.registered` of a key that the registry key grants."""
        kid = f"key:11-11/{label}/1"
        key = {"kid": kid, "alg": "ed25519", "public": forge.public(kid), "use": "event", "owner": STRANGER,
               "nbf": "2026-04-01T00:00:00Z", "exp": "2026-07-01T00:00:00Z", "status": "active", "since": None, **more}  # fmt: skip
        return self.event("key.registered", {"key": key, "grant": forge.sign(REGISTRY_KEY, key)})

    def root(self, change=lambda root: None, by: tuple = (), **more) -> dict:
        """`root.published` of the version after the last, signed by these keys; by its first where none is named."""
        last = self.ledger.registry.root
        root = {**copy.deepcopy(trust.body(last)), "version": last["version"] + 1, "prev": trust.root_hash(last)}
        root.update(more)
        change(root)
        kids = by or (root["keys"][0]["kid"],)
        sigs = [{"kid": kid, "val": forge.sign(kid, root)["val"]} for kid in kids]
        return self.event("root.published", {"root": {**root, "sigs": sigs}})

    def policy(self, ref: str, **more) -> dict:
        """`policy.published`, for an operation of its own."""
        data = {"ref": ref, "hash": HASH, "operations": ["further.call"], "runtimes": [STRANGER.split("#")[0]]}
        sig = forge.sign(POLICY_KEY, {"domain": "11-11", "hash": HASH, "ref": ref})
        return self.event("policy.published", {**data, "sig": sig, **more})

    def interface(self, service: str, version: str, digest: str | None = None) -> dict:
        """`interface.approved`, with the hash of the document that services of the protocol's own have."""
        document = {"v": "1", "domain": "11-11", "service": service, "version": version}
        record = {"service": service, "version": version, "hash": digest or hashes.of(document)}
        signed = {"domain": "11-11", "hash": record["hash"], "ref": f"{service}/{version}"}
        return self.event("interface.approved", {**record, "sig": forge.sign(POLICY_KEY, signed)})

    def runtime(self, **more) -> dict:
        data = {"point": STRANGER, "runtime": STRANGER.split("#")[0], "region": "eu", "tenancy": "single",
                "mode": "gateway", "binary": HASH, "config": HASH, "kid": "key:11-11/p-0/1", **more}  # fmt: skip
        return self.event("runtime.registered", data)

    def stated(self, signer: str = POLICY_KEY, follows: bool = False, **more) -> dict:
        """`domain.stated` about a peer; the first, or what follows the last."""
        statement = {"v": "1", "iss": "11-11", "sub": "peer.example", "root": {"version": 1, "hash": HASH},
                     "ledger": "peer.example/ledger", "constraints": {"operations": []}, "seq": 1, "prev": None,
                     "nbf": "2026-05-01T00:00:00Z", "exp": "2026-06-01T00:00:00Z", "kid": POLICY_KEY, **more}  # fmt: skip
        if follows:
            last = self.ledger.registry.rows["peers"]["11-11 peer.example"]
            statement.update(seq=last["seq"] + 1, prev=hashes.of(hashes.without(last, "sig")))
        sig = {**forge.sign(signer, statement), "kid": statement["kid"]}
        return self.event("domain.stated", {"statement": {**statement, "sig": sig}})

    def subject(self, state: str, kind: str, subject: str, by: str = AUTHORITY, **data) -> dict:
        """`lifecycle.<state>`, the next in the subject's lineage."""
        data = {"kind": kind, "subject": subject, **(data or {"cause": "operator"})}
        op = event.subject_op(data)
        tip, place = self.ledger._tips.get(op), {}
        if tip is not None:
            place = {"n": tip.n + 1, "prev_hash": tip.event_hash, "prev_hash_alt": tip.event_hash_alt}
        return self.event(f"lifecycle.{state}", data, by, op=op, **place)

    def recovered(self, kid: str, **more) -> dict:
        """`ledger.recovered`, signed by one key as if the root's."""
        tree = {"root": "sha256:" + "0" * 64, "size": 12}
        body = {"v": "1", "type": "11-11/recovery", "ledger": "ledger://11-11", "restored": tree,
                "lost": {**tree, "size": 64}, "cause": "a disk", "at": self.at, **more}  # fmt: skip
        sigs = [{"kid": "key:11-11/root/2026-q2", "val": forge.sign(kid, body)["val"]}]
        return self.event("ledger.recovered", {**body, "sigs": sigs}, "ledger://11-11")

    def issued(self, ts: str) -> dict:
        """The issuance of the vectors' new artifact, as if of that time."""
        cases = vectors("append.json")["cases"]
        lawful = next(c["record"] for c in cases if c["what"] == "a new artifact under the policy in force")
        body = {name: value for name, value in lawful.items() if name not in ("event_hash", "event_hash_alt", "sig")}
        return self.record({**body, "ts": ts}, lawful["kid"])

    def consumed_by(self, point: str, kid: str | None = None, **data) -> dict:
        """The consumption of the vectors' unused artifact by that point, with a key of its own where none is named."""
        cases = vectors("append.json")["cases"]
        lawful = next(c["record"] for c in cases if c["what"] == "the first event of an unused artifact's consumption")
        body = {name: value for name, value in lawful.items() if name not in ("event_hash", "event_hash_alt", "sig")}
        if kid is None:
            kid = "key:11-11/p-0/1"
            self.entry(self.key("p-0", owner=point))
        return self.record({**body, "by": point, "ts": AT, "data": {**body["data"], **data}}, kid)

    def next(self, op: str, name: str, data: dict, **more) -> dict:
        """The next event of that operation, by the point."""
        first, tip = self.ledger._first[op], self.ledger._tips[op]
        place = {"op": op, "n": tip.n + 1, "prev_hash": tip.event_hash, "prev_hash_alt": tip.event_hash_alt}
        return self.event(name, data, POINT, **{member: first[member] for member in event.NAMED}, **place, **more)

    def attested(self, envelope=ENVELOPE) -> dict:
        """What was open is attested, in an envelope that nobody signed: what it says, a bundle is asked."""
        named = event.attestation_id("auth_" + OPEN, POINT, OPEN)
        return self.next(OPEN, "attestation.signed", {"attestation": named, "envelope": envelope})

    def revoked(self, **data) -> dict:
        """The revocation of the vectors' unused artifact."""
        exp = self.ledger._first[UNUSED]["exp"]
        return self.event("authorization.revoked", {"artifact": f"auth_{UNUSED}", "exp": exp, **data})

    def sent_again(self, **other) -> dict:
        """The first record of the point, or another under its number."""
        records = (entry["record"] for entry in vectors("ledger.json")["entries"])
        first = next(record for record in records if record["kid"] == KIDS[POINT])
        return _signed({**event.body(first), **other}, forge.seed(KIDS[POINT])) if other else first

    def refusal(self, record: dict | None = None, **more) -> dict:
        """`ledger.refused` of a record; of one of the authority's, which nobody made, where none is named."""
        kid = record["kid"] if record else KIDS[AUTHORITY]
        number = record["src_seq"] if record else len(self.ledger._seen[kid])
        digest = hashes.of(record) if record else HASH
        data = {"hash": digest, "reason": "registry.refused", "kid": kid, "src_seq": number, **more}
        return self.event("ledger.refused", data, "ledger://11-11")

    def denied(self, **data) -> dict:
        """A counted denial of the point."""
        data = {"count": 1, "window": "2026-05-12T17:04:14.000Z/PT1S", "listener": "127.0.0.1:1113", **data}
        return self.event("execution.denied", data, POINT, reason="artifact.missing", runtime=RUNTIME)


def _then(*makes, at: str = AT):
    """What each makes is appended, and of the last is asked, at that time."""

    def make(case: _Case) -> dict:
        for before in makes[:-1]:
            case.entry(before(case))
        case.at = at
        return makes[-1](case)

    return make


def _of(name: str, *arguments, **more):
    """What that method of a case makes."""
    return lambda case: getattr(case, name)(*arguments, **more)


def _refused(then: str):
    """A key for identities is refused; then it comes again, another comes under its number, or under the next."""

    def make(case: _Case) -> dict:
        again = case.key("further", use="identity", owner="svc:a:prod")
        came = {"again": again, "another": case.key("further")}
        case.entry(case.refusal(again))
        return came.get(then) or case.key("further")

    return make


def _of_another(case: _Case) -> dict:
    """The refusal of another record under the number of the authority's first: the proof that it equivocated."""
    return case.refusal(src_seq=0)


def _evidence(digest: str | None, events: int):
    return _of("next", OPEN, "evidence.committed", {"evidence": digest, "events": events})


def _retired(root):
    registry = next(key for key in root["roles"] if key["use"] == "registry")
    registry.update(status="retired", since="2026-05-12T17:00:00.000Z")


def _other_root_key(root):
    """The root key of before is retired, long after the root begins, and another is there."""
    former = root["keys"][0]
    root["keys"].insert(0, {**former, "kid": NEXT_ROOT_KEY, "public": forge.public(NEXT_ROOT_KEY)})
    former.update(status="retired", since="2026-05-12T17:04:14.000Z")


def _other_policy_key(status: str, since: str):
    """The policy key of before is ended then, and another is there."""

    def change(root):
        former = next(key for key in root["roles"] if key["kid"] == POLICY_KEY)
        kid = "key:11-11/policy/2"
        root["roles"].insert(0, {**former, "kid": kid, "public": forge.public(kid)})
        former.update(status=status, since=since)

    return change


def _witnessed(case: _Case) -> dict:
    """A root with a witness whose key is registered."""
    registered = case.ledger.registry.rows["keys"][KIDS[POINT]]["public"]
    witness = {"name": "witness9.example", "public": registered, "audits": False}
    return case.root(lambda root: root["witnesses"]["keys"].append(witness))


def _once_a_witness(case: _Case) -> dict:
    """A root without the witnesses before it, and a key that was one's."""
    public = case.ledger.registry.root["witnesses"]["keys"][0]["public"]
    case.entry(case.root(witnesses={"quorum": 0, "auditors": 0, "keys": []}))
    return case.key("further", public=public)


_ENDS = _of("root", exp="2026-05-12T17:04:16Z")
_BEGINS = _of("root", nbf="2026-05-12T17:04:14Z")
_REPLACED = _of("root", _other_root_key, (ROOT_KEY, NEXT_ROOT_KEY))
_IN_TIME, _LATE = "2026-05-12T17:04:15.999Z", "2026-05-12T17:04:16.000Z"
_CONTAINED = _of("subject", "contained", "model", "m")
_RECOVERING = _of("subject", "recovering", "model", "m")
_GOVERNED = _of("subject", "governed", "model", "m")
_REVOKED = _of("subject", "revoked", "runtime", "k8s://lab-cluster")
_BY_ITSELF = {"kind": "runtime", "subject": POINT, "by": POINT}
_V1 = _of("policy", "policy://further/v1")
_RETIRED = _of("event", "policy.retired", {"ref": "policy://further/v1"})
_GAP = _of("root", _other_policy_key("retired", "2026-05-12T17:04:14.000Z"), nbf="2026-05-12T17:04:14Z")
_CONSUMED = _of("consumed_by", POINT, KIDS[POINT])
_CRASHED = _of("next", OPEN, "execution.interrupted", {"cause": "crash", "effect": "unknown"})
_ATTESTED = _of("attested")
_COMPLETED = _of("next", OPEN, "execution.completed", {"result": {"digest": HASH, "bytes": 0, "status": 200}})
_POINT_RETIRED = _of("event", "key.retired", {"kid": KIDS[POINT]})
_HOLD = "operation." + "0" * 32
_SOURCE = {"name": "corp", "source": "https://id.example", "mapping": {}}

_CASES = [
    ("a consumption by a point of the artifact's runtime", "accept",
     lambda case: case.consumed_by(POINT, "key:11-11/gw-0/2026-q2")),
    ("a consumption by a point of another runtime", "refused", lambda case: case.consumed_by(STRANGER)),
    ("a consumption by a point of a path below the runtime", "refused",
     lambda case: case.consumed_by(f"{RUNTIME}/below#gw-0")),
    ("a consumption by a point of a path above the runtime", "refused",
     lambda case: case.consumed_by("k8s://cluster-east-1#gw-0")),
    # What a producer sends again.
    ("a record again", "repeat", _of("sent_again")),
    ("another record under its number", "equivocation", _of("sent_again", ts=AT)),
    ("a record again by a key that was retired", "repeat", _then(_POINT_RETIRED, _of("sent_again"))),
    ("another under its number by a key that was retired", "refused", _then(_POINT_RETIRED, _of("sent_again", ts=AT))),
    # What the ledger says of records that it refused.
    ("what refuses under the next number", "accept", _of("refusal")),
    ("what refuses under a number that has a record", "accept", _of_another),
    ("what refuses under a number to come", "refused", lambda case: case.refusal(src_seq=1000)),
    ("what refuses under a number that is none", "refused", _of("refusal", src_seq=-1)),
    ("what refuses under nobody's key", "refused", _of("refusal", kid="key:11-11/nobody/1", src_seq=0)),
    ("what refuses under a key for artifacts", "refused", _of("refusal", kid=ISSUER_KEY, src_seq=0)),
    ("what refuses for no reason", "refused", _of("refusal", reason="")),
    ("a record again that was refused", "refused", _refused("again")),
    ("another under the number of one that was refused", "equivocation", _refused("another")),
    ("the record after one that was refused", "accept", _refused("next")),
    ("the record after one that is the proof of equivocation", "accept",
     _then(_of_another, lambda case: case.key("further"))),
    # The lineage of an operation.
    ("a consumption of another use than its operation's", "refused", _of("consumed_by", POINT, KIDS[POINT], use=2)),
    ("a consumption of a nonce that is none", "refused", _of("consumed_by", POINT, KIDS[POINT], nonce="n_1")),
    ("an admission", "accept",
     _then(_CONSUMED, _of("next", UNUSED, "admission.granted", {"workload": HASH}, fingerprint=HASH))),
    ("an admission without a fingerprint", "refused",
     _then(_CONSUMED, _of("next", UNUSED, "admission.granted", {"workload": HASH}))),
    ("an interruption by a crash", "accept", _CRASHED),
    ("an interruption by a crash, without effect", "refused",
     _of("next", OPEN, "execution.interrupted", {"cause": "crash", "effect": "none"})),
    ("the evidence after a crash", "accept", _then(_CRASHED, _evidence(None, 6))),
    ("the evidence after a crash, of an envelope", "refused", _then(_CRASHED, _evidence(HASH, 6))),
    ("an attestation in an envelope that is text", "refused", _of("attested", "")),
    ("an attestation in no envelope", "refused", _of("attested", None)),
    ("the evidence of the envelope that was signed", "accept",
     _then(_ATTESTED, _COMPLETED, _evidence(hashes.of(ENVELOPE), 7))),
    ("the evidence of another envelope", "refused", _then(_ATTESTED, _COMPLETED, _evidence(HASH, 7))),
    ("the evidence of no envelope where one was signed", "refused", _then(_ATTESTED, _COMPLETED, _evidence(None, 7))),
    ("the evidence of more events than there are", "refused",
     _then(_ATTESTED, _COMPLETED, _evidence(hashes.of(ENVELOPE), 8))),
    # Counted denials.
    ("a counted denial at a listener", "accept", _of("denied")),
    ("a counted denial at a listener without a name", "refused", _of("denied", listener="")),
    # Issuances.
    ("an issuance of thirty seconds before its entry", "accept", _of("issued", "2026-05-12T17:03:44.500Z")),
    ("an issuance of longer before its entry", "refused", _of("issued", "2026-05-12T17:03:44.499Z")),
    ("an issuance of a time to come", "accept", _of("issued", "2026-05-12T17:05:14.500Z")),
    ("a key for attestations", "accept", lambda case: case.key("further", use="attestation")),
    ("a key for identities", "refused", lambda case: case.key("further", use="identity", owner="svc:a:prod")),
    ("a key of a witness", "refused", lambda case: case.key("further", use="witness", owner="witness.example")),
    ("a key from the year 0 on", "accept", lambda case: case.key("further", nbf="0000-02-29T00:00:00Z")),
    ("a key from a day on that is none", "refused", lambda case: case.key("further", nbf="0000-02-30T00:00:00Z")),
    # The trust root, and what is signed under it.
    ("the next root", "accept", _of("root")),
    ("a root that has lapsed", "refused", _of("root", exp="2026-05-12T17:04:14Z")),
    ("a root that is to come", "refused", _of("root", nbf="2026-05-12T17:04:15Z")),
    ("a root whose registry key does not count any more", "refused", _of("root", _retired)),
    ("a root with a registered key as a witness's", "refused", _witnessed),
    ("a root that begins with the last", "accept", _then(_BEGINS, _of("root"))),
    ("a root that begins before the last", "refused", _then(_BEGINS, _of("root", nbf="2026-05-12T17:04:13Z"))),
    ("a root by the key that it retires", "refused", _of("root", _other_root_key, (ROOT_KEY,))),
    ("a root by the key that it retires and another", "accept", _REPLACED),
    ("a root by the key that the last one added", "accept", _then(_REPLACED, _of("root", by=(NEXT_ROOT_KEY,)))),
    ("a root by the key that the last one retired", "refused", _then(_REPLACED, _of("root", by=(ROOT_KEY,)))),
    ("a root that ends a policy key", "accept", _GAP),
    ("a root that ends a policy key before a policy by it", "refused", _then(_V1, _GAP)),
    ("a root that ends a policy key before a policy that was retired", "refused", _then(_V1, _RETIRED, _GAP)),
    ("a root that begins before a policy and ends its key after it", "accept",
     _then(_V1, _of("root", _other_policy_key("retired", "2026-05-12T17:04:14.501Z"), nbf="2026-05-12T17:04:14Z"))),
    ("a root that begins after a policy and calls its key compromised from before", "accept",
     _then(_V1, _of("root", _other_policy_key("compromised", "2026-05-12T17:04:14.000Z"),
                    nbf="2026-05-12T17:04:15Z"), at=_LATE)),
    ("a root that begins before a policy and calls its key compromised from before", "refused",
     _then(_V1, _of("root", _other_policy_key("compromised", "2026-05-12T17:04:14.000Z"),
                    nbf="2026-05-12T17:04:14Z"), at=_LATE)),
    ("a key under a root that is about to lapse", "accept", _then(_ENDS, _of("key", "further"), at=_IN_TIME)),
    ("a key under a root that has lapsed", "refused", _then(_ENDS, _of("key", "further"), at=_LATE)),
    ("a policy under a root that has lapsed", "refused", _then(_ENDS, _V1, at=_LATE)),
    ("an interface under a root that has lapsed", "refused", _then(_ENDS, _of("interface", "a", "1"), at=_LATE)),
    ("a statement under a root that has lapsed", "refused", _then(_ENDS, _of("stated"), at=_LATE)),
    ("the next root where the last has lapsed", "accept",
     _then(_ENDS, _of("root", exp="2027-04-01T00:00:00Z"), at=_LATE)),
    ("a public key that was a witness's", "refused", _once_a_witness),
    ("a recovery that the root key signed", "accept", _of("recovered", "key:11-11/root/2026-q2")),
    ("a recovery that another key signed", "refused", _of("recovered", POLICY_KEY)),
    ("a recovery of another ledger", "refused", _of("recovered", "key:11-11/root/2026-q2", ledger="ledger://b")),
    ("a recovery of more than there is", "refused",
     _of("recovered", "key:11-11/root/2026-q2", restored={"root": "sha256:" + "0" * 64, "size": 65})),
    ("a recovery for a reason of white space", "refused", _of("recovered", ROOT_KEY, cause=" \u0085\u2003\u3000")),
    ("a recovery for a reason that is a control character", "accept", _of("recovered", ROOT_KEY, cause="\u001c")),
    # Points.
    ("a point", "accept", _of("runtime")),
    ("a point by a key of its own", "accept", _then(_of("key", "p-0"), _of("runtime"))),
    ("a point by another's key", "refused", _of("runtime", kid=KIDS[POINT])),
    ("a point by a key for attestations", "refused", _then(_of("key", "p-0", use="attestation"), _of("runtime"))),
    ("a point of a runtime that was revoked", "refused", _then(_REVOKED, _of("runtime"))),
    ("a key for a point of a runtime that was revoked", "refused", _then(_REVOKED, _of("key", "p-0"))),
    ("a key for a point beside the runtime that was revoked", "accept",
     _then(_REVOKED, _of("key", "p-0", owner="k8s://lab-cluster2#p-0"))),
    ("a step of the start", "accept", _of("event", "runtime.step", {"step": 10, "outcome": "passed"}, POINT)),
    ("a step that there is not", "refused", _of("event", "runtime.step", {"step": 11, "outcome": "passed"}, POINT)),
    ("a step of no outcome", "refused", _of("event", "runtime.step", {"step": 1}, POINT)),
    # Policies.
    ("a policy whose first version is any", "accept", _of("policy", "policy://further/v7")),
    ("the version after the last", "accept", _then(_V1, _of("policy", "policy://further/v2"))),
    ("a version left out", "refused", _then(_V1, _of("policy", "policy://further/v3"))),
    ("a version again after it was retired", "refused", _then(_V1, _RETIRED, _V1)),
    ("the version after one that was retired", "accept", _then(_V1, _RETIRED, _of("policy", "policy://further/v2"))),
    ("a policy that was revoked", "refused", _then(_of("subject", "revoked", "policy", "policy://further/v1"), _V1)),
    ("a policy without operations", "refused", _of("policy", "policy://further/v1", operations=[])),
    # Interfaces, and the two services of the protocol's own.
    ("a revocation", "accept", _of("revoked", why="operator")),
    ("a revocation that does not say why", "refused", _of("revoked")),
    ("a revocation for no reason", "refused", _of("revoked", why="")),
    ("a revocation and more", "refused", _of("revoked", why="operator", note="")),
    ("a revocation of no name", "refused", _of("revoked", why="operator", artifact=[])),
    ("an interface", "accept", _of("interface", "a/b", "1")),
    ("an interface of words", "refused", _of("interface", "A b", "1")),
    ("an interface again", "refused", _then(_of("interface", "a", "1"), _of("interface", "a", "1", HASH))),
    ("a retention", "accept", _of("interface", "retention", "183.eu-ai-act")),
    ("a retention of fewer days than its regime's", "refused", _of("interface", "retention", "182.eu-ai-act")),
    ("a retention of no regime", "refused", _of("interface", "retention", "183.none")),
    ("a retention that is lowered", "refused",
     _then(_of("interface", "retention", "200.own"), _of("interface", "retention", "199.own"))),
    ("a retention that is raised", "accept",
     _then(_of("interface", "retention", "200.own"), _of("interface", "retention", "201.own"))),
    ("a retention by another hash", "refused", _of("interface", "retention", "183.own", HASH)),
    ("a hold", "accept", _of("interface", "hold", f"{_HOLD}.1")),
    ("a hold that is lifted", "accept",
     _then(_of("interface", "hold", f"{_HOLD}.1"), _of("interface", "hold", f"{_HOLD}.2"))),
    ("a hold that is lifted before it is placed", "refused", _of("interface", "hold", f"{_HOLD}.2")),
    ("a hold on a model", "refused", _of("interface", "hold", "model." + "0" * 32 + ".1")),
    # Identity sources.
    ("a source", "accept", _of("event", "source.registered", _SOURCE)),
    ("a source by its name alone", "refused", _of("event", "source.registered", {"name": "corp"})),
    ("a source of words", "refused", _of("event", "source.registered", {**_SOURCE, "name": "A b"})),
    ("a source and more", "refused", _of("event", "source.registered", {**_SOURCE, "note": ""})),
    # Statements about peers.
    ("a statement", "accept", _of("stated")),
    ("the statement after it", "accept", _then(_of("stated"), _of("stated", follows=True))),
    ("a statement that another key signed", "refused", _of("stated", REGISTRY_KEY)),
    ("a statement by a registry key", "refused", _of("stated", REGISTRY_KEY, kid=REGISTRY_KEY)),
    ("a statement of another domain", "refused", _of("stated", iss="eu.example")),
    ("a statement with an unknown constraint", "refused", _of("stated", constraints={"colours": []})),
    ("a statement and more", "refused", _of("stated", note="")),
    ("a first statement that is the fifth", "refused", _of("stated", seq=5, prev=HASH)),
    ("a second statement that is the first", "refused", _then(_of("stated"), _of("stated"))),
    ("a second statement after another", "refused", _then(_of("stated"), _of("stated", seq=2, prev=HASH))),
    ("a statement about a domain that was revoked", "refused",
     _then(_of("subject", "revoked", "domain", "peer.example"), _of("stated"))),
    # Governed subjects.
    ("a containment", "accept", _CONTAINED),
    ("a containment again", "accept", _then(_CONTAINED, _CONTAINED)),
    ("what recovers", "accept", _then(_CONTAINED, _RECOVERING)),
    ("what has recovered", "accept", _then(_CONTAINED, _RECOVERING, _GOVERNED)),
    ("what has recovered and is contained again", "accept", _then(_CONTAINED, _RECOVERING, _GOVERNED, _CONTAINED)),
    ("what is governed and was never contained", "accept", _GOVERNED),
    ("what is contained and does not recover first", "refused", _then(_CONTAINED, _GOVERNED)),
    ("what recovers from nothing", "refused", _RECOVERING),
    ("what recovers twice", "refused", _then(_CONTAINED, _RECOVERING, _RECOVERING)),
    ("what is contained after it was revoked", "refused", _then(_of("subject", "revoked", "model", "m"), _CONTAINED)),
    ("a subject of an unknown kind", "refused", _of("subject", "contained", "colour", "red")),
    ("a mesh of another name", "refused", _of("subject", "contained", "mesh", "m")),
    ("a runtime that is none", "refused", _of("subject", "contained", "runtime", "of words")),
    ("a route that is no digest", "refused", _of("subject", "contained", "route", "a/b")),
    ("a cause in words", "refused", _of("subject", "contained", "model", "m", cause="Because it drifted.")),
    ("a cause and more", "refused", _of("subject", "contained", "model", "m", cause="operator", note="")),
    ("no cause", "refused", _of("subject", "drifting", "model", "m", note="")),
    ("an episode that is proven", "accept", _of("subject", "proven", "model", "m", proof=HASH)),
    ("an episode that is proven by words", "refused", _of("subject", "proven", "model", "m", proof="it is")),
    ("a proof of what is no episode's end", "refused", _of("subject", "contained", "model", "m", proof=HASH)),
    ("a point that lifts what it raised", "accept",
     _then(_of("subject", "contained", **_BY_ITSELF), _of("subject", "recovering", **_BY_ITSELF))),
    ("a point that lifts what the authority raised", "refused",
     _then(_of("subject", "contained", "runtime", POINT), _of("subject", "recovering", **_BY_ITSELF))),
    ("a point that goes on where the authority lets it recover", "accept",
     _then(_of("subject", "contained", "runtime", POINT), _of("subject", "recovering", "runtime", POINT),
           _of("subject", "governed", **_BY_ITSELF))),
]  # fmt: skip


def _made() -> dict:
    ledger, cases = _ledger(), []
    for what, expect, make in _CASES:
        case = _Case(ledger)
        record = make(case)
        cases.append({"what": what, "before": case.before, "at": case.at, "record": record, "expect": expect})
    return {"cases": cases}


class Own(unittest.TestCase):
    def test_the_file_is_what_is_made_of_the_keys_of_the_vectors(self):
        made = _made()
        if os.environ.get("ELEVEN_WRITE_VECTORS"):
            (VECTORS / FILE).write_text(json.dumps(made, ensure_ascii=False, separators=(",", ":")) + "\n")
        self.assertEqual(vectors(FILE), made)


if __name__ == "__main__":
    unittest.main()
