"""The mini configs compute on one thread, and the process gets its threads back."""

import pytest
import torch
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from helpers.checked import CONFIG, read
from hii_mm.training.threads import TorchThreads

SEEN = []


class Watch(torch.nn.Module):
    """A model's loss that notes the number of threads."""

    def forward(self, score, target, **kwargs):
        SEEN.append(torch.get_num_threads())
        return score.square().mean()


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize('hooks, expected', [(None, 1), ([], 2)])
def test_a_mini_config_trains_on_one_thread(digits_root, tmp_path, two_threads, hooks, expected):
    cfg = read(CONFIG)
    cfg.work_dir = str(tmp_path)
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False, batch_size=8)
    cfg.train_dataloader.dataset.update(data_root=str(digits_root), indices=8)
    cfg.train_cfg = dict(by_epoch=True, max_epochs=1)
    for part in ('val_dataloader', 'val_cfg', 'val_evaluator', 'test_dataloader', 'test_cfg', 'test_evaluator'):
        cfg[part] = None
    if hooks is not None:
        cfg.custom_hooks = hooks
    runner = Runner.from_cfg(cfg)
    runner.model.head.loss_module = Watch()
    SEEN.clear()
    runner.train()
    assert [expected] == SEEN
    assert torch.get_num_threads() == 2


def test_by_its_bare_name_too():
    assert type(HOOKS.build(dict(type='TorchThreads', num_threads=3))) is TorchThreads


@pytest.mark.parametrize('number', [0, 1.5, True])
def test_wrong_numbers(number):
    with pytest.raises((TypeError, ValueError), match='num_threads must be'):
        TorchThreads(number)
