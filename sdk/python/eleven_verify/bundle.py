"""Verifying a proof bundle: the 26 checks of PROTOCOL 11.1, each on its own.

A check passes by returning, fails by raising, and says that it does not apply
by raising NotChecked. No check relies on another having passed; whatever is
malformed fails the checks that read it.
"""

import itertools
from typing import Any

from . import artifact as artifacts
from . import attestation, equivocation, event, form, hashes, head, index, ledger, lineage, policy, registry
from . import root as trust
from .admission import named, require_issuance
from .encoding import TooMuch, parse, same
from .form import require
from .result import Asked, NotChecked, Result, judge, once
from .signatures import find, require_of_domain, require_signed

KINDS = ("execution", "open", "unused", "denial")
AHEAD_MS = 2000
SEEN_FROM_MS, SEEN_TO_MS = -2000, 60_000
_REQUIRED = {
    "v", "type", "kind", "op", "roots", "registry", "events", "entries", "seal", "head", "checkpoint", "index",
}  # fmt: skip
_OF_ARTIFACT = {"artifact", "policy", "published"}
_OPTIONAL = {"revocation", "registered", "decision", "disclosures"}
_ENTRY = {"seq", "at", "prev", "prev_alt", "proof"}


def parse_file(data: bytes) -> Any:
    """What the bytes of a proof file, of evidence or of a trust root hold: EncodingError where they are not the protocol's
    I-JSON, TooMuch, which is one, where they are more, or hold more values, than any file within its limit."""
    if len(data) > form.PROOF_FILE_LIMIT:
        raise TooMuch("more bytes than any proof file has")
    return parse(data, form.VALUES_LIMIT)


def verify(bundle: Any, asked: Asked) -> Result:
    """All checks, in order, over a parsed bundle, or over evidence of equivocation. No bundle makes it raise."""
    if equivocation.is_evidence(bundle):
        return equivocation.verify(bundle, asked)
    checks, verdict = judge(CHECKS, _Verifier(bundle, asked), asked)
    shown = bundle if isinstance(bundle, dict) else {}
    over = shown.get("head") if isinstance(shown.get("head"), dict) else {}
    return Result.over(verdict, shown.get("kind"), shown.get("op"), over, checks)


class _Verifier:
    def __init__(self, bundle, asked: Asked):
        self.b = bundle
        self.asked = asked

    # What several checks read ------------------------------------------------

    @once
    def roots(self) -> list[dict]:
        """The roots, each of its form."""
        roots = _some(self.b["roots"], "roots")
        trust.check_each(roots)
        return roots

    @property
    def root(self) -> dict:
        """The last root: the one in force at the head."""
        return self.roots[-1]

    @property
    def kind(self):
        return self.b.get("kind") if isinstance(self.b, dict) else None

    @property
    def domain(self) -> str:
        return form.named(self.root["domain"], "domain")

    @once
    def keys(self) -> dict[str, dict]:
        """The registry's keys by their kid, the first of each: every event asks for one, and a file has room for
        a great many of both."""
        keys: dict[str, dict] = {}
        for item in self.b["registry"]["records"]:
            record = item["record"] if item["kind"] == "key" else None
            if isinstance(record, dict) and isinstance(record.get("kid"), str):
                keys.setdefault(record["kid"], record)
        return keys

    @property
    def artifact(self) -> dict:
        self.not_of_denial()
        return self.b["artifact"]

    @property
    def events(self) -> list[dict]:
        events = self.b["events"]
        require(isinstance(events, list) and bool(events), "no events")
        return events

    def not_of_denial(self):
        if self.kind == "denial":
            raise NotChecked("a denial has no artifact")

    def at(self, position: int) -> int:
        """When the ledger committed the event at `position`."""
        return form.millis(self.b["entries"][position]["at"], "at")

    def included(self, entry: dict, record: dict):
        ledger.require_included(entry, record, self.b["head"]["size"], self.b["head"]["root"])

    def attested(self) -> tuple[int, dict]:
        """Position and record of attestation.signed."""
        self.not_of_denial()
        for position, record in enumerate(self.events):
            if isinstance(record, dict) and record.get("event") == "attestation.signed":
                return position, record
        raise NotChecked("nothing was attested")

    # The checks, in the protocol's order ----------------------------------------

    def bundle_form(self):
        b, asked = self.b, self.asked
        require(isinstance(b, dict), "a bundle is an object")
        require(b.get("kind") in KINDS, "unknown kind of bundle")
        denial = b["kind"] == "denial"
        more = set() if denial else _OF_ARTIFACT
        form.members(b, _REQUIRED | more, set() if denial else _OPTIONAL, "bundle")
        require(b["v"] == "1" and b["type"] == "11-11/proof", "not a proof of this version")
        form.named(b["op"], "lineage", "op")
        for root in _some(b["roots"], "roots"):
            trust.check_members(root)
        registry.check_shown(b["registry"])
        for record in _some(b["events"], "events"):
            event.check_members(record)
        for entry in _some(b["entries"], "entries"):
            form.members(entry, _ENTRY, what="entry")
            form.listing(entry["proof"], "proof")
        require(len(b["entries"]) == len(b["events"]), "not one entry for each event")
        for member in ("seal", "published", "revocation", "registered"):
            if member in b:
                form.members(b[member], _ENTRY | {"record"}, what=member)
                event.check_members(b[member]["record"])
        head.check_members(b["head"])
        form.text(b["checkpoint"], "checkpoint")
        self._form_index(denial)
        if not denial:
            artifacts.check_members(b["artifact"])
            policy.check(b["policy"])
            form.listing(b.get("disclosures", []), "disclosures")
        form.canonical_within(b, form.BUNDLE_LIMIT, "bundle")
        require(asked.kind in (None, b["kind"]), f"this is {b['kind']}, not the {asked.kind} asked for")
        require(asked.op in (None, b["op"]), "this is another operation than the one asked for")

    def _form_index(self, denial: bool):
        shown = self.b["index"]
        form.members(shown, {"op"} if denial else {"op", "revoked"}, set() if denial else {"use"}, "index")
        for proof in shown.values():
            index.check_members(proof)

    def root_pinned(self):
        if self.asked.root is None:
            raise NotChecked("no root was given")
        require(trust.pins(self.asked.root, self.b["roots"]), "none of the roots is the caller's")

    def root_signed(self):
        roots = self.roots
        for root in roots:
            trust.require_signed(root, root)
        for former, root in itertools.pairwise(roots):
            trust.require_successor(root, former)
        require(
            trust.in_force(roots[-1], form.millis(self.b["head"]["at"], "at")), "the root is not in force at the head"
        )

    def registry_signed(self):
        header, at = self.b["registry"]["header"], form.millis(self.b["head"]["at"], "at")
        registry.check_header(header)
        require(header["domain"] == self.domain, "a registry of another domain")
        body = hashes.without(header, "sig")
        key = require_signed(self.root["roles"], "registry", None, at, body, header["sig"], "registry header")
        require_of_domain(key, self.domain, "registry header")

    def registry_committed(self):
        header = self.b["registry"]["header"]
        committed = {"epoch": header["epoch"], "hash": registry.header_hash(header)}
        require(same(committed, self.b["head"]["registry"]), "the head commits to another registry")

    def registry_records(self):
        registry.require_records(self.b["registry"])

    def head_signed(self):
        over = self.b["head"]
        head.check(over)
        require(over["ledger"] == f"ledger://{self.domain}", "a head of another domain")
        body, at = hashes.without(over, "sig"), form.millis(over["at"])
        require_signed(self.root["roles"], "head", over["ledger"], at, body, over["sig"], "head")

    def head_checkpoint(self):
        over, note = self.b["head"], head.parse_checkpoint(self.b["checkpoint"])
        require(note.origin == head.origin(self.domain), "a checkpoint of another origin")
        require((note.size, note.root) == (over["size"], over["root"]), "the checkpoint is of another tree")
        key = find(self.root["roles"], over["kid"], "head")
        require(key is not None, "the head's key is unknown")
        require(head.signed_by_ledger(note, form.binary(key["public"])), "the head's key did not sign the checkpoint")

    def head_sealed(self):
        seal, over = self.b["seal"], self.b["head"]
        record = seal["record"]
        event.check(record)
        require(record["event"] == "ledger.sealed" and record["n"] == 1, "not a seal")
        require(record["by"] == f"ledger://{self.domain}", "sealed by another")
        require(record["op"] == event.single_op(record), "op is not the content id of the body")
        self._hashes_follow(record)
        at = form.millis(seal["at"], "at")
        body = event.body(record)
        require_signed(self.keys, "event", record["by"], at, body, record["sig"], "seal")
        expected = {"size": seal["seq"], "index": over["index"], "registry": over["registry"]}
        require(same(record["data"], expected), "the seal names another size, index or registry than the head")
        require(seal["seq"] == over["size"] - 1, "the seal is not the last entry")
        self.included(seal, record)
        chain = ledger.chain_values(ledger.bytes_of(seal), seal["prev"], seal["prev_alt"])
        require(chain == (over["hash"], over["hash_alt"]), "the chain values don't follow from the seal")

    @staticmethod
    def _hashes_follow(record: dict):
        require(record["event_hash"] == event.event_hash(record), "event_hash does not follow")
        require(record["event_hash_alt"] == event.event_hash_alt(record), "event_hash_alt does not follow")

    def head_fresh(self):
        if self.asked.max_age_ms is None:
            raise NotChecked("no age was asked for")
        require(self.asked.now_ms is not None, "an age was asked for, and no time given to measure it by")
        age = self.asked.now_ms - form.millis(self.b["head"]["at"], "at")
        require(-AHEAD_MS <= age <= self.asked.max_age_ms, f"the head is {age} ms old")

    def witness_quorum(self):
        witnesses = self.root["witnesses"]
        if witnesses["quorum"] == 0 and not witnesses["keys"]:
            raise NotChecked("the root names no witnesses")
        head.require_quorum(head.parse_checkpoint(self.b["checkpoint"]), witnesses)

    def artifact_digest(self):
        artifact = self.artifact
        artifacts.check(artifact)
        artifacts.require_digests(artifact)
        require(artifact["id"] == "auth_" + form.lineage_base(self.b["op"]), "the artifact of another operation")
        for disclosure in form.listing(self.b.get("disclosures", []), "disclosures"):
            artifacts.require_disclosure(artifact, disclosure)

    def artifact_signature(self):
        artifact, sig = self.artifact, self.artifact["sig"]
        form.named(artifact["iss"], "authority", "iss")
        require(form.domain_of(artifact["iss"]) == self.domain, "the artifact of another domain")
        signed = hashes.without(artifact, "chash", "sig")
        require_signed(self.keys, "issuer", artifact["iss"], self.at(0), signed, sig, "artifact")

    def lineage_order(self):
        for record in self.events:
            event.check(record)
        if self.kind == "denial":
            self._denial_order()
            return
        artifact, tip = self.artifact, None
        base, k = form.lineage_base(self.b["op"]), lineage.use_of(self.b["op"])
        for record in self.events:
            require(record["op"] == (base if tip is None else self.b["op"]), "an event of another operation")
            self._names_artifact(record, artifact)
            tip = lineage.next_tip(tip, record, k or 1)
        require_issuance(self.events[0], artifact)
        self._one_point(artifact, k)
        lengths = {"unused": tip.n == 1, "open": tip.n > 1 and not tip.finished, "execution": tip.finished}
        require(lengths[self.kind], f"the lineage is not that of {self.kind}")

    @staticmethod
    def _names_artifact(record: dict, artifact: dict):
        for member, value in named(artifact).items():
            require(record[member] == value, f"{member} is not the artifact's")

    def _one_point(self, artifact: dict, k: int | None):
        """What follows the issuance is by one point, in its own clock's order, and consumes this nonce."""
        events = self.events[1:]
        if not events:
            return
        require((artifact["use"]["mode"] == "single") == (k is None), "uses are numbered where there may be many")
        require(lineage.within_max(artifact["use"], k), "more uses than the artifact has")
        require(events[0]["data"]["nonce"] == artifact["use"]["nonce"], "another nonce was consumed")
        require(event.producer(events[0]["by"]) == "point", "consumed by no enforcement point")
        require(all(record["by"] == events[0]["by"] for record in events), "the lineage passes to another point")
        times = [form.millis(record["ts"]) for record in events]
        require(times == sorted(times), "the point's clock went back")

    def _denial_order(self):
        require(len(self.events) == 1, "a denial is one event")
        (record,) = self.events
        require(record["event"] == "execution.denied" and record["n"] == 1, "not a denial")
        require(event.producer(record["by"]) != "ledger", "a ledger denies nothing")
        require(record["op"] == self.b["op"] == event.single_op(record), "op is not the content id of the body")
        event.check_denial(record)

    def lineage_chain(self):
        self._chain("sha3-512", "event_hash", "prev_hash", event.event_hash)

    def lineage_chain_alt(self):
        self._chain("blake2b-512", "event_hash_alt", "prev_hash_alt", event.event_hash_alt)

    def _chain(self, algorithm: str, member: str, link: str, compute):
        former = None
        for record in self.events:
            require(record[link] == former, f"{link} of event {record['n']} is not the one before")
            require(record[member] == compute(record), f"{member} of event {record['n']} does not follow")
            former = record[member]
            form.raw(former, algorithm, member)

    def lineage_signatures(self):
        for position, record in enumerate(self.events):
            require(record["kid"] == record["sig"]["kid"], "the signature names another key than the body")
            what = f"event {record['n']}"
            require_signed(self.keys, "event", record["by"], self.at(position), event.body(record), record["sig"], what)

    def lineage_complete(self):
        shown, over, last = self.b["index"], self.b["head"], self.events[-1]
        require(last["n"] == len(self.events) and last["op"] == self.b["op"], "not the events of this operation")
        value = index.op_value(last["op"], last["n"], last["event_hash"], last["event_hash_alt"])
        proven = index.proves(shown["op"], index.op_key(self.b["op"]), over["index"])
        require(proven == ("present", value), "the index does not end this lineage here")
        if self.kind == "unused" and self.b["artifact"]["use"]["mode"] != "single":
            first_use = index.op_key(self.b["op"] + ".1")
            require(index.proves(shown["use"], first_use, over["index"])[0] == "absent", "the first use is not absent")

    def ledger_inclusion(self):
        entries, seal, over = self.b["entries"], self.b["seal"], self.b["head"]
        require(len(entries) == len(self.events), "not one entry for each event")
        for entry, record in zip(entries, self.events, strict=True):
            self.included(entry, record)
        self.included(seal, seal["record"])
        seqs = [entry["seq"] for entry in [*entries, seal]]
        require(all(a < b for a, b in itertools.pairwise(seqs)), "entry numbers don't rise")
        times = [form.millis(moment["at"], "at") for moment in [*entries, seal, over]]
        require(times == sorted(times), "the ledger's clock went back")

    def artifact_window(self):
        if self.kind == "unused":
            raise NotChecked("nothing was consumed")
        artifact = self.artifact
        consumed = self.events[1]
        require(consumed["event"] == "authorization.consumed", "the second event is not a consumption")
        ts = form.millis(consumed["ts"], "ts")
        require(form.seconds(artifact["nbf"]) <= ts < form.seconds(artifact["exp"]), "consumed outside its window")
        require(SEEN_FROM_MS <= self.at(1) - ts <= SEEN_TO_MS, "the ledger saw the consumption at another time")

    def artifact_unrevoked(self):
        artifact, over = self.artifact, self.b["head"]
        key = index.revoked_key(artifact["id"])
        found, value = index.proves(self.b["index"]["revoked"], key, over["index"])
        require(found != "nothing", "neither revocation nor its absence is proven")
        if found == "absent":
            require("revocation" not in self.b, "a revocation that the index does not have")
            return
        require("revocation" in self.b, "the artifact is revoked, and the revocation is withheld")
        entry = self.b["revocation"]
        record = entry["record"]
        event.check(record)
        require(record["event"] == "authorization.revoked", "not a revocation")
        require(record["data"]["artifact"] == artifact["id"], "the revocation of another artifact")
        self._hashes_follow(record)
        require(value == index.revoked_value(record["event_hash"]), "another revocation than the index has")
        self.included(entry, record)
        require(self.kind != "unused", "revoked before anyone used it")
        require(self.events[1]["event"] == "authorization.consumed", "the second event is not a consumption")
        require(entry["seq"] > self.b["entries"][1]["seq"], "revoked before it was consumed")

    def policy_hash(self):
        artifact, held = self.artifact, self.b["policy"]
        policy.check(held)
        require({"ref": held["ref"], "hash": hashes.of(held)} == artifact["pol"], "not the artifact's policy")
        covered = policy.covers(held, artifact["op"]["name"], artifact["env"]["runtime"])
        require(covered, "the policy does not cover this operation there")
        policy.require_kept(held["terms"], artifact)
        policy.require_shown(held["terms"])

    def policy_published(self):
        artifact, held, entry = self.artifact, self.b["policy"], self.b["published"]
        record, at = entry["record"], form.millis(entry["at"], "at")
        event.check(record)
        data = record["data"]
        require(record["event"] == "policy.published", "not a publication")
        policy.check_publication(data)
        shown = {"ref": artifact["pol"]["ref"], "hash": hashes.of(held)}
        require({"ref": data["ref"], "hash": data["hash"]} == shown, "the publication of another policy")
        covered = (held["operations"], held["runtimes"])
        require((data["operations"], data["runtimes"]) == covered, "published for other operations or runtimes")
        self._hashes_follow(record)
        self.included(entry, record)
        require(entry["seq"] < self.b["entries"][0]["seq"], "published after the issuance")
        roles = self._root_at(at)["roles"]
        body = {"domain": self.domain, "hash": data["hash"], "ref": data["ref"]}
        key = require_signed(roles, "policy", None, at, body, data["sig"], "publication")
        require_of_domain(key, self.domain, "publication")

    def _root_at(self, at: int) -> dict:
        """The newest root of the bundle that was there at `at`, else its oldest."""
        there = [root for root in self.roots if form.seconds(root["nbf"]) <= at]
        return there[-1] if there else self.roots[0]

    def policy_replay(self):
        self.not_of_denial()
        if "decision" not in self.b:
            raise NotChecked("no decision input was given")
        request = self.events[0]["data"]["request"]
        require(hashes.of(self.b["decision"]) == request, "the decision input is not the one recorded")
        artifacts.check_decision(self.b["decision"])
        self._asked_for(self.b["decision"])
        raise NotChecked("the input is the one recorded; this verifier does not evaluate Cedar")

    def _asked_for(self, decision: dict):
        """The decision was about what the artifact authorises, and about its request where it was about one."""
        artifact = self.artifact
        params = artifact["op"].get("params")
        bound = decision["op"].get("params", params)
        require(bound == params, "the decision was about another request than the artifact's")
        decided = {**decision, "op": hashes.without(decision["op"], "params")}
        authorised = {"identity": artifact["sub"], "op": hashes.without(artifact["op"], "params")}
        authorised |= {"env": artifact["env"], "policy": artifact["pol"]}
        for member, wanted in authorised.items():
            require(same(decided[member], wanted), f"the decision was about another {member} than the artifact's")

    def attestation_signature(self):
        position, record = self.attested()
        envelope = record["data"]["envelope"]
        attestation.require_signed(envelope, self.keys, record["by"], self.at(position))
        committed = [later for later in self.events if later["event"] == "evidence.committed"]
        if self.kind != "execution" and not committed:
            return
        require(bool(committed), "no evidence was committed")
        digest = attestation.envelope_hash(envelope)
        require(all(later["data"]["evidence"] == digest for later in committed), "other evidence was committed")

    def attestation_binding(self):
        _, record = self.attested()
        expected = event.attestation_id(self.artifact["id"], record["by"], record["op"])
        require(record["data"]["attestation"] == expected, "another attestation's id")
        require(record["op"] == self.b["op"], "the attestation of another operation")
        envelope, terms = record["data"]["envelope"], self.b["policy"]["terms"]
        # Of an open operation the ledger may have the attestation already and not what follows it.
        ended = None
        if self.kind != "open" or len(self.events) != 5:
            ended = self.events[5]
            require(isinstance(ended, dict), "the outcome is no event")
        registered = self._registration(record["by"])
        attestation.require_bound(envelope, self.artifact, terms, self.events, ended, registered)
        attestation.require_verifiable(envelope, terms)
        if ended is None:
            raise NotChecked("all that is there agrees; the outcome is not in the ledger yet")
        if "registered" in self.b:
            raise NotChecked("all agrees with an earlier registration; that it was still in force no file proves")

    def _registration(self, point: str) -> dict:
        """The registration of the point: the registry's, or an earlier one, where that is shown."""
        if "registered" not in self.b:
            # What is no registration beside it is for other checks to find.
            rows = [item.get("record") for item in self.b["registry"]["records"] if item["kind"] == "runtime"]
            rows = [row for row in rows if isinstance(row, dict) and row.get("point") == point]
            require(rows, "the point's registration is missing")
            return rows[0]
        entry = self.b["registered"]
        record, at = entry["record"], form.millis(entry["at"], "at")
        require(record["event"] == "runtime.registered", "not a registration")
        require(event.producer(record["by"]) == "authority", "registered by no authority")
        event.check(record)
        registered = record["data"]
        registry.check_runtime(registered)
        require(registered["point"] == point, "the registration of another point")
        self._hashes_follow(record)
        self.included(entry, record)
        require_signed(self.keys, "event", record["by"], at, event.body(record), record["sig"], "registration")
        require(entry["seq"] < self.b["entries"][1]["seq"], "registered after it was consumed")
        return registered


def _some(value, what: str) -> list:
    require(bool(form.listing(value, what)), f"{what} are missing")
    return value


CHECKS = tuple(
    (name, getattr(_Verifier, name.replace(".", "_")))
    for name in """bundle.form root.pinned root.signed registry.signed registry.committed registry.records head.signed
    head.checkpoint head.sealed head.fresh witness.quorum artifact.digest artifact.signature lineage.order
    lineage.chain lineage.chain_alt lineage.signatures lineage.complete ledger.inclusion artifact.window
    artifact.unrevoked policy.hash policy.published policy.replay attestation.signature attestation.binding""".split()
)
