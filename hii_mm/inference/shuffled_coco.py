"""``ShuffledCocoMetric``: COCO's AP of objects that were found as fragments in shuffled pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmdet.evaluation import CocoMetric

from ..encryption import Plan
from ..encryption.checks import one_of
from ..encryption.shuffle import ShuffleParams
from ..errors import InvalidValueError
from ..registry import METRICS, register
from .fragments import Fragments
from .joining import THRESHOLD, join
from .known_plans import open_copy, plan_in, plan_of_permutation


@register(METRICS)
class ShuffledCocoMetric(CocoMetric):
    """mmdet's ``CocoMetric`` in the plain frame, for detectors of fragments.

    Predicted fragments go back to the patches that they came from and are put
    together, see :mod:`.joining`; the objects are compared with the plain
    boxes of ``ann_file``. Where the patches came from is known

    - to a researcher who shuffles in the pipeline, with
      ``PatchShuffle(return_permutation=True)`` and 'permutation' in the
      ``meta_keys`` of ``PackDetInputs``, which must come without ``drop_ratio``
      and ``orient``; or
    - to the owner of a copy that ``hii-mm encrypt`` wrote, who has the key.

    Args:
        *args: as CocoMetric.
        patch_size: of the PatchShuffle in the pipeline: an int or (h, w), in
            pixels of what it shuffles.
        gap: likewise.
        copy: folder of the encrypted copy, in place of ``patch_size``;
            ``ann_file`` is then the plain one, with the same image ids; the
            copy must have been made without resizing.
        key: name of the environment variable that holds the path of the key
            file, with ``copy``.
        threshold: of the affinity of fragments that are put together, see :func:`.joining.join`.
        classes_per_object: answers for each object, see :func:`.joining.join`.
        bbox_mode: that the detector was trained with: 'fragment', or 'enclose',
            for shuffles within windows: its boxes stay where they are, at most
            a window away from the plain ones.
        **kwargs: as CocoMetric.

    Attributes:
        reads_shuffled: True; :class:`hii_mm.training.hooks.CheckEncryption`
            accepts it for shuffled pictures.

    Raises:
        InvalidValueError: neither or both of ``patch_size`` and ``copy``, or a
            sample without what is needed to bring its fragments back.
        KeyFileError: the environment variable is not set.
        HiiError: a copy or a key that cannot be read, or the key of another copy.
    """

    reads_shuffled = True

    def __init__(
        self,
        *args: Any,
        patch_size: int | tuple[int, int] | None = None,
        gap: int = 0,
        copy: str | None = None,
        key: str | None = None,
        threshold: float = THRESHOLD,
        classes_per_object: int = 3,
        bbox_mode: str = 'fragment',
        **kwargs: Any,
    ) -> None:
        self.bbox_mode = one_of('bbox_mode', bbox_mode, ('fragment', 'enclose'))
        if (patch_size is None) == (copy is None) or (copy is None) != (key is None):
            raise InvalidValueError(
                'ShuffledCocoMetric needs either patch_size, for pictures that the pipeline shuffles, or copy and key, '
                f'got patch_size={patch_size!r}, copy={copy!r} and {"no key" if key is None else "a key"}'
            )
        super().__init__(*args, **kwargs)
        self.params = None if patch_size is None else ShuffleParams(patch_size, gap)
        self._copy = None if copy is None else open_copy(copy, str(key))
        self.threshold, self.classes_per_object = threshold, classes_per_object

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Keep the objects of a batch.

        Args:
            data_batch: not read.
            data_samples: with ``pred_instances``: bboxes, scores and labels,
                and class_scores, sides and embeddings where the model gives them.
        """
        if self.bbox_mode == 'enclose':
            super().process(data_batch, data_samples)
            return
        super().process(data_batch, [{**sample, 'pred_instances': self._objects(sample)} for sample in data_samples])

    def _objects(self, sample: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """Return the objects of a picture, as CocoMetric reads them."""
        plan = self._plan_of(sample)
        scale = np.array([*sample.get('scale_factor', (1.0, 1.0))] * 2, np.float64)
        found = fragments(sample['pred_instances'], len(self.dataset_meta['classes']), scale)
        objects = join(plan, found, self.threshold, classes=self.classes_per_object)
        # a copy's plan leads to the plain picture; a pipeline's to the resized and perhaps mixed one
        h, w = sample['ori_shape'][:2] if self._copy is None else plan.plain_shape
        boxes = objects.boxes / (scale if self._copy is None else 1.0)
        return dict(
            bboxes=torch.from_numpy(boxes.clip(0, [w, h, w, h])),
            scores=torch.from_numpy(objects.scores),
            labels=torch.from_numpy(objects.labels),
        )

    def _plan_of(self, sample: Mapping[str, Any]) -> Plan:
        """Return how a picture was encrypted.

        Raises:
            InvalidValueError: it is not known.
        """
        if self._copy is not None:
            plan = plan_in(self._copy, sample['img_path'])
            truth = self._coco_api.imgs[sample['img_id']]
            if plan.plain_shape != (truth['height'], truth['width']):
                raise InvalidValueError(
                    f'{sample["img_path"]!r} was {plan.plain_shape} (h, w) when it was encrypted, but ann_file says '
                    f'{(truth["height"], truth["width"])}: copies of resized pictures cannot be scored'
                )
            return plan
        assert self.params is not None
        permutation = sample.get('permutation')
        if permutation is None:
            raise InvalidValueError(
                "ShuffledCocoMetric needs to know each picture's permutation: set return_permutation=True in the "
                "PatchShuffle of the pipeline, and name 'permutation' in the meta_keys of PackDetInputs"
            )
        return plan_of_permutation(self.params, np.asarray(permutation), sample['img_shape'][:2])


def fragments(found: Mapping[str, Any], classes: int, scale: np.ndarray) -> Fragments:
    """Return a detector's ``pred_instances`` as fragments, boxes in pixels of the encrypted picture.

    Args:
        found: with ``bboxes``, ``scores`` and ``labels``, perhaps with
            ``class_scores``, ``sides`` and ``embeddings``; tensors.
        classes: number of classes.
        scale: (4,), by which boxes were divided.
    """

    def numbers(name: str) -> np.ndarray:
        array: np.ndarray = found[name].detach().cpu().double().numpy()
        return array

    boxes = numbers('bboxes') * scale
    if 'class_scores' not in found:
        return Fragments.of_labels(boxes, numbers('scores'), found['labels'].cpu().numpy(), classes)
    sides, embeddings = (numbers(name) if name in found else None for name in ('sides', 'embeddings'))
    return Fragments(boxes, numbers('class_scores'), sides, embeddings)
