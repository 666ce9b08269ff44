"""Train vision models on images that people should not look at.

``import hii_mm`` is light: without mmengine it registers nothing and loads
neither torch nor mm*. In a process where mmengine runs already, as in every
config with ``custom_imports = dict(imports=['hii_mm'])``, it registers its
transforms, models and hooks under their bare names.
"""

import sys

from .version import __version__

__all__ = ['__version__', 'register_all_modules']


def register_all_modules():
    """Register everything in mmengine's registries. Calling it twice does no harm.

    Raises:
        hii_mm.compat.StackError: no usable set of mm packages is installed.
    """
    from . import compat

    compat.prepare()
    from . import hooks, models, transforms  # noqa: F401


if 'mmengine' in sys.modules:
    register_all_modules()
