"""A ledger that a witness of another make cosigns, and a log of another make that our witness cosigns: theirs are programs on Go's own
packages of the checksum database, and C2SP tlog-witness is what both sides know of each other.

What is not on this machine is skipped, and says why. Closes with "N passed, N failed, N skipped".
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.error
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "lib"))

import golang  # noqa: E402
from domain import ELEVEN, PATIENCE, Domain, get, kept_port, run_cases  # noqa: E402

NAME = "witness.elsewhere/W:1"
ORIGIN = "log.elsewhere/a"


def program(name: str, folder: Path) -> Path:
    return golang.built(Path(__file__).parent / f"{name}.go", folder)


def cosigned_size(domain: Domain, past: int) -> int:
    """The size of the last head that the quorum cosigned, once it is larger than this."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            size = get(f"{domain.urls['ledger']}/v1/proof/head?durability=D4")["size"]
            if size > past:
                return size
        except urllib.error.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"no head past {past} is cosigned: {get(domain.urls['ledger'] + '/health')}")


def a_ledger_is_cosigned_by_a_witness_of_another_make(folder: Path):
    witness, log = program("tlog_witness", folder), program("tlog_log", folder)
    theirs = golang.run(witness, "key", NAME)
    file, port = folder / "witness.vkey", kept_port()
    file.write_text(theirs + "\n")
    address = f"127.0.0.1:{port.getsockname()[1]}"
    domain = Domain(
        settings=(f'ledger.witnesses=["http://{address}"]',), options=("--witness", str(file), "--quorum", "1")
    )
    try:
        ours, *others = domain.run("root", "vkeys", str(domain.dir / "root.json"), config=False).split()
        assert others == [theirs], others
        with open(folder / "witness.log", "wb") as said:
            domain.processes["witness"] = subprocess.Popen([witness, "serve", NAME, address, ours], stderr=said)
        size = 0
        # The first from nothing, and the next as they go on from it.
        for client in ("first", "second", "third"):
            size = cosigned_size(domain, size)
            print(golang.run(log, "cosigned", f"{domain.urls['ledger']}/checkpoint?durability=D4", ours, theirs))
            domain.secret(client, "svc:demo-app:dev")
        # Nothing that it was sent was wrong.
        answers = [line.split()[2] for line in (folder / "witness.log").read_text().splitlines()]
        assert set(answers) <= {"200", "409"}, answers
    finally:
        domain.end()
        port.close()


def our_witness_cosigns_a_log_of_another_make(folder: Path):
    log, dir = program("tlog_log", folder), str(folder / "ours")

    def eleven(*args: str) -> str:
        return subprocess.run([ELEVEN, "witness", *args], capture_output=True, text=True, timeout=60, check=True).stdout

    vkey = json.loads(eleven("key", "new", dir, "--name", "witness.example/ours", "--json"))["vkey"]
    eleven("log", "add", dir, "--vkey", golang.run(log, "key", ORIGIN))
    command = [ELEVEN, "witness", "serve", dir, "--listen", "127.0.0.1:0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = json.loads(process.stdout.readline())["listening"]
        print(golang.run(log, "feed", ORIGIN, url, vkey))
        evidence = get(f"{url}/v1/witness/evidence")["evidence"]
        assert {one["what"] for one in evidence} == {"fork", "inconsistent"}, evidence
    finally:
        process.kill()
        process.wait()


CASES = [a_ledger_is_cosigned_by_a_witness_of_another_make, our_witness_cosigns_a_log_of_another_make]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="eleven-go-") as folder:
        return run_cases(CASES, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
