"""Shuffle and mix whole batches of plain images with torch, on the device where they are.

For researchers who hold plain images and train with a loop of their own: call
these modules where the batch is on its device. mm's data preprocessors apply
batch augmentations in training alone, so with mm use the transforms. The pixels
are those of :class:`.PatchShuffle` and :class:`.PatchMixup`, value for value,
given the same plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..encryption import MixupParams, PatchGrid, Plan, Scheme, ShuffleParams, turns
from ..encryption.shuffle import kept_shape
from ..errors import InvalidValueError
from .batch_noise import fresh_noise, given_noise
from .batch_tone import BatchTone, check_tonable


class BatchPatchShuffle(nn.Module):
    """Shuffle the patches of each image of a batch, with a fresh permutation for each.

    Args:
        patch_size, gap, drop_ratio, orient, window, remainder, tone, noise: as in
            :class:`.PatchShuffle`.

    Attributes:
        scheme: the :class:`hii_mm.encryption.Scheme`.

    Raises:
        InvalidTypeError, InvalidValueError: a value that is not accepted.
    """

    def __init__(
        self,
        patch_size: int | tuple[int, int] = 16,
        gap: int = 0,
        drop_ratio: float = 0.0,
        orient: bool = False,
        window: int | None = None,
        remainder: str = 'error',
        tone: bool = False,
        noise: int = 0,
    ) -> None:
        super().__init__()
        options = dict(gap=gap, drop_ratio=drop_ratio, orient=orient, window=window, tone=tone, noise=noise)
        self.scheme = Scheme(patch_size, **options, remainder=remainder)
        params = self.scheme.shuffle
        assert params is not None
        self.params = params
        self.register_buffer('turned', _turned_pixels(params), persistent=False)

    def forward(
        self,
        images: Tensor,
        plans: Sequence[Plan] | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Shuffle a batch.

        Args:
            images: (B, C, H, W), on any device, of any dtype; with tone or noise uint8 or uint16.
            plans: of the images, to repeat what was done elsewhere; None draws fresh ones.
            generator: source of the permutations, on the device of the images; None is torch's own.

        Returns:
            (B, C, h, w), same dtype.

        Raises:
            InvalidTypeError: with tone or noise, another dtype.
            InvalidValueError: images that cannot be cut into patches, or plans that are not theirs.
        """
        _check(images)
        if self.params.tone or self.params.noise:
            check_tonable(images, 'tone' if self.params.tone else 'noise')
        grid = PatchGrid((images.shape[2], images.shape[3]), self.params.patch_size, self.params.remainder)
        shape = kept_shape(grid.shape, self.params.drop_ratio)
        if plans is None:
            order = self.permutations(len(images), grid.shape, images.device, generator)
            codes = self._orientations(order.shape, images.device, generator)
        else:
            order, codes = self._given(plans, images)
        shuffled = self._noisy(self._gather(_fitted(images, grid), grid, order, codes, shape), plans, generator)
        tones = self._tones(plans, order, generator)
        return shuffled if tones is None else tones.apply(shuffled, shape)

    def _noisy(self, images: Tensor, plans: Sequence[Plan] | None, generator: torch.Generator | None) -> Tensor:
        """Add fresh noise, or that of plans, if there is any."""
        if plans is not None:
            noises = [plan.shuffle.noise for plan in plans if plan.shuffle and plan.shuffle.noise is not None]
            return given_noise(images, noises) if noises else images
        return fresh_noise(images, self.params.noise, generator) if self.params.noise else images

    def _tones(
        self, plans: Sequence[Plan] | None, order: Tensor, generator: torch.Generator | None
    ) -> BatchTone | None:
        """Draw the tone of each patch, or take it from plans; None without tone."""
        if plans is not None:
            tones = [plan.shuffle.tone for plan in plans if plan.shuffle and plan.shuffle.tone is not None]
            return BatchTone.of(tones, order.device) if tones else None
        return BatchTone.draw(*order.shape, order.device, generator) if self.params.tone else None

    def permutations(
        self, count: int, grid: tuple[int, int], device: Any = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw permutations, none of two or more patches the identity: int64 (count, kept places).

        Args:
            count: number of images.
            grid: (rows, columns) of the plain patches.
            device: of the result.
            generator: source of the permutations.
        """
        rows, cols = kept_shape(grid, self.params.drop_ratio)
        total, kept = grid[0] * grid[1], rows * cols
        if total < 2:
            raise InvalidValueError(
                f'there is nothing to shuffle in {grid[0]} x {grid[1]} patches; use smaller patches'
            )
        if self.params.window is None:
            return _draw(torch.zeros(total, dtype=torch.int64, device=device), count, kept, generator)
        window = self.params.window
        y, x = torch.arange(rows, device=device), torch.arange(cols, device=device)
        group = ((y // window)[:, None] * (-(-cols // window)) + x // window).flatten()
        order = _draw(group, count, kept, generator)
        if kept < total:
            chosen = torch.rand((count, total), device=device, generator=generator).argsort(dim=1)[:, :kept]
            order = chosen.sort(dim=1).values.gather(1, order)
        return order

    def _orientations(self, shape: torch.Size, device: Any, generator: torch.Generator | None) -> Tensor | None:
        """Draw the turn of each patch, or None."""
        if not self.params.orient:
            return None
        codes = len(turns.codes_of(self.params.patch_size))
        return 8 // codes * torch.randint(codes, tuple(shape), device=device, generator=generator)

    def _given(self, plans: Sequence[Plan], images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the permutations and turns of some plans."""
        shuffles = [plan.shuffle for plan in plans]
        wrong = [plan.plain_shape for plan in plans if plan.plain_shape != tuple(images.shape[2:])]
        if len(shuffles) != len(images) or None in shuffles or wrong:
            raise InvalidValueError(
                f'{len(images)} images of {images.shape[2]} x {images.shape[3]} need as many plans of a shuffle of '
                f'that size, got {len(plans)}' + (f', one of {wrong[0][0]} x {wrong[0][1]}' if wrong else '')
            )
        noises = {each.noise.deviation if each.noise else 0 for each in shuffles if each}
        tones = {each.tone is not None for each in shuffles if each}
        if noises != {self.params.noise} or tones != {self.params.tone}:
            raise InvalidValueError(f'the plans are of another scheme than {self.scheme.label}: noise {sorted(noises)}')
        order = torch.from_numpy(np.stack([each.permutation for each in shuffles if each])).to(images.device)
        codes = [each.orientation for each in shuffles if each and each.orientation is not None]
        return order, torch.from_numpy(np.stack(codes)).to(images.device) if codes else None

    def _gather(
        self, images: Tensor, grid: PatchGrid, order: Tensor, codes: Tensor | None, shape: tuple[int, int]
    ) -> Tensor:
        """Move the cores of fitted images to their places: one line of a core is a run of pixels."""
        (_, cols), (ph, pw), gap = grid.shape, self.params.patch_size, self.params.gap
        batch, channels, height = images.shape[:3]
        core = ph - 2 * gap, pw - 2 * gap
        runs = images.contiguous().view(-1, pw)[:, gap : pw - gap]
        first = ((order // cols * ph + gap) * cols + order % cols).view(batch, 1, shape[0], 1, shape[1])
        plane = torch.arange(batch * channels, device=images.device).view(batch, channels, 1, 1, 1) * (height * cols)
        line = torch.arange(core[0], device=images.device).view(-1, 1) * cols
        moved = runs.index_select(0, (plane + first + line).flatten())
        moved = moved.view(batch, channels, shape[0], core[0], shape[1], core[1])
        if codes is not None:
            cores = moved.permute(0, 2, 4, 1, 3, 5).flatten(4).flatten(1, 2)  # (B, places, C, h * w)
            pixels = self.turned[codes][:, :, None].expand(-1, -1, channels, -1)
            cores = cores.gather(3, pixels).view(batch, *shape, channels, *core)
            moved = cores.permute(0, 3, 1, 4, 2, 5)
        return moved.reshape(batch, channels, shape[0] * core[0], shape[1] * core[1])

    def extra_repr(self) -> str:
        """Return the scheme."""
        return self.scheme.label


class BatchPatchMixup(nn.Module):
    """Average the sub-patches of each patch of each image of a batch.

    Args:
        patch_size, grid, remainder: as in :class:`.PatchMixup`.

    Attributes:
        scheme: the :class:`hii_mm.encryption.Scheme`.
    """

    def __init__(self, patch_size: int | tuple[int, int] = 16, grid: int = 2, remainder: str = 'error') -> None:
        super().__init__()
        self.scheme = Scheme(patch_size, strategy='mixup', grid=grid, remainder=remainder)
        params = self.scheme.mixup
        assert params is not None
        self.params: MixupParams = params

    def forward(self, images: Tensor) -> Tensor:
        """Mix a batch.

        Args:
            images: (B, C, H, W): uint8, uint16 or other integers are rounded as the
                transform rounds, floating point is averaged.

        Returns:
            (B, C, H / grid, W / grid), same dtype.

        Raises:
            InvalidValueError: images that cannot be cut into patches, or plans that are not theirs.
        """
        _check(images)
        size, parts = self.params.patch_size, self.params.grid
        grid = PatchGrid((images.shape[2], images.shape[3]), size, self.params.remainder)
        whole = not images.dtype.is_floating_point
        pixels = _fitted(images, grid).to(torch.int32) if whole else _fitted(images, grid)
        (rows, cols), (ch, cw) = grid.shape, self.params.core_size
        split = pixels.reshape(*images.shape[:2], rows, parts, ch, cols, parts, cw)
        total = split[:, :, :, 0, :, :, 0].clone()  # (B, C, rows, ch, cols, cw)
        for number in range(1, parts * parts):
            total += split[:, :, :, number // parts, :, :, number % parts]
        mixed = (total + parts * parts // 2) // (parts * parts) if whole else total / (parts * parts)
        return mixed.reshape(*images.shape[:2], rows * ch, cols * cw).to(images.dtype)

    def extra_repr(self) -> str:
        """Return the scheme."""
        return self.scheme.label


def _check(images: Tensor) -> None:
    """Raise InvalidValueError for what is no batch."""
    if images.ndim != 4:
        raise InvalidValueError(f'images must be (B, C, H, W), got {tuple(images.shape)}')


def _fitted(images: Tensor, grid: PatchGrid) -> Tensor:
    """Crop images to whole patches, or repeat their last row and column."""
    (h, w), (height, width) = grid.fitted_shape, images.shape[2:]
    if (h, w) == (height, width):
        return images
    if h <= height and w <= width:
        return images[:, :, :h, :w]
    y, x = (torch.arange(n, device=images.device).clamp(max=m - 1) for n, m in ((h, height), (w, width)))
    return images[:, :, y][:, :, :, x]


def _turned_pixels(params: ShuffleParams) -> Tensor:
    """Return int64 (8, h * w): which pixel of a core comes to each place under each code; -1 for codes without use."""
    (ph, pw), gap = params.patch_size, params.gap
    height, width = ph - 2 * gap, pw - 2 * gap
    found = np.full((8, height * width), -1)
    for code in turns.codes_of(params.patch_size):
        found[code] = turns.turn(np.arange(height * width).reshape(1, height, width), code).ravel()
    return torch.from_numpy(found)


def _draw(group: Tensor, count: int, kept: int, generator: torch.Generator | None) -> Tensor:
    """Permute within groups, int64 (count, kept); no group of two or more stays in order.

    Args:
        group: int64 (n,), the group of each place; one group for all may keep ``kept`` of its items.
        count: number of permutations.
        kept: places.
        generator: source of randomness.
    """
    places = group.argsort(stable=True)  # group by group
    sorted_group = group[places]

    def fresh() -> Tensor:
        shape = count, len(group)
        return torch.rand(shape, dtype=torch.float64, device=group.device, generator=generator)

    keys = fresh()
    while True:
        found = torch.empty((count, len(group)), dtype=torch.int64, device=group.device)
        found[:, places] = places[(sorted_group + keys[:, places]).argsort(dim=1)]
        still = _in_order(found[:, :kept], group[:kept])
        if not still.any():
            return found[:, :kept]
        keys = torch.where(still[:, group], fresh(), keys) if len(group) == kept else fresh()


def _in_order(order: Tensor, group: Tensor) -> Tensor:
    """Return bool (count, groups): groups of two or more places whose items ascend."""
    groups = int(group.max()) + 1
    size = torch.bincount(group, minlength=groups)
    places = group.argsort(stable=True)
    items, owner = order[:, places], group[places]
    falls = ((items[:, 1:] < items[:, :-1]) & (owner[1:] == owner[:-1])).to(torch.int64)
    found = torch.zeros((len(order), groups), dtype=torch.int64, device=order.device)
    found.scatter_add_(1, owner[1:].expand(len(order), -1), falls)
    return (found == 0) & (size > 1)
