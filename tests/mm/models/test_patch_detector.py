"""PatchDetector and PointingYOLOS: targets, independence of the order of patches, gradients, learning."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from hii_mm import Scheme
from hii_mm.errors import InvalidValueError
from hii_mm.inference.joining import join
from hii_mm.inference.shuffled_coco import fragments
from hii_mm.models.fragments import fragment_targets, stack
from hii_mm.models.order import order_of
from hii_mm.models.patch_head import Answers, PatchHead

SIDE = 16
PREPROCESSOR = dict(type='DetDataPreprocessor', mean=[0] * 3, std=[255] * 3, pad_size_divisor=SIDE)
PATCHES = dict(
    type='PatchDetector',
    data_preprocessor=PREPROCESSOR,
    backbone=dict(
        type='StemPEViT',
        arch=dict(embed_dims=48, num_layers=2, num_heads=3, feedforward_channels=96),
        img_size=64,
        patch_size=SIDE,
        out_type='featmap',
    ),
    bbox_head=dict(type='PatchHead', num_classes=4),
)
POINTING = dict(
    type='PointingYOLOS',
    data_preprocessor=PREPROCESSOR,
    backbone=dict(type='PointingYOLOSBackbone', arch=(48, 2, 3), img_size=(64, 64), num_det_tokens=12),
    bbox_head=dict(type='PointingYOLOSHead', num_classes=4),
)


def detector(cfg):
    """A tiny detector with weights large enough for outputs to differ."""
    init_default_scope('mmdet')
    model = MODELS.build(cfg)
    model.init_weights()
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, mean=float('norm' in name or 'ln' in name), std=0.15)
    return model.eval()


def scene(seed, objects=4, size=(64, 96)):
    """(encrypted picture, sample with fragments, plan, plain boxes, labels) of a random scene."""
    rng = np.random.default_rng(seed)
    h, w = size
    plan = Scheme(SIDE).plan(size, rng)
    boxes = np.sort(rng.uniform(0, 1, (objects, 2, 2)) * [w, h], axis=1).reshape(-1, 4)
    labels = rng.integers(4, size=objects)
    moved, source = plan.move_boxes(boxes)
    sample = DetDataSample(
        metainfo=dict(
            img_id=seed, img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0), gt_instance_ids=source,
            batch_input_shape=size,
        )
    )  # fmt: skip
    sample.gt_instances = InstanceData(bboxes=torch.from_numpy(moved).float(), labels=torch.from_numpy(labels[source]))
    image = plan.apply(rng.integers(0, 256, (h, w, 3)).astype(np.uint8))
    return torch.from_numpy(image).permute(2, 0, 1), sample, plan, boxes, labels


def pieces_in(plan, boxes, place):
    """{object: (x0, y0, x1, y1) in patches} in a place of the encrypted picture, by cutting in the plain one."""
    row, col = divmod(int(plan.shuffle.permutation[place]), plan.shuffle.grid.shape[1])
    found = {}
    for number, box in enumerate(boxes / SIDE - [col, row, col, row]):
        x0, y0, x1, y1 = box.clip(0, 1)
        if x1 > x0 and y1 > y0:
            found[number] = np.array([x0, y0, x1, y1])
    return found


@pytest.mark.parametrize('slots', [1, 2, 6])
def test_targets_are_the_pieces_of_the_plain_picture(slots):
    """Fragments that PatchShuffle merged are told apart again, and the largest come first."""
    for seed in range(20):
        _, sample, plan, boxes, labels = scene(seed)
        found = fragment_targets(sample, (4, 6), SIDE, slots, background=4)
        assert found.inside.all()
        for place in range(24):
            truth = pieces_in(plan, boxes, place)
            area = {number: np.prod(piece[2:] - piece[:2]) for number, piece in truth.items()}
            kept = [number for number in found.ids[place].tolist() if number >= 0]
            assert len(set(kept)) == len(kept) == min(slots, len(truth))
            largest = sorted(area.values(), reverse=True)[:slots]
            np.testing.assert_allclose([area[number] for number in kept], largest, atol=1e-5)
            assert found.labels[place].tolist() == [*labels[kept], *[4] * (slots - len(kept))]
            assert (found.boxes[place, len(kept) :] == 0).all()
            for slot, number in enumerate(kept):
                piece = truth[number]
                np.testing.assert_allclose(found.boxes[place, slot], piece, atol=1e-5)
                reached = [*(piece[:2] == 0), *(piece[2:] == 1)]
                assert found.sides[place, slot].tolist() == reached


def test_padding_holds_no_targets():
    _, sample, *_ = scene(0)
    found = fragment_targets(sample, (5, 8), SIDE, 2, background=4)
    inside = np.zeros((5, 8), bool)
    inside[:4, :6] = True
    np.testing.assert_array_equal(found.inside.reshape(5, 8), inside)
    assert (found.labels.reshape(5, 8, 2)[~inside] == 4).all()


def test_ids_of_ignored_boxes_must_be_known():
    _, sample, *_ = scene(0)
    ids = sample.gt_instance_ids
    sample.set_metainfo(dict(gt_instance_ids=np.append(ids, 7)))
    with pytest.raises(InvalidValueError, match='pack gt_ignore_flags too'):
        fragment_targets(sample, (4, 6), SIDE, 2, background=4)
    sample.set_metainfo(dict(gt_ignore_flags=np.append(np.zeros(len(ids), bool), True)))
    assert fragment_targets(sample, (4, 6), SIDE, 2, background=4).ids.max() == ids.max()


@pytest.mark.parametrize('cfg', [PATCHES, POINTING], ids=['patches', 'pointing'])
def test_class_scores_do_not_depend_on_the_order_of_patches(cfg):
    measured = order_of(detector(cfg), (SIDE, SIDE))
    assert measured.of == 'output'
    assert not measured.matters


def test_the_control_does():
    backbone = dict(POINTING['backbone'], type='YOLOSBackbone')
    assert order_of(detector(dict(POINTING, backbone=backbone)), (SIDE, SIDE)).matters


def test_fragments_move_with_their_patches():
    """The same patches in another order: the same fragments, each in the new place of its patch."""
    model, (image, sample, *_) = detector(PATCHES), scene(0)
    with torch.no_grad():
        first = model.test_step(dict(inputs=[image], data_samples=[sample]))[0].pred_instances
        again = Scheme(SIDE).plan((64, 96), np.random.default_rng(9))
        moved = torch.from_numpy(again.apply(image.permute(1, 2, 0).numpy())).permute(2, 0, 1)
        second = model.test_step(dict(inputs=[moved], data_samples=[sample]))[0].pred_instances
    assert len(first) > 4

    def rows(found, boxes):
        table = np.column_stack([boxes, found.class_scores, found.sides, found.embeddings])
        return table[np.lexsort(table.round(3).T)]

    there = np.vstack([again.move_boxes(box[None].numpy())[0] for box in first.bboxes])
    np.testing.assert_allclose(rows(second, second.bboxes.numpy()), rows(first, there), atol=2e-4)


def test_the_places_of_patches_move_the_boxes_that_point_at_them():
    model, (image, sample, *_) = detector(POINTING), scene(0)
    with torch.no_grad():
        scores, boxes = model._forward(image[None] / 255.0, [sample])
        mirrored = image.unflatten(2, (6, SIDE)).flip(2).flatten(2)
        same, other = model._forward(mirrored[None] / 255.0, [sample])
    torch.testing.assert_close(scores, same, atol=1e-4, rtol=0)
    assert (boxes[..., 0] - other[..., 0]).abs().max() > 1e-3
    torch.testing.assert_close(boxes[..., 1:], other[..., 1:], atol=1e-4, rtol=0)  # rows are as before


@pytest.mark.parametrize('cfg', [PATCHES, POINTING], ids=['patches', 'pointing'])
def test_every_parameter_receives_a_gradient(cfg):
    model = detector(cfg).train()
    scenes = [scene(seed)[:2] for seed in (0, 1)]
    data = dict(inputs=[image for image, _ in scenes], data_samples=[sample for _, sample in scenes])
    losses = model.loss(**{{'inputs': 'batch_inputs', 'data_samples': 'batch_data_samples'}[k]: v
                           for k, v in model.data_preprocessor(data, True).items()})  # fmt: skip
    assert all(torch.isfinite(value) for value in losses.values())
    sum(losses.values()).backward()
    lacking = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.abs().sum() > 0]
    assert set(lacking) <= {'backbone.cls_token'} if cfg is PATCHES else not lacking


def test_a_picture_without_objects():
    image, sample, *_ = scene(0, objects=0)
    losses = detector(PATCHES).train().loss(image[None] / 255.0, [sample])
    assert losses['loss_cls'] > 0
    assert losses['loss_box'] == losses['loss_sides'] == losses['loss_same'] == 0


class Knowing(PatchHead):
    """A head that gives the true answers, apart by so much."""

    wrong = 0.0

    def forward(self, tokens):
        found = stack([fragment_targets(self.sample, (4, 6), SIDE, self.slots, self.num_classes)])
        logits = 20 * torch.nn.functional.one_hot(found.labels, self.num_classes + 1) - 10.0
        embeddings = 10.0 * torch.nn.functional.one_hot(found.ids.clamp(min=0), 4)
        sides = 20 * found.sides - 10 + 20 * self.wrong
        return Answers(logits * (1 - self.wrong), found.boxes + self.wrong, sides, embeddings * (1 - self.wrong))


def test_true_answers_cost_nothing_and_become_the_plain_boxes():
    """Loss, prediction and joining agree on what an answer means: crowded pictures come back whole."""
    objects = 0
    for seed in range(20):
        _, sample, plan, boxes, labels = scene(seed, objects=3)
        head = Knowing(num_classes=4, embed_dims=8, slots=3)
        head.sample = sample
        tokens = torch.zeros(1, 24, 8)
        losses = head.loss(tokens, (4, 6), SIDE, [sample])
        assert max(losses.values()) < 1e-3, losses
        (found,) = head.predict(tokens, (4, 6), SIDE, [sample])
        joined = join(plan, fragments(found, 4, np.ones(4)))
        order = np.lexsort(joined.boxes.T), np.lexsort(boxes.T)
        np.testing.assert_allclose(joined.boxes[order[0]], boxes[order[1]], atol=1e-3)
        assert joined.labels[order[0]].tolist() == labels[order[1]].tolist()
        objects += len(boxes)
        head.wrong = 1.0
        assert min(head.loss(tokens, (4, 6), SIDE, [sample]).values()) > 0.1
    assert objects == 60


def test_data_that_do_not_tell_objects_apart():
    """A copy, as mmdet reads it: refused with an embedding, learned from without."""
    image, sample, *_ = scene(0)
    del sample.gt_instance_ids
    with pytest.raises(InvalidValueError, match='embedding_dims=0'):
        detector(PATCHES).train().loss(image[None] / 255.0, [sample])
    model = detector(dict(PATCHES, bbox_head=dict(PATCHES['bbox_head'], embedding_dims=0)))
    assert model.train().loss(image[None] / 255.0, [sample])['loss_same'] == 0
    (found,) = model.eval().predict(image[None] / 255.0, [sample])
    assert 'sides' in found.pred_instances and 'embeddings' not in found.pred_instances


def test_a_stem_that_does_not_fit_the_patch():
    with pytest.raises(InvalidValueError, match='patch_size 16 x 16 is not a multiple of stem_stride 5'):
        detector(dict(PATCHES, backbone=dict(PATCHES['backbone'], stem_stride=5)))
