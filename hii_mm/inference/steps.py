"""Prepare pictures for a model as its test pipeline does, without encrypting an encrypted one again."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from mmengine.dataset import Compose

from ..encryption import Plan, Scheme
from ..errors import InvalidValueError
from .matching import check_picture
from .pictures import Picture

ENCRYPTING = ('PatchMixup', 'PatchShuffle')
WRAPPERS = ('RandomApply', 'RandomChoice', 'TestTimeAug')


class Prepared(NamedTuple):
    """A picture that is ready for a model.

    Attributes:
        picture: as it was found.
        plan: how it is encrypted: the picture's own, or the one just drawn; None if it is unknown, or plain.
        scale: (w, h), by which the plain picture was resized before it was encrypted.
        data: what the pipeline packed.
    """

    picture: Picture
    plan: Plan | None
    scale: tuple[float, float]
    data: dict[str, Any]


class Steps:
    """The test pipeline of a config, cut where it encrypts.

    Args:
        pipeline: list of transforms, as configs.
        scheme: that the model was trained on, or None to take that of the pipeline.
        channels: of the images that the model reads.
        seed: of the permutations of plain pictures; None draws fresh ones.

    Attributes:
        scheme: that the model reads; None for a model of plain pictures.
        loads: the pipeline reads files by itself, which gives BGR.

    Raises:
        InvalidValueError: the pipeline encrypts in an unclear place, or with
            another scheme than the model's.
    """

    def __init__(
        self, pipeline: Sequence[Mapping[str, Any]], scheme: Scheme | None, channels: int, seed: int | None = None
    ) -> None:
        steps = [copy.deepcopy(dict(step)) for step in pipeline]
        names = [_name(step) for step in steps]
        if any(name in WRAPPERS for name in names):
            raise InvalidValueError(f'the test pipeline must be a plain list of transforms, got {", ".join(names)}')
        own = [step for step, name in zip(steps, names) if name in ENCRYPTING]
        found = Scheme.from_config(own) if own else None
        if found and scheme and found.with_remainder('error') != scheme.with_remainder('error'):
            raise InvalidValueError(
                f'the test pipeline of the config encrypts with {found.label}, but the checkpoint was trained on '
                f'{scheme.label}'
            )
        self.scheme = found or (scheme.with_remainder('crop') if scheme else None)
        self._loader = next((step for step, name in zip(steps, names) if name.startswith('LoadImage')), None)
        self.loads = self._loader is not None
        self._channels, self._rng = channels, np.random.default_rng(seed)
        rest = [step for step in steps if not _name(step).startswith('Load') and _name(step) not in ENCRYPTING]
        packs = [step for step in rest if _name(step).startswith('Pack')]
        self._before = Compose([step for step in rest if step not in packs])
        self._after = Compose([_without_id(step) for step in packs])

    def __call__(self, picture: Picture) -> Prepared:
        """Prepare one picture.

        Raises:
            InvalidValueError: it is encrypted in another way than the model's pictures.
        """
        check_picture(picture, self.scheme)
        image = self._as_loaded(picture.image)
        results = dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2], img_path=picture.name, img_id=0)
        plan, scale = picture.plan, (1.0, 1.0)
        if not picture.encrypted:
            results = self._before(results)
            scale = tuple(results.get('scale_factor', scale))
            if self.scheme is not None:
                plan = self._encrypt(results)
        results.setdefault('scale_factor', (1.0, 1.0))
        return Prepared(picture, plan, scale, self._after(results))

    def _encrypt(self, results: dict[str, Any]) -> Plan:
        """Encrypt the image of some results in place, and return its plan."""
        assert self.scheme is not None
        plan = self.scheme.plan(results['img'].shape, self._rng)
        results['img'] = plan.apply(results['img'])
        results['img_shape'] = results['img'].shape[:2]
        parts = plan.mixup.parts if plan.mixup else 1
        width, height = results.get('scale_factor', (1.0, 1.0))
        results['scale_factor'] = (width / parts, height / parts)
        return plan

    def _as_loaded(self, image: np.ndarray) -> np.ndarray:
        """Return an RGB or grey image as the pipeline's own loader would give it."""
        grey = self._channels == 1 or (self._loader or {}).get('color_type') == 'grayscale'
        if grey:
            return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        image = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
        return np.ascontiguousarray(image[..., ::-1]) if self._loader else image  # loaders give BGR


def batches(prepared: Iterable[Prepared], size: int) -> Iterator[list[Prepared]]:
    """Yield lists of at most ``size`` pictures that follow each other and have one shape."""
    batch: list[Prepared] = []
    for each in prepared:
        if batch and (len(batch) == size or each.data['inputs'].shape != batch[0].data['inputs'].shape):
            yield batch
            batch = []
        batch.append(each)
    if batch:
        yield batch


def _name(step: Mapping[str, Any]) -> str:
    """Return the name of a transform without its scope."""
    kind = step['type']
    return kind.rpartition('.')[2] if isinstance(kind, str) else kind.__name__


def _without_id(step: dict[str, Any]) -> dict[str, Any]:
    """Return a Pack transform that carries what is needed here, and no more than there is."""
    if 'meta_keys' in step:
        step = {**step, 'meta_keys': ('img_path', 'ori_shape', 'img_shape', 'scale_factor')}
    return step
