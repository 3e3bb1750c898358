"""The registry: its lists, header, snapshot and stamp, and the fold that makes them (PROTOCOL 11, 5.3)."""

import itertools

from . import ed25519, form, hashes, index, policy
from .encoding import canonical
from .form import require
from .signatures import REGISTRY_USES, check_key, check_signature, counts_at

LISTS = ("keys", "policies", "runtimes", "interfaces", "sources", "revoked", "containments", "peers")
KIND = {
    "keys": "key", "policies": "policy", "runtimes": "runtime", "interfaces": "interface", "sources": "source",
    "revoked": "revoked", "containments": "containment", "peers": "peer",
}  # fmt: skip
SORTING = {
    "keys": ("kid",), "policies": ("ref",), "runtimes": ("point",), "interfaces": ("service", "version"),
    "sources": ("name",), "revoked": ("artifact",), "containments": ("kind", "subject"), "peers": ("iss", "sub"),
}  # fmt: skip
HEADER = {"v", "domain", "epoch", "fresh", "prev", "kid", "items"}
RUNTIME = {"point", "runtime", "region", "tenancy", "mode", "binary", "config", "kid"}
CONSTRAINTS = frozenset(
    "operations identities runtimes regions policies max_path_length max_life durability attestation".split()
)
_PEER = {"v", "iss", "sub", "root", "ledger", "constraints", "seq", "prev", "nbf", "exp", "kid", "sig"}
DAY_MS = 24 * 3_600_000
# What makes the next epoch; everything else leaves the registry as it is.
EVENTS = frozenset(
    """ledger.genesis root.published key.registered key.retired key.compromised policy.published policy.retired
    runtime.registered runtime.removed interface.approved source.registered source.removed authorization.revoked
    lifecycle.contained lifecycle.recovering lifecycle.revoked lifecycle.governed domain.stated""".split()
)


# Items ----------------------------------------------------------------------


def name(listed: str, record: dict) -> str:
    """The sorting members joined by a space."""
    return " ".join(record[member] for member in SORTING[listed])


def item(listed: str, record: dict) -> tuple[bytes, bytes]:
    """Key and value of a record in the tree of items."""
    key = hashes.sha256(f"{KIND[listed]}:{name(listed, record)}".encode())
    return key, hashes.sha256(canonical(record))


def check_shown(shown):
    """Members of the header and the records that a bundle shows."""
    form.members(shown, {"header", "records"}, what="registry")
    form.members(shown["header"], HEADER | {"sig"}, what="registry header")
    records = form.listing(shown["records"], "records")
    require(bool(records), "records are missing")
    for one in records:
        form.members(one, {"kind", "record", "proof"}, what="registry record")
        index.check_members(one["proof"])


def require_records(shown: dict):
    """The header commits to each record that is shown; none stands twice, no public key stands twice."""
    names, publics = set(), set()
    lists = {kind: listed for listed, kind in KIND.items()}
    records = form.listing(shown["records"], "records")
    require(bool(records), "records are missing")
    for one in records:
        listed, record = lists[one["kind"]], one["record"]
        check_record(listed, record)
        key, value = item(listed, record)
        require(key not in names, "a record stands twice")
        names.add(key)
        if listed == "keys":
            require(record["public"] not in publics, "a public key stands twice")
            publics.add(record["public"])
        proven = index.proves(one["proof"], key, shown["header"]["items"])
        require(proven == ("present", value), f"the registry does not hold {name(listed, record)}")


def items_root(lists: dict) -> str:
    return index.shown(index.root(dict(item(listed, record) for listed in LISTS for record in lists[listed])))


def header_hash(header: dict) -> str:
    """The registry's hash: of the header without `sig`."""
    return hashes.of(hashes.without(header, "sig"))


# Forms ----------------------------------------------------------------------


def check_record(listed: str, record):
    """Form of one record of a list; an unknown member is an error."""
    _CHECKS[listed](record)


def check_runtime(record):
    form.members(record, RUNTIME, what="runtime record")
    form.named(record["point"], "point")
    form.named(record["runtime"], "runtime")
    require(record["point"].split("#")[0] == record["runtime"], "a point of another runtime")
    for member in ("region", "tenancy", "mode"):
        form.named(record[member], "segment", member)
    form.sha3(record["binary"], "binary")
    form.sha3(record["config"], "config")
    form.named(record["kid"], "key")


def _check_policy(record):
    form.members(record, {"ref", "hash", "operations", "runtimes"}, what="policy record")
    form.named(record["ref"], "policy")
    form.sha3(record["hash"])
    policy.check_cover(record["operations"], record["runtimes"])


def _check_interface(record):
    form.members(record, {"service", "version", "hash"}, what="interface record")
    form.named(record["service"], "path", "service")
    form.named(record["version"], "segment", "version")
    form.sha3(record["hash"])


def _check_source(record):
    form.members(record, {"name", "source", "mapping"}, what="source record")
    form.named(record["name"], "segment", "source name")
    form.text(record["source"], "source")
    require(isinstance(record["mapping"], dict), "mapping is not an object")


def _check_revoked(record):
    form.members(record, {"artifact", "until"}, what="revoked record")
    form.named(record["artifact"], "artifact")
    form.seconds(record["until"], "until")


def _check_containment(record):
    form.members(record, {"kind", "subject", "state", "since", "cause"}, what="containment record")
    form.named(record["kind"], "segment", "kind")
    form.text(record["subject"], "subject")
    form.named(record["cause"], "segment", "cause")
    require(record["state"] in ("contained", "recovering", "revoked"), "unknown state of a containment")
    form.millis(record["since"], "since")


def _check_peer(record):
    form.members(record, _PEER, what="peer statement")
    require(record["v"] == "1", "peer statement of another version of the protocol")
    form.named(record["iss"], "domain")
    form.named(record["sub"], "domain")
    require(record["iss"] != record["sub"], "a domain states nothing about itself")
    form.members(record["root"], {"version", "hash"}, what="peer's root")
    form.integer(record["root"]["version"], "version", 1)
    form.sha3(record["root"]["hash"])
    form.text(record["ledger"], "ledger")
    form.members(record["constraints"], set(), CONSTRAINTS, "constraints")
    first = form.integer(record["seq"], "seq", 1) == 1
    require((record["prev"] is None) == first, "prev is null at seq 1 and only there")
    if not first:
        form.sha3(record["prev"], "prev")
    require(form.seconds(record["nbf"]) < form.seconds(record["exp"]), "statement window is empty")
    check_signature(record["sig"], form.named(record["kid"], "key"))


_CHECKS = {
    "keys": lambda record: check_key(record, REGISTRY_USES),
    "policies": _check_policy,
    "runtimes": check_runtime,
    "interfaces": _check_interface,
    "sources": _check_source,
    "revoked": _check_revoked,
    "containments": _check_containment,
    "peers": _check_peer,
}


def check_header(header):
    """Form of a signed header."""
    form.members(header, HEADER | {"sig"}, what="registry header")
    require(header["v"] == "1", "registry of another version of the protocol")
    form.named(header["domain"], "domain")
    form.integer(header["epoch"], "epoch", 1)
    require(form.FRESH_MIN <= form.integer(header["fresh"], "fresh") <= form.FRESH_MAX, "fresh is not 1 to 60 s")
    require((header["prev"] is None) == (header["epoch"] == 1), "prev is null in epoch 1 and only there")
    if header["prev"] is not None:
        form.sha3(header["prev"], "prev")
    form.raw(header["items"], "sha256", "items")
    form.named(header["kid"], "key")
    check_signature(header["sig"], header["kid"])


def check_lists(lists: dict):
    """Every list of known records, strictly ascending by name; every public key a key, and none twice."""
    for listed in LISTS:
        rows = form.listing(lists[listed], listed)
        for record in rows:
            check_record(listed, record)
        names = [name(listed, record) for record in rows]
        require(all(a < b for a, b in itertools.pairwise(names)), f"{listed} is not strictly ascending")
    publics = [record["public"] for record in lists["keys"]]
    require(len(set(publics)) == len(publics), "a public key stands twice")
    require(all(ed25519.acceptable_point(form.binary(public)) for public in publics), "a public key that is none")


def check_snapshot(snapshot):
    """Form of `{"header", …the lists}`, the lists matching the header."""
    form.members(snapshot, {"header", *LISTS}, what="snapshot")
    check_header(snapshot["header"])
    check_lists(snapshot)
    require(items_root(snapshot) == snapshot["header"]["items"], "the lists are not the header's")


def check_stamp(stamp):
    form.members(stamp, {"v", "domain", "epoch", "hash", "issued", "kid", "sig"}, what="stamp")
    require(stamp["v"] == "1", "stamp of another version of the protocol")
    form.named(stamp["domain"], "domain")
    form.integer(stamp["epoch"], "epoch", 1)
    form.sha3(stamp["hash"])
    form.millis(stamp["issued"], "issued")
    form.named(stamp["kid"], "key")
    check_signature(stamp["sig"], stamp["kid"])


# The fold --------------------------------------------------------------------


class Registry:
    """The registry as the ledger's entries so far make it. Records must have passed append."""

    def __init__(self):
        self.rows: dict[str, dict[str, dict]] = {listed: {} for listed in LISTS}
        self.root: dict | None = None
        self.fresh = 0
        self.header: dict | None = None

    @property
    def epoch(self) -> int:
        return self.header["epoch"] if self.header else 0

    @property
    def hash(self) -> str | None:
        return header_hash(self.header) if self.header else None

    def lists(self) -> dict:
        return {listed: [rows[key] for key in sorted(rows)] for listed, rows in self.rows.items()}

    def put(self, listed: str, record: dict):
        self.rows[listed][name(listed, record)] = record

    def apply(self, record: dict, at: str) -> bool:
        """Fold one record of an entry committed at `at`; True where it made the next epoch."""
        if record["event"] not in EVENTS:
            return False
        now = form.millis(at)
        self._effect(record["event"], record["data"], at, now)
        self._drop_revoked(now)
        self._next_header(now)
        return True

    def _effect(self, kind: str, data: dict, at: str, now: int):
        if kind == "ledger.genesis":
            self.root, self.fresh = data["root"], data["fresh"]
            for granted in data["keys"]:
                self.put("keys", granted["key"])
        elif kind == "root.published":
            self.root = data["root"]
        elif kind.startswith("key."):
            self._key(kind, data, at)
        elif kind == "policy.published":
            self._publish(data)
        elif kind == "policy.retired":
            del self.rows["policies"][data["ref"]]
        elif kind == "runtime.registered":
            self.put("runtimes", dict(data))
        elif kind == "runtime.removed":
            del self.rows["runtimes"][data["point"]]
        elif kind == "interface.approved":
            self.put("interfaces", hashes.without(data, "sig"))
        elif kind == "source.registered":
            self.put("sources", dict(data))
        elif kind == "source.removed":
            del self.rows["sources"][data["name"]]
        elif kind == "authorization.revoked":
            until = form.to_seconds(form.seconds(data["exp"]) + DAY_MS)
            self.rows["revoked"].setdefault(data["artifact"], {"artifact": data["artifact"], "until": until})
        elif kind == "domain.stated":
            self.put("peers", data["statement"])
        else:
            self._contain(kind.removeprefix("lifecycle."), data, at)

    def _key(self, kind: str, data: dict, at: str):
        if kind == "key.registered":
            self.put("keys", data["key"])
            return
        status = kind.removeprefix("key.")
        since = at if status == "retired" else data["since"]
        self.put("keys", {**self.rows["keys"][data["kid"]], "status": status, "since": since})

    def _publish(self, data: dict):
        for ref in [ref for ref in self.rows["policies"] if policy.path(ref) == policy.path(data["ref"])]:
            del self.rows["policies"][ref]
        self.put("policies", hashes.without(data, "sig"))

    def _contain(self, state: str, data: dict, at: str):
        record = {"kind": data["kind"], "subject": data["subject"], "state": state, "since": at, "cause": data["cause"]}
        if state == "governed":
            self.rows["containments"].pop(name("containments", record), None)
        else:
            self.put("containments", record)

    def _drop_revoked(self, now: int):
        """Rows whose `until` is not after the entry's `at`, compared to the second."""
        second = now // 1000 * 1000
        rows = self.rows["revoked"]
        self.rows["revoked"] = {key: row for key, row in rows.items() if form.seconds(row["until"]) > second}

    def _next_header(self, now: int):
        self.header = {
            "v": "1",
            "domain": self.root["domain"],
            "epoch": self.epoch + 1,
            "fresh": self.fresh,
            "prev": self.hash,
            "kid": registry_key(self.root, now)["kid"],
            "items": items_root(self.lists()),
        }


def registry_key(root: dict, now: int) -> dict:
    """The key whose kid the header carries: the first registry key of the root that counts at the entry."""
    keys = [record for record in root["roles"] if record["use"] == "registry"]
    require(bool(keys), "the root has no registry key")
    return next((record for record in keys if counts_at(record, now)), keys[0])
