"""``hii-mm preview`` and :mod:`hii_mm.preview`."""

import os

import numpy as np
import pytest
from PIL import Image

from hii_mm import Scheme
from hii_mm.cli.main import main
from hii_mm.errors import RejectedError
from hii_mm.preview import preview, sheet


@pytest.fixture
def picture(tmp_path, photo):
    path = tmp_path / 'in' / 'a.jpg'
    path.parent.mkdir()
    Image.fromarray(photo[:100, :130]).save(path)
    return path


@pytest.mark.parametrize(
    'flags, size',
    [
        ([], (128, 96)),
        (['--gap', '2', '--drop-ratio', '0.25', '--orient', '--tone'], (72, 72)),
        (['--patch-size', '10', '--window', '2', '--remainder', 'error'], (130, 100)),
        (['--strategy', 'mixup', '--remainder', 'pad'], (72, 56)),
        (['--strategy', 'both', '--grid', '4'], (32, 24)),
    ],
)
def test_the_plain_image_stands_beside_the_encrypted_one(picture, tmp_path, capsys, flags, size):
    assert main(['preview', str(picture), '--out', str(tmp_path / 'out'), *flags]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / 'out' / 'a_preview.png')
    page = np.asarray(Image.open(tmp_path / 'out' / 'a_preview.png').convert('RGB'))
    plain = np.asarray(Image.open(picture))
    np.testing.assert_array_equal(page[28:128, 12:142], plain)
    w, h = size
    beside = page[28 : 28 + h, 154 : 154 + w]
    assert beside.shape == (h, w, 3)
    assert (page[28 + h :, 154:] == 255).all()  # nothing but the encrypted image stands there
    assert (beside != 255).any(axis=(1, 2)).all()


def test_the_library_returns_a_picture_and_prints_nothing(picture, capsys):
    scheme = Scheme(16, orient=True, remainder='crop')
    first, same, other = (preview(picture, scheme, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    said = capsys.readouterr()
    assert said.out == said.err == ''
    with pytest.raises(RejectedError, match='cannot be read'):
        preview(picture.parent / 'none.png', scheme)


def test_a_sheet_of_small_grey_images_has_room_for_captions():
    page = np.asarray(sheet(np.zeros((20, 30), np.uint8), np.full((10, 15), 9, np.uint8)))
    assert page.shape == (28 + 20 + 12, 2 * 120 + 3 * 12, 3)
    assert (page[28:48, 12:42] == 0).all()
    assert (page[28:38, 144:159] == 9).all()


def test_exif_orientation_is_applied(tmp_path, photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo[:64, :96]).save(tmp_path / 'a.png', exif=exif)
    assert main(['preview', str(tmp_path / 'a.png'), '--out', str(tmp_path)]) == 0
    page = np.asarray(Image.open(tmp_path / 'a_preview.png'))
    np.testing.assert_array_equal(page[28:124, 12:76], np.rot90(photo[:64, :96], -1))


def test_16_bits_are_scaled_not_clipped(tmp_path):
    grey = (np.arange(32 * 32).reshape(32, 32) * 64).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / 'deep.png')
    page = np.asarray(preview(tmp_path / 'deep.png', Scheme(16)))
    np.testing.assert_array_equal(page[28:60, 12:44, 0], (grey // 257).astype(np.uint8))


def test_an_image_that_fails_is_named_and_the_others_are_done(picture, tmp_path, capsys):
    (tmp_path / 'broken.png').write_bytes(b'\x89PNG\r\n\x1a\n cut short')
    Image.new('CMYK', (64, 64)).save(tmp_path / 'ink.jpg')
    Image.new('RGB', (8, 8)).save(tmp_path / 'tiny.png')
    bad = [str(tmp_path / name) for name in ('broken.png', 'none.png', 'ink.jpg', 'tiny.png')]
    assert main(['preview', *bad, str(picture), '--out', str(tmp_path / 'out')]) == 1
    said = capsys.readouterr().err
    assert 'ink.jpg: colour mode CMYK' in said
    assert 'broken.png: not an image in' in said
    assert 'none.png: cannot be read: No such file or directory' in said
    assert 'tiny.png: ' in said
    assert all(line.startswith('hii-mm preview: ') for line in said.splitlines())
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['a_preview.png']


def test_images_of_one_name_do_not_overwrite_each_other(picture, tmp_path, photo):
    (tmp_path / 'more').mkdir()
    for path in (tmp_path / 'a.png', tmp_path / 'more' / 'a.png'):
        Image.fromarray(photo[:64, :64]).save(path)
    words = [str(picture), str(tmp_path / 'a.png'), str(tmp_path / 'more' / 'a.png')]
    assert main(['preview', *words, '--out', str(tmp_path / 'out')]) == 0
    found = sorted(path.name for path in (tmp_path / 'out').iterdir())
    assert found == ['a-2_preview.png', 'a.png_preview.png', 'a_preview.png']


def test_a_second_run_overwrites_nothing(picture, tmp_path, photo):
    """Of ``preview a/x.png`` and then ``preview b/x.png``, or of anything else that has the name."""
    (tmp_path / 'b').mkdir()
    Image.fromarray(photo[:64, :64]).save(tmp_path / 'b' / 'a.jpg')
    out = tmp_path / 'out'
    assert main(['preview', str(picture), '--out', str(out)]) == 0
    first = (out / 'a_preview.png').read_bytes()
    (out / 'a.jpg_preview.png').symlink_to('nowhere')
    assert main(['preview', str(tmp_path / 'b' / 'a.jpg'), '--out', str(out)]) == 0
    assert (out / 'a_preview.png').read_bytes() == first
    assert sorted(path.name for path in out.iterdir()) == ['a-2_preview.png', 'a.jpg_preview.png', 'a_preview.png']
    assert not (out / 'nowhere').exists()


def test_folders_are_mirrored(tmp_path, photo, capsys):
    for name in ('b/x.png', 'a/x.png', 'a/deep/y.jpg', 'z.png'):
        (tmp_path / 'in' / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo[:64, :64]).save(tmp_path / 'in' / name)
    (tmp_path / 'in' / 'labels.txt').write_text('no image')
    out = tmp_path / 'in' / 'out'  # below the folder itself: earlier sheets are not shown again
    for _ in range(2):
        assert main(['preview', str(tmp_path / 'in'), '--out', str(out)]) == 0
    said = capsys.readouterr()
    assert said.err == ''
    names = {str(path.relative_to(out)) for path in out.rglob('*.png')}
    assert names == {
        f'{folder}{name}_preview.png'
        for folder, one, more in (
            ('a/', 'x', 'x.png'),
            ('b/', 'x', 'x.png'),
            ('a/deep/', 'y', 'y.jpg'),
            ('', 'z', 'z.png'),
        )
        for name in (one, more)
    }
    assert said.out.splitlines()[0] == str(out / 'z_preview.png')


def test_of_a_large_folder_only_some_images_are_shown(tmp_path, photo, capsys):
    (tmp_path / 'in').mkdir()
    for number in range(25):
        Image.fromarray(photo[:32, :32]).save(tmp_path / 'in' / f'{number:02}.png')
    assert main(['preview', str(tmp_path / 'in'), '--out', str(tmp_path / 'out')]) == 0
    assert f'{tmp_path / "in"}: 20 of 25 images; --images N shows more' in capsys.readouterr().err
    assert len(list((tmp_path / 'out').iterdir())) == 20
    assert main(['preview', str(tmp_path / 'in'), '--out', str(tmp_path / 'two'), '--images', '2']) == 0
    assert sorted(path.name for path in (tmp_path / 'two').iterdir()) == ['00_preview.png', '01_preview.png']


def test_a_pipe_is_refused_and_does_not_hang(tmp_path, capsys):
    os.mkfifo(tmp_path / 'pipe.png')
    assert main(['preview', str(tmp_path / 'pipe.png'), '--out', str(tmp_path / 'out')]) == 1
    assert 'pipe.png: not a regular file' in capsys.readouterr().err


@pytest.mark.parametrize(
    'flags, message',
    [
        (['--gap', '8'], 'gap 8 leaves nothing of a patch of 16 x 16'),
        (['--patch-size', '0'], 'patch_size must be at least 1, got 0'),
        (['--drop-ratio', '1'], 'drop_ratio must be in [0, 1), got 1.0'),
        (['--window', '1'], 'window must be at least 2, got 1'),
        (['--strategy', 'mixup', '--grid', '3'], 'patch_size 16 x 16 is not a multiple of grid 3'),
        (['--strategy', 'mixup', '--gap', '2'], "strategy 'mixup' has none"),
        (['--grid', '4'], "strategy 'shuffle' has none"),
    ],
)
def test_schemes_that_are_not_accepted(picture, tmp_path, capsys, flags, message):
    assert main(['preview', str(picture), '--out', str(tmp_path / 'out'), *flags]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('out', ['file', 'file/below'])
def test_out_that_is_a_file(picture, tmp_path, capsys, out):
    (tmp_path / 'file').write_text('kept')
    assert main(['preview', str(picture), '--out', str(tmp_path / out)]) == 2
    assert f'--out: {tmp_path / "file"} is not a folder' in capsys.readouterr().err
    assert (tmp_path / 'file').read_text() == 'kept'


def test_no_plain_image_gets_into_a_copy(picture, tmp_path, capsys):
    (tmp_path / 'copy').mkdir()
    (tmp_path / 'copy' / 'manifest.json').write_text('{"schema": "hii-mm manifest"}')
    assert main(['preview', str(picture), '--out', str(tmp_path / 'copy' / 'deep' / 'p')]) == 2
    assert f'lies inside the encrypted copy {str(tmp_path / "copy")!r}' in capsys.readouterr().err
    assert not (tmp_path / 'copy' / 'deep').exists()
