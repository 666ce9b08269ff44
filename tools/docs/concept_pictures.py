"""Draw the pictures of docs/concepts.md: one photograph through each option of a scheme.

    python tools/docs/concept_pictures.py [--check]

The photograph is tests/data/astronaut.webp at 256 x 256; the plans are drawn
with a fixed seed. ``--check`` writes nothing and exits with 1 if a committed
picture differs from what the code draws by more than its JPEG compression.
"""

from __future__ import annotations

import argparse
import io
import sys

import numpy as np
from paths import DOCS, ROOT, report
from PIL import Image

sys.path.insert(0, str(ROOT))

from hii_mm.encryption import Scheme  # noqa: E402

FOLDER = DOCS / 'images' / 'concepts'
SIDE, SEED = 256, 0
LARGEST_ERROR = 8.0  # mean absolute difference in grey levels; noise costs JPEG 7
SCHEMES = {
    'rs': Scheme(patch_size=16),
    'gap': Scheme(patch_size=16, gap=2),
    'drop': Scheme(patch_size=16, drop_ratio=0.5),
    'orient': Scheme(patch_size=16, orient=True),
    'window': Scheme(patch_size=16, window=4),
    'tone': Scheme(patch_size=16, tone=True),
    'noise': Scheme(patch_size=16, noise=32),
    'mi': Scheme(patch_size=16, strategy='mixup'),
    'both': Scheme(patch_size=16, strategy='both'),
}


def main(argv: list[str] | None = None) -> int:
    """Draw or check the pictures and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true', help='write nothing; fail if a picture is out of date')
    check = parser.parse_args(argv).check
    FOLDER.mkdir(parents=True, exist_ok=True)
    stale = []
    for name, picture in pictures().items():
        path = FOLDER / f'{name}.jpg'
        if path.is_file() and alike(Image.open(path), picture):
            continue
        stale.append(path)
        if not check:
            path.write_bytes(compressed(picture))
    return report('concept_pictures.py', stale, check)


def pictures() -> dict[str, np.ndarray]:
    """Return the plain photograph and what each scheme makes of it: name to (h, w, 3) uint8 RGB."""
    with Image.open(ROOT / 'tests' / 'data' / 'astronaut.webp') as image:
        plain = np.asarray(image.convert('RGB').resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    drawn = {'plain': plain}
    for name, scheme in SCHEMES.items():
        drawn[name] = scheme.plan(plain.shape, np.random.default_rng(SEED)).apply(plain)
    return drawn


def compressed(picture: np.ndarray) -> bytes:
    """Return a picture as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, 'JPEG', quality=88, subsampling=0)
    return buffer.getvalue()


def alike(image: Image.Image, picture: np.ndarray) -> bool:
    """Return whether a picture on disk shows the same pixels but for its compression."""
    shown = np.asarray(image.convert('RGB'), np.float64)
    return shown.shape == picture.shape and float(np.abs(shown - picture).mean()) < LARGEST_ERROR


if __name__ == '__main__':
    sys.exit(main())
