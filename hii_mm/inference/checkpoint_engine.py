"""Predict with a checkpoint that mmengine wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import register  # noqa: F401  # the names in configs; also prepares the mm packages
from ..errors import CheckpointError
from ..files import StrPath
from .checkpoints import config_of, read_config, read_meta
from .pictures import Source
from .prediction import PLAIN, Prediction
from .writing import Drawing


class CheckpointEngine:
    """An engine for checkpoints, see :class:`.api.Engine`.

    Args:
        path: of the checkpoint.
        config: path of its config; None takes the one in it.
        device: such as 'cuda:0'; None is the CPU.
        seed: of the permutations of plain pictures.

    Raises:
        CheckpointError: neither a classifier of mmpretrain nor a detector of mmdet.
    """

    def __init__(self, path: str, config: StrPath | None, device: str | None, seed: int | None) -> None:
        meta = read_meta(path)
        cfg = config_of(meta, path) if config is None else read_config(config)
        scope = str(cfg.get('default_scope'))
        if scope == 'mmpretrain':
            from .classifier import HIIClassifier

            self._model: Any = HIIClassifier(cfg, path, device or 'cpu', seed=seed)
        elif scope == 'mmdet':
            from .detector import HIIDetector

            self._model = HIIDetector(cfg, path, device or 'cpu', seed=seed, show_progress=False)
        else:
            raise CheckpointError(f'{path!r}: default_scope must be mmpretrain or mmdet, got {scope!r}')
        self._classify = scope == 'mmpretrain'
        self.scheme = self._model.scheme

    def run(self, sources: list[Source], batch_size: int) -> Iterator[tuple[Prediction, Drawing]]:
        """Yield the prediction of each source, and the picture to draw it on."""
        from .detector import background
        from .steps import batches

        known = getattr(self._model, 'classes', None) if self._classify else self._model.model.dataset_meta['classes']
        classes = tuple(known or ())
        collate = _collate(self._classify)
        for batch in batches(self._model.prepare(sources), batch_size):
            samples = self._model.forward(collate([each.data for each in batch]))
            for prepared, sample in zip(batch, samples):
                picture = prepared.picture
                plain = not picture.encrypted or (not self._classify and sample.metainfo['frame'] == PLAIN)
                drawing = Drawing(picture.image if self._classify else background(prepared), plain)
                yield self._prediction(picture.name, sample, classes, drawing), drawing

    def _prediction(self, name: str, sample: Any, classes: tuple[str, ...], drawing: Drawing) -> Prediction:
        """Return a sample of mm as a prediction."""
        size = drawing.image.shape[0], drawing.image.shape[1]
        frame = PLAIN if drawing.plain else 'encrypted'
        if self._classify:
            scores = sample.pred_score.cpu().numpy()
            order = np.argsort(-scores, kind='stable')
            return Prediction(name, order, scores[order], None, frame, size, classes)
        found = sample.pred_instances.cpu().numpy()
        order = np.argsort(-found.scores, kind='stable')
        return Prediction(name, found.labels[order], found.scores[order], found.bboxes[order], frame, size, classes)


def _collate(classify: bool) -> Any:
    from mmengine.dataset import default_collate, pseudo_collate

    return default_collate if classify else pseudo_collate
