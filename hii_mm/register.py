"""Importing this registers all transforms, models and hooks under their bare names.

For configs: ``custom_imports = dict(imports=['hii_mm.register'])``.

Raises:
    hii_mm.compat.StackError: no usable set of mm packages is installed.
"""

from . import compat

compat.prepare()

from . import hooks, models, transforms  # noqa: E402, F401
from .attacks import mm_metrics  # noqa: E402, F401
