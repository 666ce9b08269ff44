"""Coordinates of COCO annotations before the shuffle. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import msgspec
import numpy as np

from ..encryption import Plan
from .fit import Fit
from .parsing import fits

MAX_COORDINATE = 1e9  # pixels
Coordinate = Annotated[float, msgspec.Meta(gt=-MAX_COORDINATE, lt=MAX_COORDINATE)]


class _Bbox(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A COCO bbox."""

    x: Coordinate
    y: Coordinate
    w: Coordinate
    h: Coordinate


@dataclass(frozen=True, eq=False)
class Frame:
    """Coordinates before the shuffle: of the fitted image, mixed if the plan mixes.

    In an image that is resized and then shuffled they are rounded to whole
    pixels: a plain coordinate has at most two decimals, so the decimals of the
    scaled one would reveal the row and column of its patch.
    """

    fit: Fit
    plan: Plan

    @cached_property
    def limit_hw(self) -> tuple[float, float]:
        """(h, w) in pixels of what shows the image, not padding."""
        shown = self.fit.shown_hw
        return shown if self.plan.mixup is None else self.plan.mixup.shown(shown)

    def points(self, xy: Any) -> np.ndarray:
        """Move points (n, 2) xy of the plain image to this frame."""
        moved = self.fit.points(xy)
        if self.plan.mixup is not None:
            moved = self.plan.mixup.move_points(moved)
        rounded = self.plan.shuffle is not None and self.fit.scaled_hw != self.fit.plain_hw
        return np.rint(moved) if rounded else moved

    def box(self, bbox: Any) -> np.ndarray | None:
        """Return a COCO bbox [x, y, w, h] as float64 (4,) xyxy, clipped; None where nothing is left."""
        plain = fits(bbox, _Bbox)
        if plain is None:
            return None
        corners = self.points([[plain.x, plain.y], [plain.x + plain.w, plain.y + plain.h]])
        box: np.ndarray = np.clip(corners, 0, self.limit_hw[::-1]).ravel()
        return box if box[0] < box[2] and box[1] < box[3] else None

    def outlines(self, segmentation: Any) -> list[np.ndarray] | None:
        """Return polygons as float64 (n, 2) each; None where they are not polygons."""
        try:
            found = [self.points(np.array(part, np.float64).reshape(-1, 2)) for part in segmentation]
        except (TypeError, ValueError, OverflowError):  # what NumPy raises for values that are not numbers
            return None
        return found if all(np.isfinite(xy).all() and len(xy) >= 3 for xy in found) else None
