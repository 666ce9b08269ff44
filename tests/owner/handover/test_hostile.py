"""Hostile files: no crash, nothing written outside DST, every reject named. See also test_manifest.py, test_coco.py."""

import io
import json
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import hii_mm
from hii_mm import Scheme
from hii_mm.errors import CopyError
from hii_mm.files import sha256_file
from hii_mm.handover.manifest import lines


def encoded(pixels, form='PNG', **options):
    out = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(out, form, **options)
    return out.getvalue()


def png(width, height, depth=8, colour=2, data=b'', clear=b''):
    """A PNG with a header that may lie; ``clear`` is the value that is transparent."""

    def chunk(kind, body):
        return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))

    head = struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, 0)
    body = chunk(b'IHDR', head) + (chunk(b'tRNS', clear) if clear else b'')
    body += chunk(b'IDAT', zlib.compress(data)) + chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + body


def cases():
    """``{name: bytes}`` of 200 damaged pictures and more, and what is no picture at all."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    good = {form: encoded(pixels, form) for form in ('PNG', 'JPEG', 'WEBP', 'GIF', 'BMP', 'TIFF')}
    found = {}
    for form, data in good.items():
        for i in range(15):
            found[f'cut{i}.{form.lower()}'] = data[: int(rng.integers(1, len(data) - 1))]
        for i in range(20):
            broken = bytearray(data)
            for _ in range(int(rng.integers(1, 30))):
                broken[rng.integers(0, len(broken))] = rng.integers(256)
            found[f'broken{i}.{form.lower()}'] = bytes(broken)
    found['bomb.png'] = png(60000, 60000, data=bytes(10**6))
    found['huge.png'] = png(2**31 - 1, 2**31 - 1)
    found['nothing.png'] = png(0, 0)
    found['liar.png'] = png(64, 48, data=b'\0' * 100)
    found['deep-colour.png'] = png(16, 16, 16, 2, (b'\0' + bytes(16 * 6)) * 16)
    found['clear-deep-grey.png'] = png(16, 16, 16, 0, (b'\0' + bytes(16 * 2)) * 16, clear=b'\0\7')
    found['empty.jpg'] = b''
    found['text.jpg'] = b'no picture'
    found['page.svg'] = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    found['cmyk.jpg'] = encoded(Image.fromarray(pixels).convert('CMYK'), 'JPEG')
    frames = [Image.fromarray(np.roll(pixels, k, 1)) for k in (0, 8)]
    found['animated.gif'] = encoded(frames[0], 'GIF', save_all=True, append_images=frames[1:])
    found['animated.webp'] = encoded(frames[0], 'WEBP', save_all=True, append_images=frames[1:])
    found['pages.tiff'] = encoded(frames[0], 'TIFF', save_all=True, append_images=frames[1:])
    found['float.tiff'] = encoded(Image.fromarray(pixels[..., 0].astype(np.float32)), 'TIFF')
    found['small.png'] = encoded(pixels[:8, :8])
    return found


def files(folder):
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob('*')}


def test_hundreds_of_damaged_files(tmp_path, capfd):
    src, dst, key = (tmp_path / 'in' / name for name in ('src', 'dst', 'key'))
    src.mkdir(parents=True)
    given = cases()
    assert len(given) >= 200
    for name, data in given.items():
        (src / name).write_bytes(data)
    (src / 'sound.png').write_bytes(encoded(np.zeros((32, 32, 3), np.uint8)))
    hii_mm.write_new_key(key)
    before = files(tmp_path)
    outcome = hii_mm.encrypt(src, dst, key=key, scheme=Scheme(16), fit='crop')
    after = files(tmp_path)
    assert {name for name in after if name not in before and not name.startswith('in/dst')} == set()
    assert {name for name in before if name != 'in' and before[name] != after.get(name)} == set()
    rejects = {row['name']: row['reason'] for row in map(json.loads, (dst / 'rejects.jsonl').open())}
    kept = {row['name'] for row in json.loads((dst / 'manifest.json').read_text())['images']}
    assert 'sound.png' in kept
    sound = {os.path.splitext(name)[0] for name in kept}
    assert all(name in rejects or os.path.splitext(name)[0] in sound for name in given)
    assert len(rejects) + len(kept) == len(given) + 1  # each file is encrypted or rejected
    assert dict(outcome.rejects) == rejects
    for reason in rejects.values():
        assert reason
        assert str(tmp_path) not in reason
    for name, word in (
        ('bomb.png', 'pixels'),
        ('huge.png', 'pixels'),
        ('empty.jpg', 'an empty file'),
        ('text.jpg', 'not an image'),
        ('cmyk.jpg', 'colour mode CMYK'),
        ('animated.gif', '2 images in one file'),
        ('pages.tiff', '2 images in one file'),
        ('deep-colour.png', '16 bits a channel in colour'),
        ('clear-deep-grey.png', '16-bit grey with a transparent value (tRNS)'),
        ('small.png', 'patch'),
    ):
        assert word in rejects[name], (name, rejects[name])
    assert hii_mm.verify(dst, key=key, against=src).ok
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('name', ['../out.png', '/etc/out.png', 'a/../../out.png', 'a//b.png', '', '.', 'a\0b'])
def test_paths_in_a_coco_file_that_lead_out_are_not_followed(tmp_path, name):
    src, key = tmp_path / 'src', tmp_path / 'key'
    src.mkdir()
    data = encoded(np.zeros((32, 32, 3), np.uint8))
    (src / 'a.png').write_bytes(data)
    (tmp_path / 'out.png').write_bytes(data)
    hii_mm.write_new_key(key)
    images = [dict(id=1, file_name=name, width=32, height=32)]
    (tmp_path / 'a.json').write_text(json.dumps(dict(images=images, annotations=[], categories=[])))
    outcome = hii_mm.encrypt(src, tmp_path / 'dst', key=key, scheme=Scheme(16), annotations=[tmp_path / 'a.json'])
    assert outcome.images == 0
    assert outcome.rejects == [('annotations/a.json: images[0]', 'its file_name is not a path below SRC')]
    assert 'not a path below SRC' in (tmp_path / 'dst' / 'rejects.jsonl').read_text()


@pytest.mark.parametrize('line', ['nonsense', '{"name": 1e999}', '{"name": 3, "reason": ""}', '[' * 100000, '\xff'])
def test_a_damaged_list_of_rejects(copy, src, key, line):
    """Of a copy whose checksums are right: only its owner can make one."""
    (copy / 'rejects.jsonl').write_text(line)
    assert ('rejects.jsonl', 'not in the manifest') in hii_mm.verify(copy, key=key, against=src).problems
    manifest = hii_mm.Manifest(copy)
    head = {name: value for name, value in manifest.head.items() if name not in ('schema', 'version', 'images')}
    head['counts'] = {'images': 24, 'rejected': 1}
    head['files'] = [dict(zip(('sha256', 'bytes'), sha256_file(copy / 'rejects.jsonl')), name='rejects.jsonl')]
    rows = list(manifest.rows(hii_mm.read_key(key)))
    (copy / 'manifest.json').write_bytes(b''.join(lines(head, rows, hii_mm.read_key(key))))
    assert hii_mm.verify(copy, key=key, against=src).ok
    with pytest.raises(CopyError, match='rejects.jsonl., line 1: '):
        hii_mm.merge(copy, key=key)
