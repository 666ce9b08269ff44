"""``hii-mm encrypt`` and ``manifest merge``: messages, exit codes and interrupts."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from helpers import ROOT
from hii_mm.cli.main import main

QUICK = ['--quiet', '--workers', '1']
GAP = ['--gap', '4']  # a scheme that is not warned about


def hii_mm(*words, code=0):
    assert main([str(word) for word in words]) == code


def started(*words, env=None):
    """``hii-mm`` as a process of its own that heeds Ctrl-C."""

    def heed():  # what a shell starts in the background ignores SIGINT
        signal.signal(signal.SIGINT, signal.default_int_handler)

    return subprocess.Popen(
        [sys.executable, '-m', 'hii_mm', *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed,
    )


def test_it_says_how_many_images_were_encrypted(src, key, tmp_path, capsys):
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, *GAP, *QUICK)
    said = capsys.readouterr()
    assert said.out == f'Encrypted 6 images to {tmp_path / "dst"} (0 files rejected)\n'
    assert said.err == ''


def test_an_id_of_the_data_set_repeats_a_copy(src, key, tmp_path, capsys):
    for name in 'ab':
        words = ['encrypt', src, tmp_path / name, '--key', key, *GAP, *QUICK]
        hii_mm(*words, '--dataset-id', '00112233445566778899aabbccddeeff')
    assert (tmp_path / 'a' / 'manifest.json').read_bytes() == (tmp_path / 'b' / 'manifest.json').read_bytes()
    hii_mm(*words[:2], tmp_path / 'c', *words[3:], '--dataset-id', '0011', code=2)
    assert "dataset_id must be 32 hex digits, got '0011'" in capsys.readouterr().err
    assert not (tmp_path / 'c').exists()


def test_every_flag_reaches_the_manifest(src, key, tmp_path):
    flags = '--strategy both --patch-size 32 --gap 1 --drop-ratio 0.25 --orient --window 2 --tone --noise 9 --grid 4'
    flags += ' --size 64x64 --fit pad --format shards --shard-size 4 --rename --keep-class-names --boxes-frame raw'
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, *flags.split(), *QUICK)
    parameters = json.loads((tmp_path / 'dst' / 'manifest.json').read_text())['parameters']
    assert parameters == {
        'strategy': 'both',
        'patch_size': [32, 32],
        'gap': 1,
        'drop_ratio': 0.25,
        'orient': True,
        'window': 2,
        'tone': True,
        'noise': 9,
        'grid': 4,
        'size': [64, 64],
        'fit': 'pad',
        'format': 'shards',
        'rename': True,
        'keep_class_names': True,
        'boxes_frame': 'raw',
        'shard_size': 4,
        'encrypted_patch_size': [6, 6],
    }
    assert (tmp_path / 'key.names.jsonl').is_file()


def test_rejected_files_are_named_and_change_the_exit_code(src, key, tmp_path, capsys):
    (src / 'class0' / 'bad.png').write_bytes(b'not an image')
    words = ['encrypt', src, tmp_path / 'dst', '--key', key, *GAP, *QUICK]
    hii_mm(*words, code=3)
    said = capsys.readouterr()
    assert said.out == f'Encrypted 6 images to {tmp_path / "dst"} (1 file rejected)\n'
    assert said.err.startswith('rejected: class0/bad.png: not an image in ')
    hii_mm(*words, '--resume', code=3)  # of a finished copy
    assert capsys.readouterr() == said


def test_nothing_but_rejected_files(key, tmp_path, capsys):
    (tmp_path / 'src').mkdir()
    (tmp_path / 'src' / 'a.png').write_bytes(b'not an image')
    hii_mm('encrypt', tmp_path / 'src', tmp_path / 'dst', '--key', key, *GAP, *QUICK, code=3)
    assert 'hii-mm encrypt: no image was encrypted; see the reasons above' in capsys.readouterr().err


def test_jpeg_warns_that_pixels_change(src, key, tmp_path, capsys):
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, '--patch-size', 16, '--format', 'jpeg', *QUICK)
    assert 'hii-mm encrypt: JPEG changes pixels slightly' in capsys.readouterr().err


def test_what_was_left_out_of_annotations_is_counted(src, key, tmp_path, capsys):
    rows = [{'id': 1, 'image_id': 1, 'category_id': 1, 'iscrowd': 0, 'bbox': [0, 0, 10**400, 5]}]
    images = [{'id': 1, 'file_name': 'class0/a.png', 'height': 48, 'width': 64}]
    ann = tmp_path / 'a.json'
    ann.write_text(json.dumps({'images': images, 'annotations': rows, 'categories': [{'id': 1, 'name': 'thing'}]}))
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, *GAP, '--ann', ann, *QUICK)
    said = capsys.readouterr().out
    assert said.startswith('left out: ')
    assert said.splitlines()[0].endswith(': 1')
    assert 'Encrypted 1 image to' in said


def test_malformed_annotations_are_named_and_turned_images_noted(src, key, tmp_path, capsys):
    exif = Image.Exif()
    exif[0x0112] = 3
    with Image.open(src / 'class0' / 'a.png') as image:
        image.copy().save(src / 'class0' / 'a.png', exif=exif)
    rows = [{'id': i, 'image_id': 1, 'category_id': 'x' if i else 1, 'bbox': [0, 0, 9, 5]} for i in range(30)]
    images = [{'id': 1, 'file_name': 'class0/a.png', 'height': 48, 'width': 64}]
    ann = tmp_path / 'a.json'
    ann.write_text(json.dumps({'images': images, 'annotations': rows, 'categories': []}))
    words = ['encrypt', src, tmp_path / 'dst', '--key', key, '--patch-size', 16, '--ann', ann, *QUICK]
    hii_mm(*words, '--boxes-frame', 'raw')
    said = capsys.readouterr()
    lines = said.err.splitlines()
    named = [line for line in lines if line.startswith('annotations/a.json: annotations[')]
    assert len(named) == 20
    assert named[0].startswith('annotations/a.json: annotations[1]: left out: Expected `int`, got `str`')
    assert 'and 9 more annotations; see the counts of what was left out' in lines
    assert 'left out: annotations that are not valid: 29\n' in said.out
    assert 'note: 1 image with annotations and an EXIF orientation: boxes were read as of the pixels as s' in said.out


def test_class_folders_are_renamed_unless_told(src, key, tmp_path, capsys):
    words = ['--key', key, '--patch-size', 16, *QUICK]
    hii_mm('encrypt', src, tmp_path / 'dst', *words, '--keep-class-names', code=2)
    assert 'keep_class_names needs rename' in capsys.readouterr().err
    assert not (tmp_path / 'dst').exists()
    hii_mm('encrypt', src, tmp_path / 'dst', *words, '--rename')
    assert 'note: the names of folders are replaced, too; --keep-class-names leaves' in capsys.readouterr().out
    assert not (tmp_path / 'dst' / 'class0').exists()
    hii_mm('encrypt', src, tmp_path / 'kept', *words, '--rename', '--keep-class-names')
    assert 'note: the names of class folders' in capsys.readouterr().out
    assert len(list((tmp_path / 'kept' / 'class0').iterdir())) == 3
    hii_mm('decrypt', tmp_path / 'dst', tmp_path / 'out', '--key', key, *QUICK)
    assert sorted(path.name for path in (tmp_path / 'out' / 'class0').iterdir()) == ['a.png', 'b.png', 'c.png']


@pytest.mark.parametrize(
    'words, message',
    [
        (['--gap', 8], 'gap 8 leaves nothing'),
        (['--grid', 4], "grid 4 needs mixing; strategy 'shuffle' has none"),
        (['--strategy', 'mixup', '--gap', 2], "strategy 'mixup' has none"),
        (['--size', '60x60'], 'the nearest is 64x64'),
        (['--shard-size', 5], '5'),
        (['--format', 'jpeg', '--patch-size', 12], '12 x 12'),
        (['--ann', 'none.json'], 'none.json'),
    ],
)
def test_values_that_the_library_refuses_leave_nothing(src, key, tmp_path, capsys, words, message):
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, '--patch-size', 16, *words, *QUICK, code=2)
    said = capsys.readouterr().err
    assert said.startswith('hii-mm encrypt: ')
    assert message in said
    assert not (tmp_path / 'dst').exists()


def test_folders_that_are_refused(src, key, tmp_path, capsys):
    hii_mm('encrypt', tmp_path / 'none', tmp_path / 'dst', '--key', key, *GAP, *QUICK, code=2)
    assert f'SRC {str(tmp_path / "none")!r} is not a folder' in capsys.readouterr().err
    hii_mm('encrypt', src, src / 'copy', '--key', key, *GAP, *QUICK, code=2)
    assert 'must not contain each other' in capsys.readouterr().err
    (tmp_path / 'empty').mkdir()
    hii_mm('encrypt', tmp_path / 'empty', tmp_path / 'dst', '--key', key, *GAP, *QUICK, code=1)
    assert str(tmp_path / 'empty') in capsys.readouterr().err
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, *GAP, *QUICK)
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, *GAP, *QUICK, code=2)
    assert 'finished copy' in capsys.readouterr().err
    hii_mm('encrypt', tmp_path / 'dst', tmp_path / 'twice', '--key', key, *GAP, *QUICK, code=2)
    assert f'lies inside the encrypted copy {str(tmp_path / "dst")!r}' in capsys.readouterr().err


def test_the_key_comes_from_a_flag_or_from_the_environment(src, key, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv('HII_MM_KEY_FILE', raising=False)
    hii_mm('encrypt', src, tmp_path / 'dst', *GAP, *QUICK, code=2)
    said = capsys.readouterr().err
    assert said == (
        'hii-mm encrypt: no key given: pass --key KEYFILE or set $HII_MM_KEY_FILE; hii-mm keygen creates a key\n'
    )
    monkeypatch.setenv('HII_MM_KEY_FILE', str(tmp_path / 'none'))
    hii_mm('encrypt', src, tmp_path / 'dst', *GAP, *QUICK, code=2)
    assert not (tmp_path / 'dst').exists()
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, *GAP, *QUICK)
    monkeypatch.setenv('HII_MM_KEY_FILE', key)
    hii_mm('encrypt', src, tmp_path / 'again', *GAP, *QUICK)


def test_a_key_that_others_can_read_needs_a_flag(src, key, tmp_path, capsys):
    os.chmod(key, 0o644)
    words = ['encrypt', src, tmp_path / 'dst', '--key', key, *GAP, '--rename', *QUICK]
    hii_mm(*words, code=2)
    assert 'has mode 0644, so other users may read it' in capsys.readouterr().err
    assert not (tmp_path / 'dst').exists()
    hii_mm(*words, '--insecure-key-permissions')
    assert (tmp_path / 'key.names.jsonl').is_file()


@pytest.mark.parametrize('flags', [[], ['--insecure-key-permissions']])
def test_a_key_within_the_data_is_refused(src, key, tmp_path, capsys, flags):
    (tmp_path / 'dst').mkdir()
    for folder, what in ((src, 'SRC'), (tmp_path / 'dst', 'DST')):
        shutil.copy(key, folder / 'key')
        hii_mm('encrypt', src, tmp_path / 'dst', '--key', folder / 'key', *GAP, *flags, *QUICK, code=2)
        assert f'lies inside {what}' in capsys.readouterr().err
        (folder / 'key').unlink()
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, *GAP, *QUICK)
    shutil.copy(key, tmp_path / 'dst' / 'key')
    (tmp_path / 'link').symlink_to(tmp_path / 'dst' / 'key')
    hii_mm('encrypt', src, tmp_path / 'new', '--key', tmp_path / 'link', *GAP, *flags, *QUICK, code=2)
    assert f'lies inside the encrypted copy {str(tmp_path / "dst")!r}' in capsys.readouterr().err
    assert not (tmp_path / 'new').exists()


def test_parts_from_flags_and_from_the_environment_are_merged(src, key, tmp_path, capsys):
    (src / 'class0' / 'bad.png').write_bytes(b'not an image')
    dst = tmp_path / 'dst'
    hii_mm('manifest', 'merge', dst, '--key', key, code=2)
    assert capsys.readouterr().err.startswith('hii-mm manifest merge: ')
    hii_mm('encrypt', src, dst, '--key', key, *GAP, '--shard', '1/3', *QUICK)
    said = capsys.readouterr().out
    assert said.startswith(f'Part 1 of 3: encrypted 3 images to {dst} (0 files rejected)\n')
    assert f'When all parts are done, run: hii-mm manifest merge {dst} --key KEYFILE' in said
    hii_mm('manifest', 'merge', dst, '--key', key, code=1)
    assert 'hii-mm manifest merge: ' in capsys.readouterr().err
    codes = set()
    for variables in ({'RANK': '1', 'WORLD_SIZE': '3'}, {'SLURM_PROCID': '2', 'SLURM_NTASKS': '3'}):
        process = started('encrypt', src, dst, '--key', key, *GAP, *QUICK, env=variables)
        assert 'of 3: encrypted' in process.communicate()[0]
        codes.add(process.returncode)
    assert codes == {0, 3}
    hii_mm('manifest', 'merge', dst, '--key', key, code=3)
    said = capsys.readouterr()
    assert said.out == f'All parts: encrypted 6 images to {dst} (1 file rejected)\n'
    assert 'rejected: class0/bad.png: ' in said.err
    hii_mm('verify', dst, '--key', key, '--against', src, *QUICK)


def test_an_environment_that_names_no_part(src, key, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv('RANK', '4')
    monkeypatch.setenv('WORLD_SIZE', '4')
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, *GAP, *QUICK, code=2)
    assert 'RANK=4 and WORLD_SIZE=4 do not name a part; pass --shard I/N' in capsys.readouterr().err
    hii_mm('encrypt', src, tmp_path / 'dst', '--key', key, *GAP, '--shard', '1/1', *QUICK)


@pytest.fixture
def many(tmp_path):
    """A folder of images that take some seconds to encrypt."""
    rng = np.random.default_rng(0)
    (tmp_path / 'many').mkdir()
    first = tmp_path / 'many' / '000.png'
    Image.fromarray(rng.integers(0, 256, (512, 512, 3), dtype=np.uint8)).save(first)
    for number in range(1, 80):
        os.link(first, tmp_path / 'many' / f'{number:03}.png')
    return tmp_path / 'many'


@pytest.mark.parametrize('workers', [1, 2])
def test_ctrl_c_says_how_to_continue(many, key, tmp_path, workers):
    words = ['encrypt', many, tmp_path / 'dst', '--key', key, *GAP, '--workers', workers]
    process = started(*words, '--quiet')
    while not list((tmp_path / 'dst').glob('*.png')):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ''), err
    assert err == 'hii-mm encrypt: interrupted: run the same command with --resume to continue\n'
    hii_mm(*words, '--resume')
    hii_mm('verify', tmp_path / 'dst', '--key', key, *QUICK)
    process = started('decrypt', tmp_path / 'dst', tmp_path / 'out', '--key', key, '--quiet', '--workers', workers)
    while not list((tmp_path / 'out').glob('*.png')):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ''), err
    assert err == 'hii-mm decrypt: interrupted: run the same command with --resume to continue\n'


def test_update_says_what_it_did(src, key, tmp_path, capsys):
    words = ['encrypt', src, tmp_path / 'dst', '--key', key, '--patch-size', 16, *QUICK]
    hii_mm(*words, '--update', code=2)
    assert 'holds no finished copy to update; run without --update first' in capsys.readouterr().err
    hii_mm(*words)
    (src / 'class0' / 'a.png').rename(src / 'class0' / 'new.png')
    capsys.readouterr()
    hii_mm(*words, '--update')
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == 'SRC no longer has: class0/a.png'
    assert said.out.splitlines()[-2:] == [
        f'Updated {tmp_path / "dst"}: 1 added, 0 changed, 5 kept, 1 no longer in SRC (they stay in the copy)',
        f'Encrypted 7 images to {tmp_path / "dst"} (0 files rejected)',
    ]
    hii_mm(*words, '--update', '--shard', '1/2', code=2)
    assert 'an update cannot be split into parts' in capsys.readouterr().err
