"""A plan: one scheme applied to one image and to everything that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InvalidValueError
from . import boxes as box_moves
from . import checks, polygons
from .masks import shuffle_mask
from .mixup import MixupPlan
from .shuffle import ShufflePlan

BBOX_MODES = ('fragment', 'enclose', 'keep')


@dataclass(frozen=True, eq=False)
class Plan:
    """The encryption of one image. Made by :meth:`.scheme.Scheme.plan`.

    Coordinates are xy in pixels with continuous edges; shapes are (h, w).

    Attributes:
        mixup: the mixing, which comes first; or None.
        shuffle: the shuffle of the plain or of the mixed image; or None.
    """

    mixup: MixupPlan | None
    shuffle: ShufflePlan | None

    @property
    def steps(self) -> tuple[MixupPlan | ShufflePlan, ...]:
        """The steps that are there, in order."""
        return tuple(step for step in (self.mixup, self.shuffle) if step is not None)

    @property
    def plain_shape(self) -> tuple[int, int]:
        """(h, w) of the plain image."""
        return self.steps[0].plain_shape

    @property
    def encrypted_shape(self) -> tuple[int, int]:
        """(h, w) of the encrypted image."""
        return self.steps[-1].encrypted_shape

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Encrypt an image; the input is not changed.

        Args:
            image: (H, W) or (H, W, C) of ``plain_shape``; uint8, uint16 or, without tone and noise, float32.
                With these, colours are red, green, blue, see :meth:`mirrored`.

        Returns:
            Of ``encrypted_shape`` (plus C), same dtype.

        Raises:
            InvalidTypeError, InvalidValueError: not such an image.
        """
        for step in self.steps:
            image = step.apply(image)
        return image

    def invert(self, image: np.ndarray, fill: int = 0) -> np.ndarray:
        """Decrypt an image that was shuffled only.

        Args:
            image: of ``encrypted_shape`` (plus C).
            fill: value of the pixels that are lost, see :meth:`missing`.

        Returns:
            Of ``plain_shape`` (plus C).

        Raises:
            InvalidTypeError, InvalidValueError: not such an image, or a plan
                that mixes.
        """
        return self._invertible().invert(image, fill)

    def missing(self) -> np.ndarray:
        """Return bool (h, w) of ``plain_shape``: True where the plain pixel is lost.

        Raises:
            InvalidValueError: a plan that mixes.
        """
        return self._invertible().missing()

    def _invertible(self) -> ShufflePlan:
        if self.mixup is not None or self.shuffle is None:
            parts = self.mixup.parts if self.mixup else 0
            raise InvalidValueError(
                f'mixing averaged {parts * parts} pixels into each one: it cannot be undone, with or without a key'
            )
        return self.shuffle

    def mirrored(self) -> Plan:
        """Return the plan for images whose colours are blue, green, red, as OpenCV loads them.

        It does to them what this plan does to images in the order red, green, blue.
        """
        if self.shuffle is None:
            return self
        tone, noise = self.shuffle.tone, self.shuffle.noise
        shuffle = replace(self.shuffle, tone=tone and tone.mirrored(), noise=noise and noise.mirrored())
        return replace(self, shuffle=shuffle)

    def apply_mask(self, mask: np.ndarray, pad_value: int = 0) -> np.ndarray:
        """Move a mask or a segmentation map with the pixels.

        Mixed images take the label at the middle of each g x g square.

        Args:
            mask: (H, W[, N]) of ``plain_shape``, uint8.
            pad_value: label of what ``remainder='pad'`` adds, such as 255 for 'ignore'.

        Returns:
            Of ``encrypted_shape`` (plus N), same dtype.
        """
        if self.mixup is not None:
            mask = self.mixup.apply_mask(mask, pad_value)
        return mask if self.shuffle is None else shuffle_mask(self.shuffle, mask, pad_value)

    def restore_mask(self, mask: np.ndarray, fill: int = 0) -> np.ndarray:
        """Bring a mask of the encrypted image back to the plain one, such as a model's answer.

        Undoes :meth:`apply_mask` but for what is lost: pixels that were cut off
        or dropped get ``fill``, and mixed images enlarge each label.

        Args:
            mask: (h, w[, N]) of ``encrypted_shape``, uint8.
            fill: label of lost pixels.

        Returns:
            Of ``plain_shape`` (plus N), same dtype.

        Raises:
            InvalidTypeError, InvalidValueError: not such a mask.
        """
        checks.check_image(mask, *self.encrypted_shape)
        if self.shuffle is not None:
            mask = replace(self.shuffle, tone=None, noise=None).invert(mask, fill)
        return mask if self.mixup is None else self.mixup.restore_mask(mask, fill)

    def move_boxes(self, boxes: np.ndarray, mode: str = 'fragment') -> tuple[np.ndarray, np.ndarray]:
        """Move boxes with the pixels.

        Args:
            boxes: (n, 4) xyxy in the plain image.
            mode: for shuffled images. 'fragment' cuts boxes along the patch
                grid, see :func:`.boxes.fragment_boxes`; 'enclose' returns one
                box an object, see :func:`.boxes.enclose_boxes`; 'keep' leaves
                them where they were before the shuffle.

        Returns:
            float64 (m, 4) xyxy in the encrypted image, and int64 (m,), the row
            of ``boxes`` that each comes from, ascending.
        """
        checks.one_of('mode', mode, BBOX_MODES)
        moved = np.asarray(boxes, np.float64).reshape(-1, 4)
        if self.mixup is not None:
            if self.mixup.grid.remainder == 'crop':
                h, w = self.mixup.grid.fitted_shape
                moved = np.clip(moved, 0, [w, h, w, h])
            moved = self.mixup.move_points(moved)
        if self.shuffle is None or mode == 'keep':
            return moved, np.arange(len(moved))
        move = box_moves.fragment_boxes if mode == 'fragment' else box_moves.enclose_boxes
        return move(self.shuffle, moved)

    def restore_boxes(self, boxes: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Undo :meth:`move_boxes` with mode 'fragment'.

        Args:
            boxes: (m, 4) xyxy in the encrypted image.
            ids: (m,) integers; fragments of one object share one.

        Returns:
            float64 (n, 4) xyxy in the plain image, and the n ids, ascending.
        """
        boxes, ids = np.asarray(boxes, np.float64).reshape(-1, 4), np.asarray(ids)
        if self.shuffle is not None:
            boxes, ids = box_moves.restore_boxes(self.shuffle, boxes, ids)
        return boxes * (1 if self.mixup is None else self.mixup.parts), ids

    def locate_boxes(self, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where boxes of the encrypted image belong in the plain one, see :func:`.boxes.locate_boxes`.

        Args:
            boxes: (m, 4) xyxy in the encrypted image, such as a detector's.

        Returns:
            float64 (n, 4) xyxy in the plain image, and int64 (n,), the row of
            ``boxes`` that each comes from, ascending.
        """
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        source = np.arange(len(boxes))
        if self.shuffle is not None:
            boxes, source = box_moves.locate_boxes(self.shuffle, boxes)
        return boxes * (1 if self.mixup is None else self.mixup.parts), source

    def move_points(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Move points with the pixels.

        Args:
            xy: (n, 2) in the plain image.

        Returns:
            float64 (n, 2) in the encrypted image, and bool (n,), False for
            points outside the plain image or on pixels that are lost.
        """
        xy = np.asarray(xy, np.float64).reshape(-1, 2)
        h, w = self.plain_shape
        inside = np.asarray(((xy >= 0) & (xy < (w, h))).all(axis=1))
        if self.mixup is not None:
            xy = self.mixup.move_points(xy)
        if self.shuffle is None:
            h, w = self.encrypted_shape
            return xy, inside & (xy < (w, h)).all(axis=1)
        xy, kept = polygons.move_points(self.shuffle, xy)
        return xy, inside & kept

    def move_polygon(self, xy: np.ndarray) -> list[np.ndarray]:
        """Move a polygon with the pixels.

        Args:
            xy: (n, 2) in the plain image.

        Returns:
            float64 (k, 2) polygons in the encrypted image: at most one if
            mixed only, one for each surviving patch that it overlaps if shuffled.
        """
        xy = np.asarray(xy, np.float64).reshape(-1, 2)
        if self.mixup is not None:
            h, w = self.mixup.shown(self.plain_shape)
            xy = polygons.clip_polygon(self.mixup.move_points(xy), w, h)
        if self.shuffle is not None:
            return polygons.move_polygon(self.shuffle, xy)
        return [xy] if len(xy) else []
