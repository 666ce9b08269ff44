"""The two sets of mm packages, and what each needs to run everywhere.

The distributions of OneDL and of OpenMMLab own the same import names, so an
environment holds one set or the other. Importing this module imports neither
torch nor mm*.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from typing import Any

from .errors import StackError

STACKS = {
    'onedl': ('onedl-mmengine', 'onedl-mmcv', 'onedl-mmdetection', 'onedl-mmpretrain'),
    'openmmlab': ('mmengine', 'mmcv', 'mmcv-lite', 'mmdet', 'mmpretrain'),
}
INSTALL = "pip install '.[{}]'  (in a checkout of hii_mm)"


def installed_packages() -> dict[str, dict[str, str]]:
    """Return ``{stack: {distribution: version}}`` of the installed packages of ``STACKS``."""
    found: dict[str, dict[str, str]] = {}
    for stack, names in STACKS.items():
        for name in names:
            with suppress(metadata.PackageNotFoundError):
                version = metadata.version(name)
                found.setdefault(stack, {})[name] = version
    return found


def find_stack() -> tuple[str, dict[str, str]]:
    """Return the installed stack, 'onedl' or 'openmmlab', and ``{distribution: version}``.

    Raises:
        StackError: no stack, or both. The message names the packages found
            and the command to run.
    """
    found = installed_packages()
    if len(found) == 1:
        return next(iter(found.items()))
    if not found:
        raise StackError(
            'no mm packages found: training needs '
            f'{", ".join(STACKS["onedl"])} (or {", ".join(STACKS["openmmlab"])}). Run: {INSTALL.format("onedl")}'
        )
    listed = {stack: ', '.join(f'{n} {v}' for n, v in names.items()) for stack, names in found.items()}
    raise StackError(
        f'two sets of mm packages overwrite each other here: {listed["onedl"]} and {listed["openmmlab"]}. '
        f'Make a new environment, or first run in this one: '
        f'pip uninstall -y {" ".join(n for names in found.values() for n in names)}. Then: {INSTALL.format("onedl")}'
    )


@lru_cache(maxsize=1)
def prepare() -> None:
    """Make the installed stack usable. Runs once.

    Raises:
        StackError: see :func:`find_stack`.
    """
    stack, _ = find_stack()
    if ops_kind() == 'missing':
        _stand_in_for_ops()
    if stack == 'openmmlab':
        _allow_mmengine_checkpoints()


def ops_kind() -> str:
    """Return what ``mmcv._ext`` is: 'compiled', 'stand-in' or 'missing'."""
    if isinstance(sys.modules.get('mmcv._ext'), _MissingOps):
        return 'stand-in'
    return 'compiled' if importlib.util.find_spec('mmcv._ext') else 'missing'


class _MissingOps(types.ModuleType):
    """Stand-in for mmcv's compiled ops: ``nms`` is torchvision's, any other op raises when it is called."""

    __file__ = None

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = importlib.machinery.ModuleSpec(name, loader=None)  # mmengine calls find_spec for it

    @staticmethod
    def nms(boxes: Any, scores: Any, iou_threshold: float, offset: int) -> Any:
        """Return the indices of the boxes (N, 4), xyxy, to keep, best score first.

        Raises:
            RuntimeError: ``offset`` 1, which counts the last pixel into a box.
        """
        if offset:
            raise RuntimeError(f'without the compiled ops of mmcv, nms takes offset 0, got {offset}')
        from torchvision.ops import nms

        return nms(boxes, scores, iou_threshold)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith('__'):
            raise AttributeError(name)

        def op(*args: Any, **kwargs: Any) -> Any:
            raise RuntimeError(
                f'mmcv op {name!r} was called, but mmcv was installed without its compiled ops. '
                'hii_mm needs none of them; for models that do, build mmcv from source: '
                'https://mmcv.readthedocs.io/en/latest/get_started/build.html'
            )

        return op


def _stand_in_for_ops() -> None:
    """Let mmdet be imported without compiled ops, and log it."""
    from mmengine.logging import print_log

    sys.modules['mmcv._ext'] = _MissingOps('mmcv._ext')
    print_log(
        'hii_mm: mmcv has no compiled ops here. mmdet can be imported all the same; '
        'a model that calls such an op raises an error.',
        logger='current',
    )


def _allow_mmengine_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)`` read the checkpoints of mmengine 0.10.7.

    That is the default from torch 2.6 on, and mmengine's own checkpoints hold
    its log buffers as NumPy arrays and scalars. The list is that of OneDL's
    mmengine 0.10.12 (``get_torch_safe_globals``).
    """
    import numpy as np
    import torch
    from mmengine.logging.history_buffer import HistoryBuffer

    if not hasattr(torch.serialization, 'add_safe_globals'):
        return
    multiarray = importlib.import_module('numpy._core.multiarray' if hasattr(np, '_core') else 'numpy.core.multiarray')
    plain = [getattr, slice, HistoryBuffer, np.ndarray, np.dtype, multiarray._reconstruct, multiarray.scalar]
    dtypes = {type(np.dtype(t)) for t in (np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_)}
    torch.serialization.add_safe_globals(plain + list(dtypes))
