"""Register all transforms, models, hooks and metrics under their bare names.

For configs: ``custom_imports = dict(imports=['hii_mm.register'])``. Names with
the scope, such as ``type='hii_mm.PatchShuffle'``, need no import.

Raises:
    StackError: no usable set of mm packages is installed.
"""

from __future__ import annotations

from .registry import registered_names

registered_names()
