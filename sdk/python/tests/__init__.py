"""Run with `python -m unittest discover -s sdk/python/tests -t sdk/python` from the repository."""

import os
from pathlib import Path

from eleven_verify import parse

VECTORS = Path(os.environ.get("ELEVEN_VECTORS") or Path(__file__).parents[3] / "spec" / "vectors")


def vectors(name: str):
    return parse((VECTORS / name).read_bytes())
