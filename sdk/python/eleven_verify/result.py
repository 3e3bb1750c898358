"""What the caller of a verification brings, and what he gets (PROTOCOL 11.1)."""

from dataclasses import dataclass, field


@dataclass
class Asked:
    """What the caller brings: the pinned root, and what else the bundle must be."""

    root: dict | None = None
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

    def document(self) -> dict:
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
