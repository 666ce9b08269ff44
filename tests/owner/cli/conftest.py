"""Fixtures of the tests of the owner's commands."""

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hii_mm

BASE = ('numpy', 'pillow', 'cryptography', 'tqdm', 'msgspec')


@pytest.fixture
def key(tmp_path):
    """A key file."""
    hii_mm.write_new_key(tmp_path / 'key')
    return str(tmp_path / 'key')


@pytest.fixture
def src(tmp_path):
    """A folder of two classes with three small images each."""
    rng = np.random.default_rng(0)
    for name in ('class0/a', 'class0/b', 'class0/c', 'class1/d', 'class1/e', 'class1/f'):
        path = tmp_path / 'src' / f'{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(path)
    return tmp_path / 'src'


@pytest.fixture(scope='session')
def bare(tmp_path_factory):
    """Run Python where only the base install of hii_mm can be imported."""
    folder = tmp_path_factory.mktemp('bare')
    os.symlink(Path(hii_mm.__file__).parent, folder / 'hii_mm')
    pending, seen = [*BASE], set()
    while pending:
        name = pending.pop()
        seen.add(name)
        for file in metadata.files(name) or ():
            top = file.parts[0]
            if top not in ('..', '__pycache__') and not (folder / top).exists():
                os.symlink([file.locate(), *file.locate().parents][len(file.parts) - 1], folder / top)
        wanted = {re.match(r'[\w.-]+', line)[0] for line in metadata.requires(name) or () if 'extra ==' not in line}
        pending += [more for more in wanted - seen if _installed(more)]

    def _bare(*words, code=0, env=None, cwd=folder):
        done = subprocess.run(
            [sys.executable, '-S', *map(str, words)],
            env={**os.environ, 'PYTHONPATH': str(folder), **(env or {})},
            capture_output=True,
            text=True,
            cwd=cwd,
        )
        assert done.returncode == code, f'exit code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}'
        return done

    _bare.path = folder
    return _bare


def _installed(name):
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
