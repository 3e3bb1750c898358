"""What each registry event must keep (PROTOCOL 5.3, 6.1, 14.2), as far as the registry and the trust roots tell."""

import re

from . import event, form, hashes, policy
from . import root as trust
from .admission import under
from .form import require
from .registry import Registry, check_record, check_runtime, name
from .signatures import REGISTRY_USES, check_key, check_public, counts_at, find, require_of_domain, require_signed

# A retention's regimes with the least days that each asks for (spec/registry.md).
REGIMES = {"eu-ai-act": 183, "hipaa": 2192, "own": 1, "sec-17a-4": 2192}
RETENTION_LIMIT = 36_525
_DECIMAL = re.compile(r"[1-9][0-9]{0,14}")
# What Unicode calls White_Space. To Python the separators U+001C to U+001F are that, too.
_WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


class Rules:
    """A registry, and what it does not list: the roots before, every version published, who contained a subject."""

    def __init__(self, registry: Registry):
        self.registry = registry
        self.roots: list[dict] = []
        self._versions: dict[str, int] = {}
        # When each policy key last signed a policy that was published.
        self._published: dict[str, int] = {}
        # The contained subjects that the authority contained: no point lifts its own containment from it.
        self._held: set[str] = set()

    @property
    def root(self) -> dict:
        return self.roots[-1]

    def check(self, record: dict, now: int):
        """Whether the next epoch may take the event of this record at `now`."""
        check = getattr(self, "_" + record["event"].replace(".", "_"), None)
        if record["event"].startswith("lifecycle."):
            self._transition(record)
        elif check:
            check(record["data"], now)

    def note(self, record: dict, now: int):
        """Takes what was appended at `now`."""
        kind, data = record["event"], record["data"]
        if kind in ("ledger.genesis", "root.published"):
            self.roots.append(data["root"])
        elif kind == "policy.published":
            self._versions[policy.path(data["ref"])] = policy.version(data["ref"])
            self._published[data["sig"]["kid"]] = now
        elif kind.startswith("lifecycle."):
            self._note_transition(record)

    def _note_transition(self, record: dict):
        """Who raised a containment may lift it. An authority that lets a subject recover lets go of it."""
        kind, row = record["event"], _row(record["data"])
        by_authority = event.producer(record["by"]) == "authority"
        if kind == "lifecycle.contained" and by_authority:
            self._held.add(row)
        elif kind == "lifecycle.governed" or (kind == "lifecycle.recovering" and by_authority):
            self._held.discard(row)

    # Roots and keys -----------------------------------------------------------------

    def _ledger_genesis(self, data: dict, now: int):
        form.members(data, {"root", "fresh", "keys"}, what="data")
        root = data["root"]
        trust.check(root)
        trust.require_signed(root, root)
        _require_holds(root, now)
        require(form.FRESH_MIN <= form.integer(data["fresh"], "fresh") <= form.FRESH_MAX, "fresh is not 1 to 60 s")
        known: list[dict] = []
        for granted in form.listing(data["keys"], "keys"):
            _check_new_key(granted, [root], known, now)
            known.append(granted["key"])

    def _root_published(self, data: dict, now: int):
        form.members(data, {"root"}, what="data")
        root = data["root"]
        trust.check(root)
        trust.require_successor(root, self.root)
        _require_holds(root, now)
        stolen = [key for key in root["keys"] + root["roles"] if key["status"] == "compromised"]
        require(all(form.millis(key["since"]) <= now for key in stolen), "compromised in the future")
        registered = {key["public"] for key in self.registry.rows["keys"].values()}
        require(not registered & set(trust.publics(root)), "a registered public key")
        # Who verifies a policy goes by the newest version that had begun when it was published.
        for kid, at in self._published.items():
            counts = form.seconds(root["nbf"]) > at or counts_at(find(root["roles"], kid, "policy"), at)
            require(counts, f"{kid} would end before what it published")

    def _key_registered(self, data: dict, now: int):
        self._require_root(now)
        _check_new_key(data, self.roots, self.registry.rows["keys"].values(), now)
        owner = data["key"]["owner"]
        require(not self._revoked("identity", owner) and not self._runtime_revoked(owner), "its owner was revoked")

    def _key_retired(self, data: dict, now: int):
        form.members(data, {"kid"}, what="data")
        require(self.registry.rows["keys"][data["kid"]]["status"] == "active", "the key is not active")

    def _key_compromised(self, data: dict, now: int):
        form.members(data, {"kid", "since"}, what="data")
        since, row = form.millis(data["since"]), self.registry.rows["keys"][data["kid"]]
        require(row["status"] in ("active", "retired"), "the key is compromised already")
        # A key that was taken out of service does not come back for a while by being called compromised.
        last = now if row["status"] == "active" else form.millis(row["since"])
        require(since <= last, "compromised in the future, or from after it was retired")

    def _require_root(self, now: int):
        require(trust.in_force(self.root, now), "the root is not in force")

    def _policy_signed(self, sig: dict, ref: str, digest: str, now: int):
        body = {"domain": self.root["domain"], "hash": digest, "ref": ref}
        self._signed_by_policy_key(body, sig, now, ref)

    def _signed_by_policy_key(self, body, sig: dict, now: int, what: str):
        self._require_root(now)
        key = require_signed(self.root["roles"], "policy", None, now, body, sig, what)
        require_of_domain(key, self.root["domain"], what)

    # The lists ------------------------------------------------------------------------

    def _policy_published(self, data: dict, now: int):
        policy.check_publication(data)
        self._policy_signed(data["sig"], data["ref"], data["hash"], now)
        require(not self._revoked("policy", data["ref"]), "the policy was revoked")
        path, version = policy.path(data["ref"]), policy.version(data["ref"])
        require(version == self._versions.get(path, version - 1) + 1, "not the version after the last of its path")
        for row in self.registry.rows["policies"].values():
            apart = policy.path(row["ref"]) == path or not policy.overlap(row, data)
            require(apart, f"it would cover an operation of {row['ref']}")

    def _policy_retired(self, data: dict, now: int):
        self._require_there(data, "ref", "policies")

    def _runtime_registered(self, data: dict, now: int):
        check_runtime(data)
        require(not self._runtime_revoked(data["point"]), "the point was revoked")
        key = self.registry.rows["keys"].get(data["kid"])
        own = key is None or (key["use"], key["owner"]) == ("event", data["point"])
        require(own, "the key that signs for the point is another's")

    def _runtime_removed(self, data: dict, now: int):
        self._require_there(data, "point", "runtimes")

    def _interface_approved(self, data: dict, now: int):
        record = hashes.without(data, "sig")
        check_record("interfaces", record)
        self._policy_signed(data["sig"], f"{record['service']}/{record['version']}", record["hash"], now)
        require(name("interfaces", record) not in self.registry.rows["interfaces"], "the interface is known")
        self._check_own_service(record)

    def _source_registered(self, data: dict, now: int):
        check_record("sources", data)

    def _source_removed(self, data: dict, now: int):
        self._require_there(data, "name", "sources")

    def _domain_stated(self, data: dict, now: int):
        form.members(data, {"statement"}, what="data")
        statement = data["statement"]
        check_record("peers", statement)
        require(statement["iss"] == self.root["domain"], "another domain's statement")
        self._signed_by_policy_key(hashes.without(statement, "sig"), statement["sig"], now, "statement")
        require(not self._revoked("domain", statement["sub"]), "the domain was revoked")
        last = self.registry.rows["peers"].get(name("peers", statement))
        before = (0, None) if last is None else (last["seq"], hashes.of(hashes.without(last, "sig")))
        require((statement["seq"] - 1, statement["prev"]) == before, "it does not follow the statement before")

    def _require_there(self, data: dict, member: str, listed: str):
        form.members(data, {member}, what="data")
        require(data[member] in self.registry.rows[listed], f"{listed} has no such row")

    # Retention and holds: services of the protocol's own ------------------------------

    def _check_own_service(self, record: dict):
        service, version = record["service"], record["version"]
        if service not in ("retention", "hold"):
            return
        others = [row["version"] for row in self.registry.rows["interfaces"].values() if row["service"] == service]
        if service == "retention":
            days = _days(version)
            require(days is not None, "no retention, or fewer days than its regime asks for")
            require(all(days >= (_days(other) or 0) for other in others), "a retention is only ever raised")
        else:
            kind, _, subject = version.rpartition(".")[0].partition(".")
            held = kind in ("operation", "identity") and form.is_named("auth_" + subject.upper(), "artifact")
            require(held and subject == subject.lower(), "a hold's version is `<kind>.<name>.<n>`")
            numbers = [_number(other, f"{kind}.{subject}") or 0 for other in others]
            follows = _number(version, f"{kind}.{subject}") == max(numbers, default=0) + 1
            require(follows, "a hold is placed and lifted in turn, each under the next number")
        document = {"v": "1", "domain": self.root["domain"], "service": service, "version": version}
        require(record["hash"] == hashes.of(document), "the hash is not that of the service's document")

    # Governed subjects ----------------------------------------------------------------

    def _transition(self, record: dict):
        data, kind = record["data"], record["event"].removeprefix("lifecycle.")
        require(_is_subject(data["kind"], data["subject"]), "not a subject of its kind, or of a kind that is unknown")
        row = self.registry.rows["containments"].get(_row(data))
        state = row["state"] if row else None
        require(state != "revoked", "the subject is revoked")
        may_lift = event.producer(record["by"]) == "authority" or _row(data) not in self._held
        if kind == "recovering":
            require(state == "contained" and may_lift, "nothing to recover from, or the authority's to lift")
        elif kind == "governed":
            require(state is None or (state == "recovering" and may_lift), "it does not come from recovering")

    def _revoked(self, kind: str, subject: str) -> bool:
        row = self.registry.rows["containments"].get(f"{kind} {subject}")
        return row is not None and row["state"] == "revoked"

    def _runtime_revoked(self, point: str) -> bool:
        """The point, its runtime, or a path above it was revoked for good."""
        rows = [row for row in self.registry.rows["containments"].values() if row["kind"] == "runtime"]
        return any(row["state"] == "revoked" and under(row["subject"], point) for row in rows)


def require_recovery(data: dict, ledger: str, size: int, root: dict):
    """The root's word for a restored ledger: for this one, from within it, signed by a threshold of the root's keys."""
    form.members(data, {"v", "type", "ledger", "restored", "lost", "cause", "at", "sigs"}, what="recovery")
    require((data["v"], data["type"], data["ledger"]) == ("1", "11-11/recovery", ledger), "no recovery of this ledger")
    for tree in (data["restored"], data["lost"]):
        form.members(tree, {"root", "size"}, what="tree")
        form.raw(tree["root"], "sha256", "root")
        form.integer(tree["size"], "size", 1)
    require(form.text(data["cause"], "cause").strip(_WHITE) != "", "cause is empty")
    require(data["restored"] != data["lost"], "nothing is given up")
    require(data["restored"]["size"] <= size, "more is restored than there is")
    for sig in form.listing(data["sigs"], "sigs"):
        form.members(sig, {"kid", "val"}, what="signature")
        form.named(sig["kid"], "key")
        form.binary(sig["val"], "signature", 64)
    signed = trust.signers(hashes.without(data, "sigs"), data["sigs"], root, form.millis(data["at"], "at"))
    require(signed >= root["threshold"], "fewer signatures than the root's threshold")


def _require_holds(root: dict, now: int):
    """Heads are judged under the last root, and its epoch's header needs a key: it must hold from here on."""
    require(trust.in_force(root, now), "the root is not in force")
    signs = [key for key in root["roles"] if key["use"] == "registry" and counts_at(key, now)]
    require(bool(signs), "no registry key of the root counts")


def _check_new_key(granted, roots: list[dict], known, now: int):
    """A key that was known to none of the roots, and to nobody else, granted by the last root's registry key."""
    form.members(granted, {"key", "grant"}, what="granted key")
    key = granted["key"]
    check_key(key, REGISTRY_USES)
    check_public(key["public"])
    require(key["status"] == "active", "a new key is active")
    records = [*known, *(record for root in roots for record in root["keys"] + root["roles"])]
    require(all(record["kid"] != key["kid"] for record in records), "a known kid")
    publics = {record["public"] for record in known}.union(*map(trust.publics, roots))
    require(key["public"] not in publics, "a known public key")
    root = roots[-1]
    by = require_signed(root["roles"], "registry", None, now, key, granted["grant"], "grant")
    require_of_domain(by, root["domain"], "grant")


def _row(data: dict) -> str:
    """The name of a subject's row among the containments."""
    return f"{data['kind']} {data['subject']}"


def _is_subject(kind, subject) -> bool:
    if kind == "runtime":
        return form.is_named(subject, "runtime") or form.is_named(subject, "point")
    if kind in ("identity", "operation", "policy", "domain"):
        return form.is_named(subject, kind)
    return {"model": subject != "", "tool": subject != "", "route": form.is_raw(subject, "sha3-512"),
            "mesh": subject == "*"}.get(kind, False)  # fmt: skip


def _days(version: str) -> int | None:
    """Of a retention's version `<days>.<regime>`, where it is one."""
    days, _, regime = version.partition(".")
    if regime not in REGIMES or _DECIMAL.fullmatch(days) is None:
        return None
    return int(days) if REGIMES[regime] <= int(days) <= RETENTION_LIMIT else None


def _number(version: str, held: str) -> int | None:
    """Of a hold's version `<held>.<n>`, where it is one of that."""
    named, _, number = version.rpartition(".")
    return int(number) if named == held and _DECIMAL.fullmatch(number) else None
