"""Register all transforms, models, optimizers, hooks and metrics under their bare names.

For configs: ``custom_imports = dict(imports=['hii_mm.register'])``. Names with
the scope, such as ``type='hii_mm.PatchShuffle'``, need no import.

mmpretrain's ``list_models`` and ``get_model`` then know the models of
``model-index.yml``, too; ``get_model(NAME, pretrained=True)`` takes the weights
of the package or the checkout, without network.

Raises:
    StackError: no usable set of mm packages is installed.
"""

from __future__ import annotations

from importlib.util import find_spec

from .registry import registered_names
from .shipped import shipped


def add_to_model_hub() -> None:
    """Add the models of ``model-index.yml`` to mmpretrain's hub of models, once."""
    from mmpretrain.apis.model import ModelHub

    configs = shipped('hii_mm', 'configs')
    if configs is None:
        return
    root, before = configs.parent, set(ModelHub._models_dict)
    ModelHub.register_model_index(root / 'model-index.yml', config_prefix=root)
    for name in ModelHub._models_dict.keys() - before:
        model = ModelHub._models_dict[name]
        if model.weights is not None:
            model.weights = str(root / model.weights)


registered_names()
if find_spec('mmpretrain'):
    add_to_model_hub()
