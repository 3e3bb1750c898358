"""Bundles that are signed anew by the keys of the vectors: whatever is in them, every hash, proof and signature holds.

So a rule about the form of something signed is all that can fail such a bundle, and the one that would accept it shows.
"""

import base64
import copy
import functools

from eleven_verify import attestation, canonical, ed25519, event, form, hashes, head, index, ledger, parse, registry
from eleven_verify import root as trust
from eleven_verify.admission import named

from . import vectors

DOMAIN = "11-11"


class Parts:
    """An execution before it is signed. A change is a function of these; all that follows from them is computed."""

    def __init__(self):
        bundle = copy.deepcopy(_bundles()["execution"])
        self.bundle = bundle
        self.policy, self.artifact = bundle["policy"], bundle["artifact"]
        self.records = bundle["registry"]["records"]
        self.events = [event.body(record) for record in bundle["events"]]
        self.published = event.body(bundle["published"]["record"])
        envelope = self.event("attestation.signed")["data"]["envelope"]
        self.statement = parse(base64.b64decode(envelope["payload"]))
        # The vectors don't give the witnesses' keys: the root in force names none.
        first = vectors("root.json")
        self.root = {**trust.body(first), "version": 2, "prev": trust.root_hash(first)}
        self.root["witnesses"] = {"quorum": 0, "auditors": 0, "keys": []}
        # Where it is set, the artifact is revoked at the end.
        self.revocation = None
        # Where it is set, this is that use of an artifact that may have several.
        self.number = None

    def event(self, name: str) -> dict:
        return next(body for body in self.events if body["event"] == name)

    def record(self, kind: str) -> dict:
        return next(item["record"] for item in self.records if item["kind"] == kind)

    def use(self, number: int, **use):
        """It is use `number` of an artifact of that mode."""
        self.number = number
        self.artifact["use"] = {**self.artifact["use"], **use}
        self.event("authorization.consumed")["data"]["use"] = number

    def ran_by(self, point: str):
        """Another point, which is registered with keys of its own, ran it, and has not come to its attestation yet."""
        kid = f"key:{DOMAIN}/{point.split('#')[1]}/2"
        key = {**self.key("event", self.events[1]["by"]), "kid": kid, "public": public(kid), "owner": point}
        runtime = {**self.record("runtime"), "point": point, "runtime": point.split("#")[0], "kid": kid}
        self.records += [{"kind": "key", "record": key}, {"kind": "runtime", "record": runtime}]
        for body in self.events[1:]:
            body.update(by=point, kid=kid)
        self.bundle["kind"] = "open"
        del self.events[4:], self.bundle["entries"][4:]

    def key(self, use: str, owner: str) -> dict:
        keys = (item["record"] for item in self.records if item["kind"] == "key")
        return next(key for key in keys if (key["use"], key["owner"]) == (use, owner))

    def revoke(self):
        entry = copy.deepcopy(_bundles()["interrupted-after-revocation"]["revocation"])
        self.revocation = event.body(entry["record"])
        self.bundle["revocation"] = entry


def forged(change=lambda parts: None) -> dict:
    """The bundle of the parts that `change` leaves."""
    parts = Parts()
    change(parts)
    _authorize(parts)
    events = _lineage(parts)
    return _committed(parts, events, _publication(parts), _revocation(parts))


def second_root(change=lambda root: None) -> dict:
    """The root in force, changed and signed by the root key of the vectors."""
    parts = Parts()
    change(parts.root)
    return _signed_root(parts.root)


@functools.cache
def _bundles() -> dict:
    return {case["what"]: case["bundle"] for case in vectors("bundles.json")}


@functools.cache
def _seeds() -> dict:
    return vectors("ledger.json")["seeds"]


def seed(kid: str) -> bytes:
    """That of the vectors; of another key one that its name gives."""
    seeds, label = _seeds(), kid.split("/")[1]
    return form.binary(seeds[label]) if kid.endswith("/2026-q2") and label in seeds else hashes.sha256(kid.encode())


def public(kid: str) -> str:
    return form.to_binary(ed25519.public(seed(kid)))


def sign(kid: str, body) -> dict:
    return {"alg": "ed25519", "kid": kid, "val": form.to_binary(ed25519.sign(seed(kid), canonical(body)))}


def _signed_root(root: dict) -> dict:
    kid = f"key:{DOMAIN}/root/2026-q2"
    return {**root, "sigs": [{"kid": kid, "val": sign(kid, root)["val"]}]}


def _record(body: dict, op: str | None = None) -> dict:
    """A record of a body; without `op` a lineage of its own."""
    body = hashes.without(body, "op")
    body = {**body, "op": op or hashes.content_id(body)}
    both = {"event_hash": event.event_hash(body), "event_hash_alt": event.event_hash_alt(body)}
    return {**body, **both, "sig": sign(body["kid"], body)}


def _authorize(parts: Parts):
    """The artifact under the policy, of the id of its content."""
    body = hashes.without(parts.artifact, "id", "chash", "sig")
    body["pol"] = {"ref": parts.policy["ref"], "hash": hashes.of(parts.policy)}
    body["id"] = "auth_" + hashes.content_id(body)
    sig = sign(parts.artifact["sig"]["kid"], body)
    parts.artifact = {**body, "chash": hashes.of(body), "sig": sig}


def _lineage(parts: Parts) -> list[dict]:
    artifact, base, done, envelope = parts.artifact, parts.artifact["id"].removeprefix("auth_"), [], None
    op = base if parts.number is None else f"{base}.{parts.number}"
    for body in parts.events:
        data = body["data"]
        body.update(named(artifact))
        body["prev_hash"] = done[-1]["event_hash"] if done else None
        body["prev_hash_alt"] = done[-1]["event_hash_alt"] if done else None
        if body["event"] == "authorization.issued":
            data.update(chash=artifact["chash"], exp=artifact["exp"])
        elif body["event"] == "attestation.signed":
            data["attestation"] = event.attestation_id(artifact["id"], body["by"], op)
            data["envelope"] = envelope = _envelope(parts, op, data["envelope"]["signatures"][0]["keyid"])
        elif body["event"] == "evidence.committed":
            data["evidence"] = attestation.envelope_hash(envelope)
        done.append(_record(body, op if done else base))
    return done


def _envelope(parts: Parts, op: str, kid: str) -> dict:
    artifact, value = parts.artifact, parts.statement
    value["subject"] = [{"name": artifact["id"], "digest": {"sha3_512": artifact["chash"].split(":")[1]}}]
    value["predicate"].update(op=op, operation=artifact["op"], identity=artifact["sub"], policy=artifact["pol"])
    payload = canonical(value)
    sig = ed25519.sign(seed(kid), attestation.pae(attestation.PAYLOAD_TYPE, payload))
    return {
        "payloadType": attestation.PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": kid, "sig": base64.b64encode(sig).decode()}],
    }


def _publication(parts: Parts) -> dict:
    held, body = parts.policy, parts.published
    signed = {"domain": DOMAIN, "hash": hashes.of(held), "ref": held["ref"]}
    body["data"].update(ref=held["ref"], hash=signed["hash"], operations=held["operations"], runtimes=held["runtimes"])
    body["data"]["sig"] = sign(body["data"]["sig"]["kid"], signed)
    return _record(body)


def _revocation(parts: Parts) -> list[dict]:
    if parts.revocation is None:
        return []
    named_here = {"artifact": parts.artifact["id"], "exp": parts.artifact["exp"]}
    parts.revocation["data"].update(named_here)
    if "artifact_id" in parts.revocation:
        parts.revocation["artifact_id"] = parts.artifact["id"]
    return [_record(parts.revocation)]


def _committed(parts: Parts, events: list[dict], published: dict, revocation: list[dict]) -> dict:
    """Registry, tree, index, seal and head over the records, and the bundle of it all."""
    bundle, op = parts.bundle, events[-1]["op"]
    shown, named_epoch = _registry(parts)
    last = events[-1]
    value = index.op_value(op, last["n"], last["event_hash"], last["event_hash_alt"])
    revoked_key = index.revoked_key(parts.artifact["id"])
    items = {index.op_key(op): value}
    items |= {revoked_key: index.revoked_value(record["event_hash"]) for record in revocation}
    records = [published, *events, *revocation]
    places = [bundle["published"], *bundle["entries"], *[bundle["revocation"] for _ in revocation]]
    size = len(records) + 2  # an entry that is not shown comes first
    seal = event.body(bundle["seal"]["record"])
    seal["data"] = {"size": size - 1, "index": index.shown(index.root(items)), "registry": named_epoch}
    records, places = [*records, _record(seal)], [*places, bundle["seal"]]
    entries = [
        {"seq": seq, **{member: place[member] for member in ("at", "prev", "prev_alt")}, "record": record}
        for seq, (place, record) in enumerate(zip(places, records, strict=True), 1)
    ]
    leaves = [hashes.sha256(b"")] + [ledger.leaf_hash(ledger.bytes_of(entry)) for entry in entries]
    for entry in entries:
        entry["proof"] = [index.shown(part) for part in ledger.inclusion_path(leaves, entry["seq"])]
    sealed = entries[-1]
    both = ledger.chain_values(ledger.bytes_of(sealed), sealed["prev"], sealed["prev_alt"])
    over = {**hashes.without(bundle["head"], "sig"), "size": size, "hash": both[0], "hash_alt": both[1]}
    over.update(root=index.shown(ledger.tree_root(leaves)), index=seal["data"]["index"], registry=named_epoch)
    return {
        **bundle,
        "op": op,
        "roots": [vectors("root.json"), _signed_root(parts.root)],
        "registry": shown,
        "events": events,
        "entries": [hashes.without(entry, "record") for entry in entries[1 : 1 + len(events)]],
        "seal": sealed,
        "head": {**over, "sig": sign(over["kid"], over)},
        "checkpoint": _checkpoint(over),
        "index": {
            "op": index.prove(items, index.op_key(op)),
            "revoked": index.prove(items, revoked_key),
        },
        "artifact": parts.artifact,
        "policy": parts.policy,
        "published": entries[0],
        **{"revocation": entry for entry in entries[-2:-1] if revocation},
    }


def _registry(parts: Parts) -> tuple[dict, dict]:
    lists = {kind: listed for listed, kind in registry.KIND.items()}
    held = [(item["kind"], item["record"]) for item in parts.records]
    items = dict(registry.item(lists[kind], record) for kind, record in held)
    header = hashes.without(parts.bundle["registry"]["header"], "sig")
    header["items"] = index.shown(index.root(items))
    records = [
        {"kind": kind, "record": record, "proof": index.prove(items, registry.item(lists[kind], record)[0])}
        for kind, record in held
    ]
    shown = {"header": {**header, "sig": sign(header["kid"], header)}, "records": records}
    return shown, {"epoch": header["epoch"], "hash": registry.header_hash(header)}


def _checkpoint(over: dict) -> str:
    root = base64.b64encode(form.raw(over["root"], "sha256")).decode()
    text, name = f"{head.origin(DOMAIN)}\n{over['size']}\n{root}\n", head.origin(DOMAIN)
    signing = seed(over["kid"])
    blob = head.key_id(name, ed25519.public(signing)) + ed25519.sign(signing, text.encode())
    return f"{text}\n\u2014 {name} {base64.b64encode(blob).decode()}\n"
