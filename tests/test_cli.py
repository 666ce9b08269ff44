"""``hii-mm preview`` as a person uses and misuses it."""

import numpy as np
import pytest
from PIL import Image

from hii_mm.cli import main
from hii_mm.preview import read


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
        (['--gap', '2', '--drop-ratio', '0.25', '--orient'], (72, 72)),
        (['--patch-size', '10', '--window', '2', '--remainder', 'error'], (130, 100)),
        (['--strategy', 'mixup', '--remainder', 'pad'], (72, 56)),
        (['--strategy', 'both', '--grid', '4'], (32, 24)),
    ],
)
def test_plain_stands_beside_encrypted(picture, tmp_path, capsys, flags, size):
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


def test_exif_orientation_is_applied(tmp_path, photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo[:64, :96]).save(tmp_path / 'a.png', exif=exif)
    main(['preview', str(tmp_path / 'a.png'), '--out', str(tmp_path)])
    page = np.asarray(Image.open(tmp_path / 'a_preview.png'))
    np.testing.assert_array_equal(page[28:124, 12:76], np.rot90(photo[:64, :96], -1))


def test_16_bits_are_scaled_not_clipped(tmp_path):
    grey = (np.arange(32 * 32).reshape(32, 32) * 64).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / 'deep.png')
    np.testing.assert_array_equal(read(tmp_path / 'deep.png'), (grey // 257).astype(np.uint8))


def test_a_bad_picture_is_named_and_the_others_are_done(picture, tmp_path, capsys):
    broken = tmp_path / 'broken.png'
    broken.write_bytes(b'\x89PNG\r\n\x1a\n cut short')
    out = tmp_path / 'out'
    Image.new('CMYK', (64, 64)).save(tmp_path / 'ink.jpg')
    bad = [str(broken), str(tmp_path / 'none.png'), str(tmp_path / 'ink.jpg')]
    assert main(['preview', *bad, str(picture), '--out', str(out)]) == 1
    said = capsys.readouterr().err
    assert 'ink.jpg: colour mode CMYK, which hii-mm encrypt refuses' in said
    assert 'broken.png: cannot identify image file' in said
    assert 'none.png: [Errno 2] No such file or directory' in said
    assert [path.name for path in out.iterdir()] == ['a_preview.png']


def test_pictures_of_one_name_do_not_overwrite_each_other(picture, tmp_path, photo):
    Image.fromarray(photo[:64, :64]).save(tmp_path / 'a.png')
    main(['preview', str(picture), str(tmp_path / 'a.png'), '--out', str(tmp_path / 'out')])
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['a.png_preview.png', 'a_preview.png']


@pytest.mark.parametrize(
    'flags, message',
    [
        (['--gap', '8'], 'gap 8 leaves nothing of a patch of 16 x 16'),
        (['--patch-size', '0'], 'patch_size must be at least 1, got 0'),
        (['--drop-ratio', '1'], 'drop_ratio must be in [0, 1), got 1.0'),
        (['--window', '1'], 'window must be at least 2, got 1'),
        (['--strategy', 'mixup', '--grid', '3'], 'patch_size 16 x 16 is no multiple of grid 3'),
    ],
)
def test_parameters_that_are_not_accepted(picture, tmp_path, capsys, flags, message):
    assert main(['preview', str(picture), '--out', str(tmp_path / 'out'), *flags]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('words', [[], ['shuffle'], ['preview'], ['preview', 'a.png'], ['preview', 'a.png', '--out']])
def test_wrong_words_show_the_usage(words, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert 'usage: hii-mm' in capsys.readouterr().err
