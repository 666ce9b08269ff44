"""tools/dist_train.sh and dist_test.sh as real processes: gloo on the CPU."""

import json
import os
import subprocess
import sys

import pytest
import torch

from helpers import ROOT

BASE = ROOT / 'configs' / 'peyolos' / 'peyolos-mini-mi-p16_1xb32-50e_fashion-det.py'
# No flip: each process draws its own. SGD: Adam's first steps are the sign of the gradient, so it turns rounding
# errors into whole steps.
CONFIG = """
_base_ = {base!r}
custom_imports = dict(imports=['hii_mm.register', 'killer'], allow_failed_imports=False)
model = dict(backbone=dict(arch=(32, 2, 2)))
pipeline = [_base_.load, _base_.annotate, _base_.resize, _base_.mix, _base_.pack]
train_set = dict(data_root={data!r}, pipeline=pipeline)
train_dataloader = dict(batch_size={batch}, persistent_workers=False, dataset=train_set)
val_dataloader = dict(batch_size=3, dataset=dict(data_root={data!r}))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file={data!r} + 'annotations/val.json')
test_evaluator = val_evaluator
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='SGD', lr=0.02, momentum=0.9))
param_scheduler = [dict(type='LinearLR', start_factor=0.1, end=5, by_epoch=False)]
train_cfg = dict(max_epochs=3, val_interval=3)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=1, max_keep_ckpts=3))
custom_hooks = [dict(type='Killer')]
"""
KILLER = """
import atexit, os, signal
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@atexit.register
def tell_threads():
    tasks = '/proc/self/task'
    names = [open(f'{tasks}/{task}/comm').read().strip() for task in os.listdir(tasks)] if os.path.isdir(tasks) else []
    os.write(1, f'left behind: {[name for name in names if "gloo" in name]}\\n'.encode())  # at once: others write too

@HOOKS.register_module()
class Killer(Hook):
    '''One process dies in the middle of the second epoch, as if killed from outside.'''

    def after_train_iter(self, runner, batch_idx, **kwargs):
        if runner.iter == 2 and os.environ.get('KILL_RANK') == os.environ.get('RANK', '-'):
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory, digits_root):
    """FashionDet of 12 + 7 pictures, and configs for it with batches of 3 and 6."""
    folder = tmp_path_factory.mktemp('dist')
    (folder / 'root').mkdir()
    (folder / 'root' / 'fashion-mnist').symlink_to(digits_root)
    words = ['--root', folder / 'root', '--out', folder / 'det', '--train', '12', '--val', '7']
    subprocess.run([sys.executable, ROOT / 'tools/dataset_converters/fashion_det.py', *words], check=True)
    for batch in (3, 6):
        text = CONFIG.format(base=str(BASE), batch=batch, data=f'{folder / "det"}/')
        if batch == 6:  # of the one process that is this one
            text = text.replace(", 'killer'", '').replace("dict(type='Killer')", '')
        (folder / f'batch{batch}.py').write_text(text)
    (folder / 'killer.py').write_text(KILLER)
    return folder


def launch(script, *words, folder, code=0, **env):
    """Run a shell script of tools/; what it said. An end that takes more than its time fails.

    No thread of the process group may outlive a run that went well: it could abort the process while Python ends.
    """
    env = {**os.environ, 'PYTHONPATH': str(folder), 'PYTHON': sys.executable, 'PYTHONWARNINGS': 'ignore', **env}
    words = ['bash', ROOT / 'tools' / script, *map(str, words)]
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f'exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}'
    assert code or done.stdout.count('left behind: []') == 2, done.stdout[-2000:]
    return done.stdout + done.stderr


def end_of(work):
    """What a run ended with: the state dict, and the figures of the last evaluation and learning rate."""
    state = torch.load(work / 'epoch_3.pth', weights_only=False)
    (log,) = sorted(work.glob('2*/vis_data/scalars.json'))[-1:]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    figures = {key: value for key, value in lines[-1].items() if key.startswith('coco/')}
    assert len(figures) >= 6
    return state['state_dict'], figures, [line['lr'] for line in lines if 'lr' in line]


@pytest.fixture(scope='module')
def undisturbed(folder):
    """Two processes, not disturbed."""
    launch('dist_train.sh', folder / 'batch3.py', 2, '--work-dir', folder / 'two', folder=folder)
    return end_of(folder / 'two')


@pytest.mark.dist
@pytest.mark.slow
def test_two_processes_are_one_with_twice_the_batch(folder, undisturbed, call):
    call('tools/train.py', folder / 'batch6.py', '--work-dir', folder / 'one')
    weights, figures, rates = end_of(folder / 'one')
    assert figures == undisturbed[1]
    assert rates == undisturbed[2]
    for name, value in weights.items():
        torch.testing.assert_close(value, undisturbed[0][name], atol=1e-6, rtol=1e-4, msg=name)


@pytest.mark.dist
@pytest.mark.slow
def test_a_killed_worker_ends_the_run_and_resume_gives_the_same_weights(folder, undisturbed):
    words = [folder / 'batch3.py', 2, '--work-dir', folder / 'killed']
    said = launch('dist_train.sh', *words, folder=folder, code=1, KILL_RANK='1')
    assert 'Signal 9 (SIGKILL)' in said  # torchrun's report names the rank and how it ended
    assert sorted(path.name for path in (folder / 'killed').glob('*.pth')) == ['epoch_1.pth']
    said = launch('dist_train.sh', *words, '--resume', folder=folder)
    assert 'resumed epoch: 1' in said
    weights, figures, rates = end_of(folder / 'killed')
    assert figures == undisturbed[1]
    assert rates == undisturbed[2][-len(rates) :]
    assert all(torch.equal(value, undisturbed[0][name]) for name, value in weights.items())


@pytest.mark.dist
@pytest.mark.slow
def test_test_script_gives_the_same_figures(folder, undisturbed):
    words = [folder / 'batch3.py', folder / 'two' / 'epoch_3.pth', 2, '--work-dir', folder / 'test']
    launch('dist_test.sh', *words, folder=folder)
    (log,) = (folder / 'test').glob('2*/2*.json')
    figures = json.loads(log.read_text())
    assert {key: figures[key] for key in undisturbed[1]} == undisturbed[1]


SRUN = """#!/usr/bin/env bash
# As much of Slurm's srun as one machine needs: every flag is skipped but --ntasks.
while [[ $1 == -* ]]; do
    case $1 in -p) shift ;; --ntasks=*) export SLURM_NTASKS=${1#*=} ;; esac
    shift
done
export SLURM_NODELIST=$HOSTNAME MASTER_ADDR=127.0.0.1
for SLURM_PROCID in $(seq 0 $((SLURM_NTASKS - 1))); do
    SLURM_PROCID=$SLURM_PROCID SLURM_LOCALID=$SLURM_PROCID "$@" &
    pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || exit; done
"""


@pytest.mark.dist
@pytest.mark.slow
def test_slurm_script_gives_the_same_figures(folder, undisturbed):
    (folder / 'bin').mkdir()
    (folder / 'bin' / 'srun').write_text(SRUN)
    (folder / 'bin' / 'srun').chmod(0o755)
    words = ['part', 'job', folder / 'batch3.py', folder / 'two' / 'epoch_3.pth', '--work-dir', folder / 'slurm']
    launch('slurm_test.sh', *words, folder=folder, GPUS='2', PATH=f'{folder / "bin"}:{os.environ["PATH"]}')
    (log,) = (folder / 'slurm').glob('2*/2*.json')
    figures = json.loads(log.read_text())
    assert {key: figures[key] for key in undisturbed[1]} == undisturbed[1]


@pytest.mark.parametrize(
    'script, words, message',
    [
        ('dist_train.sh', ['config.py'], 'CONFIG GPUS [flags of tools/train.py]'),
        ('dist_test.sh', ['config.py', 2], 'CONFIG CHECKPOINT GPUS [flags of tools/test.py]'),
        ('dist_train.sh', ['config.py', 'two'], "GPUS must be a whole number of processes from 1 on, got 'two'"),
        ('slurm_train.sh', ['gpu', 'job'], 'PARTITION JOB_NAME CONFIG WORK_DIR [flags]'),
        ('slurm_test.sh', [], 'PARTITION JOB_NAME CONFIG CHECKPOINT [flags]'),
    ],
)
def test_wrong_arguments(tmp_path, script, words, message):
    assert message in launch(script, *words, folder=tmp_path, code=2)


def test_launcher_without_its_group(call, monkeypatch):
    for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE'):
        monkeypatch.delenv(name, raising=False)
    done = call('tools/train.py', BASE, '--launcher', 'pytorch', code=2)
    want = 'this process was not started by torchrun (tools/dist_train.sh); RANK, LOCAL_RANK, WORLD_SIZE'
    assert want in done.stderr
    done = call('tools/train.py', BASE, '--launcher', 'mpi', code=2)
    assert '--launcher mpi needs a GPU, and none was found: use one of none, pytorch, slurm' in done.stderr
