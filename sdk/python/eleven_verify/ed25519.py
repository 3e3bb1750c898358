"""Strict Ed25519 (PROTOCOL 3).

OpenSSL checks S < L and compares the recomputed R byte for byte, without the
cofactor. It lets through keys that are not canonically encoded and keys or
commitments of small order; those are refused here first, in plain integers.
"""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


# What is remembered stays for as long as the process does, so no message that is longer than this.
_REMEMBERED = 4096


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """True only for what every strict verifier accepts."""
    if len(public) != 32 or len(signature) != 64:
        return False
    return (_verify_short if len(message) <= _REMEMBERED else _verify)(public, message, signature)


def _verify(public: bytes, message: bytes, signature: bytes) -> bool:
    if int.from_bytes(signature[32:], "little") >= L:
        return False
    if not acceptable_point(public) or not acceptable_point(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


_verify_short = lru_cache(maxsize=4096)(_verify)


def sign(seed: bytes, message: bytes) -> bytes:
    """For tests and vectors only: this package keeps no keys."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def public(seed: bytes) -> bytes:
    """The public key of a seed; for tests, as `sign`."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


@lru_cache(maxsize=4096)
def acceptable_point(encoded: bytes) -> bool:
    """A canonical encoding of a point on the curve that is not of small order."""
    point = _decode(encoded)
    if point is None:
        return False
    for _ in range(3):
        point = _double(point)
    x, y, z = point
    return not (x % P == 0 and (y - z) % P == 0)


@lru_cache(maxsize=4096)
def is_sound(public: bytes) -> bool:
    """A public key as key generation gives it: acceptable, and of the prime-order group."""
    if not acceptable_point(public):
        return False
    point, multiple = _decode(public), (0, 1, 1)
    for digit in bin(L)[2:]:
        multiple = _double(multiple)
        if digit == "1":
            multiple = _add(multiple, point)
    x, y, z = multiple
    return x % P == 0 and (y - z) % P == 0


def _decode(encoded: bytes):
    number = int.from_bytes(encoded, "little")
    sign_bit, y = number >> 255, number & ((1 << 255) - 1)
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if (v * x * x - u) % P:
        x = x * SQRT_M1 % P
    if (v * x * x - u) % P:
        return None
    if x == 0 and sign_bit:
        return None
    if x & 1 != sign_bit:
        x = P - x
    return x, y, 1


def _double(point):
    """dbl-2008-bbjlp for a = -1 in projective coordinates."""
    x, y, z = point
    b = (x + y) * (x + y) % P
    c, d = x * x % P, y * y % P
    e = -c % P
    f = (e + d) % P
    j = (f - 2 * z * z) % P
    return (b - c - d) * j % P, f * (e - d) % P, f * j % P


def _add(one, other):
    """add-2008-bbjlp for a = -1 in projective coordinates; complete on this curve."""
    (x1, y1, z1), (x2, y2, z2) = one, other
    a = z1 * z2 % P
    b, c, d = a * a % P, x1 * x2 % P, y1 * y2 % P
    e = D * c * d % P
    f, g = b - e, b + e
    return a * f * ((x1 + y1) * (x2 + y2) - c - d) % P, a * g * (d + c) % P, f * g % P
