"""The settings of the frontier: a model, and a scheme that it reads. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from hii_mm import Scheme

VIT, PEVIT = 'ViT', 'PEViT'  # with positions and without
CONFIGS = {
    VIT: 'configs/vit/vit-mini-p16_1xb64-6e_fashion-scene.py',
    PEVIT: 'configs/pevit/pevit-mini-p16_1xb64-rs-6e_fashion-scene.py',
}
PRESETS = 'configs/presets/{}-6e_fashion-scene.py'
OWN = {  # settings that have a config, and so a row in the zoo
    'vit-plain': CONFIGS[VIT],
    'rs-gap-0': CONFIGS[PEVIT],
    'mi': PRESETS.format('vit-mini-p16_1xb64-paper-mi'),
    'rs-gap-2-noise-16': PRESETS.format('pevit-mini-p16_1xb64-light-v1'),
    'rs-p8-gap-2': PRESETS.format('pevit-mini-p8_1xb64-strong-v1'),
    'rs-on-mi-gap-1': PRESETS.format('pevit-mini-p16_1xb64-mixed-v1'),
}


class Setting(NamedTuple):
    """A model and the arguments of the :class:`hii_mm.Scheme` of its images; None leaves them plain.

    ``option`` is a key of :data:`frontier_options.CUTS`, which cuts the pieces
    that the scheme shuffles, and ``words`` then say what both do.
    """

    model: str
    scheme: dict[str, Any] | None
    option: str | None = None
    words: str | None = None

    @property
    def built(self) -> Scheme | None:
        """The scheme."""
        from hii_mm import Scheme

        return None if self.scheme is None else Scheme(**self.scheme)

    @property
    def label(self) -> str:
        """What is done to the images."""
        scheme = self.built
        return self.words or (scheme.label if scheme else 'plain')


def _rs(**options: Any) -> Setting:
    return Setting(PEVIT, dict(strategy='shuffle', **options))


def _both(**options: Any) -> Setting:
    return Setting(PEVIT, dict(strategy='both', **options))


def _cut(option: str, patch_size: int | tuple[int, int], words: str, **options: Any) -> Setting:
    return Setting(PEVIT, dict(strategy='shuffle', patch_size=patch_size, **options), option, words)


# The most important first: that is the order in which they run.
SETTINGS = {
    'vit-plain': Setting(VIT, None),
    'rs-gap-0': _rs(),
    'rs-on-mi-gap-1': _both(gap=1),
    'rs-gap-4': _rs(gap=4),
    'rs-gap-2-tone': _rs(gap=2, tone=True),
    'rs-gap-2': _rs(gap=2),
    'rs-on-mi': _both(),
    'rs-on-mi-gap-1-tone': _both(gap=1, tone=True),
    'mi': Setting(VIT, dict(strategy='mixup')),
    'rs-on-mi-tone': _both(tone=True),
    'rs-gap-0-tone': _rs(tone=True),
    'rs-gap-1': _rs(gap=1),
    'rs-gap-1-tone': _rs(gap=1, tone=True),
    'rs-drop-50': _rs(drop_ratio=0.5),
    'rs-on-mi-drop-50': _both(drop_ratio=0.5),
    'rs-on-mi-p32-grid-4': _both(patch_size=32, grid=4),
    'rs-orient': _rs(orient=True),
    'rs-drop-25': _rs(drop_ratio=0.25),
    'rs-drop-75': _rs(drop_ratio=0.75),
    'rs-window-2': _rs(window=2),
    'rs-window-4': _rs(window=4),
    'rs-p8-gap-1': _rs(patch_size=8, gap=1),
    'rs-p8-gap-2': _rs(patch_size=8, gap=2),
    'rs-p8-gap-1-tone': _rs(patch_size=8, gap=1, tone=True),
    'rs-on-mi-p8': _both(patch_size=8),
    'rs-p8-gap-0': _rs(patch_size=8),
    'rs-gap-2-noise-32': _rs(gap=2, noise=32),
    'rs-gap-0-noise-32': _rs(noise=32),
    'rs-gap-1-noise-32': _rs(gap=1, noise=32),
    'rs-gap-2-noise-16': _rs(gap=2, noise=16),
    'rs-gap-2-noise-48': _rs(gap=2, noise=48),
    'rs-gap-4-noise-16': _rs(gap=4, noise=16),
    'rs-p8-gap-1-noise-16': _rs(patch_size=8, gap=1, noise=16),
    'rs-p8-gap-2-noise-16': _rs(patch_size=8, gap=2, noise=16),
    'rs-gap-2-tone-noise-16': _rs(gap=2, tone=True, noise=16),
    'rs-on-mi-noise-16': _both(noise=16),
    'pevit-plain': Setting(PEVIT, None),
    'rs-middle': _cut('middle', 12, 'RS p 16, 12 pixels from the middle of a patch'),
    'rs-anywhere': _cut('anywhere', 12, 'RS p 16, 12 pixels from anywhere in a patch'),
    'rs-anywhere-noise-16': _cut('anywhere', 12, 'RS p 16, 12 pixels from anywhere in a patch, noise 16', noise=16),
    'rs-on-unequal': _cut('unequal', 8, 'RS on MI with weights .4 .3 .2 .1, p 16, grid 2'),
    'rs-on-two-mixtures': _cut('two_mixtures', (8, 16), 'RS on two mixtures of each patch'),
    'rs-mixed-or-cropped': _cut('mixed_or_cropped', 8, 'RS p 16, half of the patches mixed, half with gap 4'),
}
