"""Process groups on machines without a GPU: gloo on the CPU."""

from __future__ import annotations

import gc
import os
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from mmengine.config import Config

# torch.distributed's environment variables, and where each launcher gives their values
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


def join_group(cfg: Config, launcher: str) -> None:
    """Join the other processes of a run on machines without an accelerator.

    mmengine does this itself, but only for CUDA, and gives
    DistributedDataParallel a device. With an accelerator, or with a single
    process, nothing is done here.

    Args:
        cfg: config of the run; ``env_cfg.dist_cfg.timeout`` (seconds) is read,
            ``model_wrapper_cfg`` is set.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        UsageError: the process was not started by that launcher, or the
            launcher needs a GPU.
    """
    import torch.distributed
    from mmengine.device import get_device

    if launcher == 'none' or get_device() != 'cpu' or torch.distributed.is_initialized():
        return
    if launcher not in GROUP:
        raise UsageError(f'--launcher {launcher} needs a GPU, and none was found: use one of none, {", ".join(GROUP)}')
    _set_environment(launcher)
    timeout = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', 1800)
    torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=timeout))
    wrapper = dict(type='MMDistributedDataParallel', broadcast_buffers=False)
    wrapper['find_unused_parameters'] = cfg.get('find_unused_parameters', False)
    cfg.model_wrapper_cfg = {**wrapper, **(cfg.get('model_wrapper_cfg') or {}), 'device_ids': None}


def _set_environment(launcher: str) -> None:
    """Set torch.distributed's variables from those of the launcher.

    Raises:
        UsageError: a variable of the launcher is not set.
    """
    if launcher == 'slurm' and 'SLURM_NODELIST' in os.environ and 'MASTER_ADDR' not in os.environ:
        hosts = ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']]
        os.environ['MASTER_ADDR'] = subprocess.run(hosts, check=True, capture_output=True, text=True).stdout.split()[0]
    missing = [name for name in GROUP[launcher].values() if name not in os.environ]
    if missing:
        raise UsageError(
            f'--launcher {launcher}: this process was not started by {STARTER[launcher]}; '
            f'{", ".join(missing)} not set in the environment'
        )
    os.environ.update({name: os.environ[given] for name, given in GROUP[launcher].items()})


def leave_group() -> None:
    """Leave the process group at the end of a successful run, as torch asks for.

    Call it when nothing holds the model or the runner any more. Gloo's threads
    may hold the last results a little longer than the run; if Python ends in
    that time, the process dies of SIGABRT ("terminate called without an active
    exception"). The group waits for its threads once nothing refers to it:
    neither a model nor torch.distributed.nn, whose functions keep the group
    that existed when they were imported (mmengine's runner imports it before
    there is one). Do not call this after a failure: the other processes may be
    waiting for this one.
    """
    import torch.distributed

    if torch.distributed.is_initialized():
        gc.collect()  # frees the runner, which is part of reference cycles, and the model with it
        torch.distributed.destroy_process_group()
