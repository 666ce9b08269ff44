"""Photographs out of a game's resource file."""

import io

import gcompris
import numpy as np
from PIL import Image


def webp(shape, mode='RGB'):
    """Bytes of a WebP file of noise; shape is (h, w)."""
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, len(mode)), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels, mode).save(file, 'WEBP')
    return file.getvalue()


def test_photographs_are_found_and_nothing_else(photo):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, 'WEBP')
    right = [file.getvalue(), webp((224, 300))]
    wrong = [webp((300, 223)), webp((300, 300), 'RGBA'), b'RIFF\xff\xff\xff\x7fWEBPVP8 nonsense', b'RIFF']
    resources = b'qres\0\0'.join([b'', right[0], wrong[0], wrong[1], wrong[2], right[1], webp((300, 300))[:-99]])
    assert list(gcompris.webp_files(resources + wrong[3])) == right
    with Image.open(io.BytesIO(right[0])) as picture:
        assert picture.size == (512, 512)


def test_without_apt_get_it_says_so_and_writes_nothing(run, tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    done = run('tools/dataset_converters/gcompris.py', '--out', tmp_path / 'photos', code=1)
    assert 'gcompris: Debian package gcompris-qt-data: ' in done.stderr and 'apt-get' in done.stderr
    assert not (tmp_path / 'photos').exists()
