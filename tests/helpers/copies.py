"""Small data sets and their encrypted copies, for tests. Base install only."""

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

import hii_mm
from helpers import ROOT

DATASET = '00112233445566778899aabbccddeeff'  # the id of a data set, so that two runs give the same copy


def write_image(path, shape=(48, 64, 3), seed=0, dtype=np.uint8):
    """Write smooth noise as an image; returns its pixels."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, np.iinfo(dtype).max, (-(-shape[0] // 8), -(-shape[1] // 8), *shape[2:])).astype(dtype)
    smooth = np.repeat(np.repeat(small, 8, 0), 8, 1)[: shape[0], : shape[1]]
    pixels = smooth + rng.integers(0, 9, shape).astype(dtype)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format='PNG')
    return pixels


def write_images(folder, names, shape=(64, 64, 3)):
    """Write an image for each name; returns the folder."""
    for seed, name in enumerate(names):
        write_image(folder / name, shape, seed)
    return folder


def write_coco(tmp_path, rows, h=64, w=64):
    """Write a COCO data set of one image, ``src/0.png``; returns (SRC, json)."""
    src = write_images(tmp_path / 'src', ['0.png'], (h, w, 3))
    images = [{'id': 1, 'file_name': '0.png', 'height': h, 'width': w}]
    rows = [{'id': i, 'image_id': 1, 'category_id': 1, 'iscrowd': 0, **row} for i, row in enumerate(rows, 1)]
    data = {'images': images, 'annotations': rows, 'categories': [{'id': 1, 'name': 'thing'}]}
    (tmp_path / 'a.json').write_text(json.dumps(data))
    return src, tmp_path / 'a.json'


def journal_text(rows):
    """Return the text of a journal: each row as JSON, its CRC-32 as the last field (docs/reference/format.md)."""
    texts = [json.dumps({name: value for name, value in row.items() if name != 'crc32'})[:-1] for row in rows]
    return ''.join(f'{text}, "crc32": "{zlib.crc32(text.encode()):08x}"}}\n' for text in texts)


def plan_of(copy, key, image_id, shape):
    """Return the plan of an image of a copy, from its manifest and the key file."""
    settings = hii_mm.Manifest(copy).settings
    return settings.scheme.plan(shape, key=hii_mm.read_key(key), image_id=image_id, dataset_id=settings.dataset_id)


def annotations(copy, name='a.json'):
    """Return the annotations of a COCO file of a copy."""
    return json.loads((copy / 'annotations' / name).read_text())['annotations']


def pixels(path):
    """Return the pixels of an image file."""
    with Image.open(path) as image:
        return np.array(image)


def tree(folder):
    """Return {path: content} of every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob('*')) if p.is_file()}


def flip_byte(path, where=100):
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)


def start(*words, env=None, **options):
    """Start ``hii-mm`` as a process of its own."""
    command = [sys.executable, '-m', 'hii_mm', *map(str, words)]
    env = {**os.environ, **(env or {})}
    pipes = dict.fromkeys(('stdout', 'stderr'), subprocess.PIPE)
    return subprocess.Popen(command, cwd=ROOT, env=env, text=True, **pipes, **options)
