"""Attacks on encrypted images, and what they get back.

An attack gets what a trainer gets: encrypted images and public parameters,
never a key or a plan. ``hii-mm attack`` runs them and writes a report. Needs
the extra ``attacks`` (SciPy, scikit-image, matplotlib); neither torch nor mm*
is imported before an attack that learns asks for it.

>>> import numpy as np
>>> from hii_mm.attacks import Setting, make
>>> from hii_mm.encryption import ShuffleParams
>>> ramp = np.add.outer(np.arange(48) * 3, np.arange(64)).astype(np.uint8)
>>> setting = Setting([ShuffleParams(16)], plain_shape=ramp.shape)
>>> encrypted, _ = setting.encrypt(ramp, np.random.default_rng(0))
>>> bool((make('jigsaw').recover(encrypted, setting).image[..., 0] == ramp).all())
True
"""

from .base import Attack, Given, Recovery, Setting, attack_names, make, register

__all__ = ['Attack', 'Given', 'Recovery', 'Setting', 'attack_names', 'make', 'register']
