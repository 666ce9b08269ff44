"""A transformer that tells where each piece of a shuffled image was."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from . import learning
from .base import Attack, Recovery, register
from .jigsaw import as_plain
from .linkage import plain_cores
from .mixing import mix
from .pieces import as_rgb, cut, lay_out

WIDTH, DEPTH, HEADS = 128, 4, 4


@register
class PositionViT(Attack):
    """A ViT without position embedding classifies each piece's place; the Hungarian method gives each place one.

    Trained by ``hii-mm attack-train position-vit``. With a few photos it
    learns little more than that the sky is above; the paper's figures need
    ImageNet.

    Args:
        checkpoint: the file that the training wrote.
    """

    name = 'position-vit'
    source = 'after MP3, Zhai et al., arXiv 2207.07611'
    cost = 'training hours on a CPU core, then milliseconds an image'

    def __init__(self, checkpoint=None):
        self.checkpoint, self.model = checkpoint, None

    def refuses(self, setting):
        """It needs a shuffle of upright pieces, and a checkpoint."""
        if setting.shuffle is None:
            return 'nothing was shuffled at this setting'
        if setting.shuffle.orient:
            return 'pieces that are turned are not learned'
        return None if self.checkpoint else 'no checkpoint: train one with hii-mm attack-train position-vit'

    def _recover(self, image, setting, given):
        torch, rs = learning.torch(), setting.shuffle
        grid = setting.plain_grid(image.shape)
        if self.model is None:
            self.model = learning.load(self.checkpoint, self.name, about(setting, grid), network(setting, grid))
        with torch.no_grad():
            logits = self.model(torch.from_numpy(learning.tokens(image, rs))[None])[0]
            chance = logits.log_softmax(1).numpy()
        pieces, spots = linear_sum_assignment(-chance)
        places = np.full(grid, -1)
        places.ravel()[spots] = pieces
        whole = lay_out(cut(as_rgb(image), setting.places(image.shape)), places, None, rs.gap)
        sure = float(np.exp(chance[pieces, spots]).mean())
        return Recovery(as_plain(whole, setting), places, np.zeros(grid, int), sure)


def about(setting, grid):
    """What a checkpoint is trained for."""
    rs, mi = setting.shuffle, setting.mixup
    return {'core': list(rs.core_size), 'gap': rs.gap, 'grid': mi.grid if mi else 1, 'places': list(grid)}


def network(setting, grid):
    """The module: (B, n, h * w * 3) -> (B, n, rows * columns) logits."""
    nn = learning.torch().nn
    h, w = setting.shuffle.core_size
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
    return nn.Sequential(
        nn.Linear(h * w * 3, WIDTH),
        nn.TransformerEncoder(layer, DEPTH, enable_nested_tensor=False),
        nn.LayerNorm(WIDTH),
        nn.Linear(WIDTH, grid[0] * grid[1]),
    )


def train(photos, setting, steps=2000, seed=0, say=print, shape=(224, 224), batch=8):
    """Train on crops of public photos; ``(model, about, losses)``. Arguments as in :func:`.learned_edge.train`."""
    torch, rs = learning.torch(), setting.shuffle
    torch.manual_seed(seed)
    rng, g = np.random.default_rng(seed), setting.mixup.grid if setting.mixup else 1
    grid = tuple(length // (side * g) for length, side in zip(shape, rs.patch_size))
    model = network(setting, grid)

    def sample():
        image = as_rgb(learning.crop(photos, rng, shape))
        image = mix(image, setting.mixup).round() if setting.mixup else image
        return plain_cores(image, rs).reshape(grid[0] * grid[1], -1) / 127.5 - 1

    def batch_loss(step):
        inputs = torch.from_numpy(np.stack([sample() for _ in range(batch)]))
        target = torch.arange(grid[0] * grid[1]).expand(batch, -1)
        return torch.nn.functional.cross_entropy(model(inputs).flatten(0, 1), target.flatten())

    losses = learning.fit(model, batch_loss, steps, say)
    return model.eval(), about(setting, grid), losses
