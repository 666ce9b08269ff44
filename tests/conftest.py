"""Fixtures of all rooms: commands as real processes, a real photograph, fixed randomness. No torch and no mm here."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from helpers import DATA, ROOT


@pytest.fixture
def run():
    """Run Python with some arguments in the root of the repository; returns the finished process, output as text."""

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


@pytest.fixture(scope='session')
def photo():
    """A real photograph, (512, 512, 3) uint8 RGB: Eileen Collins, NASA, public domain."""
    with Image.open(DATA / 'astronaut.webp') as image:
        return np.array(image.convert('RGB'))


@pytest.fixture(autouse=True)
def fixed_randomness():
    """Start each test from the same random state."""
    np.random.seed(0)
    if 'torch' in sys.modules:
        sys.modules['torch'].manual_seed(0)
