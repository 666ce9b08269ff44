"""Handing over a data set: an encrypted copy, its manifest, and what the owner does with them later.

Needs NumPy, Pillow, cryptography and tqdm; imports neither torch nor mm*.
"""

from .decrypt import decrypt
from .encrypt import Outcome, Request, encrypt
from .finish import finish
from .journal import Refused
from .manifest import Manifest, ManifestError
from .settings import Settings
from .verify import verify

__all__ = [
    'Manifest',
    'ManifestError',
    'Outcome',
    'Refused',
    'Request',
    'Settings',
    'decrypt',
    'encrypt',
    'finish',
    'verify',
]
