"""Hostile input: no crash, nothing written outside DST, every reject named."""

import io
import json
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from hii_mm.cli import main

QUICK = ['--quiet', '--workers', '1']


def encoded(pixels, form='PNG', **options):
    out = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(out, form, **options)
    return out.getvalue()


def png(width, height, depth=8, colour=2, data=b''):
    """A PNG with a header that may lie."""

    def chunk(kind, body):
        return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))

    head = struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, 0)
    body = chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(data)) + chunk(b'IEND', b'')
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


def test_hundreds_of_damaged_files(tmp_path, capsys):
    src, dst = tmp_path / 'in' / 'src', tmp_path / 'in' / 'dst'
    src.mkdir(parents=True)
    given = cases()
    assert len(given) >= 200
    for name, data in given.items():
        (src / name).write_bytes(data)
    (src / 'sound.png').write_bytes(encoded(np.zeros((32, 32, 3), np.uint8)))
    main(['keygen', str(tmp_path / 'in' / 'key')])
    before = files(tmp_path)
    assert main(['encrypt', str(src), str(dst), '--key', str(tmp_path / 'in' / 'key'), '--fit', 'crop', *QUICK]) == 3
    after = files(tmp_path)
    assert {name for name in after if name not in before and not name.startswith('in/dst')} == set()
    assert {name for name in before if name != 'in' and before[name] != after.get(name)} == set()
    rejects = {row['name']: row['reason'] for row in map(json.loads, (dst / 'rejects.jsonl').open())}
    there = {row['name'] for row in json.loads((dst / 'manifest.json').read_text())['images']}
    assert 'sound.png' in there
    sound = {os.path.splitext(name)[0] for name in there}
    assert all(name in rejects or os.path.splitext(name)[0] in sound for name in given)
    assert len(rejects) + len(there) == len(given) + 1  # each file is here or there
    said = capsys.readouterr().err
    for name, reason in rejects.items():
        assert f'rejected: {name}: ' in said
        assert reason
        assert str(tmp_path) not in reason
    for name, word in (
        ('bomb.png', 'pixels'),
        ('huge.png', 'pixels'),
        ('empty.jpg', 'an empty file'),
        ('text.jpg', 'not a picture'),
        ('cmyk.jpg', 'colour mode CMYK'),
        ('animated.gif', '2 pictures in one file'),
        ('pages.tiff', '2 pictures in one file'),
        ('deep-colour.png', '16 bits a channel in colour'),
        ('small.png', 'patch'),
    ):
        assert word in rejects[name], (name, rejects[name])
    key = str(tmp_path / 'in' / 'key')
    assert main(['verify', str(dst), '--key', key, '--against', str(src), *QUICK]) == 0


def test_names_and_links(tmp_path):
    src, dst = tmp_path / 'src', tmp_path / 'dst'
    (src / 'deep').mkdir(parents=True)
    data = encoded(np.zeros((32, 32, 3), np.uint8))
    (tmp_path / 'outside.png').write_bytes(data)
    names = [
        'new\nline.png',
        'a' * 251 + '.png',
        'Case.png',
        'case.png',
        '..png',
        '-flag.png',
        'ünï.png',
        'deep/..x.png',
    ]
    for name in names:
        (src / name).write_bytes(data)
    (src / os.fsdecode(b'\xff\xfe.png')).write_bytes(data)
    (src / 'link.png').symlink_to(tmp_path / 'outside.png')
    (src / 'folder').symlink_to(tmp_path)
    (src / 'inside.png').symlink_to(src / 'ünï.png')
    os.mkfifo(src / 'pipe.png')
    main(['keygen', str(tmp_path / 'key')])
    assert main(['encrypt', str(src), str(dst), '--key', str(tmp_path / 'key'), *QUICK]) == 3
    rejects = {row['name']: row['reason'] for row in map(json.loads, (dst / 'rejects.jsonl').open())}
    assert 'leads out of SRC' in rejects['link.png']
    assert 'symbolic link to a folder' in rejects['folder']
    assert 'no plain file' in rejects['pipe.png']
    assert 'control characters' in rejects['new\nline.png']
    assert 'but for case' in rejects['case.png']
    there = {row['name'] for row in json.loads((dst / 'manifest.json').read_text())['images']}
    assert {'Case.png', '-flag.png', 'ünï.png', 'inside.png', 'a' * 251 + '.png'} <= there
    assert main(['verify', str(dst), *QUICK]) == 0
    renamed = tmp_path / 'renamed'
    assert main(['encrypt', str(src), str(renamed), '--key', str(tmp_path / 'key'), '--rename', *QUICK]) == 3
    listed = json.loads((renamed / 'manifest.json').read_text())['images']
    assert len(listed) > len(there)  # what could not keep its name has another
    assert not [row for row in listed if 'line' in row['name']]


@pytest.mark.parametrize('name', ['../out.png', '/etc/out.png', 'a/../../out.png', 'a//b.png'])
def test_a_manifest_or_json_with_paths_that_lead_out(tmp_path, name):
    src = tmp_path / 'src'
    src.mkdir()
    data = encoded(np.zeros((32, 32, 3), np.uint8))
    (src / 'a.png').write_bytes(data)
    (tmp_path / 'out.png').write_bytes(data)
    main(['keygen', str(tmp_path / 'key')])
    images = [dict(id=1, file_name=name, width=32, height=32)]
    (tmp_path / 'a.json').write_text(json.dumps(dict(images=images, annotations=[], categories=[])))
    words = [str(src), str(tmp_path / 'dst'), '--ann', str(tmp_path / 'a.json'), '--key', str(tmp_path / 'key'), *QUICK]
    assert main(['encrypt', *words]) == 3
    assert 'no path below SRC' in (tmp_path / 'dst' / 'rejects.jsonl').read_text()
    assert main(['encrypt', str(src), str(tmp_path / 'b'), '--key', str(tmp_path / 'key'), *QUICK]) == 0
    manifest = tmp_path / 'b' / 'manifest.json'
    manifest.write_text(manifest.read_text().replace('"a.png"', json.dumps(name)))
    assert main(['verify', str(tmp_path / 'b'), *QUICK]) == 1
    assert main(['decrypt', str(tmp_path / 'b'), str(tmp_path / 'plain'), '--key', str(tmp_path / 'key'), *QUICK]) == 1
    assert not (tmp_path / 'plain').exists()


def test_a_link_in_dst_is_not_written_through(tmp_path):
    src, dst = tmp_path / 'src', tmp_path / 'dst'
    (src / 'sub').mkdir(parents=True)
    (src / 'sub' / 'a.png').write_bytes(encoded(np.zeros((32, 32, 3), np.uint8)))
    (tmp_path / 'elsewhere').mkdir()
    dst.mkdir()
    (dst / 'sub').symlink_to(tmp_path / 'elsewhere')
    main(['keygen', str(tmp_path / 'key')])
    for flags in ([], ['--resume']):
        assert main(['encrypt', str(src), str(dst), '--key', str(tmp_path / 'key'), *flags, *QUICK]) in (1, 2)
        assert not list((tmp_path / 'elsewhere').iterdir())
