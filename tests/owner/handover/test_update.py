"""Bring a finished copy up to date."""

import json
import os
import shutil
import signal
import time

import pytest

import hii_mm
from helpers.copies import pixels, start, tree, write_image, write_images
from hii_mm import Scheme
from hii_mm.errors import CopyError, ManifestError, RefusedError
from hii_mm.handover import Update
from hii_mm.handover.layout import NEXT, UPDATE_JOURNAL, WORK

SCHEME = Scheme(16)


@pytest.fixture(params=[{}, {'rename': True}, {'format': 'webp'}])
def options(request, key):
    """How the copy is made."""
    return {'key': key, 'scheme': SCHEME, **request.param}


def change(src):
    """Add one picture, change one (to another size), damage one, remove one."""
    write_image(src / 'class0' / 'new.png', seed=99)
    write_image(src / 'class0' / '02.png', (64, 64, 3), seed=98)
    (src / 'class0' / '04.png').write_bytes(b'not an image')
    (src / 'class1' / '01.png').unlink()


def test_new_and_changed_pictures_are_added_and_the_rest_is_kept(tmp_path, src, options):
    dst, out = tmp_path / 'dst', tmp_path / 'out'
    (src / 'class1' / 'bad.png').write_bytes(b'')
    hii_mm.encrypt(src, dst, **options)
    before, old = tree(dst), {name: os.stat(dst / name).st_ino for name in tree(dst)}
    change(src)
    write_image(src / 'class1' / 'bad.png', seed=97)  # it was rejected before
    done = hii_mm.encrypt(src, dst, update=True, workers=2, **options)
    assert (done.update.added, done.update.changed, done.update.kept, done.images) == (2, 1, 21, 26)
    assert [(problem.name, 'not an image' in problem.reason) for problem in done.rejects] == [('class0/04.png', True)]
    assert len(done.update.removed) == 1
    after = tree(dst)
    assert before.keys() <= after.keys() | {'rejects.jsonl'}
    assert len(after) - len(before) == 3  # two pictures and the log
    same = [name for name in before if after.get(name) == before[name]]
    assert len(same) == 23
    assert all(os.stat(dst / name).st_ino == old[name] for name in same)
    found = hii_mm.verify(dst, key=options['key'], deep=True)
    assert (found.ok, found.images) == (True, 26), found.problems
    assert {reason for _, reason in hii_mm.verify(dst, key=options['key'], against=src).problems} == {
        'SRC has no image that it comes from',
        "its source 'class0/04.png' cannot be encrypted: not an image in BMP, GIF, JPEG, PNG, TIFF, WEBP",
    }
    hii_mm.decrypt(dst, out, key=options['key'])
    for name in ('class0/new.png', 'class0/02.png', 'class1/bad.png', 'class0/06.png'):
        assert (pixels(out / name) == pixels(src / name)).all()
    log = [json.loads(line) for line in (dst / 'updates.jsonl').read_text().splitlines()]
    assert [row.pop('update') for row in log] == [1] * 5
    assert sorted(next(iter(row)) for row in log) == ['added', 'added', 'changed', 'removed', 'replaces']
    assert json.loads(before['manifest.json'])['sha256'] == log[0]['replaces']


def test_a_second_update_and_one_that_changes_nothing(tmp_path, src, key):
    dst = tmp_path / 'dst'
    hii_mm.encrypt(src, dst, key=key, scheme=SCHEME)
    before = tree(dst)
    nothing = hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, update=True)
    assert (nothing.update, nothing.images, nothing.closed) == (Update(kept=24), 24, True)
    assert tree(dst) == before
    for number in (1, 2):
        write_image(src / f'{number}.png')
        hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, update=True)
    log = [json.loads(line) for line in (dst / 'updates.jsonl').read_text().splitlines()]
    assert [(row['update'], row.get('added')) for row in log] == [(1, None), (1, '1.png'), (2, None), (2, '2.png')]
    assert hii_mm.verify(dst, key=key, against=src).ok
    assert hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, resume=True).images == 26
    (dst / 'updates.jsonl').write_text('')
    with pytest.raises(CopyError, match='updates.jsonl'):
        hii_mm.encrypt(src, dst, key=key, scheme=SCHEME, update=True)


def test_a_picture_that_is_missing_in_the_copy_is_made_again(copy, src, key):
    before = tree(copy)
    (copy / 'class0' / '00.png').unlink()
    os.truncate(copy / 'class1' / '01.png', 10)
    done = hii_mm.encrypt(src, copy, key=key, scheme=SCHEME, update=True)
    assert done.update == Update(kept=24, repaired=2)
    after = tree(copy)
    assert {name: after[name] for name in before if name != 'manifest.json'} == {
        name: before[name] for name in before if name != 'manifest.json'
    }
    assert hii_mm.verify(copy, key=key, against=src).ok


def test_what_cannot_be_updated_is_refused(tmp_path, src, key):
    dst = tmp_path / 'dst'

    def refused(message, **options):
        before = tree(dst)
        with pytest.raises(RefusedError, match=message):
            hii_mm.encrypt(src, dst, **{'key': key, 'scheme': SCHEME, 'update': True, **options})
        assert tree(dst) == before

    refused('holds no finished copy to update; run without --update first')
    hii_mm.encrypt(src, dst, key=key, scheme=SCHEME)
    refused('cannot be split into parts; run it without --shard', part=(0, 2))
    refused('tar files cannot be updated; encrypt SRC to a new folder without --update', format='shards')
    refused('cannot be updated: .* parameters.gap = 0, but now it is 1', scheme=Scheme(16, gap=1))
    hii_mm.write_new_key(tmp_path / 'other')
    refused('cannot be updated: .* key_fingerprint', key=tmp_path / 'other')
    images = [dict(id=1, file_name='class0/00.png', width=64, height=48)]
    (tmp_path / 'a.json').write_text(json.dumps(dict(images=images, annotations=[], categories=[])))
    refused('a copy with annotations cannot be updated', annotations=[tmp_path / 'a.json'])
    hii_mm.encrypt(src, tmp_path / 'coco', key=key, scheme=SCHEME, annotations=[tmp_path / 'a.json'])
    dst = tmp_path / 'coco'
    refused('has annotations, which cannot be updated')


def test_a_forged_copy_is_not_signed_again(copy, src, key):
    path = copy / 'manifest.json'
    path.write_text(path.read_text().replace('class0/00.png', 'class0/xx.png'))
    before = tree(copy)
    with pytest.raises(ManifestError, match='was changed'):
        hii_mm.encrypt(src, copy, key=key, scheme=SCHEME, update=True)
    assert tree(copy) == before


class Stop(Exception):
    """Raised by a progress callback."""


def stop(done, total, note=''):
    if done >= 13:
        raise Stop


def test_a_stopped_update_leaves_the_old_copy_and_goes_on(tmp_path, src, key):
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME)
    shutil.copytree(tmp_path / 'dst', tmp_path / 'whole')
    before = tree(tmp_path / 'dst')
    change(src)
    hii_mm.encrypt(src, tmp_path / 'whole', key=key, scheme=SCHEME, update=True)
    with pytest.raises(Stop):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, update=True, progress=stop)
    now = tree(tmp_path / 'dst')
    assert {name: now[name] for name in before} == before
    assert {name.split('/')[0] for name in now.keys() - before.keys()} == {WORK}
    ((name, reason),) = hii_mm.verify(tmp_path / 'dst', key=key, deep=True).problems
    assert (name, 'left by a run that was stopped' in reason) == (WORK, True)
    for call in (
        lambda: hii_mm.merge(tmp_path / 'dst', key=key),
        lambda: hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, resume=True),
    ):
        with pytest.raises(RefusedError):
            call()
    seen = []
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, update=True, progress=lambda *step: seen.append(step))
    assert (seen[0][:2], seen[-1][:2]) == ((13, 24), (24, 24))
    assert tree(tmp_path / 'dst') == tree(tmp_path / 'whole')


def test_an_update_that_stopped_while_files_were_moved_is_finished(tmp_path, src, key, monkeypatch):
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME)
    shutil.copytree(tmp_path / 'dst', tmp_path / 'whole')
    change(src)
    hii_mm.encrypt(src, tmp_path / 'whole', key=key, scheme=SCHEME, update=True)
    moved, replace = [], os.replace

    def fail(source, target):
        if f'{NEXT}/' in str(source):
            moved.append(source)
            if len(moved) == 2:
                raise Stop
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, 'replace', fail)
        with pytest.raises(Stop):
            hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, update=True)
    assert (tmp_path / 'dst' / WORK / UPDATE_JOURNAL).exists()
    with pytest.raises(hii_mm.HiiError, match='finish that with hii-mm encrypt --update'):
        hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'out', key=key)
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME, update=True)
    assert tree(tmp_path / 'dst') == tree(tmp_path / 'whole')


@pytest.mark.slow
def test_killed_at_any_moment_and_repeated_it_ends_as_if_undisturbed(tmp_path, key):
    src = write_images(tmp_path / 'src', [f'{i:03}.png' for i in range(100)], (160, 160, 3))
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=SCHEME)
    for i in range(0, 100, 2):
        write_image(src / f'{i:03}.png', (160, 160, 3), seed=1000 + i)
        write_image(src / 'more' / f'{i:03}.png', (160, 160, 3), seed=2000 + i)
    shutil.copytree(tmp_path / 'dst', tmp_path / 'whole')
    words = ['--key', key, '--patch-size', 16, '--quiet', '--workers', 2, '--update']
    process = start('encrypt', src, tmp_path / 'whole', *words)
    assert process.wait() == 0, process.communicate()
    process.communicate()
    journal, kills = tmp_path / 'dst' / WORK / UPDATE_JOURNAL, 0
    for lines in (1, 20, 60, 100, 145):
        process = start('encrypt', src, tmp_path / 'dst', *words)
        while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b'\n') < lines):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.communicate()
    assert kills >= 3
    process = start('encrypt', src, tmp_path / 'dst', *words)
    assert process.wait() == 0, process.communicate()
    process.communicate()
    assert tree(tmp_path / 'dst') == tree(tmp_path / 'whole')
    assert hii_mm.verify(tmp_path / 'dst', key=key, against=src).ok
