"""YOLOS-small against Hugging Face's, and PEYOLOS against YOLOS: forward and training step, as ratios in one run.

    python benchmarks/detectors.py

One picture of 512 x 768 (PEYOLOS: mixed, 256 x 384), ten objects, float32, the
same weights in both YOLOS. A training step is forward, matching, losses,
backward and AdamW. Speed: 1.0 is the baseline's.
"""

import platform
import sys

import torch
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import nn

import hii_mm.register  # noqa: F401
from hii_mm.compat import prepare
from timing import compare, peak

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
PARTS = ('forward', 'training step')
KINDS = ("YOLOS-small (Hugging Face's)", 'YOLOS-small', 'PEYOLOS-small')


def targets():
    """Ten objects: labels (10,), boxes (10, 4) cxcywh as shares of the image."""
    generator = torch.Generator().manual_seed(0)
    sides = 0.1 + 0.2 * torch.rand(10, 2, generator=generator)
    centres = 0.3 + 0.4 * torch.rand(10, 2, generator=generator)
    return torch.randint(0, 80, (10,), generator=generator), torch.cat([centres, sides], 1)


def theirs():
    """(model, callable that gives the loss, callable that gives the outputs) of Hugging Face."""
    from transformers import YolosConfig, YolosForObjectDetection

    sizes = dict(hidden_size=384, num_attention_heads=6, intermediate_size=1536, num_labels=80)
    model = YolosForObjectDetection(YolosConfig(**sizes, image_size=[512, 864])).to(DEVICE)
    image = torch.randn(1, 3, 512, 768, device=DEVICE)
    labels, boxes = (value.to(DEVICE) for value in targets())
    truth = [dict(class_labels=labels, boxes=boxes)]
    return model, lambda: model(image, labels=truth).loss, lambda: model(image)


def ours(kind):
    """As :func:`theirs`, of mmdet's kind."""
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

    def loss():
        losses = model(image, [sample], mode='loss')
        return sum(losses.values())

    return model, loss, lambda: model(image, [sample], mode='tensor')


def step_of(name):
    """A callable that does the step of '<kind>, <part>'."""
    kind, part = name.split(', ')
    torch.manual_seed(0)
    model, loss, outputs = theirs() if kind == KINDS[0] else ours(kind.split('-')[0])
    if kind == KINDS[1]:
        copy_weights(theirs()[0], model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-6)

    def forward():
        with torch.no_grad():
            outputs()

    def train():
        optimiser.zero_grad()
        loss().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimiser.step()

    def step():
        (forward if part == 'forward' else train)()
        if DEVICE == 'cuda':
            torch.cuda.synchronize()

    model.train(part != 'forward')
    return step


def copy_weights(source, target):
    """Give ``target`` the weights of a Hugging Face YOLOS, as the converter does."""
    from hii_mm.models.convert_yolos import convert_yolos

    target.load_state_dict(convert_yolos(source.state_dict(), 'yolos', keep_classes=True).state_dict)


def main():
    """Print the tables."""
    prepare()
    if sys.argv[1:2] == ['--peak']:
        print(peak(step_of(sys.argv[2]), DEVICE))
        return
    print(f'{DEVICE}, {platform.processor() or platform.machine()}, torch {torch.__version__}, ', end='')
    print(f'{torch.get_num_threads()} threads')
    for part in PARTS:
        for pair in (KINDS[:2], KINDS[1:]):
            compare(
                f'{part}, 512 x 768',
                [f'{kind}, {part}' for kind in pair],
                step_of,
                __file__,
                rounds=20 if part == 'forward' else 6,
            )


if __name__ == '__main__':
    main()
