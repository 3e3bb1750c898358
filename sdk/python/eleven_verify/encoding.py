"""Canonical encoding (PROTOCOL 1): I-JSON in, RFC 8785 out, integers only.

The parser is our own because the standard library's accepts what the protocol
rejects: duplicate keys, fractions, lone surrogates, NaN, a byte order mark.
"""

import functools
import json
import math
import re
from typing import Any

MAX_INT = 2**53 - 1
MAX_DEPTH = 32


class EncodingError(ValueError):
    """The bytes are not the protocol's I-JSON, or the value can't be encoded."""


class TooMuch(EncodingError):
    """The bytes hold more values than are read at once."""


_STRING = re.compile(r'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_LITERALS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}


def parse(data: bytes, most: int | None = None) -> Any:
    """The value that `data` encodes. Whitespace between tokens is allowed. Where `most` is given: of at most so many values,
    those inside others among them, since a value takes many times the bytes that it is written in."""
    try:
        text = data.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise EncodingError("not UTF-8") from error
    parser = _Parser(text, most)
    value = parser.value(0)
    parser.skip()
    if parser.at != len(text):
        raise EncodingError("bytes after the value")
    return value


def parse_canonical(data: bytes):
    """The value that `data` encodes; refuses bytes that are not its canonical encoding."""
    value = parse(data)
    if canonical(value) != data:
        raise EncodingError("not canonical")
    return value


class _Parser:
    def __init__(self, text: str, most: int | None):
        self.text = text
        self.at = 0
        self.left = math.inf if most is None else most

    def skip(self):
        self.at = _SPACE.match(self.text, self.at).end()

    def peek(self) -> str:
        self.skip()
        if self.at >= len(self.text):
            raise EncodingError("ends too early")
        return self.text[self.at]

    def value(self, depth: int):
        if self.left == 0:
            raise TooMuch("more values than are read at once")
        self.left -= 1
        first = self.peek()
        if first == '"':
            return self.string()
        if first == "{":
            return self.object(depth + 1)
        if first == "[":
            return self.array(depth + 1)
        if first in _LITERALS:
            word, value = _LITERALS[first]
            if not self.text.startswith(word, self.at):
                raise EncodingError("unknown literal")
            self.at += len(word)
            return value
        return self.number()

    def object(self, depth: int) -> dict:
        self.open(depth)
        out: dict = {}
        if self.peek() == "}":
            self.at += 1
            return out
        while True:
            if self.peek() != '"':
                raise EncodingError("a member needs a name in double quotes")
            key = self.string()
            if key in out:
                raise EncodingError("duplicate key")
            if self.peek() != ":":
                raise EncodingError("colon missing")
            self.at += 1
            out[key] = self.value(depth)
            if self.next_or("}"):
                return out

    def array(self, depth: int) -> list:
        self.open(depth)
        out: list = []
        if self.peek() == "]":
            self.at += 1
            return out
        while True:
            out.append(self.value(depth))
            if self.next_or("]"):
                return out

    def open(self, depth: int):
        if depth > MAX_DEPTH:
            raise EncodingError("deeper than 32")
        self.at += 1

    def next_or(self, end: str) -> bool:
        """Step over a comma (False) or the closing bracket (True)."""
        char = self.peek()
        self.at += 1
        if char == end:
            return True
        if char != ",":
            raise EncodingError("comma missing")
        return False

    def number(self) -> int:
        match = _NUMBER.match(self.text, self.at)
        if not match:
            raise EncodingError("not a value")
        self.at = match.end()
        if self.text[self.at : self.at + 1] in (".", "e", "E"):
            raise EncodingError("numbers are integers without exponent")
        digits = match.group()
        if digits == "-0":
            raise EncodingError("minus zero")
        if len(digits) > 17 or abs(int(digits)) > MAX_INT:
            raise EncodingError("number out of range")
        return int(digits)

    def string(self) -> str:
        start, end = self.at, _STRING.match(self.text, self.at + 1).end()
        after = self.text[end : end + 1]
        if after == '"':
            self.at = end + 1
            inside = self.text[start + 1 : end]
            return inside if "\\" not in inside else _unescaped(self.text[start : self.at])
        if after == "\\":
            raise EncodingError("four hex digits expected" if self.text[end + 1 : end + 2] == "u" else "unknown escape")
        raise EncodingError("raw control character" if after else "unterminated string")


def _unescaped(quoted: str) -> str:
    """The string of a text that is one, in its quotes. A file may hold nothing but escapes, for which each by itself takes
    a minute: the standard library reads them, and lets through only halves of a character."""
    text = json.loads(quoted)
    try:
        text.encode("utf-8", "strict")
    except UnicodeEncodeError as error:
        raise EncodingError("lone surrogate") from error
    return text


def same(a, b) -> bool:
    """Equal as JSON values: Python holds True and 1 to be equal, the protocol does not."""
    return canonical(a) == canonical(b)


# Of a string the standard library's encoding is the canonical one: the short escapes, and others by their number.
_STRINGS = json.JSONEncoder(ensure_ascii=False)


def canonical(value: Any) -> bytes:
    """JCS of `value`: members sorted by UTF-16 code unit, no white space, minimal escapes."""
    out: list[str] = []
    _write(value, out, 0)
    try:
        return "".join(out).encode("utf-8", "strict")
    except UnicodeEncodeError as error:
        raise EncodingError("lone surrogate") from error


def _write(value, out: list[str], depth: int):
    if value is None:
        out.append("null")
    elif value is True:
        out.append("true")
    elif value is False:
        out.append("false")
    elif isinstance(value, str):
        out.append(_quote(value))
    elif isinstance(value, int):
        if abs(value) > MAX_INT:
            raise EncodingError("number out of range")
        out.append(str(value))
    elif isinstance(value, list):
        _write_list(value, out, depth + 1)
    elif isinstance(value, dict):
        _write_dict(value, out, depth + 1)
    else:
        raise EncodingError(f"{type(value).__name__} has no canonical form")


def _write_list(value: list, out: list[str], depth: int):
    if depth > MAX_DEPTH:
        raise EncodingError("deeper than 32")
    out.append("[")
    for position, item in enumerate(value):
        if position:
            out.append(",")
        _write(item, out, depth)
    out.append("]")


def _write_dict(value: dict, out: list[str], depth: int):
    if depth > MAX_DEPTH:
        raise EncodingError("deeper than 32")
    out.append("{")
    for position, key in enumerate(sorted(value, key=_utf16)):
        if position:
            out.append(",")
        out.append(_quote(key))
        out.append(":")
        _write(value[key], out, depth)
    out.append("}")


# Texts come back, most of them short. Who verifies what strangers send is sent any, and what is remembered of it stays: so
# nothing that is longer than this.
_REMEMBERED = 256


def _utf16(key) -> bytes:
    if not isinstance(key, str):
        raise EncodingError("member names are strings")
    return _short_utf16(key) if len(key) <= _REMEMBERED else _in_utf16(key)


def _in_utf16(key: str) -> bytes:
    # "surrogatepass" only to sort: a lone surrogate is refused when the text is encoded.
    return key.encode("utf-16-be", "surrogatepass")


def _quote(text: str) -> str:
    return _short_quoted(text) if len(text) <= _REMEMBERED else _quoted(text)


def _quoted(text: str) -> str:
    return _STRINGS.encode(text)


_short_utf16 = functools.lru_cache(maxsize=4096)(_in_utf16)
_short_quoted = functools.lru_cache(maxsize=8192)(_quoted)
