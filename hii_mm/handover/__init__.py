"""Encrypted copies of a data set: write, merge, verify and decrypt them.

Needs NumPy, Pillow, cryptography and msgspec; imports neither torch nor mm*,
and prints nothing.
"""

from .decrypt import decrypt
from .encrypt import encrypt
from .manifest import Manifest
from .merge import merge
from .results import Decryption, Outcome, Problem, Verification
from .settings import Settings
from .verify import verify

__all__ = [
    'Decryption',
    'Manifest',
    'Outcome',
    'Problem',
    'Settings',
    'Verification',
    'decrypt',
    'encrypt',
    'merge',
    'verify',
]
