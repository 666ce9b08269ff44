"""fashion_mnist.py with complete, truncated, changed and missing files. No network is used."""

import gzip

import fashion_mnist
import numpy as np
import pytest
from mmpretrain.datasets import MNIST

from helpers import ROOT


@pytest.fixture
def offline(monkeypatch):
    """Neither apt-get nor a network."""

    def fail():
        raise fashion_mnist.DataError('unreachable')

    monkeypatch.setattr(fashion_mnist, 'from_debian', fail)
    monkeypatch.setattr(fashion_mnist, 'from_mirror', fail)


@pytest.fixture
def small(monkeypatch):
    """Four small files in place of the real ones, with their sums."""
    import hashlib

    files = {name: name.encode() * 50 for name in fashion_mnist.SUMS}
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    monkeypatch.setattr(fashion_mnist, 'SUMS', sums)
    return files


def test_packed_files_are_unpacked_whatever_their_wrapping(tmp_path, offline, small):
    folder = tmp_path / 'fashion-mnist'
    folder.mkdir()
    for name, data in small.items():
        (folder / f'{name}.gz').write_bytes(gzip.compress(data, mtime=7))
    assert fashion_mnist.prepare(tmp_path)
    assert {name: (folder / name).read_bytes() for name in small} == small
    assert fashion_mnist.prepare(tmp_path) == str(folder)


@pytest.mark.parametrize('damage', [lambda d: d[:-3], lambda d: b'x' + d[1:], lambda d: b''])
def test_a_damaged_file_is_named_and_left_alone(tmp_path, offline, small, damage):
    folder = tmp_path / 'fashion-mnist'
    folder.mkdir()
    for name, data in small.items():
        (folder / name).write_bytes(data)
    name = 't10k-images-idx3-ubyte'
    (folder / name).write_bytes(damage(small[name]))
    with pytest.raises(fashion_mnist.DataError, match=f'{name}: .* bytes with SHA-256 .*, expected'):
        fashion_mnist.prepare(tmp_path)
    assert (folder / name).read_bytes() == damage(small[name])


@pytest.mark.parametrize('damage', [lambda d: d[:-9], lambda d: d[:30] + b'\0\0\0' + d[33:]])
def test_a_damaged_wrapping_leaves_nothing(tmp_path, offline, small, damage):
    folder = tmp_path / 'fashion-mnist'
    folder.mkdir()
    for name, data in small.items():
        (folder / f'{name}.gz').write_bytes(damage(gzip.compress(data)))
    assert fashion_mnist.prepare(tmp_path) is None
    assert all(path.suffix == '.gz' for path in folder.iterdir())


def test_what_is_missing_is_fetched(tmp_path, monkeypatch, small):
    (tmp_path / 'fashion-mnist').mkdir()
    name = 't10k-labels-idx1-ubyte'
    (tmp_path / 'fashion-mnist' / name).write_bytes(small[name])
    monkeypatch.setattr(fashion_mnist, 'from_debian', lambda: small)
    assert fashion_mnist.prepare(tmp_path) == 'Debian package dataset-fashion-mnist'
    assert len(list((tmp_path / 'fashion-mnist').iterdir())) == 4


def test_digits_take_its_place(tmp_path, offline, monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['fashion_mnist.py', '--root', str(tmp_path)])
    fashion_mnist.main()
    assert "no source could be reached; wrote scikit-learn's 1,797 digits" in capsys.readouterr().out
    train = MNIST(data_root=str(tmp_path / 'digits'), split='train')
    test = MNIST(data_root=str(tmp_path / 'digits'), split='test', test_mode=True)
    assert (len(train), len(test)) == (1297, 500)
    assert train[0]['img'].shape == (28, 28)
    assert {int(train[i]['gt_label']) for i in range(100)} == set(range(10))
    assert np.ptp(train[0]['img']) > 200


def test_the_real_files_if_they_are_here():
    folder = ROOT / 'data' / 'fashion-mnist'
    if not folder.is_dir():
        pytest.skip('data/fashion-mnist is not here; make demo gets it')
    assert set(fashion_mnist.from_folder(folder)) == set(fashion_mnist.SUMS)
