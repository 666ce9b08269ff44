"""tools/train.py and tools/test.py as real processes on real images."""

import pickle

import pytest
import torch

CONFIG = 'configs/pevit/pevit-mini-p4_1xb128-rs-20e_digits.py'


@pytest.fixture
def options(digits_root):
    """Flags that make the config tiny."""
    data = [f'{part}_dataloader.dataset.data_root={digits_root}' for part in ('train', 'val', 'test')]
    few = [f'{part}_dataloader.dataset.indices=96' for part in ('train', 'val', 'test')]
    return ['--cfg-options', *data, *few, 'default_hooks.checkpoint.interval=1', 'default_hooks.logger.interval=1']


def test_train_resume_and_test(run, tmp_path, options):
    work = tmp_path / 'work'
    flags = ['--work-dir', work]
    run('tools/train.py', CONFIG, *flags, '--auto-scale-lr', *options, 'train_cfg.max_epochs=1')
    assert [path.name for path in work.glob('*.pth')] == ['epoch_1.pth']
    done = run('tools/train.py', CONFIG, *flags, '--resume', *options, 'train_cfg.max_epochs=2')
    said = done.stdout + done.stderr
    assert 'resumed epoch: 1' in said
    assert 'Epoch(train) [2][' in said.replace('  [', ' [')
    assert 'Epoch(train) [1][' not in said.replace('  [', ' [')
    checkpoint, out = work / 'epoch_2.pth', tmp_path / 'out.pkl'
    done = run('tools/test.py', CONFIG, checkpoint, *flags, '--out', out, *options)
    assert 'accuracy/top1' in done.stdout + done.stderr
    assert len(pickle.loads(out.read_bytes())) == 96
    state = torch.load(checkpoint, weights_only=False)
    assert not [key for key in state['meta'] if 'permutation' in key]


def test_amp_reaches_the_optimiser(run, tmp_path, options):
    """mmengine trains with mixed precision on accelerators only, and says so elsewhere."""
    here = torch.cuda.is_available()
    words = ['tools/train.py', CONFIG, '--work-dir', tmp_path, '--amp', *options, 'train_cfg.max_epochs=1']
    done = run(*words, code=0 if here else 1)
    assert here or 'only available training on gpu' in done.stderr
    assert here == (tmp_path / 'epoch_1.pth').exists()


@pytest.mark.parametrize(
    'words, message',
    [
        (['tools/train.py', 'configs/none.py'], "no config file at 'configs/none.py'"),
        (['tools/test.py', CONFIG, 'none.pth'], "no checkpoint file at 'none.pth'"),
        (['tools/test.py', CONFIG, CONFIG, '--out', 'a.txt'], "--out must end in .pkl or .pickle, got 'a.txt'"),
        (['tools/train.py', CONFIG, '--launcher', 'ssh'], "invalid choice: 'ssh'"),
    ],
)
def test_wrong_arguments(call, words, message):
    done = call(*words, code=1 if 'none.py' in message else 2)
    assert message in done.stderr


def test_missing_files_are_named(call, run, tmp_path, digits_root):
    import json

    config = 'configs/yolos/yolos-mini_1xb32-50e_fashion-det.py'
    done = call('tools/train.py', config, '--cfg-options', f'train_dataloader.dataset.data_root={tmp_path}/', code=1)
    want = f"no annotation file at '{tmp_path}/annotations/train.json' (train_dataloader.dataset.ann_file"
    assert want in done.stderr
    image = dict(id=1, file_name='absent.png', height=128, width=128)
    box = dict(id=1, image_id=1, category_id=1, bbox=[1, 2, 30, 40], area=1200, iscrowd=0)
    truth = dict(images=[image], annotations=[box], categories=[dict(id=1, name='Trouser')])
    (tmp_path / 'a.json').write_text(json.dumps(truth))
    changes = [f'{part}_dataloader.dataset.ann_file={tmp_path}/a.json' for part in ('train', 'val', 'test')]
    changes += [f'{part}_evaluator.ann_file={tmp_path}/a.json' for part in ('val', 'test')]
    done = run('tools/train.py', config, '--work-dir', tmp_path / 'w', '--cfg-options', *changes, code=1)
    assert 'train/absent.png' in done.stderr[-500:]
