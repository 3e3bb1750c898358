"""Heads, C2SP checkpoints and cosignatures (PROTOCOL 7)."""

import base64
import re
import struct
from dataclasses import dataclass

from . import ed25519, form, hashes
from .encoding import MAX_INT
from .form import require
from .signatures import check_signature

_MEMBERS = {"v", "ledger", "size", "hash", "hash_alt", "root", "index", "registry", "at", "kid", "sig"}
# Each line of a known key costs a verification.
MAX_LINES = 128
_KEY_NAME = re.compile(r"[^\s\x00-\x1f\x7f-\x9f+]+")
_ED25519, _COSIGNATURE = b"\x01", b"\x04"


def check_members(head):
    form.members(head, _MEMBERS, what="head")
    require(head["v"] == "1", "head of another version of the protocol")
    form.members(head["registry"], {"epoch", "hash"}, what="head registry")
    form.members(head["sig"], {"alg", "kid", "val"}, what="head signature")


def check(head):
    """Form of a head."""
    check_members(head)
    form.named(head["ledger"], "ledger")
    form.integer(head["size"], "size", 1)
    form.raw(head["hash"], "sha3-512", "hash")
    form.raw(head["hash_alt"], "blake2b-512", "hash_alt")
    form.raw(head["root"], "sha256", "root")
    form.raw(head["index"], "sha256", "index")
    form.integer(head["registry"]["epoch"], "epoch", 1)
    form.sha3(head["registry"]["hash"])
    form.millis(head["at"], "at")
    form.named(head["kid"], "key")
    check_signature(head["sig"], head["kid"])


def origin(domain: str) -> str:
    return f"{domain}/ledger"


@dataclass(frozen=True)
class Checkpoint:
    """A signed note of a tree head: its text, and each signature line as (name, key id, signature)."""

    text: str
    origin: str
    size: int
    root: str
    lines: tuple[tuple[str, bytes, bytes], ...]


def parse_checkpoint(note) -> Checkpoint:
    """`<origin>\\n<size>\\n<base64 root>\\n`, an empty line, signature lines; no extension lines."""
    require(isinstance(note, str) and "\r" not in note, "the checkpoint is not a note")
    text, separator, signatures = note.partition("\n\n")
    text += "\n"
    require(bool(separator) and signatures.endswith("\n"), "the checkpoint is not a signed note")
    parts = text.split("\n", 4)
    require(len(parts) == 4, "the checkpoint has extension lines")
    name, size, root = parts[:3]
    require(size.isascii() and size.isdecimal() and str(int(size)) == size, "the size is not a plain number")
    require(_is_key_name(name), "the origin is no key's name")
    require(int(size) <= MAX_INT, "the size is past 2^53-1")
    digest = form.bare_base64(root, "root")
    require(len(digest) == 32, "the root is not 32 bytes")
    lines = signatures[:-1].split("\n", MAX_LINES)
    require(len(lines) <= MAX_LINES, f"more than {MAX_LINES} signature lines")
    lines = tuple(map(_signature_line, lines))
    return Checkpoint(text, name, int(size), "sha256:" + digest.hex(), lines)


def _signature_line(line: str) -> tuple[str, bytes, bytes]:
    parts = line.split(" ", 3)
    require(len(parts) == 3 and parts[0] == "\u2014" and _is_key_name(parts[1]), "not a signature line")
    blob = form.bare_base64(parts[2], "note signature")
    require(len(blob) > 4, "a note signature is too short")
    return parts[1], blob[:4], blob[4:]


def _is_key_name(name: str) -> bool:
    """Of a signed note: not empty, without white space, control characters and `+`."""
    return _KEY_NAME.fullmatch(name) is not None


def key_id(name: str, public: bytes) -> bytes:
    """Of the ledger's signed-note key."""
    return hashes.sha256(name.encode() + b"\n" + _ED25519 + public)[:4]


def cosigner_id(name: str, public: bytes) -> bytes:
    """Of a witness's cosignature/v1 key."""
    return hashes.sha256(name.encode() + b"\n" + _COSIGNATURE + public)[:4]


def vkey(name: str, public: bytes) -> str:
    """The key as other C2SP tools take it."""
    return f"{name}+{key_id(name, public).hex()}+{base64.b64encode(_ED25519 + public).decode()}"


def signed_by_ledger(checkpoint: Checkpoint, public: bytes) -> bool:
    """A line of the origin's own name and key verifies."""
    ours = (checkpoint.origin, key_id(checkpoint.origin, public))
    return any(
        (name, ident) == ours and ed25519.verify(public, checkpoint.text.encode(), signature)
        for name, ident, signature in checkpoint.lines
    )


def cosigned_by(checkpoint: Checkpoint, name: str, public: bytes) -> bool:
    """A cosignature/v1 line of this witness verifies; its own time is not judged."""
    ours = (name, cosigner_id(name, public))
    for line_name, ident, blob in checkpoint.lines:
        if (line_name, ident) == ours and len(blob) == 72:
            (time,) = struct.unpack(">Q", blob[:8])
            message = f"cosignature/v1\ntime {time}\n{checkpoint.text}".encode()
            if ed25519.verify(public, message, blob[8:]):
                return True
    return False


def require_quorum(checkpoint: Checkpoint, witnesses: dict):
    """The quorum of witnesses cosigned, auditors among them."""
    signed = [k for k in witnesses["keys"] if cosigned_by(checkpoint, k["name"], form.binary(k["public"], length=32))]
    require(len(signed) >= witnesses["quorum"], f"{len(signed)} of {witnesses['quorum']} witnesses cosigned")
    auditors = sum(1 for key in signed if key["audits"] is True)
    require(auditors >= witnesses["auditors"], f"{auditors} of {witnesses['auditors']} auditors cosigned")
