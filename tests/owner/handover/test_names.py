"""Names of files: links, control characters, clashes, pseudonyms."""

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hii_mm
from helpers.copies import tree, write_image, write_images
from hii_mm import Scheme
from hii_mm.errors import InvalidValueError, KeyFileError, UsageError
from hii_mm.handover import Settings
from hii_mm.handover.layout import RESERVED, copy_around, safe_name
from hii_mm.handover.listing import Listing
from hii_mm.handover.names import NameMap, to_id, to_name


def rejects_of(copy):
    """Return {name: reason} of the rejects of a copy."""
    return {row['name']: row['reason'] for row in map(json.loads, (copy / 'rejects.jsonl').open())}


@pytest.fixture
def odd(tmp_path):
    """A folder of odd names and links."""
    src = tmp_path / 'src'
    write_image(src / 'deep' / '..x.png', (32, 32, 3))
    data = (src / 'deep' / '..x.png').read_bytes()
    (tmp_path / 'outside.png').write_bytes(data)
    for name in ['new\nline.png', 'a' * 251 + '.png', 'Case.png', 'case.png', '..png', '-flag.png', 'ünï.png']:
        (src / name).write_bytes(data)
    (src / os.fsdecode(b'\xff\xfe.png')).write_bytes(data)
    (src / 'link.png').symlink_to(tmp_path / 'outside.png')
    (src / 'folder').symlink_to(tmp_path)
    (src / 'inside.png').symlink_to(src / 'ünï.png')
    os.mkfifo(src / 'pipe.png')
    return src


def test_names_and_links(tmp_path, odd, key):
    dst = tmp_path / 'dst'
    hii_mm.encrypt(odd, dst, key=key, scheme=Scheme(16))
    rejects = rejects_of(dst)
    assert 'leads out of the source folder' in rejects['link.png']
    assert 'symbolic link to a folder' in rejects['folder']
    assert 'not a regular file' in rejects['pipe.png']
    assert 'control characters' in rejects['new\nline.png']
    assert 'control characters or invalid UTF-8' in rejects[os.fsdecode(b'\xff\xfe.png')]
    assert "differs from 'Case.png' only in case" in rejects['case.png']
    kept = {row.name for row in hii_mm.Manifest(dst).rows()}
    assert {'Case.png', '-flag.png', 'ünï.png', 'inside.png', 'a' * 251 + '.png'} <= kept
    assert hii_mm.verify(dst).ok
    assert hii_mm.verify(dst, key=key, against=odd).ok
    resumed = hii_mm.encrypt(odd, dst, key=key, scheme=Scheme(16), resume=True)
    assert dict(resumed.rejects) == rejects


def test_pseudonyms_take_odd_names(tmp_path, odd, key):
    hii_mm.encrypt(odd, tmp_path / 'dst', key=key, scheme=Scheme(16))
    hii_mm.encrypt(odd, tmp_path / 'renamed', key=key, scheme=Scheme(16), rename=True)
    kept, renamed = ({row.name for row in hii_mm.Manifest(tmp_path / dst).rows()} for dst in ('dst', 'renamed'))
    assert len(renamed) > len(kept)  # what could not keep its name has another one
    assert not [name for name in renamed if 'line' in name]
    assert hii_mm.verify(tmp_path / 'renamed', key=key, against=odd).ok
    done = hii_mm.decrypt(tmp_path / 'renamed', tmp_path / 'out', key=key)
    assert done.images == len(renamed)
    assert os.fsdecode(b'\xff\xfe.png') in tree(tmp_path / 'out')


@pytest.mark.parametrize('form', ['png', 'shards'])
@pytest.mark.parametrize('keep', [False, True])
def test_pseudonyms_tell_nothing_of_files_and_folders(tmp_path, src, key, form, keep):
    (src / 'class0' / 'jane.png').write_bytes(b'not an image')
    write_image(src / 'class1' / 'trip to rome' / 'deep' / 'x.png', (32, 32, 3))
    outcome = hii_mm.encrypt(
        src, tmp_path / 'dst', key=key, scheme=Scheme(16), format=form, rename=True, keep_class_names=keep
    )
    plain, renamed = tree(src), tree(tmp_path / 'dst')
    assert not {Path(name).stem for name in plain} & {Path(name).stem for name in renamed}
    ((name, _),) = rejects_of(tmp_path / 'dst').items()
    assert len(name) == 32
    secret = [b'jane', b'rome', b'deep'] + ([] if keep else [b'class0', b'class1'])
    for path, data in renamed.items():
        assert not [word for word in secret if word in path.encode() or word in data], path
    ((note,),) = [outcome.notes]
    assert ('readable in the copy' in note) == keep
    rows = [row.name for row in hii_mm.Manifest(tmp_path / 'dst').rows()]
    classes = {row.split('/')[0] for row in rows}
    assert len(classes) == 2
    assert {len(row.split('/')) for row in rows} == {2, 4}
    assert (classes == {'class0', 'class1'}) == keep
    if form == 'shards':
        assert hii_mm.Manifest(tmp_path / 'dst').head['classes'] == sorted(classes)
    # the owner has everything back, and the same class has the same name in another copy of the same key
    assert hii_mm.verify(tmp_path / 'dst', key=key, against=src).ok
    assert hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'out', key=key).images == 25
    assert tree(tmp_path / 'out').keys() == plain.keys() - {'class0/jane.png'}
    known = NameMap(tmp_path / 'key.names.jsonl').read()
    assert {known[name] for name in classes if not keep} == (set() if keep else {'class0/', 'class1/'})
    hii_mm.encrypt(src, tmp_path / 'val', key=key, scheme=Scheme(16), rename=True, keep_class_names=keep)
    assert {row.name.split('/')[0] for row in hii_mm.Manifest(tmp_path / 'val').rows()} == classes


def test_class_names_are_kept_only_where_names_are_replaced(tmp_path, src, key):
    with pytest.raises(InvalidValueError, match='keep_class_names needs rename'):
        hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), keep_class_names=True)
    (tmp_path / 'a.json').write_text('{"images": [{"id": 1, "file_name": "x.png", "width": 64, "height": 64}]}')
    with pytest.raises(UsageError, match='the categories in COCO files keep their names anyway'):
        hii_mm.encrypt(
            src,
            tmp_path / 'dst',
            key=key,
            scheme=Scheme(16),
            rename=True,
            keep_class_names=True,
            annotations=[tmp_path / 'a.json'],
        )
    assert not (tmp_path / 'dst').exists()


def test_a_path_that_is_too_long_is_rejected_by_name(tmp_path, key):
    """In encrypt and in decrypt, and the other images are written."""
    deep = '/'.join(['d' * 250] * 14)
    src, far = write_images(tmp_path / 'src', ['a.png', 'z.png', f'{deep}/m.png']), tmp_path
    for _ in range(3):
        far = far / ('f' * 200)
    outcome = hii_mm.encrypt(src, far / 'dst', key=key, scheme=Scheme(16))
    ((name, reason),) = outcome.rejects
    assert name == f'{deep}/m.png'
    assert 'its path in DST is too long' in reason
    assert {row.name for row in hii_mm.Manifest(far / 'dst').rows()} == {'a.png', 'z.png'}
    assert hii_mm.verify(far / 'dst', key=key, against=src).ok
    assert hii_mm.encrypt(src, far / 'dst', key=key, scheme=Scheme(16), resume=True).images == 2
    hii_mm.encrypt(src, tmp_path / 'tar', key=key, scheme=Scheme(16), format='shards')
    done = hii_mm.decrypt(tmp_path / 'tar', far / 'out', key=key)
    assert done.images == 2
    ((name, reason),) = done.failed
    assert name == f'{deep}/m.png'
    assert 'File name too long' in reason


def test_a_folder_that_cannot_be_reached_is_rejected_by_name(tmp_path, key):
    src = write_images(tmp_path / 'src', ['a.png', 'z.png'])
    here = os.getcwd()
    os.chdir(src)
    for _ in range(20):  # deeper than any path can name
        os.mkdir('m' * 250)
        os.chdir('m' * 250)
    os.chdir(here)
    outcome = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16))
    assert outcome.images == 2
    ((name, reason),) = outcome.rejects
    assert name.startswith('m' * 250)
    assert reason == 'a folder whose path is too long'


def test_names_longer_than_a_file_system_takes(tmp_path, key):
    """In a COCO file: SRC itself cannot hold them."""
    src = write_images(tmp_path / 'src', ['0.png'], (64, 64, 3))
    names = ['0.png', 'x' * 300 + '.png', 'y' * 300 + '/a.png', '\ud800.png', 'z/' * 3000 + 'a.png']
    images = [dict(id=i, file_name=name, width=64, height=64) for i, name in enumerate(names)]
    (tmp_path / 'a.json').write_text(json.dumps(dict(images=images)))
    for rename in (False, True):
        outcome = hii_mm.encrypt(
            src, tmp_path / f'dst{rename}', key=key, scheme=Scheme(16), rename=rename, annotations=[tmp_path / 'a.json']
        )
        assert outcome.images == 1
        reasons = dict(outcome.rejects)
        assert reasons.pop('annotations/a.json: images[3]') == 'its file_name is not a path below SRC'
        assert set(reasons) == {names[1], names[2], names[4]}


def test_a_source_may_hold_a_folder_named_as_ours(tmp_path, key):
    """What makes a copy is its content; pictures in such a folder are rejected by name."""
    src = write_images(tmp_path / 'src', ['a.png', '.hii-mm/b.png', 'x/.hii-mm/c.png'])
    outcome = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16))
    assert outcome.images == 2
    assert outcome.rejects == [('.hii-mm/b.png', "the name '.hii-mm' is reserved in encrypted copies")]
    assert hii_mm.verify(tmp_path / 'dst', key=key, against=src).ok
    assert copy_around(src) is None
    assert copy_around(tmp_path / 'dst' / 'x') == str(tmp_path / 'dst')
    assert copy_around(tmp_path / 'dst' / 'x' / '.hii-mm') == str(tmp_path / 'dst')


def test_the_map_of_names_is_private_and_grows(tmp_path, src, key):
    for part in ('class0', 'class1'):
        hii_mm.encrypt(src / part, tmp_path / part, key=key, scheme=Scheme(16), rename=True)
    path = tmp_path / 'key.names.jsonl'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(NameMap(path).read().values()) == [f'{i:02}.png' for i in range(24)]
    before = path.stat().st_ino
    NameMap(path).add(NameMap(path).read().items())
    assert path.stat().st_ino == before  # nothing is written where nothing is new
    NameMap(path).add([('0', 'new.png')])
    assert len(NameMap(path).read()) == 25 and path.stat().st_ino != before


@pytest.mark.parametrize('line', ['nonsense\n', '{"name": "a"}\n', '{"name": "a", "file": 1e999}\n', '[' * 100000])
def test_a_damaged_map_of_names_is_a_message(tmp_path, src, key, line):
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), rename=True)
    with open(tmp_path / 'key.names.jsonl', 'a') as file:
        file.write(line)
    with pytest.raises(KeyFileError, match='key.names.jsonl., line 27: '):
        hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'out', key=key)
    with pytest.raises(KeyFileError, match='line 27: '):
        hii_mm.encrypt(src / 'class0', tmp_path / 'new', key=key, scheme=Scheme(16), rename=True)
    assert not (tmp_path / 'out').exists()


@given(st.text(st.characters(exclude_characters='/\0', exclude_categories=['Cs']), min_size=1))
def test_names_in_tar_files_come_back_and_have_one_dot(stem):
    for form in ('shards', 'png'):
        settings = Settings(Scheme(16), format=form)
        name = to_name(f'folder.x/{stem}', settings)
        assert to_id(name, settings) == f'folder.x/{stem}'
        assert form == 'png' or Path(name).name.count('.') == 1


def test_clashes_and_reserved_names(key):
    found = [(name, None) for name in ['a.png', 'a.jpg', 'A.png', 'b.png/c.png', 'b.webp', 'notes.txt', 'noext']]
    found += [(f'{name}/x.png', None) for name in sorted(RESERVED)]
    listing = {e.file: e.reason for e in Listing(found, Settings(Scheme(16)), hii_mm.read_key(key))}
    assert listing['A.png'] is None
    assert "differs from 'A.png' only in case or extension" in listing['a.jpg']
    assert "differs from 'A.png' only in case or extension" in listing['a.png']
    assert listing['b.png/c.png'] is None
    assert "'b.png' is also the name of a folder" in listing['b.webp']
    assert listing['notes.txt'] == listing['noext'] == 'not the extension of an image'
    for name in RESERVED:
        assert 'is reserved in encrypted copies' in listing[f'{name}/x.png']


def test_names_of_macos(tmp_path, key):
    names = ['shot 9.41\u202fPM.png', 'two\u00a0words.png', 'family \U0001f468\u200d\U0001f469.png']
    src = write_images(tmp_path / 'src', names)
    assert hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16)).images == 3
    assert {row.name for row in hii_mm.Manifest(tmp_path / 'dst').rows()} == set(names)


@pytest.mark.parametrize('name', ['', '/a', 'a//b', '../a', 'a/../b', './a', 'a/.', 'a\0b', 'a/', 'a\ud800', None, 3])
def test_names_that_are_not_safe(name):
    assert not safe_name(name)


@pytest.mark.parametrize('name', ['a', 'a/b.png', '..a', '-a', 'a b'])
def test_names_that_are_safe(name):
    assert safe_name(name)
