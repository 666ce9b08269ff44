"""What tests share: the tools as real processes, tiny data, names of configs."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hii_mm import compat

compat.prepare()  # mmdet cannot be imported without mmcv's ops, or the stand-in
ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / 'tools' / 'dataset_converters'))


@pytest.fixture
def run():
    """Run Python with words in the repository's root; the finished process, output as text."""

    def _run(*words, code=0, cwd=ROOT, env=None, timeout=300):
        done = subprocess.run(
            [sys.executable, '-W', 'ignore', *map(str, words)],
            cwd=cwd,
            env={**os.environ, 'PYTHONPATH': '', **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == code, f'exit code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}'
        return done

    return _run


@pytest.fixture
def call(monkeypatch, capfd):
    """Run a script as :func:`run` does, but in this process, which has imported everything already."""

    def _call(script, *words, code=0):
        monkeypatch.setattr(sys, 'argv', [str(script), *map(str, words)])
        monkeypatch.chdir(ROOT)
        capfd.readouterr()
        said, status = '', 0
        try:
            runpy.run_path(str(ROOT / script), run_name='__main__')
        except SystemExit as end:
            said, status = (end.code, 1) if isinstance(end.code, str) else ('', end.code or 0)
        out, err = capfd.readouterr()
        assert status == code, f'exit code {status}\n{out}\n{err}\n{said}'
        return subprocess.CompletedProcess([script, *words], status, out, err + said)

    return _call


@pytest.fixture(scope='session')
def digits_root(tmp_path_factory):
    """A folder with scikit-learn's digits as idx files, real images for tests."""
    import fashion_mnist

    root = tmp_path_factory.mktemp('data')
    fashion_mnist.digits(root / 'digits')
    return root / 'digits'


@pytest.fixture(scope='session')
def photo():
    """A real photograph, (512, 512, 3) uint8 RGB."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut())


@pytest.fixture(autouse=True)
def fixed_randomness():
    """Each test starts from the same random state."""
    import torch

    np.random.seed(0)
    torch.manual_seed(0)
