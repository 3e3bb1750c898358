"""Evidence that a ledger told two histories (spec/equivocation.md): ten checks, each on its own.

`fork`: two statements over trees of which neither begins the other. `back`: a head that is younger and smaller
than another. `omission`: an event that was promised, and a head whose index does not have it.
"""

from . import artifact as artifacts
from . import event, form, hashes, head, index, ledger, registry
from . import root as trust
from .admission import require_issuance
from .encoding import same
from .form import require
from .result import Asked, NotChecked, Result, judge, once
from .signatures import require_of_domain, require_signed

TYPE = "11-11/equivocation"
PROMISED_WITHIN_MS = 60_000
_ALWAYS = {"v", "type", "kind", "roots", "statements"}
_OWN = {
    "fork": (set(), {"leaves"}),
    "back": (set(), set()),
    "included": ({"record", "index", "entry"}, {"last"}),
    "issued": ({"record", "index", "artifact", "registry"}, {"last"}),
}


def is_evidence(value) -> bool:
    return isinstance(value, dict) and value.get("type") == TYPE


def verify(evidence: dict, asked: Asked) -> Result:
    """All checks over parsed evidence. `verified`: the equivocation is proven."""
    verifier = _Evidence(evidence, asked)
    checks, verdict = judge(CHECKS, verifier, asked)
    said = evidence.get("statements")
    last = said[-1] if isinstance(said, list) and said and isinstance(said[-1], dict) else {}
    over = last.get("head") if isinstance(last.get("head"), dict) else {}
    record = evidence.get("record") if isinstance(evidence.get("record"), dict) else {}
    return Result.over(verdict, evidence.get("kind"), record.get("op"), over, checks)


class _Evidence:
    def __init__(self, evidence, asked: Asked):
        self.e = evidence
        self.asked = asked

    # What several checks read ------------------------------------------------

    @once
    def roots(self) -> list[dict]:
        roots = form.listing(self.e["roots"], "roots")
        require(bool(roots), "the evidence has no roots")
        trust.check_each(roots)
        return roots

    @property
    def statements(self) -> list["_Said"]:
        said = form.listing(self.e["statements"], "statements")
        require(0 < len(said) <= 2, "the evidence has no statements, or more than two")
        return [_Said(statement) for statement in said]

    def two(self) -> list["_Said"]:
        said = self.statements
        require(len(said) == 2, "not two statements that conflict")
        return said

    def head(self) -> dict:
        """The head that should have had the event: the last statement."""
        last = self.statements[-1]
        require(last.head is not None, "the last statement is no head, and only a head names an index")
        return last.head

    def of_omission(self):
        if self.e.get("kind") != "omission":
            raise NotChecked("nothing was promised here")

    def of_issuance(self):
        self.of_omission()
        if "artifact" not in self.e:
            raise NotChecked("the promise needs no key of the registry")

    # The checks, in their order ------------------------------------------------

    def evidence_form(self):
        e, kind = self.e, self.e["kind"]
        require(kind in ("fork", "back", "omission"), "kind is none of fork, back, omission")
        if kind == "omission":
            kind = "included" if "entry" in e else "issued"
        own, optional = _OWN[kind]
        form.members(e, _ALWAYS | own, optional, "evidence")
        require(e["v"] == "1" and e["type"] == TYPE, "no evidence of this version")
        form.listing(e["roots"], "roots")
        form.listing(e["statements"], "statements")
        if "record" in e:
            event.check_members(e["record"])
        if "registry" in e:
            registry.check_shown(e["registry"])
        form.canonical_within(e, form.BUNDLE_LIMIT, "evidence")
        # Who asks for a kind or an age needs an operation shown: evidence shows none, and stands for good.
        asked = self.asked.kind is not None or self.asked.max_age_ms is not None
        require(not asked, "this is evidence of equivocation, not the bundle asked for")
        if self.asked.op is not None:
            record = e.get("record")
            require(isinstance(record, dict) and record.get("op") == self.asked.op, "about another operation")

    def root_pinned(self):
        if self.asked.root is None:
            raise NotChecked("no root was given")
        require(trust.pins(self.asked.root, self.e["roots"]), "none of the roots is the caller's")

    def root_signed(self):
        roots = self.roots
        for root in roots:
            trust.require_signed(root, root)
        for former, root in zip(roots, roots[1:], strict=False):
            trust.require_successor(root, former)

    def statements_signed(self):
        roots = self.roots
        for said in self.statements:
            if said.head is not None:
                _require_head_signed(roots, said.head)
            else:
                _require_note_signed(roots, said.note)

    def statements_conflict(self):
        kind = self.e["kind"]
        if kind == "omission":
            raise NotChecked("the conflict is that of a promise")
        require(kind in ("fork", "back"), "kind is none of fork, back, omission")
        first, second = self.two()
        if kind == "back":
            require(first.head is not None and second.head is not None, "a checkpoint has no time")
            require(form.millis(first.head["at"]) < form.millis(second.head["at"]), "the second is not the younger")
            require(second.size < first.size, "the second is not the smaller")
        elif first.size == second.size:
            heads = first.head is not None and second.head is not None
            others = heads and not same(_commitment(first.head), _commitment(second.head))
            require(first.root != second.root or others, "both are of one size and say the same")
        else:
            self._leaves_differ(first, second)

    def _leaves_differ(self, first: "_Said", second: "_Said"):
        leaves = self.e["leaves"]
        form.members(leaves, {"seq", "first", "second"}, what="leaves")
        seq, found = form.integer(leaves["seq"], "seq"), []
        for said, leaf in ((first, leaves["first"]), (second, leaves["second"])):
            form.members(leaf, {"hash", "proof"}, what="leaf")
            own = form.raw(leaf["hash"], "sha256", "leaf")
            path = [form.raw(item, "sha256", "proof") for item in form.listing(leaf["proof"], "proof")]
            reached = ledger.root_from_inclusion(own, seq, said.size, path)
            require(reached == form.raw(said.root, "sha256"), "a statement's tree does not have its leaf")
            found.append(own)
        require(found[0] != found[1], "both trees have the same leaf there")

    def registry_signed(self):
        self.of_issuance()
        header, at = self.e["registry"]["header"], form.millis(self.head()["at"], "at")
        registry.check_header(header)
        root = self.roots[-1]
        require(header["domain"] == root["domain"], "a registry of another domain")
        body = hashes.without(header, "sig")
        key = require_signed(root["roles"], "registry", None, at, body, header["sig"], "registry header")
        require_of_domain(key, root["domain"], "registry header")

    def registry_committed(self):
        self.of_issuance()
        header = self.e["registry"]["header"]
        committed = {"epoch": header["epoch"], "hash": registry.header_hash(header)}
        require(same(committed, self.head()["registry"]), "the head commits to another registry")

    def registry_records(self):
        self.of_issuance()
        registry.require_records(self.e["registry"])

    def promise_made(self):
        self.of_omission()
        record = self.e["record"]
        event.check(record)
        require(not record["event"].startswith("ledger."), "an event of the ledger's own stands in no index")
        require(("entry" in self.e) != ("artifact" in self.e), "a promise is either an entry or an artifact")
        if "entry" in self.e:
            under, over = self.two()
            entry = self.e["entry"]
            form.members(entry, {"seq", "at", "prev", "prev_alt", "proof"}, what="entry")
            ledger.require_included(entry, record, under.size, under.root)
            require(under.size <= over.size, "the head is smaller than the tree that held the event")
        else:
            self._handed_out(record)

    def _handed_out(self, record: dict):
        over, artifact = self.head(), self.e["artifact"]
        require(len(self.statements) == 1, "more statements than the one head")
        artifacts.check(artifact)
        artifacts.require_digests(artifact)
        require_issuance(record, artifact)
        require(record["event_hash"] == event.event_hash(record), "event_hash does not follow")
        require(record["event_hash_alt"] == event.event_hash_alt(record), "event_hash_alt does not follow")
        require(form.domain_of(record["by"]) == self.roots[-1]["domain"], "the artifact of another domain")
        keys = [item["record"] for item in self.e["registry"]["records"] if item["kind"] == "key"]
        ts = form.millis(record["ts"], "ts")
        own = require_signed(keys, "event", record["by"], ts, event.body(record), record["sig"], "issuance")
        body = hashes.without(artifact, "chash", "sig")
        issuer = require_signed(keys, "issuer", artifact["iss"], ts, body, artifact["sig"], "artifact")
        # No entry says when a key signed what no ledger has, and whoever has the key dates that as he likes.
        require("compromised" not in (own["status"], issuer["status"]), "by a key that is compromised")
        require(form.millis(over["at"]) - ts > PROMISED_WITHIN_MS, "the head is not 60 s younger than the issuance")

    def promise_broken(self):
        self.of_omission()
        record, over = self.e["record"], self.head()
        event.check(record)
        index.check_members(self.e["index"])
        op, last = record["op"], self.e.get("last")
        found, value = index.proves(self.e["index"], index.op_key(op), over["index"])
        require(found != "nothing", "the proof is none of the head's index")
        if found == "absent":
            require("last" not in self.e, "the index has no such lineage, so there is no last event to show")
            return
        require("last" in self.e, "the index has the lineage, and its last event there is not shown")
        form.members(last, {"n", "tip", "tip_alt"}, what="last event")
        form.raw(last["tip"], "sha3-512", "tip")
        form.raw(last["tip_alt"], "blake2b-512", "tip_alt")
        n = form.integer(last["n"], "n", 1)
        require(value == index.op_value(op, n, last["tip"], last["tip_alt"]), "not the last event that the index names")
        require(n < record["n"], "the index has the event, or a later one of its lineage")


class _Said:
    """What one statement says: a head or a checkpoint."""

    def __init__(self, statement):
        form.members(statement, set(), {"head", "checkpoint"}, "statement")
        require(len(statement) == 1, "a statement is either a head or a checkpoint")
        self.head = self.note = None
        if "head" in statement:
            self.head = statement["head"]
            head.check(self.head)
            self.size, self.root = self.head["size"], self.head["root"]
        else:
            self.note = head.parse_checkpoint(statement["checkpoint"])
            self.size, self.root = self.note.size, self.note.root


def _commitment(over: dict) -> dict:
    return hashes.without(over, "at", "kid", "sig")


def _require_head_signed(roots: list[dict], over: dict):
    """By a head key that counts at the head's time, of the newest root that was in force then, and that no root says to
    have been in other hands by then."""
    at = form.millis(over["at"])
    there = [root for root in roots if trust.in_force(root, at)]
    require(bool(there), "no root was in force at the head's time")
    root = max(reversed(there), key=lambda root: root["version"])
    require(over["ledger"] == f"ledger://{root['domain']}", "a head of another domain")
    key = require_signed(root["roles"], "head", over["ledger"], at, hashes.without(over, "sig"), over["sig"], "head")
    records = [record for root in roots for record in root["roles"] if record["kid"] == key["kid"]]
    stolen = [form.millis(record["since"]) for record in records if record["status"] == "compromised"]
    require(all(at < since for since in stolen), "a root calls the head's key compromised from before")


def _require_note_signed(roots: list[dict], note: head.Checkpoint):
    """By a head key that no root calls compromised: a checkpoint has no time."""
    require(note.origin == head.origin(roots[-1]["domain"]), "a checkpoint of another origin")
    keys = [key for root in roots for key in root["roles"] if key["use"] == "head"]
    stolen = {key["public"] for key in keys if key["status"] == "compromised"}
    publics = {key["public"] for key in keys} - stolen
    signed = any(head.signed_by_ledger(note, form.binary(public)) for public in publics)
    require(signed, "no head key of a root signed a checkpoint")


CHECKS = tuple(
    (name, getattr(_Evidence, name.replace(".", "_")))
    for name in """evidence.form root.pinned root.signed statements.signed statements.conflict registry.signed
    registry.committed registry.records promise.made promise.broken""".split()
)
