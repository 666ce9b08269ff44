"""A U-Net that sharpens what mixup-inverse leaves."""

import numpy as np

from . import learning
from .base import Attack, Recovery, register
from .mixing import mix, spread, unmix
from .pieces import as_rgb, resized

WIDTH = 24


@register
class UNetInverse(Attack):
    """A small U-Net corrects what mixup-inverse (TV) finds; its answer is then made to mix to what was seen.

    Trained by ``hii-mm attack-train unet-inverse``: pairs are free, as the
    mixing is public.

    Args:
        checkpoint: the file that the training wrote.
    """

    name = 'unet-inverse'
    source = 'U-Net, Ronneberger et al., 2015, with a data-consistency step'
    cost = 'training minutes to an hour on a CPU core, then under a second an image'
    beside = 'mixup-inverse'

    def __init__(self, checkpoint=None):
        self.checkpoint, self.model = checkpoint, None

    def refuses(self, setting):
        """It needs an image that was mixed and not shuffled, and a checkpoint."""
        if setting.mixup is None:
            return 'nothing was mixed at this setting'
        if setting.shuffle:
            return 'the mixed patches were shuffled too: jigsaw reassembles and unmixes them'
        return None if self.checkpoint else 'no checkpoint: train one with hii-mm attack-train unet-inverse'

    def _recover(self, image, setting, given):
        torch, params = learning.torch(), setting.mixup
        if self.model is None:
            self.model = learning.load(self.checkpoint, self.name, about(setting), network(setting))
        mixed = as_rgb(image)
        with torch.no_grad():
            plain = corrected(self.model, torch.from_numpy(inputs(mixed, params)))[0].permute(1, 2, 0).numpy()
        plain = plain * 127.5 + 127.5
        plain += spread(mixed - mix(plain, params), params)
        shape = setting.plain_shape or plain.shape[:2]
        plain = plain[: shape[0], : shape[1]]
        return Recovery(resized(plain, shape), confidence=1.0)


def about(setting):
    """What a checkpoint is trained for."""
    return {'patch_size': list(setting.mixup.patch_size), 'grid': setting.mixup.grid}


def inputs(mixed, params):
    """The inverse by TV, the mixture spread out, and where in its patch each pixel is: float32 (1, 8, H, W)."""
    start = unmix(mixed, params, 'tv')
    (h, w), (ph, pw) = start.shape[:2], params.patch_size
    y, x = np.meshgrid(np.arange(h) % ph / ph, np.arange(w) % pw / pw, indexing='ij')
    stack = np.concatenate([start / 127.5 - 1, spread(mixed, params) / 127.5 - 1, y[..., None], x[..., None]], axis=2)
    return np.ascontiguousarray(stack.transpose(2, 0, 1)[None], np.float32)


def corrected(model, stack):
    """Pad to a multiple of 4, and cut again; the answer is a change of the first three channels."""
    functional = learning.torch().nn.functional
    h, w = stack.shape[2:]
    padded = functional.pad(stack, (0, -w % 4, 0, -h % 4), mode='replicate')
    return stack[:, :3] + model(padded)[..., :h, :w]


def network(setting):
    """The module: (B, 8, H, W) -> (B, 3, H, W)."""
    torch = learning.torch()
    nn = torch.nn

    def block(before, after):
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1),
            nn.GroupNorm(8, after),
            nn.GELU(),
            nn.Conv2d(after, after, 3, padding=1),
            nn.GroupNorm(8, after),
            nn.GELU(),
        )

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.ModuleList([block(8, WIDTH), block(WIDTH, 2 * WIDTH), block(2 * WIDTH, 4 * WIDTH)])
            self.up = nn.ModuleList([block(6 * WIDTH, 2 * WIDTH), block(3 * WIDTH, WIDTH)])
            self.last = nn.Conv2d(WIDTH, 3, 1)
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)

        def forward(self, x):
            """(B, 8, H, W) -> (B, 3, H, W); H and W are multiples of 4."""
            functional, kept = nn.functional, []
            for down in self.down:
                x = down(functional.avg_pool2d(x, 2) if kept else x)
                kept.append(x)
            for up, beside in zip(self.up, (kept[1], kept[0])):
                x = up(torch.cat([functional.interpolate(x, scale_factor=2.0), beside], dim=1))
            return self.last(x)

    return UNet()


def train(photos, setting, steps=1000, seed=0, say=print, shape=(224, 224)):
    """Train on crops of public photos; ``(model, about, losses)``. Arguments as in :func:`.learned_edge.train`."""
    torch, params = learning.torch(), setting.mixup
    torch.manual_seed(seed)
    rng, model = np.random.default_rng(seed), network(setting)
    shape = tuple(max(1, length // side) * side for length, side in zip(shape, params.patch_size))

    def batch_loss(step):
        plain = as_rgb(learning.crop(photos, rng, shape))
        mixed = mix(plain, params).round()
        given = torch.from_numpy(inputs(mixed, params))
        target = torch.from_numpy(plain.transpose(2, 0, 1)[None] / 127.5 - 1).float()
        return torch.nn.functional.l1_loss(corrected(model, given), target)

    losses = learning.fit(model, batch_loss, steps, say, rate=2e-3)
    return model.eval(), about(setting), losses
