"""Download Fashion-MNIST to data/fashion-mnist, or write scikit-learn's digits to data/digits if that fails.

With ``--digits`` the digits are written at once, without network.
Uses the files in data/fashion-mnist if they are complete; otherwise Debian's
package dataset-fashion-mnist (``apt-get download`` and ``dpkg -x``, without
root), and then the publisher's mirror. The SHA-256 of each unpacked file is
checked before the file gets its name.
Fashion-MNIST: Xiao, Rasul, Vollgraf, arXiv 1708.07747, MIT licence.
"""

from __future__ import annotations

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
from collections.abc import Callable, Iterator
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
    """A data file is truncated, changed, or cannot be downloaded."""


def unpacked(raw: bytes, name: str) -> bytes:
    """Return the bytes of an idx file, unpacked if it is gzipped, after checking its SHA-256.

    Raises:
        DataError: damaged gzip data, or another checksum.
    """
    try:
        data = gzip.decompress(raw) if raw[:2] == b'\x1f\x8b' else raw
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f'{name}: gzip file is damaged: {error}') from error
    got = hashlib.sha256(data).hexdigest()
    if got != SUMS[name]:
        raise DataError(f'{name}: {len(data)} bytes with SHA-256 {got}, expected {SUMS[name]}')
    return data


def write(path: Path, data: bytes) -> None:
    """Write a file atomically; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + '.part')
    partial.write_bytes(data)
    os.replace(partial, path)


def from_folder(folder: Path) -> dict[str, bytes]:
    """Return ``{name: bytes}`` of the files in a folder, gzipped or not.

    Raises:
        DataError: a file is missing, damaged, or has another checksum.
    """
    files = {}
    for name in SUMS:
        path = next((p for p in (folder / name, folder / f'{name}.gz') if p.is_file()), None)
        if path is None:
            raise DataError(f'{folder} has no {name}')
        files[name] = unpacked(path.read_bytes(), name)
    return files


@contextlib.contextmanager
def debian_package(name: str) -> Iterator[Path]:
    """Give the temporary folder of a Debian package's files. Needs no root.

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


def from_debian() -> dict[str, bytes]:
    """Return ``{name: bytes}`` from Debian's package.

    Raises:
        DataError: the package cannot be downloaded, or is damaged.
    """
    with debian_package(PACKAGE) as files:
        return from_folder(files / 'usr/share/datasets/fashion-mnist')


def from_mirror() -> dict[str, bytes]:
    """Return ``{name: bytes}`` from the publisher's mirror.

    Raises:
        DataError: the mirror cannot be reached, or a file is damaged.
    """
    from tqdm import tqdm

    files = {}
    for name in tqdm(SUMS, desc='download', unit='file', disable=None):
        try:
            with urllib.request.urlopen(f'{MIRROR}{name}.gz', timeout=20) as answer:
                files[name] = unpacked(answer.read(), name)
        except (OSError, urllib.error.URLError) as error:
            raise DataError(f'{MIRROR}: {error}') from error
    return files


def digits(folder: Path) -> None:
    """Write scikit-learn's 8 x 8 digits as 28 x 28 idx files: 1,297 for training, 500 for testing."""
    import numpy as np
    from sklearn.datasets import load_digits

    data = load_digits()
    images = np.pad(np.kron(data.images * 15.9, np.ones((3, 3))), [(0, 0), (2, 2), (2, 2)]).astype(np.uint8)
    for name in SUMS:
        part = slice(None, 1297) if name.startswith('train') else slice(1297, None)
        values = images[part] if 'images' in name else data.target[part].astype(np.uint8)
        head = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, '>i4').tobytes()
        write(folder / name, head + values.tobytes())


def pictures(folder: Path, out: Path, train: int) -> None:
    """Write the images of the idx files as PNG: train/<class>/<number>.png and val/<class>/<number>.png."""
    import numpy as np
    from PIL import Image
    from tqdm import tqdm

    for split, part, count in (('train', 'train', train), ('val', 't10k', None)):
        images = np.frombuffer((folder / f'{part}-images-idx3-ubyte').read_bytes()[16:], np.uint8).reshape(-1, 28, 28)
        labels = (folder / f'{part}-labels-idx1-ubyte').read_bytes()[8:]
        pairs = zip(tqdm(images[:count], desc=split, unit='image', disable=None), labels)
        for number, (image, label) in enumerate(pairs):
            path = out / split / str(label) / f'{number:05}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
        print(f'{out / split}: {len(images[:count])} images')


def prepare(root: Path) -> str | None:
    """Complete ``root``/fashion-mnist; return where the files came from, or None if no source has them.

    Raises:
        DataError: files in the folder are damaged. They are left as they are.
    """
    folder = root / 'fashion-mnist'
    there = [name for name in SUMS if (folder / name).is_file()]
    for name in there:
        unpacked((folder / name).read_bytes(), name)
    if len(there) == len(SUMS):
        return str(folder)
    sources: dict[str, Callable[[], dict[str, bytes]]] = {f'Debian package {PACKAGE}': from_debian, MIRROR: from_mirror}
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


def main() -> None:
    """Get the data; write PNG files if asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--root', type=Path, default=Path('data'), help='folder of data sets (default: data)')
    what = parser.add_mutually_exclusive_group()
    what.add_argument('--digits', action='store_true', help="write scikit-learn's digits; nothing is downloaded")
    what.add_argument(
        '--png', type=Path, metavar='FOLDER', help='also write the images as FOLDER/{train,val}/<class>/*.png'
    )
    parser.add_argument(
        '--train', type=int, default=15000, metavar='N', help='with --png: the first N for training (15000)'
    )
    args = parser.parse_args()
    if args.digits:
        write_digits(args.root, '')
        return
    try:
        source = prepare(args.root)
    except DataError as error:
        sys.exit(f'fashion-mnist: {error}. Remove the file to download it again.')
    if source:
        print(f'fashion-mnist: 4 files with valid checksums, from {source}')
    if args.png and not source:
        sys.exit('fashion-mnist: no source could be reached, so no images were written')
    if args.png:
        pictures(args.root / 'fashion-mnist', args.png, args.train)
    if not source:
        write_digits(args.root, 'no source could be reached; ')


def write_digits(root: Path, why: str) -> None:
    """Write the digits to ``root``/digits and say so; without scikit-learn, end and say that it is needed."""
    try:
        digits(root / 'digits')
    except ImportError as error:
        sys.exit(f'fashion-mnist: {why}the digits need scikit-learn ({error}): pip install scikit-learn')
    print(f"fashion-mnist: {why}wrote scikit-learn's 1,797 digits to {root / 'digits'}")


if __name__ == '__main__':
    main()
