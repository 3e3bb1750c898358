"""A domain of its own for the tests of clients that others wrote: made and run by $ELEVEN_BIN (target/debug/eleven where that
is not set), in a temporary folder, its corners and its model each a process."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(HERE / "sdk" / "python"))

from eleven_verify import parse  # noqa: E402

# Seconds that something may take which takes a blink on an idle machine.
PATIENCE = 60
ELEVEN = os.environ.get("ELEVEN_BIN", str(HERE / "target" / "debug" / "eleven"))


def get(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def kept_port() -> socket.socket:
    """A port that stays this process's own: bound and not listening, so that nobody else is given it, who connects is refused,
    and a corner that is told its number listens on it as often as it is started."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    return kept


class Domain:
    """A domain in a temporary folder, its corners and its model each a process; or before a model that is there already."""

    def __init__(self, upstream: str | None = None, settings: tuple[str, ...] = (), options: tuple[str, ...] = ()):
        self.folder = Path(tempfile.mkdtemp(prefix="eleven-client-"))
        self.dir = self.folder / "domain"
        self.processes = {}
        self.upstream = upstream or self._start_upstream()
        self.ports = {corner: kept_port() for corner in ("ledger", "authority", "runtime")}
        listen = (f"{corner}.listen=127.0.0.1:{port.getsockname()[1]}" for corner, port in self.ports.items())
        settings = (*listen, "domain.fresh=3", "ledger.head_interval=100", *settings)
        made = self.run(
            "init", "--json", "--upstream", self.upstream, "--exposure", "open",
            *(part for setting in settings for part in ("--set", setting)), *options, str(self.dir), config=False,
        )
        self.urls = json.loads(made)["urls"]
        self.root = parse((self.dir / "root.json").read_bytes())
        for corner in ("ledger", "authority", "runtime"):
            self.start(corner)
        for corner in ("ledger", "authority", "runtime"):
            self.wait(corner)

    def run(self, *args: str, config: bool = True) -> str:
        command = [ELEVEN, *args, *(["--config", str(self.dir / "eleven.toml")] if config else [])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"eleven {' '.join(args)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _spawn(self, name: str, args: list[str], **more) -> subprocess.Popen:
        log = open(self.folder / f"{name}.log", "ab")  # noqa: SIM115: the process keeps it
        process = subprocess.Popen([ELEVEN, *args], stdin=subprocess.DEVNULL, stderr=log, **more)
        self.processes[name] = process
        return process

    def _start_upstream(self) -> str:
        process = self._spawn("upstream", ["demo-upstream", "--delay-ms", "20"], stdout=subprocess.PIPE, text=True)
        return process.stdout.readline().strip().removeprefix("listening ")

    def start(self, corner: str, **environment: str):
        args = [corner, "serve", "--parent", str(os.getpid()), "--config", str(self.dir / "eleven.toml")]
        self._spawn(corner, args, stdout=subprocess.DEVNULL, env=os.environ | environment)

    def wait(self, corner: str):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                get(f"{self.urls[corner]}/health")
                return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.02)
        raise RuntimeError(f"the {corner} is not ready: {(self.folder / f'{corner}.log').read_text()[-2000:]}")

    def kill(self, corner: str):
        process = self.processes.pop(corner)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def end(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
        for port in self.ports.values():
            port.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def secret(self, client: str, identity: str) -> str:
        return json.loads(self.run("client", "add", client, "--identity", identity, "--json"))["secret"]

    def calls(self) -> int:
        return get(f"{self.upstream}/calls")["calls"]

    def size(self) -> int:
        return get(f"{self.urls['ledger']}/v1/proof/head")["size"]

    def denials(self, since: int, reason: str) -> list[dict]:
        """The events of refusals for a reason, at or after an entry, once there is one."""
        until = time.monotonic() + PATIENCE
        found = []
        while not found and time.monotonic() < until:
            entries = get(f"{self.urls['ledger']}/v1/audit/entries?from={since}")["entries"]
            found = [entry["record"] for entry in entries if entry["record"].get("reason") == reason]
            time.sleep(0.1)
        return found

    def bundle(self, lineage: str, kind: str) -> dict:
        """The proof of an operation, once it is of that kind."""
        op, until = lineage.removeprefix("lineage://op/"), time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(f"{self.urls['ledger']}/v1/proof/bundle/{op}", timeout=10) as answer:
                    bundle = parse(answer.read())
                if bundle["kind"] == kind:
                    return bundle
            except urllib.error.HTTPError:
                pass
            assert time.monotonic() < until, f"no proof of {op} as {kind}"
            time.sleep(0.05)

    def publish_streaming(self):
        """The starter policy once more, with the term `release: stream`."""
        file = self.dir / "policies" / "starter.json"
        policy = json.loads(file.read_text())
        policy["terms"]["release"] = "stream"
        file.write_text(json.dumps(policy))
        done = json.loads(self.run("policy", "publish", str(file), "--next", "--json"))
        until = time.monotonic() + PATIENCE
        while get(f"{self.urls['runtime']}/health")["epoch"] < done["epoch"]:
            assert time.monotonic() < until, "the gateway does not follow the registry"
            time.sleep(0.05)


class Skipped(Exception):
    """Why a case can't run on this machine."""


def run_cases(cases, *given) -> int:
    """Runs each case with what is given, prints a line for it, closes with "N passed, N failed, N skipped"; the exit status."""
    passed, failed, skipped = 0, 0, 0
    for case in cases:
        try:
            case(*given)
            passed += 1
            print(f"ok    {case.__name__}")
        except Skipped as why:
            skipped += 1
            print(f"skip  {case.__name__}: {why}")
        except Exception:  # noqa: BLE001: a case that fails must not keep the others from running
            failed += 1
            print(f"FAIL  {case.__name__}\n{traceback.format_exc()}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0
