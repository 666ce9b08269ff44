"""Compare what two checkouts write: encrypted copies byte by byte, and the figures of their audits.

    python tools/dev/same_output.py BEFORE AFTER

Both need an environment (`make setup`) and, for the figures, `make audit`.
For changes that must not change any output.
"""

import argparse
import filecmp
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from hii_mm.encryption import MasterKey, write_key

PHOTO = Path(__file__).parent.parent.parent / 'tests' / 'data' / 'astronaut.webp'
DATASET = '00112233445566778899aabbccddeeff'
FIGURES = ('metrics', 'floors', 'confidence', 'dropped', 'missing')
RUNS = {
    'shuffle': [],
    'every option of shuffling': '--gap 1 --drop-ratio 0.25 --orient --window 3'.split(),
    'oblong sizes, cropped': '--fit crop --size 160x96'.split(),
    'short side, padded': '--fit pad --size short:100 --format webp'.split(),
    'resized': '--fit resize --strategy mixup'.split(),
    'mixup': '--strategy mixup --grid 4'.split(),
    'both': '--strategy both --gap 1'.split(),
    'jpeg': '--format jpeg'.split(),
    'shards': '--format shards --shard-size 2'.split(),
    'renamed': ['--rename'],
}


def write_source(folder: Path) -> Path:
    """Write a key, four pictures and a COCO file; return the COCO file."""
    with Image.open(PHOTO) as image:
        photo = np.array(image.convert('RGB'))
    images = folder / 'images'
    for k, name in enumerate(['a', 'cat/b', 'cat/c', 'dog/d']):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo[40 * k : 40 * k + 128, 60 * k : 60 * k + 160]).save(images / f'{name}.png')
    write_key(folder / 'key', MasterKey(bytes(range(32))))
    outline = [3, 5, 90.25, 7, 100, 60, 20, 70.5]
    objects = [
        {
            'bbox': [3, 5, 97, 65.5],
            'segmentation': [outline],
            'area': 5000,
            'keypoints': [10, 10, 2, 80, 50, 1, 0, 0, 0],
        },
        {'bbox': [20, 16, 64, 64], 'segmentation': {'size': [128, 160], 'counts': [3000, 900, 16580]}, 'iscrowd': 1},
    ]
    coco = {
        'images': [
            {'id': k, 'width': 160, 'height': 128, 'file_name': f'{name}.png'}
            for k, name in enumerate(['a', 'cat/b', 'cat/c', 'dog/d'])
        ],
        'annotations': [
            {'id': 10 * k + n, 'image_id': k, 'category_id': n, **row}
            for k in range(4)
            for n, row in enumerate(objects)
        ],
        'categories': [{'id': 0, 'name': 'person'}, {'id': 1, 'name': 'thing'}],
    }
    (folder / 'coco.json').write_text(json.dumps(coco))
    return folder / 'coco.json'


def different_files(one: Path, two: Path) -> list[str]:
    """Return the files below two folders that are not the same."""
    names = {path.relative_to(root) for root in (one, two) for path in root.rglob('*') if path.is_file()}
    return sorted(
        str(name)
        for name in names
        if not ((one / name).is_file() and (two / name).is_file() and filecmp.cmp(one / name, two / name, False))
    )


def compare_copies(before: Path, after: Path) -> int:
    """Encrypt the same pictures with both checkouts; return the number of differences."""
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        coco = write_source(folder)
        for name, flags in RUNS.items():
            for ann in ([], ['--ann', coco]):
                outs = []
                for side, checkout in (('before', before), ('after', after)):
                    outs.append(folder / side / f'{name} {bool(ann)}')
                    command = [checkout / '.venv-onedl/bin/hii-mm', 'encrypt', folder / 'images', outs[-1], '--quiet']
                    command += ['--dataset-id', DATASET, '--key', folder / 'key', '--patch-size', 16, *flags, *ann]
                    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
                    assert done.returncode == 0, done.stderr
                found = different_files(*outs)
                wrong += len(found)
                count = sum(path.is_file() for path in outs[0].rglob('*'))
                print(f'{name}{", with --ann" if ann else ""}: {count} files, {len(found)} different {found or ""}')
    return wrong


def flat(name: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield (name, value) of everything in nested objects."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(f'{name}.{key}', inner)
    else:
        yield name, value


def figures(report: dict) -> dict[str, object]:
    """Return every figure of a report; seconds, words and keys are left out."""
    found: dict[str, object] = {}
    for row in report['results']:
        where = f'{row["setting"]}: {row["attack"]} on {row["image"]} {row["repeat"]}'
        for part in FIGURES:
            found.update(flat(f'{where}: {part}', row.get(part)))
    for setting in report['settings']:
        for attack in setting['attacks']:
            for part in (*FIGURES, 'status', 'images', 'runs', 'main'):
                found.update(flat(f'{setting["name"]}: {attack["name"]}: {part}', attack.get(part)))
    return found


def compare_audits(before: Path, after: Path) -> int:
    """Compare all figures of two audits; return how many are not equal."""
    wrong = 0
    for path in sorted(before.glob('work_dirs/audit/*/report.json')):
        paths = path, after / path.relative_to(before)
        one, two = (figures(json.loads(each.read_text())) for each in paths)
        off = [name for name in one | two if one.get(name, 'absent') != two.get(name, 'absent')]
        wrong += len(off)
        print(f'audit {path.parent.name}: {len(one)} figures, {len(off)} different {off[:3] or ""}')
    return wrong


def main() -> int:
    """Compare both; 0 if everything is the same."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('before', type=Path)
    parser.add_argument('after', type=Path)
    args = parser.parse_args()
    wrong = compare_copies(args.before.resolve(), args.after.resolve())
    wrong += compare_audits(args.before.resolve(), args.after.resolve())
    print(f'{wrong} differences')
    return 1 if wrong else 0


if __name__ == '__main__':
    raise SystemExit(main())
