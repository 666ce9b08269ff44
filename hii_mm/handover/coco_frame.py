"""Coordinates of COCO annotations before the shuffle. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..encryption import Plan
from .coco_schema import Bbox, Outlines
from .fit import Fit
from .parsing import fits


@dataclass(frozen=True, eq=False)
class Frame:
    """Coordinates before the shuffle: of the fitted image, mixed if the plan mixes.

    In an image that is resized and then shuffled they are rounded to whole
    pixels: a plain coordinate has at most two decimals, so the decimals of the
    scaled one would reveal the row and column of its patch.

    Args:
        fit: of the image.
        plan: of the fitted image.
        raw: whether plain coordinates are of the pixels as stored, not of the upright image.
    """

    fit: Fit
    plan: Plan
    raw: bool = False

    @property
    def given_hw(self) -> tuple[int, int]:
        """(h, w) that plain coordinates refer to."""
        return self.fit.raw_hw if self.raw else self.fit.plain_hw

    @cached_property
    def limit_hw(self) -> tuple[float, float]:
        """(h, w) in pixels of what shows the image, not padding."""
        shown = self.fit.shown_hw
        return shown if self.plan.mixup is None else self.plan.mixup.shown(shown)

    def points(self, xy: Any) -> np.ndarray:
        """Move points (n, 2) xy of the plain image to this frame."""
        moved = self.fit.points(self.fit.upright_points(xy) if self.raw else xy)
        if self.plan.mixup is not None:
            moved = self.plan.mixup.move_points(moved)
        rounded = self.plan.shuffle is not None and self.fit.scaled_hw != self.fit.plain_hw
        return np.rint(moved) if rounded else moved

    def pixels(self, xy: np.ndarray) -> np.ndarray:
        """Move keypoints (n, 2), which count pixels, to this frame: turned pixels, not turned corners of them."""
        if self.raw:
            xy = self.fit.upright_points(xy + 0.5) - 0.5
        return Frame(self.fit, self.plan).points(xy)

    def mask(self, array: np.ndarray) -> np.ndarray:
        """Bring a mask of ``given_hw`` to the fitted image."""
        return self.fit.mask(self.fit.upright_mask(array) if self.raw else array)

    def box(self, plain: Bbox) -> np.ndarray | None:
        """Return a COCO bbox as float64 (4,) xyxy, clipped; None where nothing is left."""
        if plain.w <= 0 or plain.h <= 0:
            return None
        corners = self.points([[plain.x, plain.y], [plain.x + plain.w, plain.y + plain.h]])
        box: np.ndarray = np.clip([corners.min(0), corners.max(0)], 0, self.limit_hw[::-1]).ravel()
        return box if box[0] < box[2] and box[1] < box[3] else None

    def outlines(self, segmentation: Any) -> list[np.ndarray] | None:
        """Return polygons as float64 (n, 2) each; None where they are not polygons."""
        given = fits(segmentation, Outlines)
        if given is None or any(len(part) % 2 for part in given):
            return None
        return [self.points(np.array(part, np.float64).reshape(-1, 2)) for part in given]
