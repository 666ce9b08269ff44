"""Learned fits of borders across a gap, for the jigsaw's assembler."""

import numpy as np

from . import learning
from .base import register
from .edges import seam_scores
from .jigsaw import Jigsaw
from .pieces import as_rgb, turn

STRIP = 8  # pixels of each piece that are looked at, counted from the seam
SIZE = 128  # of an embedding


@register
class LearnedEdge(Jigsaw):
    """Two small CNNs embed the two sides of a seam; their product is added to the jigsaw's own measures.

    Trained by ``hii-mm attack-train learned-edge`` on public photos at the
    same setting, with the contrastive loss over all pieces of a picture.

    Args:
        checkpoint: the file that the training wrote.
        effort: as :class:`Jigsaw`.
    """

    name = 'learned-edge'
    source = 'after TEN, Rika et al., arXiv 2203.06488; InfoNCE'
    cost = 'training minutes on a CPU core, then as jigsaw'
    beside = 'jigsaw'

    def __init__(self, checkpoint=None, effort=60):
        super().__init__(effort)
        self.checkpoint, self.model = checkpoint, None

    def refuses(self, setting):
        """It needs a shuffle, and a checkpoint."""
        if self.checkpoint is None:
            return 'no checkpoint: train one with hii-mm attack-train learned-edge'
        return super().refuses(setting)

    def prepare(self, setting, given):
        """Load the checkpoint.

        Raises:
            ValueError: it is of another setting.
        """
        self.model = learning.load(self.checkpoint, self.name, about(setting), network(setting))

    def seams(self, left, right, setting, codes):
        """Scores of the jigsaw plus those of the network."""
        torch = learning.torch()
        if self.model is None:
            self.prepare(setting, None)
        known = super().seams(left, right, setting, codes)
        turned = np.stack([turn(left, code) for code in codes], axis=1)
        turned = turned.reshape((-1,) + turned.shape[2:])
        with torch.no_grad():
            return self.model(torch.from_numpy(_strips(turned)), torch.from_numpy(known)).numpy()


def about(setting):
    """What a checkpoint is trained for: the cores, the gap, and how the pixels were mixed."""
    rs, mi = setting.shuffle, setting.mixup
    mixed = {'mixed': list(mi.patch_size)} if mi else {}
    return {'core': list(rs.core_size), 'gap': rs.gap, 'grid': mi.grid if mi else 1, **mixed}


def _strips(pieces):
    """(n, h, w, 3) -> float32 (2, n, 3, h, strip): the right borders, mirrored, and the left ones."""
    width = min(STRIP, pieces.shape[2])
    sides = np.stack([pieces[:, :, ::-1][:, :, :width], pieces[:, :, :width]])
    return np.ascontiguousarray(sides.transpose(0, 1, 4, 2, 3), np.float32) / 127.5 - 1


def network(setting):
    """The module: (strips, known scores (n, n)) -> scores (n, n). Only square cores have one height for all."""
    torch = learning.torch()
    nn = torch.nn
    (height, other), width = setting.shuffle.core_size, min(STRIP, *setting.shuffle.core_size)
    columns = (width + 3) // 4  # after two strides of 2
    if height != other:
        raise ValueError(f'learned-edge needs square cores, got {height} x {other}')

    def convolution(before, after, stride):
        return [nn.Conv2d(before, after, 3, (1, stride), padding=1), nn.GroupNorm(4, after), nn.GELU()]

    class Side(nn.Module):
        def __init__(self):
            super().__init__()
            layers = [*convolution(3, 32, 1), *convolution(32, 48, 2), *convolution(48, 48, 2)]
            self.look = nn.Sequential(*layers, nn.Flatten())
            self.embed = nn.Linear(48 * height * columns + 3 * height * width, SIZE)

        def forward(self, x):
            """(n, 3, h, strip) -> (n, SIZE): from what the convolutions see, and from the pixels themselves."""
            return self.embed(torch.cat([self.look(x), x.flatten(1)], dim=1))

    class Sides(nn.Module):
        def __init__(self):
            super().__init__()
            self.sides = nn.ModuleList([Side(), Side()])
            self.trust = nn.Parameter(torch.ones(()))
            self.scale = nn.Parameter(torch.full((), 0.3))

        def forward(self, strips, known):
            """(2, n, 3, h, strip), (n, n) -> (n, n): rows are pieces on the left."""
            left, right = (side(part) for side, part in zip(self.sides, strips))
            return self.trust * known + self.scale * left @ right.T

    return Sides()


def train(photos, setting, steps=500, seed=0, say=print, shape=(224, 224)):
    """Train on crops of public photos; ``(model, about, losses)``.

    Args:
        photos: list of (H, W, 3) uint8.
        setting: the :class:`.base.Setting`; orientation and drop are not simulated, they change no seam.
        steps: pictures; each gives all its seams at once, rightwards and downwards.
        seed: of crops and weights.
        say: called with lines of progress.
        shape: (h, w) of the crops, a multiple of the patch size.
    """
    from skimage.color import rgb2lab

    from .linkage import plain_cores
    from .mixing import mix

    torch = learning.torch()
    torch.manual_seed(seed)
    rng, model, rs = np.random.default_rng(seed), network(setting), setting.shuffle
    rows, cols = (
        length // (side * (setting.mixup.grid if setting.mixup else 1)) for length, side in zip(shape, rs.patch_size)
    )
    index = np.arange(rows * cols).reshape(rows, cols)
    pairs = [(index[:, :-1], index[:, 1:]), (index[:-1], index[1:])]

    def batch_loss(step):
        image = as_rgb(learning.crop(photos, rng, shape))
        image = mix(image, setting.mixup).round() if setting.mixup else image
        pieces = plain_cores(image, rs)
        down = step % 2
        pieces = np.ascontiguousarray(pieces.swapaxes(1, 2) if down else pieces)
        lab = rgb2lab(pieces / 255).astype(np.float32)
        known = torch.from_numpy(seam_scores(pieces, pieces, lab, lab, rs.gap))
        scores = model(torch.from_numpy(_strips(pieces)), known)
        scores = scores.masked_fill(torch.eye(len(pieces), dtype=torch.bool), -1e9)
        a, b = (torch.from_numpy(part.ravel()) for part in pairs[down])
        cross = torch.nn.functional.cross_entropy
        return cross(scores[a], b) + cross(scores.T[b], a)

    losses = learning.fit(model, batch_loss, steps, say)
    return model.eval(), about(setting), losses
