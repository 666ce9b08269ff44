"""Train vision models on images that people should not look at.

``import hii_mm`` is light: it loads neither NumPy, nor torch, nor mm*. Names
are imported when they are first used (PEP 562). mm configs import
``hii_mm.register``.

>>> import hii_mm
>>> hii_mm.Scheme(patch_size=16, gap=2).core_size
(12, 12)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from . import attacks, presets
    from .attacks.api import Report, attack
    from .encryption import MasterKey, Plan, Scheme, read_key, write_new_key
    from .errors import HiiError
    from .handover import Decryption, DryRun, Manifest, Outcome, Verification, decrypt, dry_run, encrypt, merge, verify
    from .inference.api import Prediction, predict
    from .presets import PRESETS
    from .recommendation.api import Recommendation, recommend

_HOME = {
    'attack': 'attacks.api',
    'Report': 'attacks.api',
    'HiiError': 'errors',
    'PRESETS': 'presets',
    'Prediction': 'inference.api',
    'predict': 'inference.api',
    'Recommendation': 'recommendation.api',
    'recommend': 'recommendation.api',
    **dict.fromkeys(('MasterKey', 'Plan', 'Scheme', 'read_key', 'write_new_key'), 'encryption'),
    **dict.fromkeys(('Decryption', 'DryRun', 'Manifest', 'Outcome', 'Verification'), 'handover'),
    **dict.fromkeys(('decrypt', 'dry_run', 'encrypt', 'merge', 'verify'), 'handover'),
}

__all__ = [
    'Decryption',
    'DryRun',
    'HiiError',
    'Manifest',
    'MasterKey',
    'Outcome',
    'PRESETS',
    'Plan',
    'Prediction',
    'Recommendation',
    'Report',
    'Scheme',
    'Verification',
    '__version__',
    'attack',
    'attacks',
    'decrypt',
    'dry_run',
    'encrypt',
    'merge',
    'predict',
    'presets',
    'read_key',
    'recommend',
    'verify',
    'write_new_key',
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name in ('attacks', 'presets'):
        return importlib.import_module(f'.{name}', __name__)
    if name not in _HOME:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    value = getattr(importlib.import_module(f'.{_HOME[name]}', __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})
