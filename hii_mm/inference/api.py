"""``predict``: a checkpoint or an exported model in, predictions out."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any, Protocol

from ..compat import find_stack
from ..encryption import MasterKey, Scheme
from ..encryption.checks import whole
from ..errors import CheckpointError, MissingPackageError, StackError
from ..files import StrPath
from ..progress import Progress, silent
from ..training.checkpoints import scheme_of_checkpoint
from .matching import check_scheme
from .pictures import Inputs, Source, find
from .prediction import Prediction
from .writing import Drawing

__all__ = ['Engine', 'Prediction', 'load', 'predict', 'stream']

EXPORTED = '.onnx'


class Engine(Protocol):
    """A model that is ready to predict.

    Attributes:
        scheme: that it reads; None for plain pictures.
    """

    scheme: Scheme | None

    def run(self, sources: list[Source], batch_size: int) -> Iterator[tuple[Prediction, Drawing]]:
        """Yield the prediction of each source, and the picture to draw it on."""


def predict(
    checkpoint: StrPath,
    inputs: Inputs,
    *,
    config: StrPath | None = None,
    encrypted: bool | None = None,
    key: MasterKey | StrPath | None = None,
    name_map: StrPath | None = None,
    batch_size: int = 8,
    device: str | None = None,
    seed: int | None = None,
    progress: Progress = silent,
) -> list[Prediction]:
    """Predict on plain and on encrypted pictures.

    A plain picture is encrypted with the scheme that the model was trained on;
    an encrypted one is never encrypted again. Boxes come back in the plain frame
    where it is known how a picture was encrypted: for plain pictures, with
    ``key``, and for mixed copies.

    Args:
        checkpoint: that mmengine wrote (needs mm packages), or a model that
            ``tools/deploy/export.py`` wrote, ``.onnx`` (needs onnxruntime alone).
        inputs: see :func:`.pictures.find`.
        config: path of the config; None takes the one in the checkpoint.
        encrypted: whether pictures that no manifest describes are encrypted.
        key: of encrypted copies, or the path of its file.
        name_map: of renamed copies; the default lies beside the key file.
        batch_size: pictures of one size that go through the model together.
        device: such as 'cuda:0'.
        seed: of the permutations of plain pictures; None draws fresh ones.
        progress: called after each picture.

    Returns:
        One prediction for each picture, in order.

    Raises:
        SourceError, CheckpointError, InvalidValueError: inputs that lead to no
            picture, a model that cannot be read, or pictures that do not fit it.
        CannotDecryptError: a key of another copy.
        MissingPackageError: a package is not installed.
    """
    found = stream(
        checkpoint, inputs, config=config, encrypted=encrypted, key=key, name_map=name_map,
        batch_size=batch_size, device=device, seed=seed, progress=progress,
    )  # fmt: skip
    return [prediction for prediction, _ in found]


def stream(
    checkpoint: StrPath,
    inputs: Inputs,
    *,
    config: StrPath | None = None,
    encrypted: bool | None = None,
    key: MasterKey | StrPath | None = None,
    name_map: StrPath | None = None,
    batch_size: int = 8,
    device: str | None = None,
    seed: int | None = None,
    progress: Progress = silent,
) -> Iterator[tuple[Prediction, Drawing]]:
    """Yield predictions as they are made, each with what it can be drawn on. Arguments as :func:`predict`."""
    whole('batch_size', batch_size, 1)
    sources = find(inputs, encrypted=encrypted, key=key, name_map=name_map)
    _check_schemes(checkpoint, sources)
    engine = load(checkpoint, config, device, seed)
    for number, found in enumerate(engine.run(sources, batch_size), 1):
        yield found
        progress(number, len(sources), found[0].name)


def _check_schemes(checkpoint: StrPath, sources: list[Source]) -> None:
    """Refuse pictures of another scheme than a checkpoint names, before mm packages are imported, which takes long.

    A checkpoint that names none is asked again when its config is read.
    """
    path, known = os.fspath(checkpoint), [source for source in sources if source.scheme is not None]
    if not known or path.endswith(EXPORTED) or not os.path.isfile(path):
        return
    with _quiet():
        find_stack()
        scheme = scheme_of_checkpoint(path)
    for source in known if scheme else ():
        check_scheme(source, scheme)


def load(
    checkpoint: StrPath, config: StrPath | None = None, device: str | None = None, seed: int | None = None
) -> Engine:
    """Return the engine for a checkpoint or an exported model.

    Raises:
        CheckpointError: a file that is missing or of another kind.
        MissingPackageError: onnxruntime or the mm packages are not installed.
    """
    path = os.fspath(checkpoint)
    if not os.path.isfile(path):
        raise CheckpointError(f'checkpoint not found: {path!r}')
    if path.endswith(EXPORTED):
        return _imported('exported', 'Exported', "pip install 'hii-mm[predict]'")(path, device, seed)
    with _quiet():
        engine: Any = _imported('checkpoint_engine', 'CheckpointEngine', "pip install 'hii-mm[onedl]'")
        return engine(path, config, device, seed)


def _imported(module: str, name: str, advice: str) -> Any:
    """Return an engine's class; its module needs packages that may be missing."""
    try:
        return getattr(importlib.import_module(f'.{module}', __package__), name)
    except StackError:
        raise
    except ImportError as error:
        raise MissingPackageError(f'prediction with this model needs {error.name} ({error}). Run: {advice}') from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what mm prints and logs while it builds a model from the terminal."""
    before = logging.root.manager.disable
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter('ignore')
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)
