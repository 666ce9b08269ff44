"""Muon that is fast on processors without matrix units for bfloat16."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import timm.optim.muon
import torch
from timm.optim import Muon

from ..registry import OPTIMIZERS, register


@register(OPTIMIZERS)
class FloatMuon(Muon):
    """timm's Muon with its matrices orthogonalised in float32 rather than in bfloat16.

    Without matrix units for bfloat16, as on CPUs that have AVX2 alone, the
    orthogonalisation takes longer than the rest of a step of a small model.

    In a config: ``optim_wrapper = dict(optimizer=dict(type='hii_mm.FloatMuon', lr=1e-2))``. Arguments
    are those of :class:`timm.optim.Muon`.
    """

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step, as :class:`timm.optim.Muon` does."""
        with _orthogonalise_in(torch.float32):
            return super().step(closure)


@contextmanager
def _orthogonalise_in(dtype: torch.dtype) -> Iterator[None]:
    """Let timm's Muon compute in ``dtype`` within this context: its step does not pass the argument on."""
    module, before = timm.optim.muon, timm.optim.muon.zeropower_via_newtonschulz
    module.zeropower_via_newtonschulz = functools.partial(before, dtype=dtype)
    try:
        yield
    finally:
        module.zeropower_via_newtonschulz = before
