"""A running ledger as programs read it that others wrote for transparency logs: the Python package `aics-tlog`, and Go's own
packages of the checksum database, `golang.org/x/mod/sumdb/note` and `tlog`.

What is not on this machine is skipped, and says why. Closes with "N passed, N failed, N skipped".
"""

import base64
import hashlib
import json
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "lib"))

import golang  # noqa: E402
from domain import Domain, Skipped, get, run_cases  # noqa: E402

# More than a full tile.
ENTRIES = 270


def filled(domain: Domain) -> str:
    """Asks for decisions until the ledger has a full tile and a part of one, and gives the ledger's verifier key."""
    secret = domain.secret("demo-app", "svc:demo-app:dev")
    point = json.loads(domain.run("registry", "show", "--json"))["runtimes"][0]
    operation = {"name": "model.invoke", "model": "demo-summarizer", "scope": ["text.summarize"]}
    body = {"identity": "svc:demo-app:dev", "op": operation, "env": {"runtime": point["runtime"]}}
    request = urllib.request.Request(
        f"{domain.urls['authority']}/v1/govern/execute", json.dumps(body).encode(),
        {"authorization": f"Bearer {secret}", "content-type": "application/json"},
    )
    for _ in range(ENTRIES):
        try:
            urllib.request.urlopen(request, timeout=10).read()
        except urllib.error.HTTPError as error:
            # A refusal is an entry as well.
            assert error.code == 403, error.read()
    until = time.monotonic() + 60
    while domain.size() <= ENTRIES:
        assert time.monotonic() < until, "no head covers what came"
        time.sleep(0.05)
    head = next(key for key in domain.root["roles"] if key["use"] == "head")
    origin = f"{domain.root['domain']}/ledger"
    public = b"\x01" + base64.b64decode(head["public"].removeprefix("base64:"))
    key_id = hashlib.sha256(origin.encode() + b"\n" + public).digest()[:4]
    return f"{origin}+{key_id.hex()}+{base64.b64encode(public).decode()}"


def aics_tlog(domain: Domain, vkey: str):
    """Checkpoint, every tile and every entry, each against the checkpoint's root."""
    if sys.version_info < (3, 12):
        raise Skipped(f"aics-tlog needs Python 3.12 or newer, this is {sys.version.split()[0]}")
    try:
        import aics_tlog as tlog
    except ImportError:
        raise Skipped("the package aics-tlog is not installed") from None
    reader = tlog.HttpTileReader([domain.urls["ledger"]])
    note = tlog.parse_note(reader.read_checkpoint())
    checked = tlog.verify_checkpoint(note, tlog.parse_vkey(vkey), expected_origin=vkey.split("+")[0])
    assert checked.log_ok, checked
    checkpoint = tlog.parse_checkpoint(note.text)
    assert checkpoint.size > ENTRIES
    audited = tlog.audit_tiles(reader, checkpoint.size, checkpoint.root)
    assert audited.size == checkpoint.size and audited.bundles >= 2, audited
    verified = tlog.VerifiedTileReader(reader, checkpoint.size, checkpoint.root)
    last = checkpoint.size - 1
    for index in (0, 255, 256, last):
        entry = verified.entry(index)
        assert json.loads(entry)["seq"] == index
        proof = tlog.inclusion_proof_from_tiles(verified, index, checkpoint.size)
        assert tlog.verify_leaf_inclusion(entry, index, checkpoint.size, proof, checkpoint.root)
        ours = get(f"{domain.urls['ledger']}/v1/proof/inclusion?seq={index}&size={checkpoint.size}")["proof"]
        assert [f"sha256:{node.hex()}" for node in proof] == ours


def go_sumdb(domain: Domain, vkey: str):
    """The same by the packages that the go command checks its modules with."""
    with tempfile.TemporaryDirectory(prefix="eleven-go-") as folder:
        reader = golang.built(Path(__file__).parent / "tlog_reader.go", Path(folder))
        print(golang.run(reader, domain.urls["ledger"], vkey))


CASES = [aics_tlog, go_sumdb]


def main() -> int:
    domain = Domain()
    try:
        return run_cases(CASES, domain, filled(domain))
    finally:
        domain.end()


if __name__ == "__main__":
    sys.exit(main())
