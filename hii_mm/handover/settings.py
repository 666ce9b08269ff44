"""Settings of an encrypted data set: the ``parameters`` of a manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from ..encryption import Scheme, checks
from ..encryption.keyed import dataset_bytes
from ..encryption.scheme import OF_SHUFFLE, remainder_of
from ..errors import InvalidTypeError, InvalidValueError, UsageError
from .parsing import convert

FITS = ('crop', 'resize', 'pad')
FRAMES = ('upright', 'raw')
EXTENSIONS = {'png': '.png', 'webp': '.webp', 'jpeg': '.jpg', 'shards': '.png'}
JPEG_BLOCK = 8  # pixels: JPEG is written without chroma subsampling
SHARD_SIZE = 1000
Size = int | tuple[int, int] | None
Pair = int | tuple[int, int]


@dataclass(frozen=True)
class Settings:
    """Everything that decides the bytes of an encrypted copy, except the key.

    Args:
        scheme: how the images are encrypted. Its ``remainder`` is replaced by
            what ``size`` and ``fit`` imply; 'pad' and 'crop' are the default of ``fit``.
        size: None, (w, h), or an int, the length of the short side; in pixels.
        fit: 'crop', 'resize' or 'pad': how an image is brought to ``size`` and
            to a multiple of the patch size. The default with a ``size`` is
            'crop'; None without a ``size`` rejects images that are not a multiple.
        format: 'png', 'webp', 'jpeg' or 'shards'.
        rename: replace file names by keyed pseudonyms.
        shard_size: source files per tar file.
        dataset_id: 32 hex digits that stand for the data set in the derivation of
            plans and pseudonyms. It is no parameter: a manifest names it apart from
            these. None until a run has drawn one.
        keep_class_names: with ``rename``: leave the first folder of each path, the
            class of its images, readable.
        boxes_frame: what annotations of an image with an EXIF orientation refer
            to: 'upright', the image as viewers show it, or 'raw', as its pixels are stored.

    Raises:
        InvalidTypeError, InvalidValueError: a value that is not accepted.
    """

    scheme: Scheme
    size: Size = None
    fit: str | None = None
    format: str = 'png'
    rename: bool = False
    shard_size: int = SHARD_SIZE
    dataset_id: str | None = None
    keep_class_names: bool = False
    boxes_frame: str = 'upright'

    def __post_init__(self) -> None:
        if not isinstance(self.scheme, Scheme):
            raise InvalidTypeError(f'scheme must be a Scheme, got {self.scheme!r}')
        checks.one_of('format', self.format, tuple(EXTENSIONS))
        checks.whole('shard_size', self.shard_size, 1)
        checks.flag('rename', self.rename)
        checks.flag('keep_class_names', self.keep_class_names)
        if self.keep_class_names and not self.rename:
            raise InvalidValueError('keep_class_names needs rename, as names are readable without it')
        checks.one_of('boxes_frame', self.boxes_frame, FRAMES)
        if self.dataset_id is not None:
            self._set('dataset_id', dataset_bytes(self.dataset_id).hex())
        if isinstance(self.size, (tuple, list)):
            self._set('size', checks.pair('size', self.size, 1))
        elif self.size is not None:
            self._set('size', checks.whole('size', self.size, 1))
        if self.fit is None and self.scheme.remainder != 'error':
            self._set('fit', self.scheme.remainder)
        elif self.fit is None and self.size is not None:
            self._set('fit', 'crop')
        if self.fit is not None:
            checks.one_of('fit', self.fit, FITS)
        self._set('scheme', self.scheme.with_remainder(remainder_of(self.size, self.fit)))
        self._check_format()
        self._check_size()
        if Scheme.from_manifest(self.to_json()) != self.scheme:
            raise InvalidValueError(
                f'a manifest cannot describe {self.scheme}: the shuffle must have the patches that mixing leaves, '
                "and remainder 'error'"
            )

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _check_format(self) -> None:
        """Raise InvalidValueError where the format does not go with the scheme or the shard size."""
        h, w = self.scheme.core_size
        if self.format != 'shards' and self.shard_size != SHARD_SIZE:
            raise InvalidValueError(f"shard_size {self.shard_size} needs format 'shards', got {self.format!r}")
        if self.format == 'jpeg' and (h % JPEG_BLOCK or w % JPEG_BLOCK):
            raise InvalidValueError(
                f'format jpeg needs encrypted patches that are multiples of {JPEG_BLOCK} x {JPEG_BLOCK} pixels, '
                f'got {h} x {w} (h x w): a JPEG block that spans two patches would blur both; use png or webp'
            )
        if self.format == 'jpeg' and self.scheme.shuffle is not None and self.scheme.shuffle.noise:
            raise InvalidValueError(
                'format jpeg does not go with noise: JPEG spends its bytes on the noise, and decrypt could not take it '
                'off; use png or webp'
            )
        if self.format == 'jpeg' and self.scheme.shuffle is not None and self.scheme.shuffle.tone:
            raise InvalidValueError(
                'format jpeg does not go with tone: JPEG changes the least and greatest level of a patch, from which '
                'tone is undone; use png or webp'
            )

    def _check_size(self) -> None:
        """Raise InvalidValueError where the size is not a multiple of the patch size."""
        ph, pw = self.scheme.patch_size
        if isinstance(self.size, tuple) and (self.size[1] % ph or self.size[0] % pw):
            w, h = self.size
            near = max(pw, round(w / pw) * pw), max(ph, round(h / ph) * ph)
            raise InvalidValueError(
                f'size {w}x{h} (w x h) is not a multiple of the patch, {pw}x{ph}; the nearest is {near[0]}x{near[1]}'
            )

    @property
    def extension(self) -> str:
        """The extension of the images, with its dot."""
        return EXTENSIONS[self.format]

    def to_json(self) -> dict[str, Any]:
        """Return the ``parameters`` of a manifest: patch sizes are [h, w], ``size`` is [w, h].

        ``tone`` is named only if it is true, and ``noise`` only if it is not 0.
        """
        scheme = self.scheme
        values: dict[str, Any] = {'strategy': scheme.strategy, 'patch_size': list(scheme.patch_size)}
        if scheme.shuffle is not None:
            given = {name: getattr(scheme.shuffle, name) for name in OF_SHUFFLE}
            values |= {name: value for name, value in given.items() if value or name not in ('tone', 'noise')}
        if scheme.mixup is not None:
            values['grid'] = scheme.mixup.grid
        values['size'] = list(self.size) if isinstance(self.size, tuple) else self.size
        values |= {'fit': self.fit, 'format': self.format, 'rename': self.rename}
        values |= {'keep_class_names': self.keep_class_names, 'boxes_frame': self.boxes_frame}
        if self.format == 'shards':
            values['shard_size'] = self.shard_size
        values['encrypted_patch_size'] = list(scheme.core_size)
        return values

    @classmethod
    def from_json(cls, values: Any) -> Settings:
        """Return the settings of a manifest's ``parameters``; the inverse of :meth:`to_json`.

        Raises:
            UsageError: not such values.
        """
        given = convert(values, _Parameters, 'parameters', UsageError)
        scheme = Scheme(
            given.patch_size,
            strategy=given.strategy,
            gap=given.gap,
            drop_ratio=given.drop_ratio,
            orient=given.orient,
            window=given.window,
            tone=given.tone,
            noise=given.noise,
            grid=given.grid,
        )
        return cls(
            scheme,
            given.size,
            given.fit,
            given.format,
            given.rename,
            given.shard_size,
            keep_class_names=given.keep_class_names,
            boxes_frame=given.boxes_frame,
        )


class _Parameters(msgspec.Struct, forbid_unknown_fields=True):
    """``parameters`` as they are in the file."""

    strategy: str = 'shuffle'
    patch_size: Pair = 16
    gap: int = 0
    drop_ratio: float = 0.0
    orient: bool = False
    window: int | None = None
    tone: bool = False
    noise: int = 0
    grid: int = 2
    size: Size = None
    fit: str | None = None
    format: str = 'png'
    rename: bool = False
    keep_class_names: bool = False
    boxes_frame: str = 'upright'
    shard_size: int = SHARD_SIZE
    encrypted_patch_size: Any = None
