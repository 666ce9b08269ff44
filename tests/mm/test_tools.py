"""tools/train.py and tools/test.py on real images."""

import argparse
import json
import pickle
import time

import pytest
import torch
from mmengine.config import DictAction

from hii_mm.errors import UsageError
from hii_mm.training.config import parse_options

CONFIG = 'configs/pevit/pevit-mini-p4_1xb128-rs-20e_digits.py'


@pytest.fixture
def options(digits_root):
    """Flags that make the config tiny."""
    data = [f'{part}_dataloader.dataset.data_root={digits_root}' for part in ('train', 'val', 'test')]
    few = [f'{part}_dataloader.dataset.indices=96' for part in ('train', 'val', 'test')]
    return ['--cfg-options', *data, *few, 'default_hooks.checkpoint.interval=1', 'default_hooks.logger.interval=1']


@pytest.mark.slow
def test_train_resume_and_test(run, call, tmp_path, options):
    work = tmp_path / 'work'
    flags = ['--work-dir', work]
    run('tools/train.py', CONFIG, *flags, '--auto-scale-lr', *options, 'train_cfg.max_epochs=1')
    assert [path.name for path in work.glob('*.pth')] == ['epoch_1.pth']
    done = call('tools/train.py', CONFIG, *flags, '--resume', *options, 'train_cfg.max_epochs=2')
    said = done.stdout + done.stderr
    assert 'resumed epoch: 1' in said
    assert 'Epoch(train) [2][' in said.replace('  [', ' [')
    assert 'Epoch(train) [1][' not in said.replace('  [', ' [')
    checkpoint, out = work / 'epoch_2.pth', tmp_path / 'out.pkl'
    done = call('tools/test.py', CONFIG, checkpoint, *flags, '--out', out, *options)
    assert 'accuracy/top1' in done.stdout + done.stderr
    assert len(pickle.loads(out.read_bytes())) == 96
    state = torch.load(checkpoint, weights_only=False)
    assert not [key for key in state['meta'] if 'permutation' in key]


def test_amp_reaches_the_optimiser(call, tmp_path, options):
    """mmengine trains with mixed precision on accelerators only, and says so elsewhere."""
    words = ['tools/train.py', CONFIG, '--work-dir', tmp_path, '--amp', *options, 'train_cfg.max_epochs=1']
    if torch.cuda.is_available():
        call(*words)
        assert (tmp_path / 'epoch_1.pth').exists()
        return
    with pytest.raises(AssertionError, match='only available training on gpu'):
        call(*words)
    assert not (tmp_path / 'epoch_1.pth').exists()


@pytest.mark.parametrize(
    'words, message',
    [
        (['tools/train.py', 'configs/none.py'], "config file not found: 'configs/none.py'"),
        (['tools/train.py', CONFIG, '--resume', 'none.pth'], "checkpoint file not found: 'none.pth'"),
        (['tools/train.py', CONFIG, '--cfg-options', 'a.b'], "must be key=value, got 'a.b'"),
        (['tools/train.py', CONFIG, '--nonsense'], 'unrecognized arguments: --nonsense'),
        (['tools/test.py', CONFIG, 'none.pth'], "checkpoint file not found: 'none.pth'"),
        (['tools/test.py', CONFIG, CONFIG, '--out', 'a.txt'], "--out must end in .pkl or .pickle, got 'a.txt'"),
        (['tools/train.py', CONFIG, '--launcher', 'ssh'], "invalid choice: 'ssh'"),
        (['tools/demo.py', '--epochs', '3'], 'unrecognized arguments: --epochs 3'),
        (['tools/misc/verify_pipeline.py', 'none.py'], "config file not found: 'none.py'"),
        (['tools/misc/draw_predictions.py', CONFIG, 'none.pth'], "checkpoint file not found: 'none.pth'"),
        (['tools/model_converters/to_hii.py', 'a.pth', 'b.pth', '--model', 'vgg'], "invalid choice: 'vgg'"),
        (['tools/dataset_converters/fashion_det.py', '--train', 'x'], "invalid int value: 'x'"),
        (['tools/dataset_converters/fashion_mnist.py', '--nonsense'], 'unrecognized arguments: --nonsense'),
        (['tools/dataset_converters/gcompris.py', '--nonsense'], 'unrecognized arguments: --nonsense'),
    ],
)
def test_wrong_arguments_are_answered_at_once(run, words, message):
    start = time.perf_counter()
    done = run(*words, code=2)
    assert time.perf_counter() - start < 2
    assert message in done.stderr
    assert 'usage: ' in done.stderr


def test_options_are_parsed_as_mmengine_does():
    words = ['a.b=3', "c='x'", 'd=1e-3', 'e=[1,2]', 'f=(3,4)', 'g=a,b', 'h=k=v', 'i=True', 'j=[(1,2),[3]]']
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    assert parse_options(words) == parser.parse_args(['--cfg-options', *words]).cfg_options
    assert parse_options([]) == {}
    with pytest.raises(UsageError, match="must be key=value, got 'novalue'"):
        parse_options(['a=1', 'novalue'])


def test_options_reach_the_run(call):
    """Wrong ones are answered before a run starts."""
    done = call('tools/train.py', CONFIG, '--cfg-options', 'train_dataloader.dataset.ann_file=none.json', code=2)
    assert "train: annotation file not found: 'data/digits/none.json'" in done.stderr


def test_missing_files_are_named(call, tmp_path, digits_root):
    config = 'configs/yolos/yolos-mini_1xb32-50e_fashion-det.py'
    done = call('tools/train.py', config, '--cfg-options', f'train_dataloader.dataset.data_root={tmp_path}/', code=2)
    want = f"annotation file not found: '{tmp_path}/annotations/train.json' (train_dataloader.dataset.ann_file"
    assert want in done.stderr
    image = dict(id=1, file_name='absent.png', height=128, width=128)
    box = dict(id=1, image_id=1, category_id=1, bbox=[1, 2, 30, 40], area=1200, iscrowd=0)
    truth = dict(images=[image], annotations=[box], categories=[dict(id=1, name='Trouser')])
    (tmp_path / 'a.json').write_text(json.dumps(truth))
    changes = [f'{part}_dataloader.dataset.ann_file={tmp_path}/a.json' for part in ('train', 'val', 'test')]
    changes += [f'{part}_evaluator.ann_file={tmp_path}/a.json' for part in ('val', 'test')]
    with pytest.raises(FileNotFoundError, match=r'train/absent\.png'):
        call('tools/train.py', config, '--work-dir', tmp_path / 'w', '--cfg-options', *changes)
