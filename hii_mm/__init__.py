"""Train vision models on images that people should not look at.

``import hii_mm`` is light: it loads neither torch nor mm*. In a process where
mmengine runs already it also registers everything, so that
``custom_imports = dict(imports=['hii_mm'])`` works; ``hii_mm.register`` does so
whatever was imported first.
"""

import sys

from .version import __version__

__all__ = ['__version__']

if 'mmengine' in sys.modules:
    from . import register  # noqa: F401
