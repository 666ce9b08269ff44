"""Sharpen what mixup-inverse leaves, by a U-Net."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...encryption import MixupParams, Scheme
from ...encryption.mixup import average, spread
from .. import learning
from ..base import Attack, Given, Recovery, register
from ..solver.grids import mixup_of
from ..solver.pieces import as_rgb, resized
from ..solver.unmixing import unmix
from .mixup_inverse import MixupInverse

WIDTH = 24


class UNetInverseTrainer(learning.NetworkTrainer):
    """Train on crops of public photos, by the absolute error. Pairs are free, as the mixing is public."""

    attack = 'unet-inverse'
    steps = 1000
    rate = 2e-3

    @classmethod
    def refuses(cls, scheme: Scheme) -> str | None:
        """Return why nothing can be learned at a scheme: as mixup-inverse."""
        return MixupInverse().refuses(scheme)

    def __init__(self, scheme: Scheme, shape: tuple[int, int], seed: int = 0) -> None:
        super().__init__(scheme.with_remainder('crop'), shape, seed)
        (h, w), (ph, pw) = shape, scheme.patch_size
        self.shape = h // ph * ph, w // pw * pw

    def start(self, labels: Sequence[str]) -> tuple[Any, dict[str, Any]]:
        """Return a fresh module, and what it is trained for."""
        return network(), about(self.scheme)

    def batch_loss(self, photos: Sequence[np.ndarray], step: int) -> Any:
        """Return the mean absolute error of one crop."""
        torch, params = learning.torch(), mixup_of(self.scheme)
        plain = as_rgb(learning.crop(photos, self.rng, self.shape))
        found = corrected(self.model, torch.from_numpy(inputs(average(plain, params).round(), params)))
        target = torch.from_numpy(plain.transpose(2, 0, 1)[None] / 127.5 - 1).float()
        return torch.nn.functional.l1_loss(found, target)


@register
class UNetInverse(Attack):
    """Correct what mixup-inverse (TV) finds by a small U-Net; its answer is then made to mix to what was seen.

    Trained by ``hii-mm attack-train unet-inverse``.

    Args:
        checkpoint: the file that the training wrote.
    """

    name = 'unet-inverse'
    source = 'U-Net, Ronneberger et al., 2015, with a data-consistency step'
    cost = 'training minutes to an hour on a CPU core, then under a second an image'
    beside = 'mixup-inverse'
    trainer = UNetInverseTrainer

    def __init__(self, checkpoint: str | None = None) -> None:
        self.checkpoint = checkpoint
        self.model: Any = None

    def refuses(self, scheme: Scheme) -> str | None:
        """Return the reason why this attack does not apply: as mixup-inverse, or no checkpoint."""
        return UNetInverseTrainer.refuses(scheme) or learning.untrained(self.name, self.checkpoint)

    def _recover(self, image: np.ndarray, scheme: Scheme, given: Given) -> Recovery:
        torch, params = learning.torch(), mixup_of(scheme)
        if self.model is None:
            self.model = learning.load(self.checkpoint, self.name, about(scheme), network())
        mixed = as_rgb(image)
        with torch.no_grad():
            plain = corrected(self.model, torch.from_numpy(inputs(mixed, params)))[0].permute(1, 2, 0).numpy()
        plain = plain * 127.5 + 127.5
        plain += spread(mixed - average(plain, params), params)
        shape = given.plain_shape or plain.shape[:2]
        return Recovery(resized(plain[: shape[0], : shape[1]], shape), confidence=1.0)


def about(scheme: Scheme) -> dict[str, Any]:
    """Return what a checkpoint is trained for: the mixing."""
    params = mixup_of(scheme)
    return {'patch_size': list(params.patch_size), 'grid': params.grid}


def inputs(mixed: np.ndarray, params: MixupParams) -> np.ndarray:
    """Return what the network reads: the inverse by TV, the mixture spread out, and each pixel's place in its patch.

    Args:
        mixed: float32 (h, w, 3) in [0, 255].
        params: of the mixing.

    Returns:
        float32 (1, 8, h * g, w * g).
    """
    start = unmix(mixed, params, 'tv')
    (h, w), (ph, pw) = start.shape[:2], params.patch_size
    y, x = np.meshgrid(np.arange(h) % ph / ph, np.arange(w) % pw / pw, indexing='ij')
    stack = np.concatenate([start / 127.5 - 1, spread(mixed, params) / 127.5 - 1, y[..., None], x[..., None]], axis=2)
    return np.ascontiguousarray(stack.transpose(2, 0, 1)[None], np.float32)


def corrected(model: Any, stack: Any) -> Any:
    """Add the network's answer to the first three channels: (1, 8, H, W) -> (1, 3, H, W), in [-1, 1]."""
    functional = learning.torch().nn.functional
    h, w = stack.shape[2:]
    padded = functional.pad(stack, (0, -w % 4, 0, -h % 4), mode='replicate')
    return stack[:, :3] + model(padded)[..., :h, :w]


def network() -> Any:
    """Return the module: (B, 8, H, W) -> (B, 3, H, W); H and W are multiples of 4."""
    torch = learning.torch()
    nn = torch.nn

    def block(before: int, after: int) -> Any:
        layers = [nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(8, after), nn.GELU()]
        return nn.Sequential(*layers, nn.Conv2d(after, after, 3, padding=1), nn.GroupNorm(8, after), nn.GELU())

    class UNet(nn.Module):  # type: ignore[misc, name-defined]  # torch is imported when used
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.ModuleList([block(8, WIDTH), block(WIDTH, 2 * WIDTH), block(2 * WIDTH, 4 * WIDTH)])
            self.up = nn.ModuleList([block(6 * WIDTH, 2 * WIDTH), block(3 * WIDTH, WIDTH)])
            self.last = nn.Conv2d(WIDTH, 3, 1)
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)

        def forward(self, x: Any) -> Any:
            functional = nn.functional
            kept: list[Any] = []
            for down in self.down:
                x = down(functional.avg_pool2d(x, 2) if kept else x)
                kept.append(x)
            for up, beside in zip(self.up, (kept[1], kept[0])):
                x = up(torch.cat([functional.interpolate(x, scale_factor=2.0), beside], dim=1))
            return self.last(x)

    return UNet()
