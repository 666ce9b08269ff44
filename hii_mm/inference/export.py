"""Export a checkpoint as one file that needs no mm packages: ONNX or TorchScript, with its scheme as metadata."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .. import register  # noqa: F401  # the names in configs
from ..encryption import Scheme
from ..errors import CheckpointError, InvalidValueError, MissingPackageError
from ..files import StrPath, write_atomically
from ..models.reading import reading
from ..training.checkpoints import steps_as_config
from .checkpoints import config_of, loading_steps, read_config, read_meta, scheme_of
from .steps import ENCRYPTING, Steps

FORMAT, VERSION = 'hii-mm model', 1
FORMATS = {'onnx': '.onnx', 'torchscript': '.pt'}
TOLERANCE = 1e-4
OPSET = 18


class Exported(nn.Module):  # type: ignore[misc]  # torch is not followed
    """A classifier or detector with its normalisation: pixels in, scores (and boxes) out.

    Args:
        model: mmpretrain's ImageClassifier, or YOLOS or PEYOLOS.
        mean: of each channel, as the model reads them.
        std: likewise.
        flip: the model reads BGR.
    """

    def __init__(self, model: nn.Module, mean: Sequence[float], std: Sequence[float], flip: bool) -> None:
        super().__init__()
        self.model, self.flip = model, flip
        self.register_buffer('mean', torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer('std', torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, pixels: Tensor) -> Any:
        """Return scores, and for a detector boxes.

        Args:
            pixels: float32 (B, C, H, W) in [0, 255], RGB or grey, encrypted as the metadata says.

        Returns:
            Of a classifier softmax scores (B, classes); of a detector scores
            (B, T, classes) and boxes (B, T, 4), xyxy in pixels.
        """
        x = (pixels.flip(1) if self.flip else pixels) - self.mean
        x = x / self.std
        if not hasattr(self.model, 'bbox_head'):
            return torch.softmax(self.model.head(self.model.backbone(x)), dim=1)
        tokens = self.model.backbone(x)
        head = self.model.bbox_head
        logits, boxes = head.class_embed(tokens), head.bbox_embed(tokens).sigmoid()
        cx, cy, w, h = boxes.unbind(-1)
        height, width = pixels.shape[2], pixels.shape[3]
        corners = torch.stack(
            [(cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height], dim=-1
        )
        return torch.softmax(logits, dim=-1)[..., :-1], corners


def export(checkpoint: StrPath, out: StrPath, form: str = 'onnx', config: StrPath | None = None) -> float:
    """Write a model as one file, and compare it with PyTorch.

    Args:
        checkpoint: that mmengine wrote: a classifier of mmpretrain, YOLOS or PEYOLOS.
        out: the file to write.
        form: 'onnx' or 'torchscript'.
        config: path of the config; None takes the one in the checkpoint.

    Returns:
        The largest difference of a score or of a box, in units of the picture, from
        PyTorch's, over two batches of other sizes than the one it was traced with.

    Raises:
        CheckpointError: a model that cannot be exported.
        InvalidValueError: an unknown form, or a result that is not PyTorch's; nothing is written then.
        MissingPackageError: onnx or onnxruntime is not installed.
    """
    if form not in FORMATS:
        raise InvalidValueError(f'format must be one of {", ".join(FORMATS)}, got {form!r}')
    meta = read_meta(checkpoint)
    cfg = config_of(meta, checkpoint) if config is None else read_config(config)
    module, about = _load(checkpoint, cfg, meta)
    height, width = about['size']
    step = about['multiple']
    example = _batch(about, 2, (height + step, width + 2 * step))  # a position table is resized there
    content = _onnx(module, example, about) if form == 'onnx' else _torchscript(module, example, about)
    others = {1: about['size'], 3: (height + 2 * step, width + step)}
    difference = max(_difference(module, content, form, _batch(about, *each)) for each in others.items())
    if not difference <= TOLERANCE:
        raise InvalidValueError(f'the exported model differs from PyTorch by {difference:.2g}, more than {TOLERANCE:g}')
    write_atomically(out, content)
    return difference


def _load(checkpoint: StrPath, cfg: Any, meta: Mapping[str, Any]) -> tuple[Exported, dict[str, Any]]:
    """Return the module of a checkpoint, and what its metadata says."""
    from mmengine.registry import MODELS, DefaultScope

    scope = str(cfg.get('default_scope'))
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(cfg.model)
        scheme = scheme_of(meta, cfg)
        steps = Steps(loading_steps(cfg), scheme, 3)
    classify = not hasattr(model, 'bbox_head')
    if not classify and not hasattr(model.bbox_head, 'class_embed'):
        raise CheckpointError(f'only classifiers, YOLOS and PEYOLOS are exported, got {type(model).__name__}')
    model.load_state_dict(torch.load(checkpoint, map_location='cpu', weights_only=True)['state_dict'])
    model.eval()
    preprocessor = model.data_preprocessor
    mean, std = preprocessor.mean.flatten().tolist(), preprocessor.std.flatten().tolist()
    channels = len(mean)
    # pixels come in RGB; loaders give BGR, which the preprocessor turns to RGB or not
    turned = bool(getattr(preprocessor, 'to_rgb', getattr(preprocessor, '_channel_conversion', False)))
    flip = channels == 3 and steps.loads and not turned
    patch = max(reading(model).patch_size or (1, 1))
    about = {
        'format': FORMAT,
        'version': VERSION,
        'task': 'classification' if classify else 'detection',
        'scheme': steps_as_config(steps.scheme),
        'classes': list((meta.get('dataset_meta') or {}).get('classes') or ()),
        'channels': channels,
        'multiple': patch,
        'size': _trace_size(cfg, steps.scheme, patch),
        'resize': _resize_of(loading_steps(cfg)),
    }
    return Exported(model, mean, std, flip).eval(), about


def _trace_size(cfg: Any, scheme: Scheme | None, patch: int) -> tuple[int, int]:
    """Return (h, w) of the images to trace with: those of the config's backbone, as the model reads them."""
    size = (cfg.model.backbone or {}).get('img_size', 14 * patch)
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    if scheme is not None and (height % scheme.patch_size[0], width % scheme.patch_size[1]) == (0, 0):
        height, width = scheme.plan((height, width), _rng()).encrypted_shape
    return height // patch * patch, width // patch * patch


def _rng() -> Any:
    import numpy as np

    return np.random.default_rng(0)


def _resize_of(pipeline: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return how the test pipeline resizes plain pictures.

    Raises:
        CheckpointError: a transform that the exported model's reader does not know.
    """
    found: dict[str, Any] | None = None
    for step in pipeline:
        name = str(step['type']).rpartition('.')[2]
        if name == 'Resize' and isinstance(step.get('scale'), (list, tuple)):
            found = {'kind': 'within' if step.get('keep_ratio') else 'to', 'size': list(step['scale'])[::-1]}
        elif name == 'ResizeEdge' and step.get('edge', 'short') == 'short':
            found = {'kind': 'short', 'size': step['scale']}
        elif name == 'CenterCrop':
            found = {**(found or {'kind': 'none'}), 'crop': step['crop_size']}
        elif not name.startswith(('Load', 'Pack')) and name not in ENCRYPTING:
            raise CheckpointError(f'the test pipeline has {name}, which an exported model cannot repeat')
    return found


def _batch(about: Mapping[str, Any], count: int, size: Sequence[int]) -> Tensor:
    """Return a batch of noise."""
    generator = torch.Generator().manual_seed(count)
    return torch.rand((count, about['channels'], *size), generator=generator) * 255


def _onnx(module: Exported, example: Tensor, about: Mapping[str, Any]) -> bytes:
    """Return the model as ONNX."""
    try:
        import onnx
    except ImportError as error:
        raise MissingPackageError(f"ONNX needs onnx ({error}). Run: pip install 'hii-mm[export]'") from None
    names = ['scores'] if about['task'] == 'classification' else ['scores', 'boxes']
    axes: dict[str, Any] = {name: {0: 'batch'} for name in names}
    file = io.BytesIO()
    torch.onnx.export(
        module,
        (example,),
        file,
        input_names=['pixels'],
        output_names=names,
        dynamic_axes={'pixels': {0: 'batch', 2: 'height', 3: 'width'}, **axes},
        opset_version=OPSET,
        dynamo=False,
    )
    model = onnx.load_from_string(file.getvalue())
    entry = model.metadata_props.add()
    entry.key, entry.value = 'hii_mm', json.dumps(about)
    return model.SerializeToString()


def _torchscript(module: Exported, example: Tensor, about: Mapping[str, Any]) -> bytes:
    """Return the model as TorchScript."""
    traced = torch.jit.trace(module, example, check_trace=False)
    file = io.BytesIO()
    torch.jit.save(traced, file, _extra_files={'hii_mm.json': json.dumps(about)})
    return file.getvalue()


def _difference(module: Exported, content: bytes, form: str, batch: Tensor) -> float:
    """Return the largest difference between the exported model and PyTorch; boxes count relative to the picture."""
    with torch.no_grad():
        expected = module(batch)
    expected = expected if isinstance(expected, tuple) else (expected,)
    if form == 'onnx':
        from .exported import session

        found = [torch.from_numpy(each) for each in session(content).run(None, {'pixels': batch.numpy()})]
    else:
        answers = torch.jit.load(io.BytesIO(content))(batch)
        found = list(answers) if isinstance(answers, tuple) else [answers]
    largest = float(max(batch.shape[2:]))
    return max(
        float((a - b).abs().max()) / (largest if number else 1.0) for number, (a, b) in enumerate(zip(found, expected))
    )
