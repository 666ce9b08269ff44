"""Write predictions: JSON, COCO JSON, CSV, and pictures with boxes and labels. Pillow and NumPy."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ..files import StrPath, write_atomically
from ..images import encode
from .prediction import Prediction

FORMATS = {'json': 'predictions.json', 'csv': 'predictions.csv', 'coco': 'predictions.coco.json'}
THRESHOLD = 0.3  # least score of what is drawn
_COLOURS = ('#e6194b', '#3cb44b', '#ffb000', '#4363d8', '#f58231', '#911eb4', '#008080', '#9a6324')


@dataclass(frozen=True)
class Drawing:
    """What a prediction can be drawn on.

    Attributes:
        image: uint8 (H, W) or (H, W, 3) RGB.
        plain: it shows the plain picture.
    """

    image: np.ndarray
    plain: bool


def as_text(predictions: Sequence[Prediction], form: str, threshold: float = 0.0, most: int = 100) -> str:
    """Return predictions as a text in one of ``FORMATS``.

    Args:
        predictions: of all pictures.
        form: 'json', 'csv' or 'coco'.
        threshold: leave out lower scores.
        most: at most that many answers for a picture.
    """
    entries = [prediction.to_json(threshold, most) for prediction in predictions]
    if form == 'csv':
        return _csv(entries)
    content: Any = _coco(predictions, entries) if form == 'coco' else entries
    return json.dumps(content, indent=1) + '\n'


def _csv(entries: Sequence[dict[str, Any]]) -> str:
    """Return one line for each answer."""
    file = io.StringIO()
    lines = csv.writer(file, lineterminator='\n')
    lines.writerow(['name', 'frame', 'label', 'class', 'score', 'x1', 'y1', 'x2', 'y2'])
    for entry in entries:
        for answer in entry['predictions']:
            box = answer.get('box', ['', '', '', ''])
            lines.writerow([entry['name'], entry['frame'], *(answer[k] for k in ('label', 'class', 'score')), *box])
    return file.getvalue()


def _coco(predictions: Sequence[Prediction], entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a COCO data set whose annotations have scores; categories count from 1."""
    classes = max((prediction.classes for prediction in predictions), key=len, default=())
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, entry in enumerate(entries, 1):
        images.append({'id': number, 'file_name': entry['name'], 'height': entry['height'], 'width': entry['width']})
        for answer in entry['predictions']:
            x1, y1, x2, y2 = answer.get('box', (0, 0, entry['width'], entry['height']))
            box = [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)]
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': number,
                    'category_id': answer['label'] + 1,
                    'bbox': box,
                    'area': round(box[2] * box[3], 2),
                    'iscrowd': 0,
                    'score': answer['score'],
                }
            )
    categories = [{'id': number, 'name': name} for number, name in enumerate(classes, 1)]
    return {'images': images, 'annotations': annotations, 'categories': categories}


def draw(prediction: Prediction, drawing: Drawing, threshold: float = THRESHOLD) -> np.ndarray:
    """Return the picture with what was predicted: boxes with labels, or a line below it.

    Args:
        prediction: in the frame of ``drawing``.
        drawing: the picture.
        threshold: leave out lower scores.

    Returns:
        uint8 (H, W, 3); of a classifier 16 pixels higher.
    """
    page = Image.fromarray(drawing.image).convert('RGB')
    entries = prediction.to_json(threshold)['predictions']
    if prediction.boxes is None:
        text = f'{entries[0]["class"]} {entries[0]["score"]:.2f}' if entries else ''
        taller = Image.new('RGB', (max(page.width, 96), page.height + 16), 'white')
        taller.paste(page, (0, 0))
        ImageDraw.Draw(taller).text((2, page.height + 2), text, fill='black')
        return np.asarray(taller)
    pen = ImageDraw.Draw(page)
    for entry in entries:
        colour = _COLOURS[entry['label'] % len(_COLOURS)]
        x1, y1, x2, y2 = entry['box']
        pen.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=colour, width=2)
        pen.text((x1 + 3, y1 + 2), f'{entry["class"]} {entry["score"]:.2f}', fill=colour)
    return np.asarray(page)


def write_drawing(folder: StrPath, name: str, image: np.ndarray) -> Path:
    """Write a drawing as PNG below a folder, named like its picture, and return its path."""
    safe = '/'.join(re.sub(r'[^\w.() -]', '_', part) for part in name.split('/') if part not in ('', '.', '..'))
    target = Path(folder) / (os.path.splitext(safe)[0] + '.png')
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, encode(image, '.png'))
    return target
