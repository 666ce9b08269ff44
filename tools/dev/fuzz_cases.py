"""Cases for ``fuzz.py``: real files of a small data set, mutated, and the commands that read them."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import random
import re
import shutil
import zlib
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import mutate
import numpy as np
from PIL import Image

from hii_mm import MasterKey, read_key
from hii_mm.cli.main import main

QUIET = ['--quiet', '--workers', '1']
SCHEMES = (
    ['--patch-size', '16'], ['--gap', '2', '--drop-ratio', '0.25', '--orient'], ['--strategy', 'mixup'],
    ['--strategy', 'both'], ['--size', '64x32', '--patch-size', '8'],
)  # fmt: skip
IMAGES = 6


class Wrong(Exception):
    """A command ended with an exit code that it must not have."""


def prepare(folder: Path) -> None:
    """Write the data set, its key, finished copies and unfinished ones into an empty folder."""
    rng, src = np.random.default_rng(0), folder / 'src'
    for number in range(IMAGES):
        (src / 'ab'[number % 2]).mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(src / 'ab'[number % 2] / f'{number}.png')
    (src / 'a' / 'bad.png').write_bytes(b'no image')
    (folder / 'a.json').write_text(json.dumps(_coco()))
    command('keygen', folder / 'key')
    key = ['--key', folder / 'key', *QUIET]
    command('encrypt', src, folder / 'copy', *key, *SCHEMES[0], expect=(3,))
    command('encrypt', src, folder / 'coco', *key, *SCHEMES[0], '--ann', folder / 'a.json')
    command('encrypt', src, folder / 'shards', *key, *SCHEMES[0], '--format', 'shards', '--shard-size', 3, expect=(3,))
    for name, words in (('parts', []), ('tar-parts', ['--format', 'shards', '--shard-size', 2])):
        for part in ('1/2', '2/2'):
            words_of_part = [*SCHEMES[0], *words, '--shard', part]
            command('encrypt', src, folder / name, *key, *words_of_part, expect=(0, 3))


def _coco() -> dict[str, object]:
    """Return annotations of every kind."""
    outline = [10.0, 8.0, 40.25, 9.5, 33.0, 30.0, 12.0, 41.0]
    kinds: list[dict[str, object]] = [
        {'bbox': [8.0, 8.0, 33.0, 33.0], 'segmentation': [outline, [1.0, 1.0, 9.0, 1.0, 9.0, 9.0]], 'area': 700.0},
        {'bbox': [0, 0, 64, 48], 'segmentation': {'size': [48, 64], 'counts': [100, 500, 1000, 1472]}, 'iscrowd': 1},
        {'bbox': [5, 5, 20, 20], 'segmentation': {'size': [48, 64], 'counts': 'd23d1000O1000O10000bo0'}},
        {'bbox': [2, 2, 60, 40], 'keypoints': [10, 10, 2, 30.5, 20.5, 1, 0, 0, 0], 'num_keypoints': 2},
    ]
    rows = [
        {'id': 10 * image + number, 'image_id': image, 'category_id': 1, 'iscrowd': 0, **kind}
        for image in range(IMAGES)
        for number, kind in enumerate(kinds)
    ]
    images = [
        {'id': n, 'file_name': f'{"ab"[n % 2]}/{n}.png', 'height': 48, 'width': 64, 'license': 1} for n in range(IMAGES)
    ]
    names = {'keypoints': ['a', 'b', 'c'], 'skeleton': [[1, 2]]}
    categories = [{'id': 1, 'name': 'thing', 'supercategory': 'all', **names}]
    return {'info': {}, 'images': images, 'annotations': rows, 'categories': categories}


def command(*words: object, expect: tuple[int, ...] = (0,)) -> int:
    """Run ``hii-mm``, with its output as strict UTF-8; return the exit code.

    Raises:
        Wrong: another exit code than expected.
    """
    out = io.TextIOWrapper(io.BytesIO(), 'utf-8')
    with redirect_stdout(out), redirect_stderr(out):
        code = main([str(word) for word in words])
        out.flush()
    said = out.buffer.getvalue().decode()  # type: ignore[attr-defined]  # of a BytesIO
    if 'Cannot allocate memory' in said:
        raise MemoryError(said[-500:])
    if code not in expect:
        raise Wrong(f'exit code {code} of hii-mm {" ".join(map(str, words))}\n{said[-2000:]}')
    return code


ANY = (0, 1, 2, 3)


def fuzz_coco(seeds: Path, work: Path, dice: random.Random) -> None:
    """Encrypt with a mutated COCO file. A copy that is written must be sound."""
    path, key = work / 'a.json', ['--key', seeds / 'key', *QUIET]
    path.write_bytes(mutate.json_text((seeds / 'a.json').read_bytes(), dice))
    words = [*dice.choice(SCHEMES), *(['--format', 'shards'] if dice.random() < 0.3 else [])]
    if command('encrypt', seeds / 'src', work / 'dst', *key, *words, '--ann', path, expect=ANY) in (0, 3):
        command('verify', work / 'dst', *key, '--deep')
        for written in (work / 'dst' / 'annotations').glob('*.json'):
            json.loads(written.read_text(), parse_constant=_no_constant)


def _no_constant(name: str) -> None:
    raise Wrong(f'{name} in an annotation file that was written')


def fuzz_manifest(seeds: Path, work: Path, dice: random.Random) -> None:
    """Read a copy whose manifest was mutated, and in half of the cases signed again."""
    copy = work / 'dst'
    shutil.copytree(seeds / dice.choice(('copy', 'coco', 'shards')), copy)
    path = copy / 'manifest.json'
    data = mutate.json_lines(path.read_bytes(), dice)
    path.write_bytes(signed(data, read_key(seeds / 'key')) if dice.random() < 0.5 else data)
    _read_copy(seeds, work)


def fuzz_tar(seeds: Path, work: Path, dice: random.Random) -> None:
    """Read a copy with a mutated tar file, whose checksum in the manifest is often right."""
    copy = work / 'dst'
    shutil.copytree(seeds / 'shards', copy)
    path = dice.choice(sorted(copy.glob('*.tar')))
    before = path.read_bytes()
    after = mutate.tar(before, dice)
    path.write_bytes(after)
    if dice.random() < 0.7:
        text = (copy / 'manifest.json').read_bytes()
        old, new = (hashlib.sha256(data).hexdigest().encode() for data in (before, after))
        text = text.replace(old + b'", "bytes": %d' % len(before), new + b'", "bytes": %d' % len(after))
        (copy / 'manifest.json').write_bytes(signed(text, read_key(seeds / 'key')))
    _read_copy(seeds, work)


def _read_copy(seeds: Path, work: Path) -> None:
    """Run every command that reads a copy."""
    copy, key = work / 'dst', ['--key', seeds / 'key']
    command('verify', copy, *QUIET, expect=ANY)
    command('verify', copy, *QUIET, '--deep', expect=ANY)
    command('verify', copy, *key, *QUIET, '--against', seeds / 'src', expect=ANY)
    command('decrypt', copy, work / 'out', *key, *QUIET, expect=ANY)
    command('manifest', 'merge', copy, *key, expect=ANY)
    command('encrypt', seeds / 'src', copy, *key, *QUIET, *SCHEMES[0], '--resume', expect=ANY)
    for written in work.iterdir():
        if written.name not in ('dst', 'out'):
            raise Wrong(f'{written} was written outside of OUT')


def fuzz_journal(seeds: Path, work: Path, dice: random.Random) -> None:
    """Merge or continue a run whose journal was mutated. Success means that the copy is sound and complete."""
    name = dice.choice(('parts', 'tar-parts'))
    copy, key = work / 'dst', ['--key', seeds / 'key']
    shutil.copytree(seeds / name, copy)
    path = dice.choice(sorted((copy / '.hii-mm').glob('*.jsonl')))
    text, forged = mutate.json_lines(path.read_bytes(), dice), dice.random() < 0.5
    path.write_bytes(b''.join(map(summed, text.splitlines(keepends=True))) if forged else text)
    words = [*SCHEMES[0], *(['--format', 'shards', '--shard-size', '2'] if name == 'tar-parts' else [])]
    if dice.random() < 0.6:
        for part in ('1/2', '2/2'):
            shard = ['--shard', part, '--resume']
            command('encrypt', seeds / 'src', copy, *key, *QUIET, *words, *shard, expect=ANY)
    if command('manifest', 'merge', copy, *key, expect=ANY) in (0, 3):
        _check_merged(copy, key, forged)
        counts = json.loads((copy / 'manifest.json').read_text())['counts']
        if counts['images'] + counts['rejected'] != IMAGES + 1:
            raise Wrong(f'merge accepted {counts} of {IMAGES + 1} files')


def _check_merged(copy: Path, key: list[object], forged: bool) -> None:
    """Verify a copy that was made from a mutated journal.

    The checksums in a journal find damage, not forgery: sizes and modes that were changed in lines with
    right checksums are in the manifest, too, and verify names the image.
    """
    try:
        command('verify', copy, *key, *QUIET, '--deep')
    except Wrong as error:
        problems = str(error).splitlines()[1:-1]
        if not forged or not all(
            re.search(r'pixels \(h, w\), but the manifest says|: its pixels are ', line) for line in problems
        ):
            raise


def fuzz_key(seeds: Path, work: Path, dice: random.Random) -> None:
    """Read a mutated key file."""
    path = work / 'key'
    path.write_bytes(mutate.any_bytes((seeds / 'key').read_bytes(), dice))
    path.chmod(0o600)
    command('key', 'fingerprint', path, expect=ANY)


def summed(line: bytes) -> bytes:
    """Return a line of a journal with the right CRC-32 behind its last field."""
    body, found, _ = line.rpartition(b', "crc32": "')
    return body + b'%s%08x"}\n' % (found, zlib.crc32(body)) if found else line


def signed(text: bytes, key: MasterKey) -> bytes:
    """Return a manifest with the right checksum and signature behind its last rows."""
    body, found, _ = text.rpartition(b'"sha256": "')
    if not found:
        return text
    mac = hmac.new(key.derive('hii-mm manifest v1'), body, 'sha256').hexdigest()
    return body + f'"sha256": "{hashlib.sha256(body).hexdigest()}",\n"hmac": "{mac}"}}\n'.encode()


TARGETS: dict[str, Callable[[Path, Path, random.Random], None]] = {
    'coco': fuzz_coco,
    'manifest': fuzz_manifest,
    'journal': fuzz_journal,
    'tar': fuzz_tar,
    'key': fuzz_key,
}
