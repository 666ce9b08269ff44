"""Compare the patches that pipelines and copies leave with what a model can learn from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from torch import nn

from ..encryption import Scheme, ShuffleParams
from ..models.order import Order, is_detector, order_of
from ..models.reading import Reading, reading
from ..transforms import PatchMixup, PatchShuffle
from .manifest_check import Copy, misfits
from .pipelines import Checked, Encrypting

CLASSIFIERS = (
    "Use type='PEViT', a ViT or DeiT without positions, or type='BEiTViT' with use_abs_pos_emb=False and "
    'use_rel_pos_bias=False'
)
DETECTORS = (
    "Use PatchMixup in place of PatchShuffle: it leaves patches in order, and type='PEYOLOS' reads what it writes; or "
    "type='PatchDetector' (docs/guides/detection.md), which finds fragments that the owner puts together"
)


class Shuffled(NamedTuple):
    """Shuffled images that a model reads.

    Attributes:
        place: of the pipeline or the data set in the config.
        params: of the shuffle.
    """

    place: str
    params: ShuffleParams


class Findings(NamedTuple):
    """What is wrong, and what is doubtful: one sentence each."""

    problems: list[str]
    doubts: list[str]


def shuffles(checked: Iterable[Checked], copies: Iterable[Copy]) -> list[Shuffled]:
    """Return the shuffled images that pipelines and copies leave."""
    found = [Shuffled(each.place, step.scheme.shuffle) for each in checked for step in each.encrypting
             if isinstance(step, PatchShuffle)]  # fmt: skip
    return found + [Shuffled(copy.place, copy.scheme.shuffle) for copy in copies if copy.scheme.shuffle]


def order_findings(model: nn.Module, reads: Reading, shuffled: Iterable[Shuffled]) -> Findings:
    """Measure whether a model depends on the order of patches that are shuffled.

    Each kind of patch is measured once. Images whose patches are not those of
    the model are left out: that is a problem of its own. Within windows the
    order may matter: positions still say in which window a patch lies.

    Args:
        model: that reads the images.
        reads: what it reads.
        shuffled: images, see :func:`shuffles`.
    """
    kinds: dict[tuple[tuple[int, int], int | None], list[str]] = {}
    for place, params in shuffled:
        if reads.patch_size in (None, params.core_size):
            kinds.setdefault((params.core_size, params.window), []).append(place)
    found = Findings([], [])
    for (size, window), places in kinds.items():
        measured = order_of(model, size, window)
        name, where = type(model).__name__, ', '.join(dict.fromkeys(places))
        name = name if reads.name == name else f'{name} with {reads.name}'
        if measured is None:
            found.doubts.append(f'{where}: it could not be measured whether {name} depends on the order of patches')
        elif measured.matters:
            text = (
                f'{where}: {_depends(name, size, window, measured)}: {DETECTORS if is_detector(model) else CLASSIFIERS}'
            )
            (found.doubts if window else found.problems).append(text)
    return found


def scheme_findings(model: nn.Module, scheme: Scheme) -> Findings:
    """Return what keeps a model from learning on images of a scheme, as the hook ``CheckEncryption`` finds it."""
    copy = Copy('images', scheme, '')
    reads = reading(model)
    order = order_findings(model, reads, shuffles([], [copy]))
    return Findings(misfits(copy, reads) + order.problems, order.doubts)


def _depends(name: str, size: tuple[int, int], window: int | None, measured: Order) -> str:
    """Return the sentence on a model that depends on the order of patches."""
    within = f' within windows of {window} x {window}' if window else ''
    return (
        f'PatchShuffle puts the patches of {size[0]} x {size[1]} in a random order{within}, but {name} depends on it: '
        f'measured on a random picture, another order changes its {measured.of} by {measured.change:.1%} of what '
        'another picture changes'
    )


def patch_problems(pipeline: Checked, reads: Reading) -> list[str]:
    """Return one sentence for each way through a pipeline that leaves other patches than the model reads."""
    return [text for step in pipeline.encrypting if (text := _patch_problem(pipeline.place, step, reads))]


def _patch_problem(place: str, step: Encrypting, reads: Reading) -> str:
    """Return what is wrong with the patches that ``step`` leaves, or ''."""
    name, scheme, read = type(step).__name__, step.scheme, reads.patch_size
    if reads.mixes_inside and isinstance(step, PatchMixup):
        return f'{place}: {name} mixes the images, and mix_inside=True would mix them again: remove one of the two'
    if read is None or tuple(read) == scheme.core_size:
        return ''
    h, w = scheme.core_size
    return (
        f'{place}: {name} ({scheme.label}) leaves patches of {h} x {w} (h x w), but the backbone reads patches of '
        f'{read[0]} x {read[1]}; set its patch_size to '
        + ('patch_size - 2 * gap' if isinstance(step, PatchShuffle) else 'patch_size / grid')
    )
