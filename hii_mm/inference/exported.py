"""Predict with a model that ``tools/deploy/export.py`` wrote as ONNX: onnxruntime and NumPy, no torch, no mm."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from PIL import Image

from ..encryption import Plan, Scheme
from ..errors import CheckpointError, InvalidValueError
from .matching import check_picture
from .pictures import Picture, Source
from .prediction import ENCRYPTED, PLAIN, Prediction, in_plain_frame
from .writing import Drawing

FORMAT, VERSION = 'hii-mm model', 1


class _Ready(NamedTuple):
    """A picture that is ready for the model: pixels (C, H, W) float32, plan, and (h, w) by which it was resized."""

    picture: Picture
    pixels: np.ndarray
    plan: Plan | None
    scale: tuple[float, float]


class Exported:
    """An engine for exported models, see :class:`.api.Engine`.

    Args:
        path: of the .onnx file.
        device: 'cpu' or 'cuda', as onnxruntime has it; None takes the CPU.
        seed: of the permutations of plain pictures.

    Raises:
        CheckpointError: a file that cannot be read, or without our metadata.
    """

    def __init__(self, path: str, device: str | None, seed: int | None) -> None:
        with open(path, 'rb') as file:
            content = file.read()
        try:
            self._session = session(content, device)
            self.about = read_about(self._session.get_modelmeta().custom_metadata_map)
        except CheckpointError as error:
            raise CheckpointError(f'{path!r}: {error}') from None
        steps = self.about['scheme']
        self.scheme = Scheme.from_config(steps) if steps else None
        self._rng = np.random.default_rng(seed)

    def run(self, sources: list[Source], batch_size: int) -> Iterator[tuple[Prediction, Drawing]]:
        """Yield the prediction of each source, and the picture to draw it on."""
        batch: list[_Ready] = []
        for source in sources:
            ready = self._prepare(source.load())
            if batch and (len(batch) == batch_size or ready.pixels.shape != batch[0].pixels.shape):
                yield from self._predict(batch)
                batch = []
            batch.append(ready)
        if batch:
            yield from self._predict(batch)

    def _prepare(self, picture: Picture) -> _Ready:
        """Resize and encrypt a plain picture as in the test of the model; check an encrypted one."""
        check_picture(picture, self.scheme)
        image, plan, scale = _colours(picture.image, self.about['channels']), picture.plan, (1.0, 1.0)
        if not picture.encrypted:
            before = image.shape
            image = _resized(image, self.about['resize'])
            scale = image.shape[0] / before[0], image.shape[1] / before[1]
            if self.scheme is not None:
                plan = self.scheme.plan(image.shape, self._rng)
                image = plan.apply(image)
        pixels = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
        step = self.about['multiple']
        if pixels.shape[1] % step or pixels.shape[2] % step:
            raise InvalidValueError(
                f'{picture.name}: the model reads patches of {step} pixels, but the picture has '
                f'{pixels.shape[1]} x {pixels.shape[2]} (h x w)'
            )
        return _Ready(picture, np.ascontiguousarray(pixels, np.float32), plan, scale)

    def _predict(self, batch: Sequence[_Ready]) -> Iterator[tuple[Prediction, Drawing]]:
        """Yield the predictions of pictures of one size."""
        answers = self._session.run(None, {'pixels': np.stack([ready.pixels for ready in batch])})
        for number, ready in enumerate(batch):
            yield self._answer(ready, [answer[number] for answer in answers])

    def _answer(self, ready: _Ready, answer: Sequence[np.ndarray]) -> tuple[Prediction, Drawing]:
        """Return the prediction of one picture."""
        picture, classes = ready.picture, tuple(self.about['classes'])
        if self.about['task'] == 'classification':
            drawing = Drawing(picture.image, plain=not picture.encrypted)
            order = np.argsort(-answer[0], kind='stable')
            found = Prediction(
                picture.name, order, answer[0][order], None, PLAIN if drawing.plain else ENCRYPTED,
                (picture.image.shape[0], picture.image.shape[1]), classes,
            )  # fmt: skip
            return found, drawing
        labels, scores, boxes = answer[0].argmax(axis=1), answer[0].max(axis=1), answer[1]
        order = np.argsort(-scores, kind='stable')
        labels, scores, boxes = labels[order], scores[order], boxes[order]
        plain = not picture.encrypted or ready.plan is not None
        image = picture.image
        if ready.plan is not None:
            boxes, labels, scores = in_plain_frame(ready.plan, boxes, labels, scores)
            image = image if not picture.encrypted else picture.decrypted()
        boxes = boxes / np.array([ready.scale[1], ready.scale[0]] * 2, np.float32)
        size = image.shape[0], image.shape[1]
        boxes = np.clip(boxes, 0, [size[1], size[0]] * 2).astype(np.float32)
        found = Prediction(picture.name, labels, scores, boxes, PLAIN if plain else ENCRYPTED, size, classes)
        return found, Drawing(image, plain)


def session(content: bytes, device: str | None = None) -> Any:
    """Return an onnxruntime session for the content of a file.

    Raises:
        CheckpointError: it is no ONNX model.
    """
    providers = ['CPUExecutionProvider'] if not (device or '').startswith('cuda') else ['CUDAExecutionProvider']
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if os.environ.get('OMP_NUM_THREADS', '').isdigit():
        options.intra_op_num_threads = int(os.environ['OMP_NUM_THREADS'])
    try:
        return onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # onnxruntime raises exceptions of its own for a file of another kind
        raise CheckpointError(f'not an ONNX model: {str(error).splitlines()[0]}') from None


def read_about(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return our part of a model's metadata.

    Raises:
        CheckpointError: there is none, or of another version.
    """
    try:
        about: dict[str, Any] = json.loads(metadata['hii_mm'])
    except (KeyError, ValueError):
        raise CheckpointError(
            'the model was not written by tools/deploy/export.py: it says nothing of its scheme'
        ) from None
    if (about.get('format'), about.get('version')) != (FORMAT, VERSION):
        raise CheckpointError(
            f'expected {FORMAT!r}, version {VERSION}, got {about.get("format")!r}, version {about.get("version")!r}'
        )
    return about


def _colours(image: np.ndarray, channels: int) -> np.ndarray:
    """Return an RGB or grey image with the channels that the model reads."""
    if channels == 1:
        return image if image.ndim == 2 else np.asarray(Image.fromarray(image).convert('L'))
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def _resized(image: np.ndarray, how: Mapping[str, Any] | None) -> np.ndarray:
    """Resize and crop a plain image as the test pipeline of the model does (bilinear)."""
    if how is None:
        return image
    height, width = image.shape[:2]
    if how['kind'] == 'within':
        factor = min(max(how['size']) / max(height, width), min(how['size']) / min(height, width))
        height, width = int(height * factor + 0.5), int(width * factor + 0.5)
    elif how['kind'] == 'to':
        height, width = how['size']
    elif how['kind'] == 'short':
        factor = how['size'] / min(height, width)
        height, width = round(height * factor), round(width * factor)
    if (height, width) != image.shape[:2]:
        image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    crop = how.get('crop')
    if crop is None:
        return image
    top, left = (round((length - crop) / 2) for length in image.shape[:2])
    return image[max(0, top) : max(0, top) + crop, max(0, left) : max(0, left) + crop]
