"""Runs the protocol's vectors: any folder of files of those names and forms."""

import copy
from pathlib import Path

from . import admission, append, bundle, ed25519, event, form, hashes, head, index, ledger, policy, registry
from . import artifact as artifacts
from . import root as trust
from .encoding import EncodingError, canonical, parse
from .signatures import check_signature, find, require_signed, valid

_FAILS = (AssertionError, form.FormError, EncodingError, LookupError, TypeError, ValueError, AttributeError)


class _Mismatch(AssertionError):
    pass


def run(folder: Path, say) -> tuple[int, int]:
    """Say a line for each case; the numbers of cases that passed and failed."""
    passed = failed = 0
    for name, cases in _FILES:
        for case, error in _outcomes(folder, cases):
            passed, failed = passed + (error is None), failed + (error is not None)
            say(f"ok    {name}  {case}" if error is None else f"FAIL  {name}  {case}: {error}")
    return passed, failed


def _outcomes(folder: Path, cases):
    """(case, None or what is wrong). `cases` yields (case, function) and may fail itself."""
    try:
        for case, test in cases(folder):
            try:
                note = test()
            except _FAILS as error:
                yield case, str(error) or repr(error)
            else:
                yield (f"{case} ({note})" if note else case), None
    except (*_FAILS, OSError) as error:
        yield "the file", str(error) or repr(error)


def _read(folder: Path, name: str):
    return parse((folder / name).read_bytes())


def _same(got, wanted):
    if got != wanted:
        raise _Mismatch(f"got {got!r:.200}, wanted {wanted!r:.200}")


def _jcs(folder: Path):
    vectors = _read(folder, "jcs.json")
    for number, case in enumerate(vectors["accept"]):
        yield f"accept {number}", lambda c=case: _same(canonical(parse(c["in"].encode())), c["out"].encode())
    for case in vectors["reject"]:
        data = case["in"].encode() if "in" in case else form.bare_base64(case["in_base64"])
        yield f"reject {case['why']}", lambda d=data: _rejected(d)


def _rejected(data: bytes):
    try:
        parse(data)
    except EncodingError:
        return
    raise _Mismatch("accepted")


def _ed25519(folder: Path):
    for number, case in enumerate(_read(folder, "ed25519.json")):
        public, message, sig = (form.binary(case[member]) for member in ("public", "message", "sig"))
        test = lambda p=public, m=message, s=sig, c=case: _same(ed25519.verify(p, m, s), c["valid"])  # noqa: E731
        yield case["why"] or f"valid {number}", test


# artifacts.json ------------------------------------------------------------------


def _artifacts(folder: Path):
    vectors = _read(folder, "artifacts.json")
    for case in vectors["policies"]:
        yield f"policy {case['bundle']['ref']}", lambda c=case: _policy_case(c)
    yield "request binding", lambda: _request_case(vectors["request"])
    yield "disclosure", lambda: _disclosure_case(vectors["disclosure"])
    for case in vectors["artifacts"]:
        yield f"artifact {case['name']}", lambda c=case: _artifact_case(c)


def _policy_case(case):
    policy.check(case["bundle"])
    _same(hashes.of(case["bundle"]), case["hash"])


def _request_case(case):
    _same(hashes.sha3_512(form.binary(case["body_bytes"])), case["body"])
    request = {member: case[member] for member in ("body", "method", "path")}
    _same(artifacts.request_binding(case["salt"], request), case["params"])


def _disclosure_case(case):
    _same({"_sd": hashes.commitment(*case["disclosure"])}, case["committed"])
    holder = {}
    *way, last = case["disclosure"][1].split("/")[1:]
    here = holder
    for part in way:
        here = here.setdefault(part, {})
    here[last] = case["committed"]
    artifacts.require_disclosure(holder, case["disclosure"])


def _artifact_case(case):
    built = {**case["fields"], "id": "auth_" + hashes.content_id(case["fields"])}
    data, seed = canonical(built), form.binary(case["seed"])
    _same(data.decode(), case["payload"])
    built["chash"] = hashes.sha3_512(data)
    kid = case["artifact"]["sig"]["kid"]
    built["sig"] = {"alg": "ed25519", "kid": kid, "val": form.to_binary(ed25519.sign(seed, data))}
    _same(built, case["artifact"])
    artifacts.check(built)
    artifacts.require_digests(built)
    _same(artifacts.payload(built), data)


# ledger.json, append.json ----------------------------------------------------------


def _ledger(folder: Path):
    vectors = _read(folder, "ledger.json")
    replayed = append.Ledger()
    _same("sha256:" + replayed.root().hex(), vectors["roots"][0])
    for entry in vectors["entries"]:
        case = f"entry {entry['seq']} {entry['record']['event']}"
        yield case, lambda e=entry: _entry_case(replayed, vectors, e)
    for case in vectors["inclusion"]:
        yield f"inclusion of {case['seq']} in {case['size']}", lambda c=case: _inclusion_case(replayed, vectors, c)
    for case in vectors["consistency"]:
        yield f"consistency {case['first']} to {case['second']}", lambda c=case: _consistency_case(replayed, vectors, c)


def _entry_case(replayed: append.Ledger, vectors, entry):
    seq, former = entry["seq"], replayed.chain
    answer = replayed.append(entry["record"], entry["at"])
    _same((answer.outcome, answer.detail), (append.ACCEPT, ""))
    _same((entry["prev"], entry["prev_alt"]), former)
    _same(list(replayed.chain), vectors["chain"][seq])
    _same("sha256:" + replayed.leaves[seq].hex(), vectors["leaf_hashes"][seq])
    _same("sha256:" + replayed.root().hex(), vectors["roots"][seq + 1])


def _raws(values) -> list[bytes]:
    return [form.raw(value, "sha256") for value in values]


def _inclusion_case(replayed, vectors, case):
    path, size = _raws(case["proof"]), case["size"]
    _same(ledger.inclusion_path(replayed.leaves[:size], case["seq"]), path)
    root = ledger.root_from_inclusion(replayed.leaves[case["seq"]], case["seq"], size, path)
    _same("sha256:" + root.hex(), vectors["roots"][size])


def _consistency_case(replayed, vectors, case):
    path, first, second = _raws(case["proof"]), case["first"], case["second"]
    _same(ledger.consistency_path(replayed.leaves[:second], first), path)
    old, new = _raws((vectors["roots"][first], vectors["roots"][second]))
    _same(ledger.consistent(first, old, second, new, path), True)
    _same(ledger.consistent(first, old, second, hashes.sha256(new), path), False)


def _append(folder: Path):
    vectors = _read(folder, "append.json")
    prefix = append.Ledger()
    for entry in _read(folder, "ledger.json")["entries"][: vectors["prefix"]]:
        _same(prefix.append(entry["record"], entry["at"]).outcome, append.ACCEPT)
    for case in vectors["cases"]:
        yield case["what"], lambda c=case: _append_case(prefix, c)


def _append_own(folder: Path):
    """An addition of this project's: each case after all of ledger.json and the entries that it names itself."""
    if not (folder / "append-own.json").exists():
        return
    whole = append.Ledger()
    for entry in _read(folder, "ledger.json")["entries"]:
        _same(whole.append(entry["record"], entry["at"]).outcome, append.ACCEPT)
    for case in _read(folder, "append-own.json")["cases"]:
        yield case["what"], lambda c=case: _append_own_case(copy.deepcopy(whole), c)


def _append_own_case(grown: append.Ledger, case):
    for entry in case["before"]:
        _same((entry["seq"], (entry["prev"], entry["prev_alt"])), (grown.size, grown.chain))
        _same(grown.append(entry["record"], entry["at"]).outcome, append.ACCEPT)
    return _append_case(grown, case)


def _append_case(prefix: append.Ledger, case):
    answer = prefix.judge(case["record"], case["at"])
    _same(answer.outcome, case["expect"])
    return answer.detail


# registry.json, index.json, head.json ------------------------------------------------


def _registry(folder: Path):
    vectors = _read(folder, "registry.json")
    yield "root", lambda: _root_case(vectors["root"])
    fold, entries = registry.Registry(), _read(folder, "ledger.json")["entries"]
    expected = {case["seq"]: case for case in vectors["folds"]}
    for entry in entries:
        made, case = fold.apply(entry["record"], entry["at"]), expected.get(entry["seq"])
        if made or case:
            state = {"seq": entry["seq"], "epoch": fold.epoch, "header": fold.header, "hash": fold.hash}
            yield f"epoch {fold.epoch}", lambda s=state, c=case: _same(s, c)
        if fold.epoch == 1 and entry["seq"] == 0:
            first = fold.lists()
            yield "lists of the first epoch", lambda: _same(first, vectors["first"])
    snapshot = vectors["snapshot"]
    yield "lists of the last epoch", lambda: _same({k: snapshot[k] for k in registry.LISTS}, fold.lists())
    yield "snapshot", lambda: _signed_case(vectors, snapshot["header"], lambda: registry.check_snapshot(snapshot))
    yield "stamp", lambda: _signed_case(vectors, vectors["stamp"], lambda: registry.check_stamp(vectors["stamp"]))
    for case in vectors["items"]:
        yield f"item {case['name']}", lambda c=case: _item_case(snapshot, c)


def _root_case(root):
    trust.check(root)
    trust.require_signed(root, root)


def _signed_case(vectors, signed, check):
    check()
    at = form.millis(vectors["stamp"]["issued"])
    require_signed(vectors["root"]["roles"], "registry", None, at, hashes.without(signed, "sig"), signed["sig"], "it")


def _item_case(snapshot, case):
    listed = case["list"]
    rows = {f"{registry.KIND[listed]}:{registry.name(listed, row)}": row for row in snapshot[listed]}
    key, value = registry.item(listed, rows[case["name"]])
    _same((index.shown(key), index.shown(value)), (case["key"], case["value"]))


def _index(folder: Path):
    vectors = _read(folder, "index.json")
    items = {form.raw(i["key"], "sha256"): form.raw(i["value"], "sha256") for i in vectors["items"]}
    yield "root", lambda: _same(index.shown(index.root(items)), vectors["root"])
    yield "empty root", lambda: _same(index.shown(index.root({})), vectors["empty_root"])
    for case in vectors["lineages"]:
        value = index.op_value(case["op"], case["n"], case["tip"], case["tip_alt"])
        yield f"item {case['op']}", lambda c=case, v=value: _same(items[index.op_key(c["op"])], v)
    for case in vectors["revoked"]:
        value = index.revoked_value(case["event_hash"])
        yield (
            f"item revoked {case['artifact']}",
            lambda c=case, v=value: _same(items[index.revoked_key(c["artifact"])], v),
        )
    for number, case in enumerate(vectors["proofs"]):
        yield f"proof {number} {case['proves']} {case['name']}", lambda c=case: _proof_case(vectors, items, c)


def _proof_case(vectors, items, case):
    key = hashes.sha256(case["name"].encode())
    _same(index.proves(case["proof"], key, vectors["root"])[0], case["proves"])
    if case["proves"] != "nothing":
        _same(index.prove(items, key), case["proof"])


def _head(folder: Path):
    vectors, root = _read(folder, "head.json"), _read(folder, "root.json")
    over = vectors["head"]
    key = find(root["roles"], over["kid"], "head")
    public = form.binary(key["public"])
    yield "head", lambda: _head_case(over, key)
    note = head.parse_checkpoint(vectors["checkpoint"])
    tree = (head.origin(root["domain"]), over["size"], over["root"])
    yield "checkpoint", lambda: _same((note.origin, note.size, note.root), tree)
    yield "checkpoint signature", lambda: _same(head.signed_by_ledger(note, public), True)
    yield "vkey", lambda: _same(head.vkey(note.origin, public), vectors["vkey"])
    for witness in vectors["witnesses"]:
        ident = head.cosigner_id(witness["name"], form.binary(witness["public"])).hex()
        yield f"key id of {witness['name']}", lambda i=ident, w=witness: _same(i, w["cosignature_key_id"])
    yield "witness quorum", lambda: head.require_quorum(note, root["witnesses"])


def _head_case(over, key):
    head.check(over)
    check_signature(over["sig"], key["kid"])
    _same(valid(key, canonical(hashes.without(over, "sig")), over["sig"]["val"]), True)


# admission.json, bundles -----------------------------------------------------------


def _admission(folder: Path):
    vectors = _read(folder, "admission.json")
    for case in vectors["cases"]:
        known = {**vectors["base"], **case["change"]}
        yield case["what"], lambda k=known, c=case: _same(admission.decide(k) or "permit", c["expect"])


def _bundles(folder: Path):
    root = _read(folder, "root.json")
    for case in _read(folder, "bundles.json"):
        yield case["what"], lambda c=case: _bundle_case(c, root)


def _bundle_case(case, root):
    result = bundle.verify(case["bundle"], bundle.Asked(root))
    _same(list(result.status().items()), list(case["checks"].items()))
    _same(result.verdict, "verified")


def _bundles_that_fail(folder: Path):
    root, vectors = _read(folder, "root.json"), _read(folder, "bundles-that-fail.json")
    bases = {case["what"]: case["bundle"] for case in _read(folder, "bundles.json")} | vectors["bases"]
    for case in vectors["cases"]:
        merged = {**bases[case["base"]], **case["change"]}
        changed = {member: value for member, value in merged.items() if value is not None}
        yield case["what"], lambda c=case, b=changed: _failing_case(c, b, root)


def _failing_case(case, changed, root):
    result = bundle.verify(changed, bundle.Asked(root))
    failed = [check.name for check in result.checks if check.status == "failed"]
    _same(result.verdict, "failed")
    if case["must_fail"] not in failed:
        raise _Mismatch(f"{case['must_fail']} must fail, but these did: {failed}")
    if set(failed) != set(case["all_failed"]):
        more, fewer = sorted(set(failed) - set(case["all_failed"])), sorted(set(case["all_failed"]) - set(failed))
        return f"all_failed differs: also {more}, not {fewer}"
    return None


def _files(folder: Path):
    root = _read(folder, "root.json")
    yield "root", lambda: _root_case(root)
    proof = _read(folder, "bundle.proof.json")
    yield "proof", lambda: _same(bundle.verify(proof, bundle.Asked(root)).verdict, "verified")
    yield "proof without a root", lambda: _same(bundle.verify(proof, bundle.Asked()).verdict, "unpinned")
    for record in proof["events"]:
        yield f"event {record['n']} is a record", lambda r=record: event.check(r)


def _equivocation(folder: Path):
    for case, root in _own(folder, "equivocation.json"):
        yield case["what"], lambda c=case, r=root: _same(_failed(c["evidence"], r), c["failed"])


def _registered(folder: Path):
    for case, root in _own(folder, "registered.json"):
        yield case["what"], lambda c=case, r=root: _same(_statuses(c["bundle"], r), c["checks"])


def _own(folder: Path, name: str):
    """The cases of an addition of this project's to the protocol's vectors, which a folder need not have, and its root."""
    if not (folder / name).exists():
        return
    vectors = _read(folder, name)
    for case in vectors["cases"]:
        yield case, vectors["root"]


def _statuses(shown, root) -> dict:
    return bundle.verify(shown, bundle.Asked(root)).status()


def _failed(shown, root) -> list[str]:
    result = bundle.verify(shown, bundle.Asked(root))
    return [check.name for check in result.checks if check.status == "failed"]


_FILES = (
    ("jcs.json", _jcs),
    ("ed25519.json", _ed25519),
    ("artifacts.json", _artifacts),
    ("ledger.json", _ledger),
    ("append.json", _append),
    ("append-own.json", _append_own),
    ("registry.json", _registry),
    ("index.json", _index),
    ("head.json", _head),
    ("admission.json", _admission),
    ("bundles.json", _bundles),
    ("bundles-that-fail.json", _bundles_that_fail),
    ("bundle.proof.json", _files),
    ("equivocation.json", _equivocation),
    ("registered.json", _registered),
)
