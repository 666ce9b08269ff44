"""Train attacks on public photos, and keep what they learned in checkpoints. Torch is imported when it is used."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from ..encryption import PatchGrid, Scheme
from ..errors import AttackRefusedError, CheckpointError, InvalidValueError, MissingPackageError
from ..files import write_atomically
from ..progress import Progress, silent
from .solver.grids import shuffle_of

StrPath = str | PathLike[str]


def torch() -> Any:
    """Return the torch module.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        import torch as module
    except ImportError as error:
        raise MissingPackageError(f'attacks that learn need torch ({error}). Run: pip install torch') from None
    return module


def untrained(attack: str, checkpoint: StrPath | None) -> str | None:
    """Return the reason why an attack that learns cannot run without a checkpoint; None with one."""
    return None if checkpoint else f'no checkpoint: train one with hii-mm attack-train {attack}'


def setting(scheme: Scheme) -> dict[str, Any]:
    """Return what decides how pieces look: the cores, the gap, how the pixels were mixed, and tone and noise if any.

    Raises:
        AttackRefusedError: nothing was shuffled.
    """
    mixup = scheme.mixup
    mixed = {'mixed': list(mixup.patch_size)} if mixup else {}
    grid, shuffle = mixup.grid if mixup else 1, shuffle_of(scheme)
    values = {name: value for name in ('tone', 'noise') if (value := getattr(shuffle, name))}
    return {'core': list(scheme.core_size), 'gap': shuffle.gap, 'grid': grid, **mixed, **values}


def crop(photos: Sequence[np.ndarray], rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return a random crop of a random photo, (h, w, 3) uint8, mirrored, turned and recoloured at random.

    Args:
        photos: (H, W, 3) uint8 each, of any sizes.
        rng: source of all choices.
        shape: (h, w) of the crop, in pixels.
    """
    photo = photos[int(rng.integers(len(photos)))]
    height, width = photo.shape[:2]
    scale = min(height / shape[0], width / shape[1]) * rng.uniform(0.6, 1)
    h, w = max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))
    y, x = rng.integers(height - h + 1), rng.integers(width - w + 1)
    window = Image.fromarray(photo[y : y + h, x : x + w])
    part = np.asarray(window.resize(shape[::-1], Image.Resampling.BILINEAR))
    part = part[:, ::-1] if rng.random() < 0.5 else part
    if shape[0] == shape[1] and rng.random() < 0.5:
        part = part.swapaxes(0, 1)
    part = part[..., rng.permutation(3)] if rng.random() < 0.3 else part
    gain, shift = rng.uniform(0.7, 1.3), rng.uniform(-25, 25)
    return (part * gain + shift).clip(0, 255).astype(np.uint8)


def fit(
    model: Any, batch_loss: Callable[[int], Any], steps: int, progress: Progress = silent, rate: float = 1e-3
) -> list[float]:
    """Train a module with AdamW and a one-cycle rate, and return the losses.

    Args:
        model: the module.
        batch_loss: maps the number of a step to a scalar tensor.
        steps: number of steps.
        progress: called after each step; the note is the mean of the latest losses.
        rate: the highest learning rate.
    """
    optimiser = torch().optim.AdamW(model.parameters(), rate, weight_decay=0.01)
    schedule = torch().optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=max(2, steps))
    losses: list[float] = []
    for step in range(steps):
        loss = batch_loss(step)
        optimiser.zero_grad()
        loss.backward()
        torch().nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        progress(step + 1, steps, f'loss {np.mean(losses[-max(1, steps // 20) :]):.4f}')
    return losses


def save(path: StrPath, attack: str, model: Any, about: Mapping[str, Any]) -> None:
    """Write a checkpoint of weights and plain values only, which ``weights_only`` can load.

    Args:
        path: of the file.
        attack: name of the attack.
        model: the module.
        about: plain values that an image must agree with.
    """
    content = io.BytesIO()
    torch().save({'attack': attack, 'about': dict(about), 'state_dict': model.state_dict()}, content)
    write_atomically(path, content.getvalue())


def read(path: StrPath | None, attack: str) -> dict[str, Any]:
    """Return the content of a checkpoint: 'attack', 'about' and 'state_dict'.

    Args:
        path: of the file; None is refused.
        attack: name of the attack that it must be for.

    Raises:
        CheckpointError: not a checkpoint, or one of another attack.
        OSError: it cannot be read.
    """
    if path is None:
        raise CheckpointError(f'{attack}: {untrained(attack, path)}')
    foreign = f'{path} is not a checkpoint that hii-mm attack-train wrote'
    try:
        found = torch().load(path, map_location='cpu', weights_only=True)
    except (OSError, MissingPackageError):
        raise
    except Exception as error:  # torch raises almost anything for a file of another kind
        raise CheckpointError(f'{foreign} ({type(error).__name__})') from None
    if not isinstance(found, dict) or found.get('attack') != attack:
        kind = found.get('attack') if isinstance(found, dict) else type(found).__name__
        raise CheckpointError(f'{path} is a checkpoint of {kind!r}, not of {attack!r}')
    if not isinstance(found.get('about'), dict) or not isinstance(found.get('state_dict'), dict):
        raise CheckpointError(f'{foreign} (no weights, or no scheme)')
    return found


def load(path: StrPath | None, attack: str, about: Mapping[str, Any], model: Any) -> Any:
    """Fill a module from a checkpoint, and return it in evaluation mode.

    Args:
        path: of the file; None is refused.
        attack: name of the attack that it must be for.
        about: values that must equal those it was trained with.
        model: the module.

    Raises:
        CheckpointError: not a checkpoint, of another attack, or trained at another scheme.
        OSError: it cannot be read.
    """
    found = read(path, attack)
    if found['about'] != about:
        raise CheckpointError(f'{path} was trained at {found["about"]}, and this scheme is {dict(about)}')
    try:
        model.load_state_dict(found['state_dict'])
    except (RuntimeError, TypeError, AttributeError) as error:
        first = str(error).splitlines()[0]
        raise CheckpointError(f'{path} holds other weights than {attack} has at {dict(about)} ({first})') from None
    return model.eval()


class NetworkTrainer:
    """Base of the trainers, see :class:`.base.Trainer`.

    A subclass sets ``attack`` and ``steps``, and writes :meth:`start`,
    :meth:`batch_loss` and, if not all schemes can be learned, :meth:`refuses`.

    Args:
        scheme: that is attacked.
        shape: (h, w) of the images that are attacked, in pixels.
        seed: of crops and weights.

    Attributes:
        attack: name of the attack.
        rate: the highest learning rate.
        model: the module; None before the training.
        about: what the module is trained for; an image must agree with it.
    """

    attack: ClassVar[str]
    steps: ClassVar[int]
    labelled: ClassVar[bool] = False
    rate: ClassVar[float] = 1e-3

    def __init__(self, scheme: Scheme, shape: tuple[int, int], seed: int = 0) -> None:
        why = self.refuses(scheme)
        if why:
            raise AttackRefusedError(f'{self.attack}: {why}')
        (h, w), (ph, pw) = shape, scheme.patch_size
        if h < 2 * ph or w < 2 * pw:
            raise AttackRefusedError(
                f'{self.attack}: images of {h} x {w} (h x w) are too small to learn from; use at least '
                f'{2 * ph} x {2 * pw}, two patches of {ph} x {pw} a side'
            )
        PatchGrid(shape, scheme.patch_size, scheme.remainder)  # refuses sizes that cannot be cut into patches
        self.scheme, self.shape, self.seed = scheme, shape, seed
        self.rng = np.random.default_rng(seed)
        self.model: Any = None
        self.about: dict[str, Any] = {}

    @classmethod
    def refuses(cls, scheme: Scheme) -> str | None:
        """Return why nothing can be learned at a scheme, or None if it can."""
        return None

    def start(self, labels: Sequence[str]) -> tuple[Any, dict[str, Any]]:
        """Return a fresh module, and what it is trained for."""
        raise NotImplementedError

    def batch_loss(self, photos: Sequence[np.ndarray], step: int) -> Any:
        """Return the loss of one batch, a scalar tensor."""
        raise NotImplementedError

    def check(self, photos: Sequence[np.ndarray], labels: Sequence[str]) -> None:
        """Check that the photos can be learned from.

        Raises:
            InvalidValueError: no photos, or one that is not (H, W, 3).
        """
        wrong = [np.shape(photo) for photo in photos if np.ndim(photo) != 3 or np.shape(photo)[2] != 3]
        if wrong or not len(photos):
            raise InvalidValueError(
                f'{self.attack} learns from photos of (H, W, 3), got {wrong[0] if wrong else "none"}'
            )

    def train(
        self,
        photos: Sequence[np.ndarray],
        labels: Sequence[str] | None = None,
        steps: int | None = None,
        progress: Progress = silent,
    ) -> list[float]:
        """Train a fresh module on public photos, (H, W, 3) uint8 each, and return the losses.

        Raises:
            InvalidValueError: photos or labels that it cannot learn from.
        """
        self.check(photos, labels or ())
        torch().manual_seed(self.seed)
        self.rng = np.random.default_rng(self.seed)
        self.model, self.about = self.start(labels or ())
        count = self.steps if steps is None else steps
        losses = fit(self.model, lambda step: self.batch_loss(photos, step), count, progress, self.rate)
        self.model.eval()
        return losses

    def save(self, path: StrPath) -> None:
        """Write the checkpoint.

        Raises:
            CheckpointError: nothing was trained yet.
        """
        if self.model is None:
            raise CheckpointError(f'{self.attack} was not trained yet, so there is nothing to write to {path}')
        save(path, self.attack, self.model, self.about)
