"""Encrypt folders of images: pixels, formats, sizes."""

import itertools
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

import hii_mm
from helpers.copies import DATASET, pixels, plan_of, tree, write_image, write_images
from hii_mm import Scheme
from hii_mm.errors import CopyError, RefusedError, UsageError
from hii_mm.handover.fit import plan_fit
from hii_mm.handover.settings import Settings


@pytest.mark.parametrize(
    'scheme, options',
    [
        (Scheme(16), {}),
        (Scheme(16, gap=2, drop_ratio=0.25, orient=True, tone=True), {}),
        (Scheme(16, tone=True), {'format': 'webp'}),
        (Scheme(16, tone=True, noise=20), {}),
        (Scheme(16), {'rename': True}),
        (Scheme(16), {'format': 'shards', 'shard_size': 5}),
    ],
)
def test_encrypt_verify_and_decrypt(tmp_path, src, key, scheme, options):
    dst, out = tmp_path / 'dst', tmp_path / 'out'
    outcome = hii_mm.encrypt(src, dst, key=key, scheme=scheme, workers=2, **options)
    assert (outcome.images, outcome.rejects, outcome.closed) == (24, [], True)
    assert hii_mm.verify(dst).ok
    assert hii_mm.verify(dst, key=key, against=src).ok
    done = hii_mm.decrypt(dst, out, key=key)
    assert (done.images, done.failed) == (24, [])
    plain = tree(src)
    assert plain.keys() == tree(out).keys()
    lossy, noisy = bool(scheme.shuffle.gap), bool(scheme.shuffle.noise)
    for name in plain:
        want, got = pixels(src / name), pixels(out / name)
        kept = (got == want).all(-1)
        assert kept.all() or lossy or (noisy and kept.mean() > 0.7)  # but for values that noise clipped
        if lossy:
            assert 0.3 < kept.mean() < 0.6
            assert (got[~kept] == 0).all()
    assert (done.lost > 0.4) == lossy


@pytest.mark.parametrize('mode', ['L', 'LA', 'RGB', 'RGBA', 'I;16', 'P', '1'])
@pytest.mark.parametrize('form', ['png', 'webp', 'shards'])
def test_every_kind_of_pixels_comes_back_bit_for_bit(tmp_path, key, mode, form):
    channels = {'LA': (2,), 'RGB': (3,), 'RGBA': (4,)}.get(mode, ())
    dtype, file = (np.uint16 if mode == 'I;16' else np.uint8), tmp_path / 'src' / 'a.png'
    plain = write_image(file, (32, 48, *channels), dtype=dtype)
    if mode in ('P', '1'):
        Image.fromarray(plain).convert(mode).save(file)
        plain = np.array(Image.open(file).convert('RGB' if mode == 'P' else 'L'))
    outcome = hii_mm.encrypt(tmp_path / 'src', tmp_path / 'dst', key=key, scheme=Scheme(16, tone=True), format=form)
    if mode == 'I;16' and form == 'webp':
        assert [name for name, _ in outcome.rejects] == ['a.png']
        assert 'WebP cannot hold' in (tmp_path / 'dst' / 'rejects.jsonl').read_text()
        return
    hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'out', key=key)
    back = pixels(tmp_path / 'out' / 'a.png')
    assert back.shape == plain.shape
    assert (back == plain).all()


@pytest.mark.parametrize('scheme', [Scheme(16, orient=True), Scheme(16, strategy='both', gap=1)])
def test_the_pixels_are_those_of_the_plan(tmp_path, src, key, scheme):
    """The whole way against the core, which test_keyed.py checks against a slow oracle."""
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=scheme)
    for name in ('class0/00.png', 'class1/07.png'):
        plain, encrypted = pixels(src / name), pixels(tmp_path / 'dst' / name)
        plan = plan_of(tmp_path / 'dst', key, name.removesuffix('.png'), plain.shape)
        assert (plan.apply(plain) == encrypted).all()
        assert plain.shape != encrypted.shape or (plain != encrypted).any()


def test_jpeg_is_close_and_is_verified(tmp_path, src, key):
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), format='jpeg')
    assert hii_mm.verify(tmp_path / 'dst', key=key, against=src).ok
    hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'out', key=key)
    plain, back = (pixels(folder / 'class0' / '00.png').astype(int) for folder in (src, tmp_path / 'out'))
    assert 0 < np.abs(plain - back).mean() < 4


def test_metadata_is_stripped_and_orientation_is_applied(tmp_path, key):
    plain = write_image(tmp_path / 'plain.png', (48, 64, 3))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, 'a secret caption'
    (tmp_path / 'src').mkdir()
    options = dict(exif=exif, icc_profile=b'profile-bytes', quality=95)
    Image.fromarray(plain).save(tmp_path / 'src' / 'a.jpg', comment=b'a comment', **options)
    hii_mm.encrypt(tmp_path / 'src', tmp_path / 'dst', key=key, scheme=Scheme(16))
    data = (tmp_path / 'dst' / 'a.png').read_bytes()
    assert not [word for word in (b'secret', b'profile', b'comment', b'eXIf', b'tEXt', b'iCCP') if word in data]
    assert Image.open(tmp_path / 'dst' / 'a.png').size == (48, 64)
    hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'out', key=key)
    upright = np.rot90(pixels(tmp_path / 'src' / 'a.jpg'), -1)
    assert (pixels(tmp_path / 'out' / 'a.png') == upright).all()


@pytest.mark.parametrize(
    'scheme, options, message',
    [
        (Scheme(16), {'size': (60, 60)}, r'size 60x60 \(w x h\) is not a multiple of the patch, 16x16; .* is 64x64'),
        (Scheme(16), {'size': 0}, 'size must be at least 1, got 0'),
        (Scheme(16), {'fit': 'stretch'}, "fit must be one of 'crop', 'resize', 'pad', got 'stretch'"),
        (Scheme(16), {'format': 'gif'}, "format must be one of .* got 'gif'"),
        (Scheme(16), {'shard_size': 5}, "shard_size 5 needs format 'shards', got 'png'"),
        (Scheme(12), {'format': 'jpeg'}, 'multiples of 8 x 8 pixels, got 12 x 12'),
        (Scheme(16, noise=8), {'format': 'jpeg'}, 'format jpeg does not go with noise: .* use png or webp'),
        (Scheme(16, tone=True), {'format': 'jpeg'}, 'format jpeg does not go with tone: .* use png or webp'),
        (Scheme(16), {'workers': 0}, 'workers must be at least 1, got 0'),
        (Scheme(16), {'part': (2, 2)}, r'0 <= index < number, got \(2, 2\)'),
        (Scheme(16), {'part': '1/2'}, r"\(index, number of parts\), got '1/2'"),
        (Scheme(16), {'annotations': ['none.json']}, "'none.json' cannot be read: No such file"),
        (16, {}, 'scheme must be a Scheme, got 16'),
    ],
)
def test_wrong_arguments_leave_nothing(tmp_path, src, key, scheme, options, message):
    with pytest.raises(UsageError, match=message):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=scheme, **options)
    assert not (tmp_path / 'dst').exists()


def test_folders_that_cannot_be_used(tmp_path, src, key):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(CopyError, match='contains no file'):
        hii_mm.encrypt(tmp_path / 'empty', tmp_path / 'dst', key=key, scheme=Scheme(16))
    assert not (tmp_path / 'dst').exists()
    with pytest.raises(RefusedError, match='is not a folder'):
        hii_mm.encrypt(tmp_path / 'none', tmp_path / 'dst', key=key, scheme=Scheme(16))
    (tmp_path / 'file').touch()
    with pytest.raises(RefusedError, match='is not empty'):
        hii_mm.encrypt(src / 'class0', src / 'class1', key=key, scheme=Scheme(16))
    with pytest.raises(RefusedError, match='is not a folder'):
        hii_mm.encrypt(src, tmp_path / 'file', key=key, scheme=Scheme(16))


FITS = ['crop', 'resize', 'pad']


@pytest.mark.parametrize('hw, size, fit', list(itertools.product([(70, 101), (16, 200)], [None, 64, (64, 48)], FITS)))
def test_sizes(tmp_path, key, hw, size, fit):
    """The encrypted image holds whole patches of what ``fit`` makes of the plain one."""
    write_image(tmp_path / 'src' / 'a.png', (*hw, 3))
    outcome = hii_mm.encrypt(tmp_path / 'src', tmp_path / 'dst', key=key, scheme=Scheme(16), size=size, fit=fit)
    assert outcome.images == 1
    assert hii_mm.verify(tmp_path / 'dst', key=key, against=tmp_path / 'src').ok
    (row,) = hii_mm.Manifest(tmp_path / 'dst').rows()
    fitted = plan_fit(Settings(Scheme(16), size, fit), hw).fitted_hw
    assert row.plain_hw == fitted
    if isinstance(size, tuple):
        assert fitted == size[::-1]
    elif size is not None and fit != 'resize':
        assert min(fitted) == size
    step = {'crop': lambda side: side // 16 * 16, 'pad': lambda side: -(-side // 16) * 16, 'resize': lambda side: side}
    assert row.encrypted_hw == tuple(map(step[fit], fitted))


def test_images_that_are_not_a_multiple_are_rejected_without_a_fit(tmp_path, key):
    write_images(tmp_path / 'src', ['a.png'], (70, 101, 3))
    outcome = hii_mm.encrypt(tmp_path / 'src', tmp_path / 'dst', key=key, scheme=Scheme(16))
    ((name, reason),) = outcome.rejects
    assert name == 'a.png'
    assert '101 x 70 pixels (w x h) are not a multiple of the patch, 16 x 16; use --fit' in reason


def test_the_remainder_of_a_scheme_is_its_fit(tmp_path, key):
    write_images(tmp_path / 'src', ['a.png'], (70, 101, 3))
    for remainder in ('crop', 'pad'):
        for kind, options in (('scheme', {}), ('fit', {'fit': remainder})):
            scheme = Scheme(16, remainder='error' if options else remainder)
            dst = tmp_path / f'{kind}-{remainder}'
            hii_mm.encrypt(tmp_path / 'src', dst, key=key, scheme=scheme, dataset_id=DATASET, **options)
        assert tree(tmp_path / f'scheme-{remainder}') == tree(tmp_path / f'fit-{remainder}')


def test_a_tar_file_holds_the_samples_and_their_classes(tmp_path, src, key):
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), format='shards', shard_size=10)
    names = sorted((tmp_path / 'dst').glob('*.tar'))
    assert [path.name for path in names] == [f'shard-{i:06}.tar' for i in range(3)]
    found = {}
    for path in names:
        with tarfile.open(path) as tar:
            found.update({info.name: tar.extractfile(info).read() for info in tar})
    assert len(found) == 48
    assert json.loads((tmp_path / 'dst' / 'manifest.json').read_text())['classes'] == ['class0', 'class1']
    for name in tree(src):
        assert found[name.replace('.png', '.cls')].decode() == name[5]
        (tmp_path / 'one.png').write_bytes(found[name])
        plain = pixels(src / name)
        plan = plan_of(tmp_path / 'dst', key, name.removesuffix('.png'), plain.shape)
        assert (plan.apply(plain) == pixels(tmp_path / 'one.png')).all()
