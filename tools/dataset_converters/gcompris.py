"""Get the photographs of GCompris, an educational game, into data/gcompris: public photos to attack and to learn from.

    python tools/dataset_converters/gcompris.py [--out data/gcompris]

Animals, buildings, concerts and things of the house, 215 of them in version
3.1: pictures that no attack here was tuned on. They come from Debian's
package gcompris-qt-data (44 MB; ``apt-get download`` and ``dpkg -x``: no
root), where they lie as WebP files in the game's resource files. Their free
licences stand in the package's copyright file, which is written beside them.
"""

import argparse
import io
import re
import sys
from pathlib import Path

from fashion_mnist import DataError, debian_package, write
from PIL import Image

PACKAGE = 'gcompris-qt-data'
ACTIVITIES = (  # those whose pictures are photographs
    'categorization', 'details', 'erase', 'explore_farm_animals', 'explore_monuments', 'explore_world_animals',
    'explore_world_music',
)  # fmt: skip
LEAST = 224  # pixels of the shorter side


def webp_files(data):
    """The WebP files (bytes) inside a Qt resource file, which stores them as they are; whatever cannot be read is not.

    Pictures with transparency, which are drawings, and small ones are left out.
    """
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


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, default=Path('data/gcompris'), metavar='DIR')
    out, count = parser.parse_args().out, 0
    try:
        with debian_package(PACKAGE) as files:
            for activity in ACTIVITIES:
                resources = (files / f'usr/share/gcompris-qt/rcc/{activity}.rcc').read_bytes()
                for number, raw in enumerate(webp_files(resources)):
                    write(out / f'{activity}_{number:02}.webp', raw)
                    count += 1
            write(out / 'copyright', (files / f'usr/share/doc/{PACKAGE}/copyright').read_bytes())
    except (DataError, OSError) as error:
        sys.exit(f'gcompris: {error}')
    print(f'{out}: {count} photographs')


if __name__ == '__main__':
    main()
