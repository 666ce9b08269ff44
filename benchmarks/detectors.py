"""Compare YOLOS-small with Hugging Face's, and PEYOLOS with YOLOS: forward and training step.

    python benchmarks/detectors.py [--json FILE]

One image of 512 x 768 (PEYOLOS: mixed, 256 x 384) with ten objects, float32, the
same weights in both YOLOS. A training step is forward, matching, losses,
backward and AdamW. Speed: 1.0 is the baseline's.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from typing import Any

import record
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import nn

import hii_mm.register  # noqa: F401
from hii_mm.compat import prepare
from timing import compare, peak

Parts = tuple[nn.Module, Callable[[], torch.Tensor], Callable[[], Any]]
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
PARTS = ('forward', 'training step')
KINDS = ("YOLOS-small (Hugging Face's)", 'YOLOS-small', 'PEYOLOS-small')


def targets() -> tuple[torch.Tensor, torch.Tensor]:
    """Return ten objects: labels (10,), boxes (10, 4) cxcywh as shares of the image."""
    generator = torch.Generator().manual_seed(0)
    sides = 0.1 + 0.2 * torch.rand(10, 2, generator=generator)
    centres = 0.3 + 0.4 * torch.rand(10, 2, generator=generator)
    return torch.randint(0, 80, (10,), generator=generator), torch.cat([centres, sides], 1)


def theirs() -> Parts:
    """Return Hugging Face's model and functions that compute its loss and its outputs."""
    from transformers import YolosConfig, YolosForObjectDetection

    sizes = dict(hidden_size=384, num_attention_heads=6, intermediate_size=1536, num_labels=80)
    model = YolosForObjectDetection(YolosConfig(**sizes, image_size=[512, 864])).to(DEVICE)
    image = torch.randn(1, 3, 512, 768, device=DEVICE)
    labels, boxes = (value.to(DEVICE) for value in targets())
    truth = [dict(class_labels=labels, boxes=boxes)]
    return model, lambda: model(image, labels=truth).loss, lambda: model(image)


def ours(kind: str) -> Parts:
    """Return our model and functions that compute its loss and its outputs."""
    from mmdet.registry import MODELS
    from mmdet.structures import DetDataSample

    init_default_scope('mmdet')
    backbone = dict(type='YOLOSBackbone', arch='small', mid_pos_embed=True)
    model = MODELS.build(dict(type=kind, backbone=backbone, bbox_head=dict(type='YOLOSHead', num_classes=80)))
    model.to(DEVICE)
    h, w = (512, 768) if kind == 'YOLOS' else (256, 384)
    image = torch.randn(1, 3, h, w, device=DEVICE)
    labels, boxes = (value.to(DEVICE) for value in targets())
    corners = torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)
    corners = corners * torch.tensor([w, h, w, h], device=DEVICE)
    sample = DetDataSample(metainfo=dict(img_shape=(h, w), batch_input_shape=(h, w)))
    sample.gt_instances = InstanceData(bboxes=corners, labels=labels)

    def loss() -> torch.Tensor:
        losses = model(image, [sample], mode='loss')
        return sum(losses.values())

    return model, loss, lambda: model(image, [sample], mode='tensor')


def step_of(name: str) -> Callable[[], None]:
    """Return a function that does the step of '<kind>, <part>'."""
    kind, part = name.split(', ')
    torch.manual_seed(0)
    model, loss, outputs = theirs() if kind == KINDS[0] else ours(kind.split('-')[0])
    if kind == KINDS[1]:
        copy_weights(theirs()[0], model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-6)

    def forward() -> None:
        with torch.no_grad():
            outputs()

    def train() -> None:
        optimiser.zero_grad()
        loss().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimiser.step()

    def step() -> None:
        (forward if part == 'forward' else train)()
        if DEVICE == 'cuda':
            torch.cuda.synchronize()

    model.train(part != 'forward')
    return step


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Give ``target`` the weights of a Hugging Face YOLOS, as the converter does."""
    from hii_mm.models.converters import convert_yolos

    target.load_state_dict(convert_yolos(source.state_dict(), 'yolos', keep_classes=True).state_dict)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--peak', help=argparse.SUPPRESS)
    record.add_argument(parser)
    args = parser.parse_args()
    prepare()
    if args.peak:
        print(peak(step_of(args.peak), DEVICE))
        return
    machine = f'{DEVICE}, {platform.processor() or platform.machine()}, torch {torch.__version__}, '
    machine += f'{torch.get_num_threads()} threads'
    print(machine)
    rows = []
    for part in PARTS:
        for pair in (KINDS[:2], KINDS[1:]):
            kinds, rounds = [f'{kind}, {part}' for kind in pair], 20 if part == 'forward' else 6
            found = compare(f'{part}, 512 x 768', kinds, step_of, __file__, rounds=rounds)
            rows += [{**row, 'model': kind} for row, kind in zip(found, pair)]
    record.write(args.json, rows, machine)


if __name__ == '__main__':
    main()
