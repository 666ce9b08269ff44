"""The scripts for the paper's tables look for data first, and their estimates count what torch counts."""

import re
import shutil
import subprocess
import sys

import pytest
import torch

from helpers import ROOT

sys.path.insert(0, str(ROOT / 'tools' / 'reproduce'))

import estimate  # noqa: E402

from hii_mm import compat  # noqa: E402

compat.prepare()


@pytest.mark.parametrize('table, first', [('imagenet', 'data/imagenet/train'), ('coco', 'data/coco/train2017')])
def test_the_scripts_of_the_paper(tmp_path, table, first):
    """In a copy, where no data are; then with them."""
    shutil.copytree(ROOT / 'tools/reproduce', tmp_path / 'tools/reproduce')
    script = tmp_path / f'tools/reproduce/paper_table_{table}.sh'

    def ran(*words):
        done = subprocess.run(
            ['bash', script, *words],
            capture_output=True,
            text=True,
            env={'PYTHON': sys.executable, 'PATH': '/usr/bin:/bin'},
        )
        return done.returncode, done.stdout, done.stderr

    code, out, err = ran('--print', '--gpus', '4')
    assert code == 1 and err.startswith(f'data not found: {first}\n')
    commands = [line.split() for line in out.splitlines() if line.startswith('tools/dist_train.sh ')]
    assert len(commands) == {'imagenet': 7, 'coco': 6}[table]
    assert all((ROOT / words[1]).is_file() and words[2] == '4' for words in commands)
    assert out.count('(an estimate)') == len(commands)
    code, out, err = ran('--run')
    assert (code, out) == (1, '') and 'Nothing was run.' in err
    for name in re.findall('data not found: (.*)', err):
        (tmp_path / name).mkdir(parents=True)
    code, out, err = ran()
    assert (code, err) == (0, '')
    assert ('load_from=work_dirs/start/peyolos-tiny.pth' in out) == (table == 'coco')
    assert ran('--gpus', 'many')[0] == ran('--all')[0] == 2


def test_the_estimate_counts_what_torch_counts():
    from mmengine.registry import MODELS
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    model = MODELS.build(dict(type='PEViT', arch='deit-tiny', img_size=224, patch_size=16, _scope_='hii_mm'))
    model.eval()
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 224, 224))
    found = estimate.estimate('pevit-tiny-p16_8xb192-rs-300e_in1k', 8, 50)
    assert found.gflops == pytest.approx(counter.get_total_flops() / 1e9, rel=0.03)  # the patch embedding is left out
    assert found.parameters == pytest.approx(sum(p.numel() for p in model.parameters()) / 1e6, rel=0.06)
    assert found.hours == pytest.approx(300 * 1_281_167 * 3 * found.gflops / (8 * 50e3) / 3600)
    with pytest.raises(SystemExit, match="'pevit-mini' is not MODEL-SIZE"):
        estimate.estimate('pevit-mini', 8, 50)
