"""The network: all pieces and the measures of all pairs in, a score of each pair out. Torch is imported when used."""

from __future__ import annotations

from typing import Any

from .. import learning


def network(core: tuple[int, int], count: int) -> Any:
    """Return the module, about 0.65 million weights.

    ``(streams, measures, banned) -> scores``: a list of float32 (N, 3, h, w) in
    [-1, 1]; float32 (2, K, N, N); bool (N, N) -> float32 (N, N) for each
    stream: how likely item j is right of item i, unnormalised. The second
    stream is transposed, so that its scores are those of "below". Nothing
    depends on the order of the items.

    A token is made of each piece by a small CNN, the pixels themselves and the
    best measures that it has with any other. Transformer layers follow, whose
    heads are drawn to the likely neighbours on each side. A pair's score is the
    weighted sum of its measures, a product of its tokens, and what a small
    network sees in both together.

    Args:
        core: (h, w) of a piece, in pixels.
        count: K, the number of measures.

    Raises:
        MissingPackageError: torch is not installed.
    """
    learning.torch()
    from .modules import Network

    return Network(core, count)
