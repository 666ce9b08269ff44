"""What the attacks that learn share: crops of public photos, encrypted; checkpoints. Torch, imported when asked for."""

import numpy as np
from PIL import Image

from .pieces import as_rgb


def torch():
    """The torch module.

    Raises:
        ImportError: it is not installed; the message says what to do.
    """
    try:
        import torch as module
    except ImportError as error:
        raise ImportError(f'attacks that learn need torch ({error}). Run: pip install torch') from None
    return module


def device():
    """A GPU where there is one, else the CPU."""
    return 'cuda' if torch().cuda.is_available() else 'cpu'


def crop(photos, rng, shape, change=True):
    """A random crop of a random photo, (h, w, 3) uint8; mirrored, turned and recoloured at random too.

    Args:
        photos: list of (H, W, 3) uint8 of any sizes.
        rng: :class:`numpy.random.Generator`.
        shape: (h, w) of the crop.
        change: mirror, turn and recolour.
    """
    photo = photos[rng.integers(len(photos))]
    height, width = photo.shape[:2]
    scale = min(height / shape[0], width / shape[1]) * rng.uniform(0.6, 1)
    h, w = max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))
    y, x = rng.integers(height - h + 1), rng.integers(width - w + 1)
    part = Image.fromarray(photo[y : y + h, x : x + w])
    part = np.asarray(part.resize(shape[::-1], Image.Resampling.BILINEAR))
    if not change:
        return part
    part = part[:, ::-1] if rng.random() < 0.5 else part
    if shape[0] == shape[1] and rng.random() < 0.5:
        part = part.swapaxes(0, 1)
    part = part[..., rng.permutation(3)] if rng.random() < 0.3 else part
    gain, shift = rng.uniform(0.7, 1.3), rng.uniform(-25, 25)
    return (part * gain + shift).clip(0, 255).astype(np.uint8)


def save(path, attack, model, about):
    """Write a checkpoint: weights and plain values only, so that it loads with ``weights_only``."""
    torch().save({'attack': attack, 'about': about, 'state_dict': model.state_dict()}, path)


def read(path, attack):
    """What a checkpoint holds.

    Args:
        path: of the file.
        attack: name that it must be for.

    Raises:
        ValueError: no checkpoint, or one of another attack.
        OSError: it cannot be read.
    """
    module = torch()
    try:
        found = module.load(path, map_location='cpu', weights_only=True)
    except OSError:
        raise
    except Exception as error:  # of a file that is none torch raises almost anything
        raise ValueError(f'{path} is no checkpoint that hii-mm attack-train wrote ({type(error).__name__})') from None
    if not isinstance(found, dict) or found.get('attack') != attack:
        kind = found.get('attack') if isinstance(found, dict) else type(found).__name__
        raise ValueError(f'{path} is a checkpoint of {kind!r}, not of {attack!r}')
    if not isinstance(found.get('about'), dict) or not isinstance(found.get('state_dict'), dict):
        raise ValueError(f'{path} is no checkpoint that hii-mm attack-train wrote (no weights, or no setting)')
    return found


def load(path, attack, about, model):
    """Fill a model from a checkpoint.

    Args:
        path: of the file.
        attack: name that it must be for.
        about: dict that must equal the one it was trained with.
        model: the module.

    Raises:
        ValueError: no checkpoint, of another attack, or trained at another setting.
        OSError: it cannot be read.
    """
    found = read(path, attack)
    if found['about'] != about:
        raise ValueError(f'{path} was trained at {found["about"]}, and this setting is {about}')
    try:
        model.load_state_dict(found['state_dict'])
    except (RuntimeError, TypeError, AttributeError) as error:
        first = str(error).splitlines()[0]
        raise ValueError(f'{path} holds other weights than {attack} has at {about} ({first})') from None
    return model.eval()


def fit(model, batch_loss, steps, say, rate=1e-3):
    """AdamW with a one-cycle rate.

    Args:
        model: the module.
        batch_loss: callable(step) -> a scalar tensor.
        steps: how many.
        say: called with a line now and then.
        rate: the highest learning rate.

    Returns:
        list of float: the losses.
    """
    optimiser = torch().optim.AdamW(model.parameters(), rate, weight_decay=0.01)
    schedule = torch().optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=max(2, steps))
    losses = []
    for step in range(steps):
        loss = batch_loss(step)
        optimiser.zero_grad()
        loss.backward()
        torch().nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if (step + 1) % max(1, steps // 20) == 0:
            say(f'step {step + 1}/{steps}, loss {np.mean(losses[-max(1, steps // 20) :]):.4f}')
    return losses


def tokens(image, rs):
    """(H, W[, C]) encrypted -> float32 (n, h * w * 3) in about [-1, 1]: one row a piece."""
    from .pieces import cut

    h, w = rs.core_size
    return cut(as_rgb(image), (image.shape[0] // h, image.shape[1] // w)).reshape(-1, h * w * 3) / 127.5 - 1
