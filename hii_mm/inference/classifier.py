"""``HIIClassifier``: mmpretrain's inferencer, which knows plain pictures from encrypted ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from mmengine.dataset import default_collate
from mmengine.registry import INFERENCERS, DefaultScope
from mmpretrain.apis import ImageClassificationInferencer

from .. import register  # noqa: F401  # the names in configs
from ..encryption import MasterKey
from ..files import StrPath
from .checkpoints import check_positions, config_of, loading_steps, read_meta, scheme_of
from .pictures import Inputs, Source, find
from .steps import Prepared, Steps, batches


@INFERENCERS.register_module()
class HIIClassifier(ImageClassificationInferencer):
    """Classify pictures, plain ones and encrypted ones.

    A plain picture goes through the test pipeline and is encrypted with the
    scheme that the model was trained on; an encrypted one is not encrypted
    again. See :func:`.pictures.find` for what ``inputs`` may be.

    Args:
        model: a config, its path, a name that mmpretrain knows, or a model; None
            takes the config from the checkpoint.
        pretrained: path of the checkpoint.
        device: such as 'cuda:0'; None takes the CPU.
        classes: names of the classes; None takes the checkpoint's.
        encrypted: whether pictures that no manifest describes are encrypted.
        key: of encrypted copies, or the path of its file. A classifier does not need it.
        seed: of the permutations of plain pictures; None draws fresh ones.
        strict: refuse weights whose position embedding the model does not have, or the reverse; False warns.
        kwargs: for mmpretrain's class.

    Attributes:
        scheme: that the model reads; None for a model of plain pictures.

    Raises:
        CheckpointError: a checkpoint that cannot be read, holds no config, or does not fit the model.
        InvalidValueError: a test pipeline whose encryption is not the checkpoint's.

    Calling it returns what mmpretrain's class returns: one dict for each picture,
    with 'pred_scores', 'pred_label', 'pred_score' and 'pred_class'. Pictures of
    another scheme than the model's raise InvalidValueError.
    """

    def __init__(
        self,
        model: Any = None,
        pretrained: Any = True,
        device: Any = None,
        classes: Any = None,
        *,
        encrypted: bool | None = None,
        key: MasterKey | StrPath | None = None,
        seed: int | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        self.encrypted, self.key, self._seed = encrypted, key, seed
        self._meta = read_meta(pretrained) if isinstance(pretrained, (str, os.PathLike)) else {}
        model = config_of(self._meta, pretrained) if model is None else model
        super().__init__(model, pretrained, device, classes, **kwargs)
        if isinstance(pretrained, (str, os.PathLike)):
            check_positions(self.model, pretrained, strict)

    @property
    def scheme(self) -> Any:
        """The scheme that the model reads, or None."""
        return self.pipeline.scheme

    def _init_pipeline(self, cfg: Any) -> Steps:
        """Return the test pipeline, cut where it encrypts."""
        scheme = scheme_of(self._meta, cfg)
        channels = (cfg.model.get('backbone') or {}).get('in_channels', 3)
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            return Steps(loading_steps(cfg), scheme, channels, self._seed)

    def _inputs_to_list(self, inputs: Inputs) -> list[Source]:
        """Return everything to predict on."""
        return find(inputs, encrypted=self.encrypted, key=self.key)

    def prepare(self, sources: list[Source]) -> Iterator[Prepared]:
        """Yield the pictures, prepared one by one."""
        return (self.pipeline(source.load()) for source in sources)

    def preprocess(self, inputs: list[Source], batch_size: int = 1) -> Iterator[Any]:
        """Yield batches for the model."""
        for batch in batches(self.prepare(inputs), batch_size):
            yield default_collate([each.data for each in batch])

    def visualize(self, ori_inputs: list[Source], preds: Any, **kwargs: Any) -> Any:
        """Draw the predictions on the pictures as they are, see mmpretrain's class."""
        if not kwargs.get('show') and kwargs.get('show_dir') is None:
            return None
        pictures = [source.load().image for source in ori_inputs]
        return super().visualize(pictures, preds, **kwargs)
