"""Compare PatchShuffle with boxes, masks and polygons with the decoding of the JPEG, as ratios in one run.

    python benchmarks/annotations.py [--json FILE]

scikit-image's photograph of an astronaut, resized and saved with quality 95, with
eight objects, each 1/20 to 1/3 of the image high and wide; patches of 16, a fresh
permutation each time; one thread. Each job runs on an image decoded just before,
and its ratio is to those decodings. The fastest of many runs
each: calls of microseconds suffer most from other jobs.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import record
from skimage.data import astronaut

import hii_mm.register  # noqa: F401
from hii_mm.encryption import Scheme
from hii_mm.transforms import PatchShuffle
from timing import timed

ROUNDS = {(224, 224): 300, (800, 1344): 40}


def objects(shape: tuple[int, int]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return eight boxes, float32 (8, 4) xyxy, and ellipses in them, 24 corners (24, 2) each."""
    rng, size = np.random.default_rng(0), np.array(shape[::-1])
    low = rng.integers(0, size * 65 // 100, (8, 2))
    high = low + rng.integers(size // 20, size // 3, (8, 2))
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    round_ones = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return (
        np.concatenate([low, high], axis=1).astype(np.float32),
        [(a + b) / 2 + round_ones * (b - a) / 2 for a, b in zip(low, high)],
    )


def jobs_for(shape: tuple[int, int]) -> dict[str, Callable[[np.ndarray], Any]]:
    """Return what is done with a decoded image, by name."""
    from mmdet.structures.mask import BitmapMasks

    boxes, outlines = objects(shape)
    labels, scheme, rng = np.zeros(8, np.int64), Scheme(16), np.random.default_rng(0)
    bits = [cv2.fillPoly(np.zeros(shape, np.uint8), [outline.astype(np.int32)], 1) for outline in outlines]
    masks = BitmapMasks(np.stack(bits), *shape)
    fragment, enclose = PatchShuffle(16), PatchShuffle(16, bbox_mode='enclose')

    def given(image: np.ndarray) -> dict[str, Any]:
        return {'img': image, 'gt_bboxes': boxes, 'gt_bboxes_labels': labels}

    def outlined(image: np.ndarray) -> None:
        plan = scheme.plan(shape, rng)
        plan.apply(image)
        for outline in outlines:
            plan.move_polygon(outline)

    return {
        'pixels': lambda image: fragment({'img': image}),
        'pixels, boxes': lambda image: fragment(given(image)),
        "pixels, boxes, 'enclose'": lambda image: enclose(given(image)),
        'pixels, boxes, bitmap masks': lambda image: fragment({**given(image), 'gt_masks': masks}),
        "pixels, boxes, bitmap masks, 'enclose'": lambda image: enclose({**given(image), 'gt_masks': masks}),
        'pixels, polygons of 24 corners (as hii-mm encrypt)': outlined,
    }


def measure(shape: tuple[int, int], rounds: int) -> list[dict[str, Any]]:
    """Print the rows of an image size; return them."""
    image = cv2.resize(astronaut()[..., ::-1], shape[::-1], interpolation=cv2.INTER_CUBIC)
    coded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    newest: list[np.ndarray] = [image]

    def decode() -> None:
        newest[0] = cv2.imdecode(coded, cv2.IMREAD_COLOR)

    rows = []
    for name, job in jobs_for(shape).items():
        runs = timed({'decode': decode, 'job': lambda job=job: job(newest[0])}, rounds)
        times = {what: min(seconds) for what, seconds in runs.items()}
        row = {'shape': f'{shape[0]} x {shape[1]}', 'job': name, 'us': times['job'] * 1e6}
        row['share'] = times['job'] / times['decode']
        print(f'{row["shape"]:12}{name:52}{row["us"]:9.0f} us{row["share"]:8.2f} x decoding', flush=True)
        rows.append({**row, 'us': round(row['us'], 1), 'share': round(row['share'], 4)})
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    record.add_argument(parser)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rows = [row for shape, rounds in ROUNDS.items() for row in measure(shape, rounds)]
    record.write(args.json, rows, f'{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}')


if __name__ == '__main__':
    main()
