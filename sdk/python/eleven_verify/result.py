"""What the caller of a verification brings, and what he gets (PROTOCOL 11.1)."""

from dataclasses import dataclass, field
from typing import Any

from .encoding import EncodingError
from .form import FormError

_FAILS = (FormError, EncodingError, KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)


class NotChecked(Exception):
    """The check does not apply, or there is no input for it."""


def once(method):
    """A property that is worked out once, also where that fails: several checks read it."""
    name = f"_{method.__name__}_once"

    def read(self):
        if name not in self.__dict__:
            try:
                self.__dict__[name] = method(self), None
            except _FAILS as error:
                self.__dict__[name] = None, error
        value, error = self.__dict__[name]
        if error is not None:
            raise error
        return value

    return property(read, doc=method.__doc__)


@dataclass
class Asked:
    """What the caller brings: the pinned root, without which nothing is verified, and what else the bundle must be. An age,
    in milliseconds, needs the time in milliseconds since 1970 by which it is judged."""

    root: dict[str, Any] | None = None
    kind: str | None = None
    op: str | None = None
    max_age_ms: int | None = None
    now_ms: int | None = None


@dataclass
class Check:
    name: str
    status: str
    detail: str | None = None


@dataclass
class Result:
    verdict: str
    kind: str | None
    op: str | None
    size: int | None
    at: str | None
    checks: list[Check] = field(default_factory=list)

    @classmethod
    def over(cls, verdict: str, kind, op, head: dict, checks: list[Check]) -> "Result":
        """Names what was verified as far as it names itself."""
        shown = _if(str, kind), _if(str, op), _if(int, head.get("size")), _if(str, head.get("at"))
        return cls(verdict, *shown, checks)

    def document(self) -> dict[str, Any]:
        """The result document of 11.1."""
        checks = []
        for check in self.checks:
            shown = {"name": check.name, "status": check.status}
            checks.append(shown | ({"detail": check.detail} if check.detail else {}))
        return {
            "verdict": self.verdict,
            "kind": self.kind,
            "op": self.op,
            "size": self.size,
            "at": self.at,
            "checks": checks,
        }

    def status(self) -> dict[str, str]:
        return {check.name: check.status for check in self.checks}


def judge(checks, verifier, asked: Asked) -> tuple[list[Check], str]:
    """Runs each check, and says what all of them come to."""
    done = [_run(name, method, verifier) for name, method in checks]
    if any(check.status == "failed" for check in done):
        return done, "failed"
    return done, "verified" if asked.root is not None else "unpinned"


def _run(name: str, method, verifier) -> Check:
    try:
        method(verifier)
    except NotChecked as reason:
        return Check(name, "not_checked", str(reason))
    except _FAILS as error:
        what = str(error) if isinstance(error, (FormError, EncodingError)) else f"malformed: {error!r}"
        return Check(name, "failed", what)
    return Check(name, "passed")


def _if(kind: type, value):
    return value if isinstance(value, kind) and not isinstance(value, bool) else None
