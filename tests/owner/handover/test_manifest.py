"""The manifest: its bytes, and what is read back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hii_mm
from helpers.copies import DATASET, write_images
from hii_mm import MasterKey, Scheme
from hii_mm.errors import ManifestError
from hii_mm.handover import Settings
from hii_mm.handover.manifest import Manifest, lines
from hii_mm.handover.rows import Row

KEY = MasterKey(bytes(range(32)))
HEAD = {
    'key_fingerprint': KEY.fingerprint,
    'dataset_id': DATASET,
    'parameters': Settings(Scheme(16)).to_json(),
    'counts': {'images': 2, 'rejected': 0},
    'files': [],
}
ROWS = [
    Row('a.png', '0' * 64, 10, 'RGB', (32, 48), (32, 48), 'a' * 16),
    Row('\u00e9/b.png', '1' * 64, 11, 'L', (16, 16), (16, 16), 'b' * 16, 'shard-000000.tar'),
]
TEXT = b"""{"schema": "hii-mm manifest",
"version": 2,
"key_fingerprint": "%(fingerprint)s",
"dataset_id": "00112233445566778899aabbccddeeff",
"parameters": {"strategy": "shuffle", "patch_size": [16, 16], "gap": 0, "drop_ratio": 0.0, "orient": false, \
"window": null, "size": null, "fit": null, "format": "png", "rename": false, \
"keep_class_names": false, "boxes_frame": "upright", "encrypted_patch_size": [16, 16]},
"counts": {"images": 2, "rejected": 0},
"files": [],
"images": [
{"name": "a.png", "sha256": "%(zeros)s", "bytes": 10, "mode": "RGB", "plain_hw": [32, 48], "encrypted_hw": [32, 48], \
"source": "aaaaaaaaaaaaaaaa"},
{"name": "\\u00e9/b.png", "sha256": "%(ones)s", "bytes": 11, "mode": "L", "plain_hw": [16, 16], \
"encrypted_hw": [16, 16], "source": "bbbbbbbbbbbbbbbb", "shard": "shard-000000.tar"}
],
"sha256": "%(sha256)s",
"hmac": "%(hmac)s"}
"""


def written(folder, rows=ROWS, head=HEAD):
    """Write a manifest; returns its path."""
    (folder / 'manifest.json').write_bytes(b''.join(lines(head, rows, KEY)))
    return folder / 'manifest.json'


def test_the_bytes_are_frozen(tmp_path):
    values = {
        b'fingerprint': b'dde130401515de99',
        b'zeros': b'0' * 64,
        b'ones': b'1' * 64,
        b'sha256': b'8c1b7e98126ad73052291eaee441bac8bf4e6926e96aea06c4fde83c19974001',
        b'hmac': b'f2f71b5485b6471a67a9e5473648a7c61de2e9c7d644764105191e09b3e23912',
    }
    assert written(tmp_path).read_bytes() == TEXT % values


@pytest.mark.parametrize('count', [0, 1, 2])
def test_what_is_written_is_read(tmp_path, count):
    path = written(tmp_path, ROWS[:count])
    manifest = Manifest(tmp_path)
    assert list(manifest.rows()) == list(manifest.rows(KEY)) == ROWS[:count]
    assert manifest.settings == Settings(Scheme(16), dataset_id=DATASET)
    assert (manifest.key_fingerprint, manifest.counts.images, manifest.files) == (KEY.fingerprint, 2, [])
    expected = json.loads(path.read_text())
    assert {**manifest.head, 'images': 0} == {name: expected[name] for name in ('schema', 'version', *HEAD)} | {
        'images': 0
    }
    assert Scheme.from_manifest(manifest) == Scheme(16)


@given(data=st.data())
def test_any_changed_byte_is_found(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp('changed')
    path = written(folder)
    text = bytearray(path.read_bytes())
    where, value = data.draw(st.integers(0, len(text) - 1)), data.draw(st.integers(0, 255))
    changed = text[where] != value
    text[where] = value
    path.write_bytes(text)
    try:
        Manifest(folder).check(KEY)
    except ManifestError:
        assert changed
    else:
        assert not changed


@given(cut=st.integers(1, 1500))
def test_any_cut_is_found(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp('cut')
    path = written(folder)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ManifestError):
        Manifest(folder).check()


NUMBERS = ['1e999', '-1e999', 'NaN', '9' * 400, '9' * 5000, '1.5', '[' * 100000, '"x"', '{}', 'true']


@pytest.mark.parametrize('number', NUMBERS)
@pytest.mark.parametrize(
    'place', ['"gap": 0', '"drop_ratio": 0.0', '"images": 2', '"size": null', '"files": []', '"window": null']
)
def test_hostile_values_in_the_head_end_in_an_error(tmp_path, place, number):
    path, name = written(tmp_path), place.partition(':')[0]
    path.write_text(path.read_text().replace(place, f'{name}: {number}'))
    with pytest.raises(ManifestError):
        Manifest(tmp_path).check()


@pytest.mark.parametrize('number', NUMBERS)
@pytest.mark.parametrize('place', ['"bytes": 10', '"plain_hw": [32, 48]', '"name": "a.png"', '"mode": "RGB"'])
def test_hostile_values_in_a_row_end_in_an_error(tmp_path, place, number):
    path, name = written(tmp_path), place.partition(':')[0]
    path.write_text(path.read_text().replace(place, f'{name}: {number}'))
    manifest = Manifest(tmp_path)
    with pytest.raises(ManifestError):
        manifest.check()


@pytest.mark.parametrize(
    'old, new, message',
    [
        ('"hii-mm manifest"', '"else"', "it is 'else', version 2; supported is 'hii-mm manifest', version 2"),
        ('"version": 2', '"version": 1', 'version 1; supported is'),
        ('"dataset_id": "0', '"dataset_id": "x', r'regex .* - at `\$.dataset_id`'),
        ('"counts": {"images": 2, "rejected": 0},\n', '', 'required field `counts`'),
        ('"counts": {"images": 2, "rejected": 0}', '"counts": []', 'Expected `object`, got `array`'),
        ('"rejected": 0', '"rejected": "0"', r'Expected `int`, got `str` - at `\$.counts.rejected`'),
        ('"parameters": {"strategy"', '"parameters": {"what": 1, "strategy"', 'unknown field `what`'),
        ('"files": []', '"files": [{"name": "x"}]', r'required field `sha256` - at `\$.files\[0\]`'),
        ('{"schema"', '["schema"', 'is not a manifest: not valid JSON'),
        ('"files": []', '"files": [], "\\ud800": 1', 'surrogates not allowed'),
        ('"hmac": "', '"hmac": "\\ud800', 'has no checksum at its end'),
        ('"hmac": "', '"hmac": "\u00e9', 'has no checksum at its end'),
    ],
)
def test_a_damaged_manifest_is_a_message_that_names_the_place(tmp_path, old, new, message):
    path = written(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ManifestError, match=message) as error:
        Manifest(tmp_path).check(KEY)
    assert 'manifest.json' in str(error.value)


@pytest.mark.parametrize(
    'field, value',
    [('parameters', []), ('counts', []), ('counts', {}), ('counts', {'images': 1 << 32, 'rejected': 0})],
)
def test_a_damaged_head_stops_everything(copy, key, tmp_path, field, value):
    path = copy / 'manifest.json'
    text = path.read_text().splitlines(keepends=True)
    number = next(i for i, line in enumerate(text) if line.startswith(f'"{field}"'))
    text[number] = f'"{field}": {json.dumps(value)},\n'
    path.write_text(''.join(text))
    ((name, _),) = hii_mm.verify(copy, key=key).problems
    assert name == 'manifest.json'
    for call in (lambda: hii_mm.decrypt(copy, tmp_path / 'out', key=key), lambda: hii_mm.merge(copy, key=key)):
        with pytest.raises(ManifestError):
            call()
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('name', ['../out.png', '/etc/out.png', 'a/../../out.png', 'a//b.png', 'a\\u0000.png'])
@pytest.mark.parametrize('form', ['png', 'shards'])
def test_names_that_lead_out_of_the_copy_are_not_followed(tmp_path, key, name, form):
    src = write_images(tmp_path / 'src', ['a.png'], (32, 32, 3))
    write_images(tmp_path, ['out.png'], (32, 32, 3))
    hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), format=form)
    path, old = tmp_path / 'dst' / 'manifest.json', 'a.png' if form == 'png' else 'shard-000000.tar'
    path.write_text(path.read_text().replace(f'"{old}"', f'"{name}"'))
    problems = hii_mm.verify(tmp_path / 'dst').problems
    assert any(problem.name == 'manifest.json' for problem in problems)
    assert any('is not a path inside the copy' in problem.reason for problem in problems)
    with pytest.raises(ManifestError):
        hii_mm.decrypt(tmp_path / 'dst', tmp_path / 'plain', key=key)
    assert not (tmp_path / 'plain').exists()
