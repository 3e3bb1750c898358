"""An independent implementation of the 11/11 protocol, version 1, for whoever verifies proofs.

Modules follow the protocol's sections: encoding, form and hashes (1, 2, 13), ed25519 and signatures (3),
artifact (4), admission (4.1), event and lineage (5), ledger, append and rules (6), head (7), index (9),
attestation (10), root, registry and policy (11), bundle (11.1).
"""

from .bundle import parse_file, verify
from .encoding import EncodingError, TooMuch, canonical, parse
from .result import Asked, Check, Result

__all__ = ["Asked", "Check", "EncodingError", "Result", "TooMuch", "canonical", "parse", "parse_file", "verify"]
__version__ = "0.1.0"
