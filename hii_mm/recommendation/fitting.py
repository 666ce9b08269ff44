"""Fit what an attack needs at a setting before it is tried, within a part of the time. NumPy only.

A fit cannot be stopped halfway, so that it runs in a process of its own, which
is ended when its time is over. The model lies then in the user's cache.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..attacks.attackers import attack_class
from ..attacks.solver import seam_files
from ..attacks.solver.packaged import packaged_photos
from ..encryption import Scheme

FIT = 30  # seconds of a fit on an idle core
MOST = 0.25  # share of the time that fits may take


class Ready(NamedTuple):
    """Settings that can be tried, and a line for each one that cannot."""

    schemes: list[Scheme]
    left: list[str]


def to_fit(schemes: Sequence[Scheme], attacks: Sequence[str]) -> list[Scheme]:
    """Return the schemes to which the jigsaw must be fitted first: neither shipped nor in the user's cache."""
    kinds = [attack_class(name) for name in attacks]  # first: says what to install where SciPy is missing
    from ..attacks.attackers.jigsaw import Jigsaw

    if not any(issubclass(kind, Jigsaw) for kind in kinds):
        return []
    return [scheme for scheme in schemes if scheme.shuffle is not None and not _is_fitted(scheme)]


def affordable(schemes: Sequence[Scheme], attacks: Sequence[str], seconds: float) -> Ready:
    """Leave out the schemes whose fit would take more than ``MOST`` of a time in seconds, the last ones first."""
    missing = to_fit(schemes, attacks)
    out = missing[int(MOST * seconds // FIT) :]
    return Ready([scheme for scheme in schemes if scheme not in out], [_line(scheme, seconds) for scheme in out])


def fit(
    schemes: Sequence[Scheme], attacks: Sequence[str], seconds: float, notice: Callable[[str], None] | None = None
) -> Ready:
    """Fit the jigsaw to each scheme that needs it, and leave out those to which ``MOST`` of a time was too short.

    Args:
        schemes: to try.
        attacks: names of the attacks that will run.
        seconds: of the whole run.
        notice: called with a line before each fit.
    """
    end, kept, left = time.monotonic() + MOST * seconds, list(schemes), list[str]()
    for scheme in to_fit(schemes, attacks):
        if notice is not None:
            notice(f'fitting an attack to {scheme.label} first, for about {FIT} s; the result is kept')
        if not fit_within(scheme, end - time.monotonic()):
            kept.remove(scheme)
            left.append(_line(scheme, seconds))
    return Ready(kept, left)


def fit_within(scheme: Scheme, seconds: float) -> bool:
    """Fit the jigsaw to a scheme in another process, and return whether the model was in the cache in time."""
    command = [sys.executable, '-c', f'from {__name__} import main; main()']
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    try:
        subprocess.run(
            command, input=pickle.dumps(scheme), env=env, timeout=max(0.0, seconds), check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except subprocess.SubprocessError:
        return False
    return _is_fitted(scheme)


def main() -> None:
    """Fit to the scheme that comes pickled through stdin."""
    from ..attacks.solver.seams import seam_model

    seam_model(pickle.load(sys.stdin.buffer))


def _is_fitted(scheme: Scheme) -> bool:
    """Return whether the model of a scheme's seams is shipped or in the cache."""
    setting = seam_files.setting_of(scheme)
    if (seam_files.SHIPPED / f'seams-{setting}.npz').is_file():
        return True
    return seam_files.cache_file(setting, packaged_photos()).is_file()


def _line(scheme: Scheme, seconds: float) -> str:
    """Return why a setting is left out."""
    return (
        f'{scheme.label}: an attack must be fitted to it first, once, which takes {FIT} s on an idle core, and '
        f'{MOST:.0%} of {seconds / 60:g} min were too short; more --minutes try it'
    )
