"""A recogniser that reads encrypted images: what a picture shows, without its pixels."""

import numpy as np

from . import learning
from .base import Attack, Recovery, register

WIDTH = 96


@register
class Parrot(Attack):
    """Trained on public photos that were encrypted at the same setting, it names what the victim's image shows.

    This is what a trainer's own model does, turned against the owner: where
    PEViT can learn from the images, so can this. It returns no picture.
    Trained by ``hii-mm attack-train parrot`` on a folder with one folder a
    class.

    Args:
        checkpoint: the file that the training wrote.
    """

    name = 'parrot'
    source = 'recognition of obfuscated images, McPherson et al., arXiv 1609.00408'
    cost = 'training minutes on a CPU core, then milliseconds an image'

    def __init__(self, checkpoint=None):
        self.checkpoint, self.model, self.labels = checkpoint, None, ()

    def refuses(self, setting):
        """It needs a checkpoint."""
        return None if self.checkpoint else 'no checkpoint: train one with hii-mm attack-train parrot'

    def _recover(self, image, setting, given):
        torch = learning.torch()
        if self.model is None:
            self.labels = learning.read(self.checkpoint, self.name)['about'].get('labels', [])
            self.model = learning.load(
                self.checkpoint, self.name, about(setting, self.labels), network(setting, len(self.labels))
            )
        with torch.no_grad():
            chance = self.model(torch.from_numpy(_tokens(image, setting))[None])[0].softmax(0).numpy()
        order = np.argsort(-chance, kind='stable')
        said = [(self.labels[k], float(chance[k])) for k in order]
        return Recovery(confidence=said[0][1], extra={'labels': said})


def about(setting, labels):
    """What a checkpoint is trained for."""
    return {'setting': setting.name(), 'labels': list(labels)}


def _core(setting):
    return setting.shuffle or setting.mixup


def _tokens(image, setting):
    return learning.tokens(np.asarray(image), _core(setting))


def network(setting, classes):
    """The module: (B, n, h * w * 3) -> (B, classes); the order of the pieces plays no part."""
    torch = learning.torch()
    nn = torch.nn
    h, w = _core(setting).core_size

    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            layer = nn.TransformerEncoderLayer(WIDTH, 4, 2 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
            self.embed = nn.Linear(h * w * 3, WIDTH)
            self.trunk = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(WIDTH, classes)

        def forward(self, x):
            """(B, n, h * w * 3) -> (B, classes)."""
            return self.head(self.trunk(self.embed(x)).mean(dim=1))

    return Bag()


def train(photos, setting, labels, steps=500, seed=0, say=print, batch=32):
    """Train on labelled public photos of one size; ``(model, about, losses)``.

    Args:
        photos: list of (H, W[, C]) uint8, all of one size.
        setting: the :class:`.base.Setting`.
        labels: list of str, the class of each photo.
        steps: batches.
        seed: of everything.
        say: called with lines of progress.
        batch: photos a step.

    Raises:
        ValueError: fewer than two classes, or no label for each photo.
    """
    torch = learning.torch()
    names = sorted(set(labels))
    if len(names) < 2 or len(labels) != len(photos):
        raise ValueError(f'parrot needs a label for each of {len(photos)} photos, of two or more classes, got {names}')
    torch.manual_seed(seed)
    rng, model = np.random.default_rng(seed), network(setting, len(names))
    target = torch.tensor([names.index(label) for label in labels])

    def batch_loss(step):
        pick = rng.integers(len(photos), size=batch)
        inputs = np.stack([_tokens(setting.encrypt(photos[k], rng)[0], setting) for k in pick])
        return torch.nn.functional.cross_entropy(model(torch.from_numpy(inputs)), target[pick])

    losses = learning.fit(model, batch_loss, steps, say)
    return model.eval(), about(setting, names), losses
