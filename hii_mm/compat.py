"""The two sets of mm packages, and what each needs to run everywhere.

OneDL's and OpenMMLab's distributions own the same import names, so an
environment holds one set or the other. Nothing here imports torch or mm*
before it is asked to.
"""

import gc
import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import types
from contextlib import suppress
from functools import lru_cache
from importlib import metadata

STACKS = {
    'onedl': ('onedl-mmengine', 'onedl-mmcv', 'onedl-mmdetection', 'onedl-mmpretrain'),
    'openmmlab': ('mmengine', 'mmcv', 'mmcv-lite', 'mmdet', 'mmpretrain'),
}
INSTALL = "pip install '.[{}]'  (in a checkout of hii_mm)"

# what torch.distributed reads: where each launcher says it
GROUP = {
    'pytorch': {name: name for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')},
    'slurm': {
        'RANK': 'SLURM_PROCID',
        'LOCAL_RANK': 'SLURM_LOCALID',
        'WORLD_SIZE': 'SLURM_NTASKS',
        'MASTER_ADDR': 'MASTER_ADDR',
        'MASTER_PORT': 'MASTER_PORT',
    },
}
STARTER = {'pytorch': 'torchrun (tools/dist_train.sh)', 'slurm': 'srun (tools/slurm_train.sh)'}


class StackError(ImportError):
    """No mm packages, or two sets of them in one environment."""


def installed_packages():
    """``{stack: {distribution: version}}`` of what is installed, by ``STACKS``."""
    found = {}
    for stack, names in STACKS.items():
        for name in names:
            with suppress(metadata.PackageNotFoundError):
                version = metadata.version(name)
                found.setdefault(stack, {})[name] = version
    return found


def find_stack():
    """The installed stack: ``('onedl' or 'openmmlab', {distribution: version})``.

    Raises:
        StackError: there is none, or there are two. The message names the
            packages found and the command to run.
    """
    found = installed_packages()
    if len(found) == 1:
        return next(iter(found.items()))
    if not found:
        raise StackError(
            'hii_mm needs the mm packages for this, and found none of '
            f'{", ".join(STACKS["onedl"])} (or {", ".join(STACKS["openmmlab"])}). Run: {INSTALL.format("onedl")}'
        )
    listed = {stack: ', '.join(f'{n} {v}' for n, v in names.items()) for stack, names in found.items()}
    raise StackError(
        f'two sets of mm packages overwrite each other here: {listed["onedl"]} and {listed["openmmlab"]}. '
        f'Make a new environment, or in this one first run: '
        f'pip uninstall -y {" ".join(n for names in found.values() for n in names)}. Then: {INSTALL.format("onedl")}'
    )


@lru_cache(maxsize=1)
def prepare():
    """Make the installed stack usable. Runs once.

    Raises:
        StackError: see :func:`find_stack`.
    """
    stack, _ = find_stack()
    if ops_kind() == 'missing':
        _stand_in_for_ops()
    if stack == 'openmmlab':
        _allow_mmengine_checkpoints()


def ops_kind():
    """``'compiled'``, ``'stand-in'`` or ``'missing'``: what ``mmcv._ext`` is."""
    if isinstance(sys.modules.get('mmcv._ext'), _MissingOps):
        return 'stand-in'
    return 'compiled' if importlib.util.find_spec('mmcv._ext') else 'missing'


class _MissingOps(types.ModuleType):
    """Stands where mmcv's compiled ops should be; each op raises when called."""

    __file__ = None

    def __init__(self, name):
        super().__init__(name)
        self.__spec__ = importlib.machinery.ModuleSpec(name, loader=None)  # mmengine asks find_spec for it

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)

        def op(*args, **kwargs):
            raise RuntimeError(
                f'mmcv op {name!r} was called, but mmcv was installed without its compiled ops. '
                'hii_mm needs none of them; for models that do, build mmcv from source: '
                'https://mmcv.readthedocs.io/en/latest/get_started/build.html'
            )

        return op


def _stand_in_for_ops():
    from mmengine.logging import print_log

    sys.modules['mmcv._ext'] = _MissingOps('mmcv._ext')
    print_log(
        'hii_mm: mmcv has no compiled ops here; a stand-in lets mmdet be imported, '
        'and models that call such an op will say so.',
        logger='current',
    )


def _allow_mmengine_checkpoints():
    """Let ``torch.load(weights_only=True)`` read what mmengine 0.10.7 saves.

    From torch 2.6 on that is the default, and mmengine's own checkpoints hold
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


def join_group(cfg, launcher):
    """Join the other processes of a run where there is no accelerator: gloo on the CPU.

    mmengine does this itself, but needs CUDA for it, and gives
    DistributedDataParallel a device. With an accelerator, or a single
    process, this does nothing.

    Args:
        cfg (Config): of the run; ``env_cfg.dist_cfg.timeout`` (seconds) is
            read, ``model_wrapper_cfg`` is set.
        launcher (str): 'none', 'pytorch' or 'slurm'.

    Raises:
        SystemExit: not started by that launcher, or by one that needs a GPU.
    """
    from datetime import timedelta

    import torch.distributed
    from mmengine.device import get_device

    if launcher == 'none' or get_device() != 'cpu' or torch.distributed.is_initialized():
        return
    if launcher not in GROUP:
        raise SystemExit(f'--launcher {launcher} needs a GPU, and there is none: take one of none, {", ".join(GROUP)}')
    if launcher == 'slurm' and 'SLURM_NODELIST' in os.environ and 'MASTER_ADDR' not in os.environ:
        hosts = ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']]
        os.environ['MASTER_ADDR'] = subprocess.run(hosts, check=True, capture_output=True, text=True).stdout.split()[0]
    missing = [name for name in GROUP[launcher].values() if name not in os.environ]
    if missing:
        raise SystemExit(f'--launcher {launcher}, but {STARTER[launcher]} did not start this: no {", ".join(missing)}')
    os.environ.update({name: os.environ[given] for name, given in GROUP[launcher].items()})
    timeout = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', 1800)
    torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=timeout))
    wrapper = dict(type='MMDistributedDataParallel', broadcast_buffers=False)
    wrapper['find_unused_parameters'] = cfg.get('find_unused_parameters', False)
    cfg.model_wrapper_cfg = {**wrapper, **(cfg.get('model_wrapper_cfg') or {}), 'device_ids': None}


def leave_group():
    """Leave the other processes at the end of a run that went well, as torch asks for.

    Gloo's threads may hold the last results a little longer than the run. If
    Python ends in that time the process dies of SIGABRT ("terminate called
    without an active exception"). The group waits for its threads when nothing
    holds it any more: no model, and no torch.distributed.nn, whose functions
    keep for good the group of the time it is imported (mmengine's runner
    imports it before there is one). After a failure this must not be called,
    as the others may be waiting in it for this process.
    """
    import torch.distributed

    if torch.distributed.is_initialized():
        gc.collect()  # the runner, which is part of cycles, and with it the model
        torch.distributed.destroy_process_group()
