"""Checkpoints of the context network, shipped or trained by oneself. Torch is imported when used."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...encryption import Scheme
from ...errors import CheckpointError
from ...files import StrPath, sha256_file, write_atomically
from .. import learning
from ..solver.grids import shuffle_of
from ..solver.seam_files import SHIPPED, setting_of
from ..solver.seams import SeamModel
from .network import network

ATTACK = 'context'
SUMS = 'SHA256SUMS'


def about(scheme: Scheme) -> dict[str, Any]:
    """Return what a checkpoint is trained for: the setting of the seams, and whether pieces were turned."""
    return {'setting': setting_of(scheme), 'turned': bool(shuffle_of(scheme).orient)}


def shipped_name(scheme: Scheme) -> str:
    """Return the name of the file of a scheme's shipped checkpoint; drop and window do not matter.

    Raises:
        AttackRefusedError: a scheme that does not shuffle.
    """
    return f'{ATTACK}-{setting_of(scheme)}{"-orient" if shuffle_of(scheme).orient else ""}.pt'


def shipped(scheme: Scheme, folder: Path = SHIPPED) -> Path | None:
    """Return the shipped checkpoint that fits a scheme, or None."""
    if scheme.shuffle is None:
        return None
    path = folder / shipped_name(scheme)
    return path if path.is_file() else None


def verify(path: Path) -> None:
    """Compare a shipped file with ``SHA256SUMS`` beside it.

    Raises:
        CheckpointError: it is another file than the sums were made of, or not listed.
        OSError: it cannot be read.
    """
    lines = (path.parent / SUMS).read_text().splitlines()
    sums = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines if line.strip())}
    found = sha256_file(path)[0]
    if sums.get(path.name) != found:
        raise CheckpointError(f'{path} has SHA-256 {found}, and {SUMS} says {sums.get(path.name, "nothing of it")}')


def save(
    path: StrPath,
    scheme: Scheme,
    model: Any,
    seams: SeamModel,
    curve: Sequence[Mapping[str, Any]],
    training: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint of weights and plain values only, which ``weights_only`` can load.

    Args:
        path: of the file.
        scheme: it was trained for.
        model: the module.
        seams: the measures that it was trained with.
        curve: the learning curve.
        training: state of an unfinished training; without, weights are rounded to float16.
    """
    torch = learning.torch()
    weights = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    if training is None:
        weights = {name: value.half() for name, value in weights.items()}
    content = {
        'attack': ATTACK,
        'about': about(scheme),
        'state_dict': weights,
        'seams': torch.from_numpy(np.frombuffer(_packed(seams), np.uint8).copy()),
        'curve': [dict(point) for point in curve],
    }
    if training is not None:
        content['training'] = dict(training)
    written = io.BytesIO()
    torch.save(content, written)
    write_atomically(path, written.getvalue())


def load(path: StrPath | None, scheme: Scheme) -> tuple[dict[str, Any], SeamModel]:
    """Read a checkpoint, and return its content and its measures.

    Raises:
        CheckpointError: not a checkpoint of this attack, or one of another scheme.
        OSError: it cannot be read.
    """
    found, wanted = learning.read(path, ATTACK), about(scheme)
    if found['about'] != wanted:
        raise CheckpointError(f'{path} was trained at {found["about"]}, and this scheme is {wanted}')
    try:
        return found, _unpacked(found['seams'].numpy().tobytes())
    except (KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f'{path} holds no measures of seams ({error})') from None


def load_model(path: StrPath | None, scheme: Scheme) -> tuple[Any, SeamModel, list[dict[str, Any]]]:
    """Return the module in evaluation mode, its measures, and its learning curve.

    Raises:
        CheckpointError: as :func:`load`, or other weights than the network has.
        OSError: it cannot be read.
    """
    found, seams = load(path, scheme)
    model = network(scheme.core_size, len(seams.names))
    try:
        model.load_state_dict(found['state_dict'])
    except (RuntimeError, TypeError, AttributeError) as error:
        first = str(error).splitlines()[0]
        raise CheckpointError(f'{path} holds other weights than {ATTACK} has at {about(scheme)} ({first})') from None
    return model.eval(), seams, list(found.get('curve', ()))


def _packed(seams: SeamModel) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        seams.save(Path(folder, 'seams.npz'))
        return Path(folder, 'seams.npz').read_bytes()


def _unpacked(content: bytes) -> SeamModel:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'seams.npz')
        path.write_bytes(content)
        return SeamModel.load(path)
