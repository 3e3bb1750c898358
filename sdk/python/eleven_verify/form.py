"""Forms shared by all structures: members, times, hashes, names (PROTOCOL 1, 2, 13)."""

import base64
import binascii
import functools
import itertools
import re
from datetime import datetime, timedelta, timezone

from . import encoding

OP_LIMIT = 4 * 1024
ARTIFACT_LIMIT = 8 * 1024
TOKEN_LIMIT = 14 * 1024
EVENT_LIMIT = 16 * 1024
DECISION_LIMIT = 16 * 1024
BUNDLE_LIMIT = 4 * 1024 * 1024
PROOF_FILE_LIMIT = 64 * 1024 * 1024
# In its canonical encoding each value takes two bytes or more, with what parts it from the next.
VALUES_LIMIT = BUNDLE_LIMIT // 2 + 1
ROOT_KEYS_LIMIT = 256
SCOPE_LIMIT = 64
DEPTH_LIMIT = 16
LIFE_LIMIT_MS = 3_600_000
FRESH_MIN, FRESH_MAX = 1, 60


class FormError(ValueError):
    """A structure is not of the protocol's form; the message says where."""


def require(holds: bool, message: str):
    if not holds:
        raise FormError(message)


def members(value, required: set, optional: set = frozenset(), what: str = "object"):
    """`value` is an object with all of `required` and nothing beyond `optional`."""
    require(isinstance(value, dict), f"{what} is not an object")
    missing = required - value.keys()
    require(not missing, f"{what} lacks {sorted(missing)}")
    unknown = value.keys() - required - optional
    require(not unknown, f"{what} has unknown members {sorted(unknown)}")


def text(value, what: str) -> str:
    require(isinstance(value, str) and value != "", f"{what} is not a non-empty string")
    return value


def integer(value, what: str, least: int = 0) -> int:
    require(isinstance(value, int) and not isinstance(value, bool), f"{what} is not an integer")
    require(value >= least, f"{what} is below {least}")
    return value


def listing(value, what: str) -> list:
    require(isinstance(value, list), f"{what} is not a list")
    return value


def sorted_ascii(value, what: str) -> list:
    """A list of ASCII strings, strictly ascending by byte."""
    for item in listing(value, what):
        require(isinstance(item, str) and item != "" and item.isascii(), f"{what} holds more than ASCII strings")
    require(all(a < b for a, b in itertools.pairwise(value)), f"{what} is not strictly ascending")
    return value


def canonical_within(value, limit: int, what: str) -> bytes:
    data = encoding.canonical(value)
    require(len(data) <= limit, f"{what} is longer than {limit} bytes")
    return data


# Times ------------------------------------------------------------------

_SECONDS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_MILLIS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_YEAR_ONE = datetime(1, 1, 1, tzinfo=timezone.utc)


def seconds(value, what: str = "time") -> int:
    """`YYYY-MM-DDTHH:MM:SSZ` as milliseconds since 1970: nbf, exp, until."""
    require(isinstance(value, str) and _SECONDS.fullmatch(value) is not None, f"{what} is not a time in seconds")
    return _instant(value[:-1], what)


def millis(value, what: str = "time") -> int:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ` as milliseconds since 1970: every other time."""
    require(isinstance(value, str) and _MILLIS.fullmatch(value) is not None, f"{what} is not a time in milliseconds")
    return _instant(value[:19], what) + int(value[20:23])


# The calendar repeats itself after 400 years. `datetime` begins with the year 1, and four digits with the year 0.
_ERA = timedelta(days=146_097)


@functools.lru_cache(maxsize=4096)
def _instant(value: str, what: str) -> int:
    first = value.startswith("0000")
    try:
        moment = datetime.strptime("0400" + value[4:] if first else value, "%Y-%m-%dT%H:%M:%S")
    except ValueError as error:
        raise FormError(f"{what} is not a date") from error
    since = moment.replace(tzinfo=timezone.utc) - _EPOCH - (_ERA if first else timedelta())
    return (since.days * 86_400 + since.seconds) * 1000


def to_seconds(ms: int) -> str:
    """Milliseconds since 1970 as `YYYY-MM-DDTHH:MM:SSZ`, cut to the second."""
    since = timedelta(seconds=ms // 1000)
    first = since < _YEAR_ONE - _EPOCH
    try:
        moment = _EPOCH + (since + _ERA if first else since)
    except OverflowError as error:
        raise FormError("a moment past what a time can say") from error
    text = moment.isoformat()[:19] + "Z"
    return "0000" + text[4:] if first else text


# Binary -----------------------------------------------------------------


def bare_base64(value, what: str = "binary") -> bytes:
    """Padded standard base64, canonical: DSSE and salts."""
    require(isinstance(value, str), f"{what} is not a string")
    try:
        data = base64.b64decode(value.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError) as error:
        raise FormError(f"{what} is not base64") from error
    require(base64.b64encode(data).decode() == value, f"{what} is not canonical base64")
    return data


def binary(value, what: str = "binary", length: int | None = None) -> bytes:
    """`base64:` + padded base64."""
    require(isinstance(value, str) and value.startswith("base64:"), f"{what} lacks base64:")
    data = bare_base64(value[7:], what)
    require(length is None or len(data) == length, f"{what} is not {length} bytes")
    return data


def to_binary(data: bytes) -> str:
    return "base64:" + base64.b64encode(data).decode()


_HASHES = {"sha3-512": 128, "blake2b-512": 128, "sha256": 64}


def raw(value, algorithm: str, what: str = "hash") -> bytes:
    """The bytes of `<algorithm>:` + lower-case hex of exactly its length."""
    prefix = algorithm + ":"
    require(isinstance(value, str) and value.startswith(prefix), f"{what} is not a {algorithm}")
    digits = value[len(prefix) :]
    require(
        re.fullmatch(r"[0-9a-f]{%d}" % _HASHES[algorithm], digits) is not None, f"{what} has a wrong length or digit"
    )
    return bytes.fromhex(digits)


def is_raw(value, algorithm: str) -> bool:
    try:
        raw(value, algorithm)
    except FormError:
        return False
    return True


def sha3(value, what: str = "hash") -> str:
    raw(value, "sha3-512", what)
    return value


# Names ------------------------------------------------------------------

# 1 to 64 characters of a name, those of an escape counted one by one; a domain is one segment, of labels. What stands as it
# is has no second spelling: no escape is of [a-z0-9._-].
_ESCAPE = r"%(?!2[DE]|3[0-9]|5F|6[1-9A-F]|7[0-9A])[0-9A-F]{2}"
_SEGMENT = rf"(?=[a-zA-F0-9._%-]{{1,64}}(?![a-zA-F0-9._%-]))(?:[a-z0-9._-]|{_ESCAPE})+"
_LABELS = r"(?=[a-z0-9._-]{1,64}(?![a-z0-9._-]))[a-z0-9_-]+(?:\.[a-z0-9_-]+)*"
_ID = "[0-9A-HJKMNP-TV-Z]{32}"
# Nothing that was passed over is gone back to: of a name of many segments each would be remembered, in 350 bytes.
_PATH = rf"{_SEGMENT}(?:/{_SEGMENT})*+"
_RUNTIME = rf"(?:k8s|host|exec|mesh|edge)://{_PATH}"
_VERSION = "v[1-9][0-9]{0,14}"
_PATTERNS = {
    "segment": _SEGMENT,
    "path": _PATH,
    "domain": _LABELS,
    "authority": rf"governance://{_LABELS}/authority/{_SEGMENT}",
    "ledger": rf"ledger://{_LABELS}",
    "identity": rf"(?:human|svc|model|agent|workload):{_SEGMENT}(?::{_SEGMENT})?(?:@{_LABELS})?",
    "policy": rf"policy://{_SEGMENT}(?:/(?!{_VERSION}\Z){_SEGMENT})*+/{_VERSION}",
    "runtime": _RUNTIME,
    "point": rf"{_RUNTIME}#{_SEGMENT}",
    "key": rf"key:{_LABELS}/{_SEGMENT}/{_SEGMENT}",
    "artifact": rf"auth_{_ID}",
    "attestation": rf"att_{_ID}",
    "lineage": rf"{_ID}(?:\.[1-9][0-9]{{0,14}})?",
    "nonce": r"n_[0-9A-HJKMNP-TV-Z]{26}",
    "operation": r"[\x21-\x7e]{1,64}",
    # Of a signed note: neither spaces nor a plus.
    "witness": r"[!-*,-~]+",
}
_NAMES = {kind: re.compile(pattern) for kind, pattern in _PATTERNS.items()}


def named(value, kind: str, what: str | None = None) -> str:
    """`value` is a name of that kind in the table of section 2."""
    require(
        isinstance(value, str) and _NAMES[kind].fullmatch(value) is not None,
        f"{what or kind} is not a name of its kind",
    )
    return value


def is_named(value, kind: str) -> bool:
    return isinstance(value, str) and _NAMES[kind].fullmatch(value) is not None


def domain_of(authority_or_ledger: str) -> str:
    """The domain in `governance://<domain>/…` or `ledger://<domain>`."""
    return authority_or_ledger.split("://", 1)[1].split("/", 1)[0]


def runtime_of(point: str) -> str:
    """The runtime in `<runtime>#<point>`; anything else as it is."""
    return point.split("#", 1)[0]


def lineage_base(op: str) -> str:
    """The artifact's part of an operation id: `<id>` of `<id>.<k>`."""
    return op.split(".", 1)[0]
