"""Handing over a data set: real files, real processes, real kills."""

import hashlib
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT
from hii_mm.cli import main
from hii_mm.encryption import ShuffleParams
from hii_mm.encryption.keyed import read_key
from hii_mm.handover.command import UsageError, part_of


@pytest.fixture
def key(tmp_path):
    """A key file."""
    assert main(['keygen', str(tmp_path / 'key')]) == 0
    return str(tmp_path / 'key')


def picture(path, shape=(48, 64, 3), seed=0, dtype=np.uint8):
    """Write smooth noise as a picture; gives its pixels."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, np.iinfo(dtype).max, (shape[0] // 8, shape[1] // 8, *shape[2:])).astype(dtype)
    pixels = np.repeat(np.repeat(small, 8, 0), 8, 1) + rng.integers(0, 9, shape).astype(dtype)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture
def src(tmp_path):
    """A folder of two classes with twelve pictures each."""
    for i in range(24):
        picture(tmp_path / 'src' / f'class{i % 2}' / f'{i:02}.png', seed=i)
    return tmp_path / 'src'


def tree(folder):
    """``{path: bytes}`` of everything below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob('*')) if p.is_file()}


def run(*words, code=0):
    """The command, in this process."""
    assert main([*map(str, words)]) == code


QUICK = ['--quiet', '--workers', 1]


@pytest.mark.parametrize(
    'flags', [[], ['--gap', 2, '--drop-ratio', 0.25, '--orient'], ['--rename'], ['--format', 'webp']]
)
def test_encrypt_verify_decrypt(tmp_path, src, key, flags, capsys):
    dst, out = tmp_path / 'dst', tmp_path / 'out'
    run('encrypt', src, dst, '--key', key, '--workers', 2, '--quiet', *flags)
    run('verify', dst, *QUICK)
    run('verify', dst, '--key', key, '--against', src, *QUICK)
    run('decrypt', dst, out, '--key', key, *QUICK)
    plain, back = tree(src), tree(out)
    assert plain.keys() == back.keys()
    lossy = '--gap' in flags
    for name in plain:
        want, got = (np.array(Image.open(folder / name)) for folder in (src, out))
        if lossy:
            kept = (got == want).all(-1)
            assert 0.3 < kept.mean() < 0.6
            assert (got[~kept] == 0).all()
        else:
            assert (want == got).all()
    assert lossy == ('thrown away by gap, drop or crop' in capsys.readouterr().out)
    if '--rename' in flags:
        assert not {Path(name).stem for name in plain} & {Path(name).stem for name in tree(dst)}
        assert {Path(name).parent for name in plain} <= {Path(name).parent for name in tree(dst)}


@pytest.mark.parametrize('mode', ['L', 'LA', 'RGB', 'RGBA', 'I;16', 'P', '1'])
@pytest.mark.parametrize('form', ['png', 'webp', 'shards'])
def test_every_kind_of_pixels_comes_back_bit_for_bit(tmp_path, key, mode, form):
    channels = {'LA': (2,), 'RGB': (3,), 'RGBA': (4,)}.get(mode, ())
    dtype = np.uint16 if mode == 'I;16' else np.uint8
    pixels = picture(tmp_path / 'src' / 'a.png', (32, 48, *channels), dtype=dtype)
    if mode in ('P', '1'):
        Image.fromarray(pixels).convert(mode).save(tmp_path / 'src' / 'a.png')
        pixels = np.array(Image.open(tmp_path / 'src' / 'a.png').convert('RGB' if mode == 'P' else 'L'))
    rejected = mode == 'I;16' and form == 'webp'
    flags = ['--key', key, '--format', form, *QUICK]
    run('encrypt', tmp_path / 'src', tmp_path / 'dst', *flags, code=3 if rejected else 0)
    run('decrypt', tmp_path / 'dst', tmp_path / 'out', '--key', key, *QUICK)
    if rejected:
        assert 'WebP cannot hold' in (tmp_path / 'dst' / 'rejects.jsonl').read_text()
        return
    back = np.array(Image.open(tmp_path / 'out' / 'a.png'))
    assert back.shape == pixels.shape
    assert (back == pixels).all()


def test_the_pixels_are_those_of_the_plan(tmp_path, src, key):
    """The whole way against the core, which test_keyed.py checks against a slow oracle."""
    run('encrypt', src, tmp_path / 'dst', '--key', key, '--orient', *QUICK)
    params = ShuffleParams(16, orient=True)
    for name in ('class0/00.png', 'class1/07.png'):
        plain, encrypted = (np.array(Image.open(folder / name)) for folder in (src, tmp_path / 'dst'))
        plan = read_key(key).plan(params, name.removesuffix('.png'), plain.shape[:2])
        assert (plan.apply(plain) == encrypted).all()
        assert (plain != encrypted).any()


def start(*words, env=None):
    """``hii-mm`` as a process of its own."""
    command = [sys.executable, '-m', 'hii_mm.cli', *map(str, words)]
    env = {**os.environ, **(env or {})}
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize('form', ['png', 'shards'])
def test_killed_at_any_moment_and_resumed_it_ends_as_if_undisturbed(tmp_path, key, form):
    for i in range(60):
        picture(tmp_path / 'src' / f'{i:02}.png', (160, 160, 3), seed=i)
    words = [tmp_path / 'src', '--key', key, '--format', form, '--orient', '--quiet', '--workers', 2]
    words += ['--shard-size', 7] if form == 'shards' else []
    begun = time.monotonic()
    run('encrypt', words[0], tmp_path / 'whole', *words[1:])
    assert start('encrypt', words[0], tmp_path / 'timed', *words[1:]).wait() == 0
    lasted, dst, dice = time.monotonic() - begun, tmp_path / 'dst', random.Random(0)
    kills = 0
    for _ in range(5):  # twice, for files and for tar files: ten
        process = start('encrypt', words[0], dst, *words[1:], '--resume')
        time.sleep(dice.uniform(0.1, 0.9) * lasted / 2)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.communicate()
    assert kills >= 2
    done = start('encrypt', words[0], dst, *words[1:], '--resume')
    assert done.wait() == 0, done.communicate()
    done.communicate()
    assert tree(dst) == tree(tmp_path / 'whole')
    run('verify', dst, '--key', key, '--against', words[0], *QUICK)


def test_parts_together_are_one_run(tmp_path, src, key):
    (src / 'notes.txt').write_text('no picture')
    run('encrypt', src, tmp_path / 'whole', '--key', key, *QUICK, code=3)
    flags = [src, tmp_path / 'dst', '--key', key, *QUICK]
    run('manifest', 'merge', tmp_path / 'dst', '--key', key, code=2)
    run('encrypt', *flags, '--shard', '2/3', code=3 if 'notes' in sorted(tree(src))[1::3] else 0)
    run('manifest', 'merge', tmp_path / 'dst', '--key', key, code=1)
    for variables in ({'RANK': '0', 'WORLD_SIZE': '3'}, {'SLURM_PROCID': '2', 'SLURM_NTASKS': '3'}):
        process = start('encrypt', *flags, env=variables)
        said = process.communicate()
        assert process.returncode in (0, 3), said
    run('manifest', 'merge', tmp_path / 'dst', '--key', key, code=3)
    assert tree(tmp_path / 'dst') == tree(tmp_path / 'whole')


def test_a_second_run_into_the_same_folder_is_refused(tmp_path, src, key, capsys):
    for i in range(40):
        picture(src / f'{i}.png', (320, 320, 3), seed=i)
    dst = tmp_path / 'dst'
    first = start('encrypt', src, dst, '--key', key, '--quiet', '--workers', 1)
    while not list(dst.rglob('*.png')):
        assert first.poll() is None
        time.sleep(0.01)
    run('encrypt', src, dst, '--key', key, '--resume', *QUICK, code=1)
    assert 'another process is writing part 0 of 1 here right now' in capsys.readouterr().err
    assert first.wait() == 0
    first.communicate()
    run('encrypt', src, dst, '--key', key, *QUICK, code=2)
    assert 'holds a finished copy' in capsys.readouterr().err


@pytest.fixture
def copy(tmp_path, src, key):
    """An encrypted copy."""
    run('encrypt', src, tmp_path / 'dst', '--key', key, *QUICK)
    return tmp_path / 'dst'


def flip_byte(path, where=100):
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)


TAMPER = {
    'flip one byte': (lambda dst: flip_byte(dst / 'class0' / '00.png'), 'class0/00.png: its SHA-256 is not'),
    'add one file': (
        lambda dst: shutil.copy(dst / 'class0' / '00.png', dst / 'new.png'),
        'new.png: not in the manifest',
    ),
    'remove one file': (lambda dst: (dst / 'class1' / '01.png').unlink(), 'class1/01.png: missing'),
    'edit the manifest': (
        lambda dst: (dst / 'manifest.json').write_text(
            (dst / 'manifest.json').read_text().replace('"gap": 0', '"gap": 1')
        ),
        'manifest.json: ',
    ),
    'cut the manifest': (lambda dst: os.truncate(dst / 'manifest.json', 900), 'manifest.json: '),
    'no manifest': (lambda dst: (dst / 'manifest.json').unlink(), 'holds no manifest.json'),
    'a link': (lambda dst: (dst / 'l').symlink_to('/etc'), 'l: not in the manifest'),
}


@pytest.mark.parametrize('what', TAMPER)
def test_verify_finds_it_without_a_key(copy, what, capsys):
    TAMPER[what][0](copy)
    run('verify', copy, *QUICK, code=1)
    assert TAMPER[what][1] in capsys.readouterr().out


def test_verify_with_the_key_finds_a_forgery_whose_sums_are_right(copy, key, src, tmp_path, capsys):
    name, manifest = copy / 'class0' / '00.png', copy / 'manifest.json'
    flip_byte(name, -1)
    text = manifest.read_text()
    old = json.loads(text)['images'][0]['sha256']
    text = text.replace(old, hashlib.sha256(name.read_bytes()).hexdigest())
    body, _, tail = text.rpartition('"sha256"')
    digest = hashlib.sha256(body.encode()).hexdigest()
    manifest.write_text(f'{body}"sha256": "{digest}"{tail[tail.index(",") :]}')
    capsys.readouterr()
    run('verify', copy, '--key', key, *QUICK, code=1)
    assert 'its HMAC is wrong' in capsys.readouterr().out
    run('keygen', tmp_path / 'other')
    run('verify', copy, '--key', tmp_path / 'other', *QUICK, code=1)


def test_verify_against_finds_another_source(copy, key, src, capsys):
    picture(src / 'class0' / '00.png', seed=99)
    (src / 'class1' / '01.png').unlink()
    picture(src / 'class1' / 'late.png')
    run('verify', copy, '--key', key, '--against', src, *QUICK, code=1)
    said = capsys.readouterr().out
    assert "class0/00.png: its pixels are not those that the source 'class0/00.png' gives" in said
    assert 'class1/01.png: SRC holds no picture that it comes from' in said
    assert 'class1/late.png: it is in SRC, but neither in the copy' in said


def test_wrong_key_and_mixed_copies_write_nothing(copy, tmp_path, src, key, capsys):
    run('keygen', tmp_path / 'other')
    run('decrypt', copy, tmp_path / 'out', '--key', tmp_path / 'other', *QUICK, code=2)
    assert 'was made with the key' in capsys.readouterr().err
    run('encrypt', src, tmp_path / 'mixed', '--key', key, '--strategy', 'mixup', *QUICK)
    run('decrypt', tmp_path / 'mixed', tmp_path / 'out', '--key', key, *QUICK, code=2)
    assert 'averaged 4 pixels into each one: that cannot be undone' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_keys(tmp_path, key, src, capsys):
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    assert len(Path(key).read_bytes()) == 32
    run('keygen', key, code=2)
    assert 'a key is never overwritten' in capsys.readouterr().err
    os.chmod(key, 0o644)
    run('encrypt', src, tmp_path / 'dst', '--key', key, *QUICK, code=2)
    assert 'has mode 0644, so others may read it' in capsys.readouterr().err
    assert not (tmp_path / 'dst').exists()
    run('key', 'fingerprint', key, '--insecure-key-permissions')
    assert Path(key).read_bytes().hex() not in capsys.readouterr().out


@pytest.mark.parametrize(
    'words, message',
    [
        (['--gap', 8], 'gap 8 leaves nothing'),
        (['--size', '60x60'], 'size 60x60 (w x h) is no multiple of the patch, 16x16; 64x64 is the nearest'),
        (['--grid', 4], 'grid 4 belongs to mixing; strategy shuffle mixes nothing'),
        (['--shard-size', 5], 'shard size 5 belongs to format shards, and this is png'),
        (['--strategy', 'mixup', '--gap', 2], 'strategy mixup shuffles nothing'),
        (['--format', 'jpeg', '--patch-size', 12], 'and these are 12 x 12 (h x w): blocks across two patches'),
        (['--workers', 0], '--workers must be from 1 on, got 0'),
        (['--ann', 'none.json'], "--ann 'none.json' is no COCO json file"),
    ],
)
def test_wrong_arguments_leave_nothing(tmp_path, src, key, words, message, capsys):
    run('encrypt', src, tmp_path / 'dst', '--key', key, *words, '--quiet', code=2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'dst').exists()


def test_nothing_plain_gets_into_a_copy(copy, src, key, tmp_path, capsys):
    before = tree(copy)
    plain = str(next(src.rglob('*.png')))
    for words in (
        ['keygen', copy / 'new.key'],
        ['preview', plain, '--out', copy / 'deep' / 'p'],
        ['attack', copy, '--against', src, '--key', key, '--out', copy / 'r'],
        ['encrypt', copy, tmp_path / 'twice', '--key', key, *QUICK],
    ):
        run(*words, code=2)
    said = capsys.readouterr().err
    assert said.count(f'lies in the copy {str(copy)!r}, which is handed over') == 2
    assert 'new.key' in said and 'would lie in the copy' in said
    assert f'SRC {str(copy)!r} is (in) a copy that hii-mm encrypt wrote' in said
    assert tree(copy) == before
    assert not (tmp_path / 'twice').exists()
    for folder, what in ((src, 'SRC'), (tmp_path / 'other', 'DST')):
        folder.mkdir(exist_ok=True)
        shutil.copy(key, folder / 'key')
        run('encrypt', src, tmp_path / 'other', '--key', folder / 'key', *QUICK, code=2)
        assert f'lies in {what}' in capsys.readouterr().err
    assert list(tree(tmp_path / 'other')) == ['key']


def test_a_finished_copy_with_rejects_says_so_again(tmp_path, src, key, capsys):
    (src / 'class0' / 'bad.png').write_bytes(b'no picture')
    words = ['encrypt', src, tmp_path / 'dst', '--key', key, *QUICK]
    run(*words, code=3)
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith('rejected: ')]
    run(*words, '--resume', code=3)
    again = capsys.readouterr()
    assert told and [line for line in again.err.splitlines() if line.startswith('rejected: ')] == told
    assert '24 images encrypted, 1 files rejected' in again.out
    run(*words, '--resume', '--gap', 1, code=2)
    assert 'holds a finished copy: DST was begun with parameters.gap = 0, and now it is 1' in capsys.readouterr().err


def test_decrypt_checks_every_sum(copy, src, key, tmp_path, capsys):
    shutil.copy(copy / 'class0' / '00.png', copy / 'class0' / '02.png')
    run('decrypt', copy, tmp_path / 'out', '--key', key, *QUICK, code=1)
    assert 'class0/02.png: its SHA-256 is not the one in the manifest' in capsys.readouterr().err
    assert not (tmp_path / 'out' / 'class0' / '02.png').exists()
    assert len(tree(tmp_path / 'out')) == 23


def test_the_key_may_be_named_by_the_environment(copy, src, key, monkeypatch, capsys):
    monkeypatch.setenv('HII_MM_KEY_FILE', str(key))
    run('verify', copy, '--against', src, *QUICK)
    assert 'as the key signed them; encrypting the pictures of SRC again gives the same' in capsys.readouterr().out


def test_where_there_is_no_copy(tmp_path, src, key, capsys):
    (tmp_path / 'part' / '.hii-mm').mkdir(parents=True)
    for folder, message in (
        ('none', 'no folder'),
        ('part', 'is unfinished: hii-mm encrypt --resume'),
        ('src', 'is no copy'),
    ):
        run('verify', tmp_path / folder, *QUICK, code=1)
        assert message in capsys.readouterr().out
        run('decrypt', tmp_path / folder, tmp_path / 'out', '--key', key, *QUICK, code=1)
        assert message in capsys.readouterr().err


def test_webdataset_reads_the_shards(tmp_path, src, key):
    webdataset = pytest.importorskip('webdataset', reason='of the development environment')
    run('encrypt', src, tmp_path / 'dst', '--key', key, '--format', 'shards', '--shard-size', 10, *QUICK)
    names = sorted(map(str, (tmp_path / 'dst').glob('*.tar')))
    assert len(names) == 3
    samples = list(webdataset.WebDataset(names, shardshuffle=False).decode('pil'))
    assert len(samples) == 24
    for sample in samples:
        plain = np.array(Image.open(src / f'{sample["__key__"]}.png'))
        assert sample['cls'] == int(sample['__key__'][5])
        plan = read_key(key).plan(ShuffleParams(16), sample['__key__'], plain.shape[:2])
        assert (plan.apply(plain) == np.array(sample['png'])).all()


def test_metadata_does_not_survive_and_orientation_is_applied(tmp_path, key):
    pixels = picture(tmp_path / 'plain.png', (48, 64, 3))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, 'a secret caption'
    (tmp_path / 'src').mkdir()
    options = dict(exif=exif, icc_profile=b'profile-bytes', quality=95)
    Image.fromarray(pixels).save(tmp_path / 'src' / 'a.jpg', comment=b'a comment', **options)
    run('encrypt', tmp_path / 'src', tmp_path / 'dst', '--key', key, *QUICK)
    data = (tmp_path / 'dst' / 'a.png').read_bytes()
    assert not [word for word in (b'secret', b'profile', b'comment', b'eXIf', b'tEXt', b'iCCP') if word in data]
    assert Image.open(tmp_path / 'dst' / 'a.png').size == (48, 64)
    run('decrypt', tmp_path / 'dst', tmp_path / 'out', '--key', key, *QUICK)
    upright = np.rot90(np.array(Image.open(tmp_path / 'src' / 'a.jpg')), -1)
    assert (np.array(Image.open(tmp_path / 'out' / 'a.png')) == upright).all()


def test_no_torch_and_no_mm(tmp_path, src, key):
    code = (
        'import sys\nfrom hii_mm.cli import main\n'
        f'assert main(["encrypt", {str(src)!r}, {str(tmp_path / "dst")!r}, "--key", {key!r}, "--quiet"]) == 0\n'
        'assert not {"torch", "mmengine", "mmcv", "mmdet", "cv2"} & set(sys.modules)'
    )
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True)


def test_jpeg_says_what_it_loses_and_is_verified(tmp_path, src, key, capsys):
    flags = ['--key', key, '--format', 'jpeg', *QUICK]
    run('encrypt', src, tmp_path / 'dst', *flags)
    assert 'jpeg rounds every pixel' in capsys.readouterr().err
    run('verify', tmp_path / 'dst', '--key', key, '--against', src, *QUICK)
    run('decrypt', tmp_path / 'dst', tmp_path / 'out', '--key', key, *QUICK)
    plain, back = (np.array(Image.open(folder / 'class0' / '00.png')).astype(int) for folder in (src, tmp_path / 'out'))
    assert 0 < np.abs(plain - back).mean() < 4


@pytest.mark.parametrize(
    'environ, part',
    [
        ({}, (0, 1)),
        ({'RANK': '2', 'WORLD_SIZE': '4'}, (2, 4)),
        ({'SLURM_PROCID': '0', 'SLURM_NTASKS': '2'}, (0, 2)),
        ({'SLURM_ARRAY_TASK_ID': '7', 'SLURM_ARRAY_TASK_MIN': '5', 'SLURM_ARRAY_TASK_COUNT': '3'}, (2, 3)),
    ],
)
def test_part_of_the_work_is_read_from_the_environment(environ, part):
    assert part_of(environ) == part


@pytest.mark.parametrize('environ', [{'RANK': '4', 'WORLD_SIZE': '4'}, {'RANK': 'x', 'WORLD_SIZE': '4'}])
def test_no_part_of_the_work(environ):
    with pytest.raises(UsageError, match='RANK=. of WORLD_SIZE=4 is no part; say --shard I/N'):
        part_of(environ)
