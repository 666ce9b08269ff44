"""Encrypted copies of a data set: write, merge, verify and decrypt them.

Needs NumPy, Pillow, cryptography and msgspec; imports neither torch nor mm*,
and prints nothing.
"""

from .decrypt import decrypt
from .dryrun import DryRun, dry_run
from .encrypt import encrypt
from .manifest import Manifest
from .merge import merge
from .results import Decryption, Outcome, Problem, Update, Verification
from .settings import Settings
from .verify import verify

__all__ = [
    'Decryption',
    'DryRun',
    'Manifest',
    'Outcome',
    'Problem',
    'Update',
    'Settings',
    'Verification',
    'decrypt',
    'dry_run',
    'encrypt',
    'merge',
    'verify',
]
