"""Measure whether a model's answer depends on the order of the patches of its images.

One random picture, the same picture with its patches in another order, and
another picture go through the model together. A position embedding, a
convolution or a window across patches changes the answer to the second; PEViT's
stays. The change is stated as a share of what another picture changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..encryption import Plan
from ..encryption.scheme import Scheme

Pair = tuple[int, int]
TOLERANCE = 1e-4  # float32 leaves about 1e-6; what depends on the order changes 2e-3 and more (docs/data/fits.json)
_LAYERS = (nn.Linear, nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
_SIDES = (64, 128, 224, 256)  # pixels, tried in turn after a grid of 4 x 4 patches and the model's own size


@dataclass(frozen=True)
class Order:
    """How much the order of patches changes the answer of a model.

    Attributes:
        change: largest change of the answer as a share of the largest change
            that another picture makes.
        of: what was compared: 'output' or 'features'.
        size: (h, w) in pixels of the pictures.
    """

    change: float
    of: str
    size: Pair

    @property
    def matters(self) -> bool:
        """Whether the model depends on the order."""
        return self.change > TOLERANCE


def order_of(model: nn.Module, patch_size: Pair, window: int | None = None, seed: int = 0) -> Order | None:
    """Measure how much the order of patches changes the answer of a model.

    Compared are the logits of a classifier and the class scores of a detector,
    or the features where these cannot be computed. Scores of a map or of a list
    of patches may move with their patches; boxes may depend on the places, where
    fragments lie. Modes, weights and the random states are left as they were.
    For the time of the measurement position tables get noise: before training
    they are zero, or too small to be seen.

    Args:
        model: of mmpretrain or mmdet, or any that takes (B, C, H, W).
        patch_size: (h, w) in pixels of the patches that are shuffled.
        window: shuffle within windows of this many by this many patches.
        seed: of pictures, noise and permutation.

    Returns:
        The measurement; None where the model cannot be run on random pictures, or sees no difference between them.
    """
    if any(is_lazy(value) for value in model.parameters()):
        return None
    with _undisturbed(model), _with_loud_tables(model, seed):
        for size in _sizes(model, patch_size):
            for channels in _channels(model):
                pictures, plan = _pictures(model, channels, size, patch_size, window, seed)
                for of, act in (('output', _output), ('features', _features)):
                    change = _change(_attempt(act, model, pictures), plan)
                    if math.isfinite(change):
                        return Order(change, of, size)
    return None


def _attempt(act: Callable[[nn.Module, Tensor], Any], model: nn.Module, pictures: Tensor) -> list[Tensor]:
    """Return the tensors that a model answers with; none where it raises, as it may for a size it does not take."""
    try:
        with torch.no_grad():
            return [part.float() for part in _tensors(act(model, pictures)) if len(part) == len(pictures)]
    except Exception:  # models raise anything for sizes, channels and ops that they lack
        return []


def _output(model: nn.Module, pictures: Tensor) -> Any:
    """Return the logits of a classifier, or the class scores of a detector, which come first."""
    if not hasattr(model, 'extract_feat'):
        return model(pictures)
    if not is_detector(model):
        return model(pictures, mode='tensor')
    found = model(pictures, _samples(pictures), mode='tensor')
    scores = found[0] if isinstance(found, (tuple, list)) else found
    if isinstance(scores, Tensor) and scores.ndim == 4 and len(scores) != len(pictures):
        return scores.transpose(0, 1)  # (layers, B, T, classes), as of DETR
    return scores


def is_detector(model: nn.Module) -> bool:
    """Return whether a model is one of mmdet, or a subclass of one."""
    return any(kind.__module__.startswith('mmdet.') for kind in type(model).__mro__)


def _features(model: nn.Module, pictures: Tensor) -> Any:
    """Return what the model's backbone and neck find."""
    act = getattr(model, 'extract_feat', None)
    return None if act is None else act(pictures)


def _samples(pictures: Tensor) -> list[Any]:
    """Return what a detector needs to know of each picture."""
    from mmdet.structures import DetDataSample

    h, w = pictures.shape[-2:]
    size = dict(img_shape=(h, w), batch_input_shape=(h, w), ori_shape=(h, w), pad_shape=(h, w), scale_factor=(1.0, 1.0))
    return [DetDataSample(metainfo=size) for _ in pictures]


def _tensors(found: Any) -> Iterator[Tensor]:
    """Yield the tensors in tuples, lists and dicts."""
    if isinstance(found, Tensor):
        yield found
    elif isinstance(found, (tuple, list)):
        for part in found:
            yield from _tensors(part)
    elif isinstance(found, Mapping):
        yield from _tensors(list(found.values()))


def _change(found: list[Tensor], plan: Plan) -> float:
    """Return the largest change of the tensors of (picture, shuffled picture, another picture).

    It is nan where no picture changes anything.
    """
    changes = []
    for part in found:
        whole = float((part[2] - part[0]).abs().max())
        if not whole > 0 or not math.isfinite(whole):
            continue
        shuffled = min(float((moved - part[1]).abs().max()) for moved in _as_moved(part[0], plan))
        changes.append(shuffled / whole)
    return max(changes, default=math.nan)


def _as_moved(answer: Tensor, plan: Plan) -> Iterator[Tensor]:
    """Yield an answer as it is, and with its cells moved like the patches where it has a cell for each patch."""
    yield answer
    assert plan.shuffle is not None
    order = torch.as_tensor(plan.shuffle.permutation, device=answer.device)
    rows, cols = plan.shuffle.shape
    if answer.ndim == 3 and answer.shape[1] % rows == answer.shape[2] % cols == 0:  # (C, H, W): blocks of cells
        h, w = answer.shape[1] // rows, answer.shape[2] // cols
        blocks = answer.reshape(-1, rows, h, cols, w).permute(1, 3, 0, 2, 4).flatten(0, 1)[order]
        yield blocks.unflatten(0, (rows, cols)).permute(2, 0, 3, 1, 4).reshape(answer.shape)
    for axis in (0, 1) if answer.ndim == 2 else ():  # (N, D) or (D, N): tokens, perhaps with others around them
        tokens = answer.transpose(0, axis)
        for start in {0, 1, len(tokens) - len(order)} if len(tokens) >= len(order) else ():
            if start + len(order) <= len(tokens):
                moved = tokens.clone()
                moved[start : start + len(order)] = tokens[start : start + len(order)][order]
                yield moved.transpose(0, axis)


def _pictures(
    model: nn.Module, channels: int, size: Pair, patch_size: Pair, window: int | None, seed: int
) -> tuple[Tensor, Plan]:
    """Return (3, C, h, w), a random picture, the same shuffled, and another; and the plan of the shuffle."""
    rng = np.random.default_rng(seed)
    plan = Scheme(patch_size, window=window).plan(size, rng)
    (h, w), (ph, pw) = size, patch_size
    patches = rng.normal(size=(2, h // ph, w // pw, channels)).repeat(ph, 1).repeat(pw, 2)
    images = (patches + 0.5 * rng.normal(size=patches.shape)).astype(np.float32)
    three = np.stack([images[0], plan.apply(images[0]), images[1]]).transpose(0, 3, 1, 2)
    weight = next((value for value in model.parameters() if value.is_floating_point()), None)
    pictures = torch.from_numpy(np.ascontiguousarray(three))
    return (pictures if weight is None else pictures.to(weight)), plan


def _sizes(model: nn.Module, patch_size: Pair) -> list[Pair]:
    """Return the sizes of pictures to try, whole numbers of patches: the smallest first, then the model's own."""
    h, w = patch_size
    own = getattr(getattr(model, 'backbone', model), 'img_size', None)
    sizes = [(4 * h, 4 * w)]
    sizes += [(side, side) for side in ([own] if isinstance(own, int) else [])]
    sizes += [(own[0], own[1])] if isinstance(own, (tuple, list)) and len(own) == 2 else []
    sizes += [(-(-side // h) * h, -(-side // w) * w) for side in _SIDES]
    return [size for size in dict.fromkeys(sizes) if size[0] % h == size[1] % w == 0 and size != patch_size]


def _channels(model: nn.Module) -> list[int]:
    """Return the numbers of channels to try: of the preprocessor, of the first convolution, 3 and 1."""
    mean = getattr(getattr(model, 'data_preprocessor', None), 'mean', None)
    first = next((part.in_channels for part in model.modules() if isinstance(part, nn.Conv2d)), 3)
    stated = [mean.numel()] if isinstance(mean, Tensor) else []
    return [count for count in dict.fromkeys([*(n for n in stated if n > 1), first, 3, 1]) if count <= 16]


@contextmanager
def _undisturbed(model: nn.Module) -> Iterator[None]:
    """Evaluate in float32; afterwards the modes of all modules and the random states are as before."""
    modes = [(part, part.training) for part in model.modules()]
    state, cuda, cudnn = np.random.get_state(), torch.backends.cuda.matmul, torch.backends.cudnn
    exact = cuda.allow_tf32, cudnn.allow_tf32
    devices = sorted({value.device.index or 0 for value in model.parameters() if value.device.type == 'cuda'})
    try:
        with torch.random.fork_rng(devices=devices):
            model.eval()
            cuda.allow_tf32 = cudnn.allow_tf32 = False
            yield
    finally:
        cuda.allow_tf32, cudnn.allow_tf32 = exact
        for part, training in modes:
            part.training = training
        np.random.set_state(state)


@contextmanager
def _with_loud_tables(model: nn.Module, seed: int) -> Iterator[None]:
    """Add noise to position tables and to parameters that all hold one value; afterwards they are as before.

    Tables are not told from other parameters that are no weights of a usual
    layer, such as class tokens: noise on those does no harm. Before training,
    tables are zero or so small that rounding could hide what they do.
    """
    generator = torch.Generator().manual_seed(seed)
    held = []
    for part in model.modules():
        for value in part.parameters(recurse=False):
            table = not isinstance(part, _LAYERS) and value.ndim > 1
            if value.numel() > 1 and value.is_floating_point() and (table or value.min() == value.max()):
                held.append((value, value.detach().clone(), 1.0 if table else 0.2))
    try:
        with torch.no_grad():
            for value, _, spread in held:
                value += (spread * torch.randn(value.shape, generator=generator)).to(value)
        yield
    finally:
        with torch.no_grad():
            for value, before, _ in held:
                value.copy_(before)
