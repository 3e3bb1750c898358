"""What a ledger appends (PROTOCOL 6.1): the append rules over the state that the entries so far make."""

from dataclasses import dataclass, field

from . import event, form, hashes, index, ledger, lineage, policy
from .admission import named
from .encoding import EncodingError, canonical, same
from .form import FormError, require
from .registry import DAY_MS, Registry
from .rules import Rules, require_recovery
from .signatures import REGISTRY_USES, check_key, check_signature, counts_at, find, valid

# How long after its own time an issuance is still appended: limits.md, MAX_ISSUED_LATE_MS.
_ISSUED_LATE_MS = 30_000
ACCEPT, REPEAT, EQUIVOCATION, GAP, REFUSED = "accept", "repeat", "equivocation", "gap", "refused"
_BAD = (FormError, EncodingError, KeyError, TypeError, ValueError)


@dataclass(frozen=True)
class Answer:
    """What becomes of a record; `numbered` where a refused one takes its number through `ledger.refused`."""

    outcome: str
    detail: str = ""
    numbered: bool = False


def fingerprint(record: dict) -> bytes:
    """What tells a repeat from an equivocation, and what `ledger.refused` names."""
    return form.raw(hashes.of(record), "sha3-512")


@dataclass
class Ledger:
    """One ledger, from genesis. `artifacts` holds the artifact blobs that came with issuances, by id."""

    artifacts: dict[str, dict] = field(default_factory=dict)
    rules: Rules = field(default_factory=lambda: Rules(Registry()))
    leaves: list[bytes] = field(default_factory=list)
    items: dict[bytes, bytes] = field(default_factory=dict)
    chain: tuple[str | None, str | None] = (None, None)
    at: int = 0
    _tips: dict[str, lineage.Tip] = field(default_factory=dict)
    _first: dict[str, dict] = field(default_factory=dict)
    _point: dict[str, str] = field(default_factory=dict)
    _seen: dict[str, list[bytes]] = field(default_factory=dict)
    _refused: dict[str, set[int]] = field(default_factory=dict)
    _revoked: set[str] = field(default_factory=set)
    _final: set[str] = field(default_factory=set)

    @property
    def registry(self) -> Registry:
        return self.rules.registry

    @property
    def size(self) -> int:
        return len(self.leaves)

    def append(self, record: dict, at: str) -> Answer:
        """Judge `record` at the ledger's clock `at` and, where it is accepted, make it the next entry."""
        answer = self.judge(record, at)
        if answer.outcome == ACCEPT:
            self._commit(record, at)
        return answer

    def judge(self, record: dict, at: str) -> Answer:
        """The same without committing."""
        try:
            now = form.millis(at, "at")
            require(now >= self.at, "the ledger's clock went back")
            key = self._signer(record)
        except _BAD as error:
            return Answer(REFUSED, str(error))
        numbered, counts = self._number(record), counts_at(key, now)
        if numbered.outcome == EQUIVOCATION and not counts:
            # Whoever has a key that was ended could have its producer contained.
            return Answer(REFUSED, "the same number with other bytes, by a key that does not count now")
        if numbered.outcome != ACCEPT:
            return numbered
        if not counts:
            return Answer(REFUSED, "the key does not count now")
        try:
            event.check(record)
            require(key["owner"] == record["by"], "the key belongs to another producer")
            self._rules(record, now)
        except _BAD as error:
            return Answer(REFUSED, str(error), numbered=True)
        return Answer(ACCEPT)

    # The producer ---------------------------------------------------------------

    def _signer(self, record) -> dict:
        """The known event key that signed `record`; only what is signed may touch a key's numbers."""
        require(isinstance(record, dict), "a record is an object")
        form.named(record["kid"], "key")
        form.integer(record["src_seq"], "src_seq")
        check_signature(record["sig"], record["kid"])
        if self.size == 0:
            require(record["event"] == "ledger.genesis", "the first entry is ledger.genesis")
            known = [granted["key"] for granted in record["data"]["keys"]]
            for key in known:
                check_key(key, REGISTRY_USES)
        else:
            known = self.registry.rows["keys"].values()
        key = find(known, record["kid"], "event")
        require(key is not None, "no event key of that kid is known")
        require(valid(key, canonical(event.body(record)), record["sig"]["val"]), "the signature does not verify")
        return key

    def _number(self, record: dict) -> Answer:
        seen = self._seen.get(record["kid"], [])
        number = record["src_seq"]
        if number > len(seen):
            return Answer(GAP, f"{len(seen)} is the next number of this key")
        if number == len(seen):
            return Answer(ACCEPT)
        if seen[number] != fingerprint(record):
            return Answer(EQUIVOCATION, "the same number with other bytes")
        if number in self._refused.get(record["kid"], ()):
            return Answer(REFUSED, "it was refused under this number before")
        return Answer(REPEAT)

    def _rules(self, record: dict, now: int):
        require(record["event_hash"] == event.event_hash(record), "event_hash does not follow")
        require(record["event_hash_alt"] == event.event_hash_alt(record), "event_hash_alt does not follow")
        self._check_producer(record)
        name = record["event"]
        if name in event.LINEAGE:
            self._check_lineage(record, now)
            return
        if name.startswith("lifecycle."):
            self._check_subject(record)
        else:
            self._check_single(record)
        self.rules.check(record, now)

    def _check_single(self, record: dict):
        require(record["n"] == 1, "this event is a lineage of its own")
        require(record["op"] == event.single_op(record), "op is not the content id of the body")
        require(record["op"] not in self._tips, "the op is known")
        check = getattr(self, "_check_" + record["event"].replace(".", "_"), None)
        if check:
            check(record)

    def _check_producer(self, record: dict):
        corner = event.producer(record["by"])
        require(record["event"] in event.PRODUCERS, "the catalogue has no such event")
        require(corner in event.PRODUCERS[record["event"]], f"{record['event']} is not {corner}'s")
        genesis = record["event"] == "ledger.genesis"
        require(genesis == (self.size == 0), "ledger.genesis is the first entry and only that")
        domain = (record["data"]["root"] if genesis else self.registry.root)["domain"]
        require(corner == "point" or form.domain_of(record["by"]) == domain, "a producer of another domain")

    # Lineages ---------------------------------------------------------------------

    def _check_lineage(self, record: dict, now: int):
        op, base = record["op"], form.lineage_base(record["op"])
        require("artifact_id" in record and record["artifact_id"] == "auth_" + base, "op is another artifact's")
        if record["event"] == "authorization.issued":
            self._check_issued(record, now)
            return
        first = self._first.get(base)
        require(first is not None, "the lineage has no first event")
        k = lineage.use_of(op)
        tip = self._tip_before(op, base, k, record["n"])
        self._require_follows(record, tip)
        for member in event.NAMED:
            require(record.get(member) == first.get(member), f"{member} is not the artifact's")
        lineage.next_tip(tip, record, k or 1)
        lineage.require_evidence(tip, record)
        if record["n"] == 2:
            self._check_consumed(record)
        else:
            require(record["by"] == self._point[op], "another point than consumed it")

    def _tip_before(self, op: str, base: str, k: int | None, n: int) -> lineage.Tip:
        if k is None:
            require(base + ".1" not in self._tips, "the uses of this artifact are numbered")
            return self._tips[base]
        if n > 2:
            require(op in self._tips, "the use has no first event")
            return self._tips[op]
        require(op not in self._tips, "this use is known")
        require(self._tips[base].n == 1, "a single use can't be numbered")
        require(k == 1 or f"{base}.{k - 1}" in self._tips, "a use is left out")
        return self._tips[base]

    def _require_follows(self, record: dict, tip: lineage.Tip):
        require(record["n"] == tip.n + 1, "n is not the tip's + 1")
        require(record["prev_hash"] == tip.event_hash, "prev_hash is not the tip's")
        require(record["prev_hash_alt"] == tip.event_hash_alt, "prev_hash_alt is not the tip's")

    def _check_issued(self, record: dict, now: int):
        require(record["op"] not in self._tips, "the artifact is known")
        require(now - form.millis(record["ts"], "ts") <= _ISSUED_LATE_MS, "issued long before this entry")
        require(lineage.use_of(record["op"]) is None, "an artifact's op has no number")
        lineage.next_tip(None, record)
        require(record["issuer"] == record["by"], "issued by another than the issuer")
        row = self.registry.rows["policies"].get(record["policy"]["ref"])
        require(row is not None and row["hash"] == record["policy"]["hash"], "the policy is not in the registry")
        require(policy.covers(row, record["operation"], record["runtime"]), "the policy does not cover it")
        artifact = self.artifacts.get(record["artifact_id"])
        if artifact:
            for member, value in named(artifact).items():
                require(record[member] == value, f"{member} is not the artifact's")
            require(record["data"]["chash"] == artifact["chash"], "chash is not the artifact's")
            require(record["data"]["exp"] == artifact["exp"], "exp is not the artifact's")

    def _check_consumed(self, record: dict):
        artifact = self.artifacts.get(record["artifact_id"], {})
        if artifact:
            require(record["data"]["nonce"] == artifact["use"]["nonce"], "nonce is not the artifact's")
            single = artifact["use"]["mode"] == "single"
            k = lineage.use_of(record["op"])
            require(single == (k is None), "uses are numbered where there may be many")
            require(lineage.within_max(artifact["use"], k), "more uses than the artifact has")
        chain = {record["artifact_id"], *artifact.get("parent", {}).get("ancestors", [])}
        require(not chain & self.registry.rows["revoked"].keys(), "the artifact or an ancestor is revoked")

    def _check_subject(self, record: dict):
        data = record["data"]
        # The end of an episode names its continuity proof.
        proven = record["event"] == "lifecycle.proven" and "proof" in data
        form.members(data, {"kind", "subject", "proof" if proven else "cause"}, what="data")
        for member in ("kind", "subject"):
            form.text(data[member], member)
        if proven:
            form.sha3(data["proof"], "proof")
        else:
            form.named(data["cause"], "segment", "cause")
        if event.producer(record["by"]) == "point":
            require(data["kind"] == "runtime" and data["subject"] == record["by"], "a point speaks for itself only")
        require(record["op"] == event.subject_op(data), "op is another subject's")
        require(record["op"] not in self._final, "the subject is revoked")
        tip = self._tips.get(record["op"])
        if tip is None:
            require(record["n"] == 1, "the subject has no first event")
        else:
            self._require_follows(record, tip)

    # Single events, each by its name -----------------------------------------------

    def _check_ledger_sealed(self, record: dict):
        data = record["data"]
        form.members(data, {"size", "index", "registry"}, what="data")
        require(form.integer(data["size"], "size") == self.size, "size is not the entry's own number")
        require(data["index"] == self.index_root(), "the index is another")
        require(same(data["registry"], self.registry_state()), "the registry is another")

    def _check_ledger_refused(self, record: dict):
        data = record["data"]
        form.members(data, {"hash", "reason"}, {"kid", "src_seq"}, "data")
        form.sha3(data["hash"])
        form.text(data["reason"], "reason")
        if "kid" in data or "src_seq" in data:
            kid = form.named(data["kid"], "key")
            require(find(self.registry.rows["keys"].values(), kid, "event") is not None, "no event key of that kid")
            # Under an earlier one it tells of equivocation, and takes none.
            number = form.integer(data["src_seq"], "src_seq")
            require(number <= len(self._seen.get(kid, [])), "later than the next number of that key")

    def _check_ledger_recovered(self, record: dict):
        require_recovery(record["data"], record["by"], self.size, self.registry.root)

    def _check_runtime_step(self, record: dict):
        form.members(record["data"], {"step", "outcome"}, what="data")
        require(form.integer(record["data"]["step"], "step", 1) <= 10, "a step is numbered 1 to 10")

    def _check_authorization_revoked(self, record: dict):
        data = record["data"]
        form.members(data, {"artifact", "exp", "why"}, what="data")
        form.named(data["artifact"], "artifact")
        form.text(data["why"], "why")
        require(record.get("artifact_id", data["artifact"]) == data["artifact"], "artifact_id is another")
        first = self._first.get(data["artifact"].removeprefix("auth_"))
        require(first is not None, "the artifact was never issued")
        require(record["by"] == first["issuer"] == record.get("issuer", record["by"]), "revoked by another than iss")
        require(data["exp"] == first["exp"], "exp is not the artifact's")
        require(data["artifact"] not in self._revoked, "revoked already")
        form.to_seconds(form.seconds(data["exp"]) + DAY_MS)

    def _check_execution_denied(self, record: dict):
        event.check_denial(record)

    # The folds ---------------------------------------------------------------------

    def _commit(self, record: dict, at: str):
        data = ledger.entry_bytes(at, *self.chain, record, self.size)
        self.chain = ledger.chain_values(data, *self.chain)
        self.leaves.append(ledger.leaf_hash(data))
        self.at = form.millis(at)
        self._seen.setdefault(record["kid"], []).append(fingerprint(record))
        if record["event"] == "ledger.refused" and "kid" in record["data"]:
            self._fold_refused(record["data"])
        self._fold_tip(record)
        self.registry.apply(record, at)
        self.rules.note(record, self.at)

    def _fold_refused(self, data: dict):
        """The refused record takes the number, where that was the next of its key."""
        kid, number = data["kid"], data["src_seq"]
        seen = self._seen.setdefault(kid, [])
        if number == len(seen):
            self._refused.setdefault(kid, set()).add(number)
            seen.append(form.raw(data["hash"], "sha3-512"))

    def _fold_tip(self, record: dict):
        op, name = record["op"], record["event"]
        if name in event.LINEAGE and record["n"] > 1:
            k = lineage.use_of(op)
            former = self._tips.get(op) or self._tips[form.lineage_base(op)]
            self._tips[op] = lineage.next_tip(former, record, k or 1)
            self._point.setdefault(op, record["by"])
        else:
            self._tips[op] = lineage.Tip(record["n"], name, record["event_hash"], record["event_hash_alt"])
        if name == "authorization.issued":
            self._first[op] = {member: record[member] for member in event.NAMED} | {"exp": record["data"]["exp"]}
        if name == "lifecycle.revoked":
            self._final.add(op)
        if name.startswith("ledger."):
            return
        key, value = index.op_key(op), (op, record["n"], record["event_hash"], record["event_hash_alt"])
        self.items[key] = index.op_value(*value)
        if name == "authorization.revoked":
            self._revoked.add(record["data"]["artifact"])
            self.items[index.revoked_key(record["data"]["artifact"])] = index.revoked_value(record["event_hash"])

    def index_root(self) -> str:
        return index.shown(index.root(self.items))

    def registry_state(self) -> dict:
        return {"epoch": self.registry.epoch, "hash": self.registry.hash}

    def root(self) -> bytes:
        return ledger.tree_root(self.leaves)
