"""``HIIDetector``: mmdet's inferencer, which knows plain pictures from encrypted ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from mmdet.apis import DetInferencer
from mmengine.registry import INFERENCERS
from mmengine.structures import InstanceData

from .. import register  # noqa: F401  # the names in configs
from ..encryption import MasterKey
from ..files import StrPath
from .checkpoints import check_positions, config_of, loading_steps, read_meta, scheme_of
from .joining import join
from .pictures import Inputs, Source, find
from .plain_masks import plain_masks
from .prediction import ENCRYPTED, PLAIN
from .shuffled_coco import fragments
from .steps import Prepared, Steps, batches


@INFERENCERS.register_module()
class HIIDetector(DetInferencer):
    """Detect objects in pictures, plain ones and encrypted ones.

    A plain picture goes through the test pipeline and is encrypted with the
    scheme that the model was trained on; an encrypted one is not encrypted
    again. Boxes and masks come back in the frame of the plain picture where it is known
    how the picture was encrypted: for plain pictures, with the key, and for
    mixed copies; otherwise in the frame of the encrypted picture. There, what a
    :class:`hii_mm.models.PatchDetector` finds are fragments; in the plain frame
    they are put together to objects, see :mod:`.joining`. Each prediction says
    so in its metainfo, ``frame``. See :func:`.pictures.find` for what
    ``inputs`` may be.

    Args:
        model: a config, its path, or a name that mmdet knows; None takes the config from the checkpoint.
        weights: path of the checkpoint.
        device: such as 'cuda:0'; None takes the best one.
        encrypted: whether pictures that no manifest describes are encrypted.
        key: of encrypted copies, or the path of its file.
        seed: of the permutations of plain pictures; None draws fresh ones.
        strict: refuse weights whose position embedding the model does not have, or the reverse; False warns.
        kwargs: for mmdet's class.

    Attributes:
        scheme: that the model reads; None for a model of plain pictures.

    Raises:
        CheckpointError: a checkpoint that cannot be read, holds no config, or does not fit the model.
        InvalidValueError: a test pipeline whose encryption is not the checkpoint's.
    """

    def __init__(
        self,
        model: Any = None,
        weights: StrPath | None = None,
        device: Any = None,
        *,
        encrypted: bool | None = None,
        key: MasterKey | StrPath | None = None,
        seed: int | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        self.encrypted, self.key, self._seed = encrypted, key, seed
        self._meta = {} if weights is None else read_meta(weights)
        model = config_of(self._meta, weights) if model is None and weights is not None else model
        super().__init__(model, None if weights is None else os.fspath(weights), device, **kwargs)
        if weights is not None:
            check_positions(self.model, weights, strict)

    @property
    def scheme(self) -> Any:
        """The scheme that the model reads, or None."""
        return self.pipeline.scheme

    def _load_weights_to_model(self, model: Any, checkpoint: Any, cfg: Any) -> None:
        """Load, as mmdet does, which looks for colours in the test data even where a config has none."""
        if self.palette == 'none' and not (cfg or {}).get('test_dataloader'):
            self.palette = 'random'
        super()._load_weights_to_model(model, checkpoint, cfg)

    def _init_pipeline(self, cfg: Any) -> Steps:
        """Return the test pipeline, cut where it encrypts."""
        return Steps(loading_steps(cfg), scheme_of(self._meta, cfg), 3, self._seed)

    def _inputs_to_list(self, inputs: Inputs) -> list[Source]:
        """Return everything to predict on."""
        return find(inputs, encrypted=self.encrypted, key=self.key)

    def prepare(self, sources: Iterable[Source]) -> Iterator[Prepared]:
        """Yield the pictures, prepared one by one; what brings their boxes back stands in the metainfo."""
        for source in sources:
            ready = self.pipeline(source.load())
            ready.data['data_samples'].set_metainfo(dict(prepared=ready))
            yield ready

    def preprocess(self, inputs: list[Source], batch_size: int = 1, **kwargs: Any) -> Iterator[Any]:
        """Yield (prepared pictures, batch for the model)."""
        for batch in batches(self.prepare(inputs), batch_size):
            yield batch, self.collate_fn([each.data for each in batch])

    @torch.no_grad()
    def forward(self, inputs: Any, **kwargs: Any) -> list[Any]:
        """Return the predictions, their boxes in the plain frame where that is known."""
        samples = super().forward(inputs, **kwargs)
        for sample in samples:
            restore(sample)
        return samples

    def visualize(self, inputs: list[Prepared], preds: Any, **kwargs: Any) -> Any:
        """Draw the predictions, on the plain picture where the boxes are those of the plain one."""
        return super().visualize([background(each) for each in inputs], preds, **kwargs)


def restore(sample: Any) -> None:
    """Bring the boxes and masks of a prediction to the plain frame, in place, where the plan is known.

    Args:
        sample: mmdet's DetDataSample with ``prepared`` in its metainfo; gets ``frame`` there.
    """
    prepared: Prepared = sample.metainfo['prepared']
    picture, plan = prepared.picture, prepared.plan
    sample.set_metainfo(dict(frame=ENCRYPTED if picture.encrypted and plan is None else PLAIN))
    if plan is None or (plan.shuffle is None and not picture.encrypted):  # the latter: scale_factor did it
        return
    found = sample.pred_instances
    resized = np.array([*prepared.scale, *prepared.scale], np.float64)
    scale = np.array([*sample.scale_factor, *sample.scale_factor], np.float64)
    if plan.shuffle is not None and 'class_scores' in found:
        objects = join(plan, fragments(found, found.class_scores.shape[1], scale))
        sample.pred_instances = InstanceData(
            bboxes=torch.from_numpy((objects.boxes / resized).astype(np.float32)),
            scores=torch.from_numpy(objects.scores.astype(np.float32)),
            labels=torch.from_numpy(objects.labels),
        )
        return
    boxes, source = plan.locate_boxes(found.bboxes.cpu().double().numpy() * scale)
    moved = found[torch.from_numpy(source).to(found.bboxes.device)]
    if 'masks' in found:
        moved.masks = plain_masks(found.masks, sample, prepared, boxes, source)
    moved.bboxes = torch.from_numpy((boxes / resized).astype(np.float32)).to(found.bboxes.device)
    sample.pred_instances = moved


def background(prepared: Prepared) -> np.ndarray:
    """Return the picture to draw on, (H, W, 3) uint8 RGB: the plain one where that is known, else the encrypted one."""
    picture = prepared.picture
    image = picture.decrypted() if picture.encrypted and prepared.plan is not None else picture.image
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
