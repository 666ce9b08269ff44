"""Get Fashion-MNIST into data/fashion-mnist, or scikit-learn's digits into data/digits if it cannot be had.

Looks in data/fashion-mnist, then takes Debian's package dataset-fashion-mnist
(``apt-get download`` and ``dpkg -x``: no root), then the publisher's mirror.
The SHA-256 of each unpacked file is checked before the file gets its name.
Fashion-MNIST: Xiao, Rasul, Vollgraf, arXiv 1708.07747, MIT licence.
"""

import argparse
import contextlib
import gzip
import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

SUMS = {
    'train-images-idx3-ubyte': 'c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888',
    'train-labels-idx1-ubyte': 'bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9',
    't10k-images-idx3-ubyte': '5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b',
    't10k-labels-idx1-ubyte': '0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34',
}
MIRROR = 'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/'
PACKAGE = 'dataset-fashion-mnist'


class DataError(Exception):
    """A data file is cut short, changed, or not to be had."""


def unpacked(raw, name):
    """The bytes of an idx file, out of its gzip wrapping if it has one, sum checked.

    Raises:
        DataError: not gzip although packed, cut short, or of another sum.
    """
    try:
        data = gzip.decompress(raw) if raw[:2] == b'\x1f\x8b' else raw
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f'{name}: gzip file is damaged: {error}') from error
    got = hashlib.sha256(data).hexdigest()
    if got != SUMS[name]:
        raise DataError(f'{name}: {len(data)} bytes with SHA-256 {got}, expected {SUMS[name]}')
    return data


def write(path, data):
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + '.part')
    partial.write_bytes(data)
    os.replace(partial, path)


def from_folder(folder):
    """``{name: bytes}`` of the files in a folder, packed or not.

    Raises:
        DataError: one is missing, damaged or of another sum.
    """
    files = {}
    for name in SUMS:
        path = next((p for p in (folder / name, folder / f'{name}.gz') if p.is_file()), None)
        if path is None:
            raise DataError(f'{folder} has no {name}')
        files[name] = unpacked(path.read_bytes(), name)
    return files


@contextlib.contextmanager
def debian_package(name):
    """The folder (a Path) of a Debian package's files; it is gone afterwards. Needs no root.

    Raises:
        DataError: apt-get or dpkg is missing or fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for command in (['apt-get', 'download', name], ['dpkg', '-x', f'{name}*.deb', 'out']):
                command = [str(next(Path(scratch).glob(word))) if '*' in word else word for word in command]
                subprocess.run(command, cwd=scratch, check=True, capture_output=True, text=True, timeout=600)
        except (OSError, StopIteration, subprocess.SubprocessError) as error:
            said = (getattr(error, 'stderr', '') or str(error)).strip().splitlines()
            raise DataError(f'Debian package {name}: {said[-1] if said else error}') from error
        yield Path(scratch, 'out')


def from_debian():
    """``{name: bytes}`` from Debian's package.

    Raises:
        DataError: it cannot be had.
    """
    with debian_package(PACKAGE) as files:
        return from_folder(files / 'usr/share/datasets/fashion-mnist')


def from_mirror():
    """``{name: bytes}`` from the publisher.

    Raises:
        DataError: it cannot be reached.
    """
    files = {}
    for name in SUMS:
        try:
            with urllib.request.urlopen(f'{MIRROR}{name}.gz', timeout=20) as answer:
                files[name] = unpacked(answer.read(), name)
        except (OSError, urllib.error.URLError) as error:
            raise DataError(f'{MIRROR}: {error}') from error
    return files


def digits(folder):
    """Write scikit-learn's 8 x 8 digits as 28 x 28 idx files: 1,297 to train on, 500 to test."""
    import numpy as np
    from sklearn.datasets import load_digits

    data = load_digits()
    images = np.pad(np.kron(data.images * 15.9, np.ones((3, 3))), [(0, 0), (2, 2), (2, 2)]).astype(np.uint8)
    for name in SUMS:
        part = slice(None, 1297) if name.startswith('train') else slice(1297, None)
        values = images[part] if 'images' in name else data.target[part].astype(np.uint8)
        head = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, '>i4').tobytes()
        write(folder / name, head + values.tobytes())


def pictures(folder, out, train):
    """Write the idx files' pictures as PNG: train/<class>/<number>.png and val/<class>/<number>.png."""
    import numpy as np
    from PIL import Image

    for split, part, count in (('train', 'train', train), ('val', 't10k', None)):
        images = np.frombuffer((folder / f'{part}-images-idx3-ubyte').read_bytes()[16:], np.uint8).reshape(-1, 28, 28)
        labels = (folder / f'{part}-labels-idx1-ubyte').read_bytes()[8:]
        for number, (image, label) in enumerate(zip(images[:count], labels)):
            path = out / split / str(label) / f'{number:05}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
        print(f'{out / split}: {len(images[:count])} pictures')


def prepare(root):
    """Make ``root``/fashion-mnist complete.

    Returns:
        str | None: where it came from, or None if it could not be had.

    Raises:
        DataError: files that are there are damaged. They are left as they are.
    """
    folder = root / 'fashion-mnist'
    there = [name for name in SUMS if (folder / name).is_file()]
    for name in there:
        unpacked((folder / name).read_bytes(), name)
    if len(there) == len(SUMS):
        return str(folder)
    sources = {f'Debian package {PACKAGE}': from_debian, MIRROR: from_mirror}
    if (folder / f'{next(iter(SUMS))}.gz').is_file():
        sources = {f'{folder}/*.gz': lambda: from_folder(folder), **sources}
    for source, get in sources.items():
        try:
            files = get()
        except DataError as error:
            print(f'fashion-mnist: {error}')
            continue
        for name, data in files.items():
            write(folder / name, data)
        return source
    return None


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--root', type=Path, default=Path('data'), help='folder of data sets (default: data)')
    parser.add_argument(
        '--png', type=Path, metavar='FOLDER', help='write the pictures as FOLDER/{train,val}/<class>/ too'
    )
    parser.add_argument('--train', type=int, default=15000, metavar='N', help='--png: the first N to train on (15000)')
    args = parser.parse_args()
    try:
        source = prepare(args.root)
    except DataError as error:
        sys.exit(f'fashion-mnist: {error}. Remove the file to get it anew.')
    if source:
        print(f'fashion-mnist: 4 files, sums right, from {source}')
    if args.png and not source:
        sys.exit('fashion-mnist: not to be had here, so there are no pictures to write')
    if args.png:
        pictures(args.root / 'fashion-mnist', args.png, args.train)
    if source:
        return
    digits(args.root / 'digits')
    print(f"fashion-mnist: not to be had here; using scikit-learn's 1,797 digits in {args.root / 'digits'} instead")


if __name__ == '__main__':
    main()
