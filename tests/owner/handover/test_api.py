"""The public API: silent, typed, with progress; keys by path or value."""

import subprocess
import sys

import pytest

import hii_mm
from helpers import ROOT
from helpers.copies import DATASET, tree, write_image
from hii_mm import Decryption, MasterKey, Outcome, Scheme, Verification
from hii_mm.errors import HiiError, KeyFileError, UsageError
from hii_mm.handover import Problem


@pytest.mark.parametrize('workers', [1, 2])
@pytest.mark.parametrize('options', [{}, {'format': 'shards', 'shard_size': 5}, {'rename': True}])
def test_nothing_is_printed_and_results_are_typed(tmp_path, src, key, capfd, workers, options):
    (src / 'class0' / 'bad.png').write_bytes(b'not an image')
    dst, common = tmp_path / 'dst', {'key': key, 'workers': workers}
    outcome = hii_mm.encrypt(src, dst, scheme=Scheme(16), **common, **options)
    merged = hii_mm.merge(dst, key=key)
    verified = hii_mm.verify(dst, against=src, **common)
    (src / 'class0' / '00.png').unlink()
    write_image(src / 'late.png')
    differs = hii_mm.verify(dst, against=src, **common)
    decrypted = hii_mm.decrypt(dst, tmp_path / 'out', **common)
    assert capfd.readouterr() == ('', '')
    assert isinstance(outcome, Outcome) and isinstance(merged, Outcome)
    assert (outcome.images, outcome.closed, outcome.part) == (24, True, (0, 1))
    assert (merged.images, len(merged.rejects)) == (24, 1)
    ((name, reason),) = outcome.rejects
    assert (name, type(outcome.rejects[0])) == ('class0/bad.png', Problem)
    assert 'not an image' in reason
    assert isinstance(verified, Verification)
    assert (verified.ok, verified.images, verified.signed, verified.compared) == (True, 24, True, True)
    assert not differs.ok
    assert {type(problem) for problem in differs.problems} == {Problem}
    assert decrypted == Decryption(images=24, failed=[], lost=0.0)


@pytest.mark.parametrize('workers', [1, 2])
def test_progress_counts_to_the_end(tmp_path, src, key, workers):
    seen = []

    def progress(done, total, note=''):
        seen.append((done, total))

    expected = [(i, 24) for i in range(25)]
    for call in (
        lambda **more: hii_mm.encrypt(src, tmp_path / 'dst', scheme=Scheme(16), **more),
        lambda **more: hii_mm.verify(tmp_path / 'dst', **more),
        lambda **more: hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'out', **more),
    ):
        seen.clear()
        call(key=key, workers=workers, progress=progress)
        assert seen == expected


@pytest.mark.parametrize('workers', [1, 2])
def test_an_error_of_the_progress_stops_and_passes_through(copy, tmp_path, key, workers):
    def progress(done, total, note=''):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hii_mm.decrypt(copy, tmp_path / 'out', key=key, workers=workers, progress=progress)
    with pytest.raises(KeyboardInterrupt):
        hii_mm.verify(copy, key=key, workers=workers, progress=progress)


def test_a_key_by_path_or_by_value(tmp_path, src, key):
    for number, given in enumerate((key, str(key), hii_mm.read_key(key), MasterKey(hii_mm.read_key(key).reveal()))):
        hii_mm.encrypt(src, tmp_path / str(number), key=given, scheme=Scheme(16), dataset_id=DATASET)
        assert hii_mm.verify(tmp_path / str(number), key=given, against=src).ok
        assert tree(tmp_path / str(number)) == tree(tmp_path / '0')
    with pytest.raises(KeyFileError, match='cannot be read'):
        hii_mm.verify(tmp_path / '0', key=tmp_path / 'none')
    with pytest.raises(UsageError, match='name_map'):
        hii_mm.encrypt(src, tmp_path / 'renamed', key=hii_mm.read_key(key), scheme=Scheme(16), rename=True)
    assert not (tmp_path / 'renamed').exists()


def test_a_scheme_of_a_copy_can_be_read(copy):
    assert Scheme.from_manifest(hii_mm.Manifest(copy)) == Scheme(16)


def test_errors_are_of_this_package(tmp_path, src, key):
    for call in (
        lambda: hii_mm.encrypt(tmp_path / 'none', tmp_path / 'dst', key=key, scheme=Scheme(16)),
        lambda: hii_mm.merge(tmp_path / 'none', key=key),
        lambda: hii_mm.decrypt(tmp_path / 'none', tmp_path / 'out', key=key),
        lambda: hii_mm.Manifest(tmp_path / 'none'),
    ):
        with pytest.raises(HiiError):
            call()


def test_no_torch_and_no_mm(tmp_path, src, key):
    code = (
        'import sys\nimport hii_mm\n'
        f'src, dst, out, key = {str(src)!r}, {str(tmp_path / "dst")!r}, {str(tmp_path / "out")!r}, {str(key)!r}\n'
        'hii_mm.encrypt(src, dst, key=key, scheme=hii_mm.Scheme(16))\n'
        'assert hii_mm.verify(dst, key=key, against=src).ok\n'
        'assert hii_mm.decrypt(dst, out, key=key).images == 24\n'
        'unwanted = {"torch", "mmengine", "mmcv", "mmdet", "cv2", "scipy", "skimage", "sklearn", "tqdm", "argparse"}\n'
        'assert not unwanted & set(sys.modules), unwanted & set(sys.modules)'
    )
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True)
