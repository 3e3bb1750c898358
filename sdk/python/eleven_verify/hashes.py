"""Hashes and content ids (PROTOCOL 2)."""

import hashlib

from .encoding import canonical

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def sha3_512(data: bytes) -> str:
    return "sha3-512:" + hashlib.sha3_512(data).hexdigest()


def blake2b_512(data: bytes) -> str:
    return "blake2b-512:" + hashlib.blake2b(data, digest_size=64).hexdigest()


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def of(value) -> str:
    """SHA3-512 of the canonical encoding: what names a policy, a root, a request."""
    return sha3_512(canonical(value))


def content_id(value) -> str:
    """32 Crockford characters of the first 20 bytes of the SHA3-512 of the canonical encoding."""
    number = int.from_bytes(hashlib.sha3_512(canonical(value)).digest()[:20], "big")
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(155, -1, -5))


def commitment(salt: str, path: str, value) -> str:
    """What stands as `_sd`, and how requests and results are bound (5.2, 4)."""
    return of([salt, path, value])


def without(value: dict, *names: str) -> dict:
    return {key: item for key, item in value.items() if key not in names}
