"""The attack of docs/howto/add_an_attack.md: it runs as the page has it, with what it uses."""

import re

import numpy as np
import pytest

import hii_mm
from helpers import ROOT
from hii_mm import Scheme
from hii_mm.attacks import base

PAGE = ROOT / 'docs' / 'howto' / 'add_an_attack.md'


@pytest.fixture
def brightness():
    """Run the first block of the page, which registers an attack."""
    code = re.search(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL).group(1)
    assert len(code.splitlines()) < 40
    exec(compile(code, str(PAGE), 'exec'), {'__name__': 'howto'})
    yield
    base.ATTACKS.pop('brightness')


def fading(noise=0.0, upside_down=False):
    """A picture that is darker and darker from piece to piece, (128, 128, 3) uint8."""
    steps = np.linspace(250, 10, 64).reshape(8, 8).repeat(16, 0).repeat(16, 1)[..., None].repeat(3, 2)
    steps = steps + np.random.default_rng(0).normal(0, 1, steps.shape) * noise
    return np.ascontiguousarray((steps[::-1] if upside_down else steps).clip(0, 255).astype(np.uint8))


def neighbours(photo, public=()):
    report = hii_mm.attack({'a': photo}, Scheme(16), attacks=['brightness'], size=0, public=public)
    (row,) = report.data['results']
    assert {'raw', 'recovered', 'true places'} <= set(row['pictures'])
    return row['metrics']['neighbour']


def test_the_attack_of_the_page_succeeds_where_it_should_and_nowhere_else(brightness):
    assert neighbours(fading(noise=5)) == 1
    noise = np.random.default_rng(1).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    assert neighbours(noise) < 0.15


def test_it_is_given_the_public_photos_that_it_uses(brightness):
    victim, public = fading(5, upside_down=True), [fading(upside_down=True)]
    assert neighbours(victim, public) > 0.9 > neighbours(victim)
