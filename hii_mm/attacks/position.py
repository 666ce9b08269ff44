"""A transformer that tells where each piece of a shuffled image was, for the jigsaw's assembler."""

import numpy as np

from . import learned_edge, learning
from .base import register
from .edges import posteriors
from .jigsaw import Jigsaw
from .linkage import plain_cores
from .mixing import mix
from .pieces import as_rgb

WIDTH, DEPTH, HEADS = 128, 4, 4


@register
class PositionViT(Jigsaw):
    """A ViT without position embedding classifies each piece's place.

    The chance that one piece's place is beside another's is added to the
    jigsaw's own measures, and the same assembler lays the pieces. Trained by
    ``hii-mm attack-train position-vit``. With few photos it learns little
    more than that the sky is above; the paper's figures need ImageNet.

    Args:
        checkpoint: the file that the training wrote.
        effort: as :class:`Jigsaw`.
    """

    name = 'position-vit'
    source = 'after MP3, Zhai et al., arXiv 2207.07611'
    cost = 'training minutes to hours on a CPU core, then as jigsaw'
    beside = 'jigsaw'

    def __init__(self, checkpoint=None, effort=60):
        super().__init__(effort)
        self.checkpoint, self.model, self.grid, self.trained = checkpoint, None, None, None

    def refuses(self, setting):
        """It needs a shuffle of upright pieces, and a checkpoint."""
        if setting.shuffle and setting.shuffle.orient:
            return 'pieces that are turned are not learned'
        if self.checkpoint is None:
            return 'no checkpoint: train one with hii-mm attack-train position-vit'
        return super().refuses(setting)

    def _recover(self, image, setting, given):
        self.grid = setting.plain_grid(image.shape)
        if self.model is None:
            wanted = about(setting, self.grid)
            self.model = learning.load(self.checkpoint, self.name, wanted, network(setting, self.grid))
            self.trained = self.grid
        (rows, cols), (r, c) = self.grid, self.trained or self.grid
        if (rows, cols) != (r, c):
            raise ValueError(f'{self.checkpoint} was trained at {r} x {c} places, and this image has {rows} x {cols}')
        return super()._recover(image, setting, given)

    def scores(self, pieces, setting, codes):
        """Posteriors of the jigsaw and of the places together."""
        torch, n = learning.torch(), len(pieces)
        tokens = torch.from_numpy(np.ascontiguousarray(pieces.reshape(n, -1), np.float32) / 127.5 - 1)
        with torch.no_grad():
            chance = self.model(tokens[None])[0].softmax(1).numpy().reshape(n, *self.grid)
        ends = (chance[:, :, :-1], chance[:, :, 1:]), (chance[:, :-1], chance[:, 1:])
        known, itself = super().scores(pieces, setting, codes), (np.arange(n), np.arange(n))
        return tuple(posteriors(score / 2 + _beside(*pair), itself) for score, pair in zip(known, ends))


def _beside(first, second):
    """float32 (n, n): log of the chance that a piece has a place of ``first`` and another the one beside it."""
    first, second = (part.reshape(len(part), -1) for part in (first, second))
    return np.log(first @ second.T + 1e-3 / len(first))


def about(setting, grid):
    """What a checkpoint is trained for: as of learned-edge, and the grid of places."""
    return {**learned_edge.about(setting), 'places': list(grid)}


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
