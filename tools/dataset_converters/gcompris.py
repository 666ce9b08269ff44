"""Extract the photographs of GCompris, an educational game, to data/gcompris: public photos for attacks.

    python tools/dataset_converters/gcompris.py [--out data/gcompris]

Animals, buildings, concerts and household objects, 215 photographs in version
3.1. Their names decide, by SHA-256, which half is in ``learn``, for attacks to
be fitted and trained on, and which in ``test``, for figures; a photograph and
its smaller copy are in the same half. They come from Debian's package
gcompris-qt-data (44 MB; ``apt-get download`` and ``dpkg -x``, without root),
where they are WebP files inside the game's resource files. The package's
copyright file, which lists their free licences, is written beside them.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from fashion_mnist import DataError, debian_package, write

PACKAGE = 'gcompris-qt-data'
ACTIVITIES = (  # those with photographs
    'categorization', 'details', 'erase', 'explore_farm_animals', 'explore_monuments', 'explore_world_animals',
    'explore_world_music',
)  # fmt: skip
LEAST = 224  # pixels of the shorter side
SMALLER = {'categorization_65': 'explore_monuments_46'}  # a smaller copy of another photograph


def webp_files(data: bytes) -> Iterator[bytes]:
    """Yield the WebP files inside a Qt resource file, which stores them unchanged.

    Left out are images with transparency, which are drawings, small images, and
    what cannot be read.
    """
    from PIL import Image

    for found in re.finditer(b'RIFF(....)WEBP', data, re.DOTALL):
        start, size = found.start(), int.from_bytes(found[1], 'little') + 8
        raw = data[start : start + size]
        try:
            with Image.open(io.BytesIO(raw)) as picture:
                picture.load()
        except OSError:
            continue
        if picture.mode == 'RGB' and min(picture.size) >= LEAST:
            yield raw


def half(name: str) -> str:
    """Return 'learn' or 'test', the half that a photograph belongs to."""
    content = SMALLER.get(name, name).encode()
    return ('learn', 'test')[hashlib.sha256(content).digest()[0] % 2]


def main() -> None:
    """Download the package and write the photographs."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--out', type=Path, default=Path('data/gcompris'), metavar='DIR')
    out, count = parser.parse_args().out, 0
    from tqdm import tqdm

    try:
        with debian_package(PACKAGE) as files:
            for activity in tqdm(ACTIVITIES, unit='activity', disable=None):
                resources = (files / f'usr/share/gcompris-qt/rcc/{activity}.rcc').read_bytes()
                for number, raw in enumerate(webp_files(resources)):
                    name = f'{activity}_{number:02}'
                    write(out / half(name) / f'{name}.webp', raw)
                    count += 1
            write(out / 'copyright', (files / f'usr/share/doc/{PACKAGE}/copyright').read_bytes())
    except (DataError, OSError) as error:
        sys.exit(f'gcompris: {error}')
    print(f'{out}: {count} photographs')


if __name__ == '__main__':
    main()
