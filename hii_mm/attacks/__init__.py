"""Attacks on encrypted images.

An attack receives what a trainer receives: encrypted images and the public
scheme, never a key or a plan. :func:`hii_mm.attack` runs attacks and reports
what they recovered. Needs the extra ``attacks`` (SciPy, scikit-image, matplotlib,
Jinja2); torch is only imported by attacks that learn.

>>> import numpy as np
>>> from hii_mm import Scheme
>>> from hii_mm.attacks import Given, make
>>> ramp = np.add.outer(np.arange(48) * 3, np.arange(64)).astype(np.uint8)
>>> scheme = Scheme(patch_size=16)
>>> encrypted = scheme.plan(ramp.shape, np.random.default_rng(0)).apply(ramp)
>>> found = make('jigsaw').recover(encrypted, scheme, Given(plain_shape=ramp.shape))
>>> bool((found.image[..., 0] == ramp).all())
True
"""

from .attackers import make, names
from .base import Attack, Figures, Given, Recovery, Trainer, register

__all__ = ['Attack', 'Figures', 'Given', 'Recovery', 'Trainer', 'make', 'names', 'register']
