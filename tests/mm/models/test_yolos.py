"""YOLOS and PEYOLOS: parity, padding, mixing, gradients, and mmdet's training and testing."""

import copy

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from helpers import ROOT
from hii_mm.encryption import Scheme
from hii_mm.models import YOLOSBackbone
from hii_mm.models.yolos_backbone import MixedPatchEmbed

ARCH = (48, 3, 3)


def detector(kind='YOLOS', classes=4, side=16, **backbone):
    """A tiny detector with weights large enough for outputs to differ."""
    init_default_scope('mmdet')
    cfg = dict(
        type=kind,
        data_preprocessor=dict(type='DetDataPreprocessor', mean=[0] * 3, std=[255] * 3, pad_size_divisor=side),
        backbone=dict(type='YOLOSBackbone', arch=ARCH, img_size=(64, 96), num_det_tokens=10, **backbone),
        bbox_head=dict(type='YOLOSHead', num_classes=classes),
    )
    model = MODELS.build(cfg)
    model.init_weights()
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, mean=float('norm' in name and 'weight' in name), std=0.15)
    return model.eval()


def batch(*sizes, seed=0):
    """What mmdet's loader gives for images of the (h, w): uint8 pictures, two boxes each."""
    generator = torch.Generator().manual_seed(seed)
    inputs, samples = [], []
    for h, w in sizes:
        inputs.append(torch.randint(0, 256, (3, h, w), generator=generator, dtype=torch.uint8))
        sample = DetDataSample(
            metainfo=dict(img_id=len(samples), img_shape=(h, w), ori_shape=(h, w), scale_factor=(1.0, 1.0))
        )
        boxes = torch.tensor([[2.0, 3, w / 2, h / 2], [w / 4, h / 4, w - 1, h - 2]])
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([1, 3]))
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def boxes_of(results):
    return [result.pred_instances.bboxes for result in results]


@pytest.mark.parametrize('kind', ['YOLOS', 'PEYOLOS'])
@pytest.mark.parametrize('mid', [False, True])
def test_a_picture_gets_the_same_boxes_alone_and_padded(kind, mid):
    model = detector(kind, side=16 if kind == 'YOLOS' else 8, mid_pos_embed=mid)
    sizes = [(64, 96), (50, 40), (33, 90)]
    data = batch(*sizes)
    together = model.test_step(copy.deepcopy(data))
    for i in range(3):
        alone = model.test_step({key: [copy.deepcopy(value[i])] for key, value in data.items()})[0].pred_instances
        for name, tolerance in (('bboxes', 1e-2), ('scores', 1e-4)):  # pixels; 1e-4 of the image is less than 1e-2
            got = together[i].pred_instances[name]
            torch.testing.assert_close(got, alone[name], atol=tolerance, rtol=0)
    model.backbone.mask_padding = False
    released = boxes_of(model.test_step(copy.deepcopy(data)))
    assert (released[1] - together[1].pred_instances.bboxes).abs().max() > 0.1  # the test can fail


def test_normalised_outputs_agree_to_1e_4_alone_and_padded():
    model = detector()
    images = torch.zeros(2, 3, 64, 96)
    images[0] = torch.randn(3, 64, 96)
    images[1, :, :48, :32] = torch.randn(3, 48, 32)
    with torch.no_grad():
        padded = model.backbone(images, [(64, 96), (48, 32)])
        alone = model.backbone(images[1:, :, :48, :32], [(48, 32)])
    torch.testing.assert_close(padded[1:], alone, atol=1e-4, rtol=0)


@pytest.mark.parametrize('grid', [2, 4])
def test_mixing_inside_equals_mixing_outside(grid):
    inside = MixedPatchEmbed(8, 16, grid=grid, mix_inside=True)
    outside = MixedPatchEmbed(8, 16, grid=grid)
    outside.load_state_dict(inside.state_dict())
    image = np.random.default_rng(0).random((64, 96, 3), dtype=np.float32)
    mixed = Scheme(16, strategy='mixup', grid=grid).plan(image.shape).apply(image)

    def tensor(array):
        return torch.from_numpy(array).permute(2, 0, 1)[None]

    torch.testing.assert_close(inside.mix(tensor(image)), tensor(mixed), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(inside(tensor(image)), outside(tensor(mixed)), atol=1e-5, rtol=1e-4)


def test_mixing_after_the_convolution_is_the_same():
    """The released code averages what the convolution gives for each sub-patch."""
    embed = MixedPatchEmbed(8, 16, mix_inside=True)
    image = torch.randn(1, 3, 64, 64)
    each = torch.nn.functional.conv2d(image, embed.proj_siat.weight, embed.proj_siat.bias, stride=8)
    averaged = torch.nn.functional.avg_pool2d(each, 2)
    torch.testing.assert_close(embed.proj_siat(embed.mix(image)), averaged, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('mid', [False, True])
@pytest.mark.parametrize('kind', ['YOLOS', 'PEYOLOS'])
def test_training_reaches_every_parameter_and_lowers_the_loss(kind, mid):
    model = detector(kind, side=16 if kind == 'YOLOS' else 8, mid_pos_embed=mid).train()
    data = model.data_preprocessor(batch((64, 96), (48, 64)), training=True)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    totals = []
    for _ in range(8):
        losses = model(**data, mode='loss')
        assert set(losses) == {'loss_cls', 'loss_bbox', 'loss_iou'}
        total = sum(losses.values())
        optimiser.zero_grad()
        total.backward()
        assert [name for name, p in model.named_parameters() if p.grad is None] == []
        optimiser.step()
        totals.append(total.item())
    assert totals[-1] < totals[0]


def test_no_object_weighs_a_tenth():
    head = detector(classes=4).bbox_head
    assert head.loss_cls.class_weight == [1, 1, 1, 1, 0.1]
    assert head.bg_cls_weight == 0.1
    reference = MODELS.build(dict(type='DETRHead', num_classes=4, embed_dims=48))
    assert reference.loss_cls.class_weight.tolist() == pytest.approx(head.loss_cls.class_weight)
    tokens = torch.randn(1, 2, 10, 48)
    samples = batch((64, 96), (64, 96))['data_samples']
    logits, boxes = head(tokens)
    given = logits, boxes, [s.gt_instances for s in samples], [s.metainfo for s in samples]
    ours, theirs = head.loss_by_feat(*given), reference.loss_by_feat(*given)
    assert {k: v.item() for k, v in ours.items()} == pytest.approx({k: v.item() for k, v in theirs.items()})


def test_images_without_objects_train():
    model = detector().train()
    data = batch((64, 96))
    data['data_samples'][0].gt_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long())
    losses = model(**model.data_preprocessor(data, training=True), mode='loss')
    assert all(torch.isfinite(value) for value in losses.values())


def test_checkpointing_changes_nothing_but_memory():
    plain, saving = detector(), detector(with_cp=True)
    saving.load_state_dict(plain.state_dict())
    images, grads = torch.randn(1, 3, 64, 96), []
    for model in (plain, saving):
        model.backbone(images).square().mean().backward()
        grads.append([p.grad for p in model.backbone.parameters()])
    for one, other in zip(*grads):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize('tokens', [1, 7, 100])
def test_any_number_of_tokens(tokens):
    backbone = YOLOSBackbone(ARCH, img_size=(32, 32), num_det_tokens=tokens)
    assert backbone(torch.randn(2, 3, 64, 32)).shape == (2, tokens, 48)


def test_amp():
    with torch.autocast('cpu', dtype=torch.bfloat16):
        tokens = detector().backbone(torch.randn(2, 3, 64, 64), [(64, 64), (48, 64)])
    assert torch.isfinite(tokens).all()


def test_wrong_settings():
    with pytest.raises(ValueError, match="arch must be one of tiny, small, base or .*, got 'huge'"):
        YOLOSBackbone('huge')
    with pytest.raises(
        ValueError, match="patch_embed type must be one of 'PlainPatchEmbed', 'MixedPatchEmbed', got 'Conv'"
    ):
        YOLOSBackbone(ARCH, patch_embed=dict(type='Conv'))
    with pytest.raises(ValueError, match='patch_size 16 is not a multiple of grid 3'):
        MixedPatchEmbed(8, 16, grid=3)


def hugging_face(mid):
    transformers = pytest.importorskip('transformers', reason='transformers breaks mmpretrain 1.2.0 beside it')
    config = transformers.YolosConfig(
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=3,
        intermediate_size=192,
        image_size=[64, 96],
        num_detection_tokens=10,
        use_mid_position_embeddings=mid,
        num_labels=91,
        layer_norm_eps=1e-6,
    )
    theirs = transformers.YolosForObjectDetection(config).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return theirs


TOOL = 'tools/model_converters/to_hii.py'


@pytest.mark.parametrize('mid', [False, True])
@pytest.mark.parametrize('size', [(64, 96), (96, 64), (160, 112)])
def test_parity_with_hugging_face(call, tmp_path, mid, size):
    theirs = hugging_face(mid)
    torch.save(theirs.state_dict(), tmp_path / 'src.bin')
    done = call(TOOL, tmp_path / 'src.bin', tmp_path / 'dst.pth', '--model', 'yolos', '--keep-classes')
    assert 'found: Hugging Face YOLOS; 3 layers, 48 wide' in done.stdout
    ours = detector(classes=91, mid_pos_embed=mid)
    ours.load_state_dict(torch.load(tmp_path / 'dst.pth', weights_only=True)['state_dict'])
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        expected, (logits, boxes) = theirs(images), ours(images, mode='tensor')
    torch.testing.assert_close(logits[0], expected.logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(boxes[0], expected.pred_boxes, atol=1e-4, rtol=0)
    assert logits.std() > 0.1


def released(kind, mid=True, rows=92):
    """A checkpoint of tiny size in the released layout, from our own module's shapes."""
    model = detector(kind, classes=rows - 1, mid_pos_embed=mid)
    return {key.replace('bbox_head.', ''): value for key, value in model.state_dict().items()}


@pytest.mark.parametrize('kind', ['YOLOS', 'PEYOLOS'])
@pytest.mark.parametrize('keep', [False, True])
def test_released_checkpoints(call, tmp_path, kind, keep):
    state = released(kind)
    torch.save(dict(model=state, epoch=150), tmp_path / 'src.pth')
    flags = ['--keep-classes'] if keep else []
    done = call(TOOL, tmp_path / 'src.pth', tmp_path / 'dst.pth', '--model', kind.lower(), *flags)
    assert f'found: {kind}; 3 layers' in done.stdout
    model = detector(kind, classes=91 if keep else 80, mid_pos_embed=True)
    model.load_state_dict(torch.load(tmp_path / 'dst.pth', weights_only=True)['state_dict'])
    weight, source = model.bbox_head.class_embed.layers[2].weight, state['class_embed.layers.2.weight']
    if keep:
        assert torch.equal(weight, source)
        return
    from mmdet.datasets import CocoDataset

    assert weight.shape == (81, 48)
    assert torch.equal(weight[80], source[91])
    names = CocoDataset.METAINFO['classes']  # category ids as in COCO's annotation files
    for name, category in (('person', 1), ('stop sign', 13), ('backpack', 27), ('bottle', 44), ('toothbrush', 90)):
        assert torch.equal(weight[names.index(name)], source[category])


def test_peyolos_is_not_loaded_as_yolos(call, tmp_path):
    torch.save(dict(model=released('PEYOLOS')), tmp_path / 'src.pth')
    done = call(TOOL, tmp_path / 'src.pth', tmp_path / 'dst.pth', '--model', 'yolos', code=2)
    assert 'PEYOLOS checkpoint, in the names of yolos: lacks backbone.patch_embed.proj.bias' in done.stderr
    assert 'backbone.patch_embed.proj_siat.weight, ' in done.stderr
    assert not (tmp_path / 'dst.pth').exists()


def test_other_classes_need_keep_classes(call, tmp_path):
    torch.save(dict(model=released('YOLOS', rows=5)), tmp_path / 'src.pth')
    done = call(TOOL, tmp_path / 'src.pth', tmp_path / 'dst.pth', '--model', 'yolos', code=2)
    assert 'the classifier has 5 rows, not the 92 of COCO category ids: use --keep-classes' in done.stderr


@pytest.mark.parametrize(
    'config', ['yolos/yolos-mini_1xb32-50e_fashion-det.py', 'peyolos/peyolos-mini-mi-p16_1xb32-50e_fashion-det.py']
)
def test_mmdets_inferencer_answers_in_the_pictures_own_frame(config, photo):
    from mmdet.apis import DetInferencer

    inferencer = DetInferencer(str(ROOT / 'configs' / config), device='cpu', show_progress=False)
    (prediction,) = inferencer(photo[:, :, ::-1].copy(), no_save_vis=True)['predictions']
    boxes = np.array(prediction['bboxes'])
    assert boxes.shape == (12, 4)
    assert 128 < boxes.max() <= 512


@pytest.mark.parametrize('kind', ['YOLOS', 'PEYOLOS'])
@pytest.mark.parametrize('distilled', [False, True])
def test_deit_as_a_start(call, tmp_path, kind, distilled):
    model = detector('YOLOS')
    state = {key.removeprefix('backbone.'): value for key, value in model.state_dict().items() if 'backbone' in key}
    del state['det_token']
    tokens, patches = 1 + distilled, torch.randn(1, 14 * 14, 48)
    state['pos_embed'] = torch.cat([torch.randn(1, tokens, 48), patches], dim=1)
    state.update({'head.weight': torch.randn(1000, 48), 'head.bias': torch.randn(1000)})
    if distilled:
        state['dist_token'] = torch.randn(1, 1, 48)
    torch.save(dict(model=state), tmp_path / 'src.pth')
    flags = ['--img-size', 64, 96, '--det-tokens', 10]
    done = call(TOOL, tmp_path / 'src.pth', tmp_path / 'dst.pth', '--model', kind.lower(), *flags)
    assert f'found: {"distilled " * distilled}DeiT; 3 layers, 48 wide, patches of 16 x 16' in done.stdout
    ours = detector(kind)
    loaded = torch.load(tmp_path / 'dst.pth', weights_only=True)['state_dict']
    missing, unexpected = ours.load_state_dict(loaded, strict=False)
    assert not unexpected
    assert {key.split('.')[0] for key in missing} <= {'bbox_head', 'backbone'}
    assert {key for key in missing if 'backbone' in key} == {
        key for key in ours.state_dict() if kind == 'PEYOLOS' and 'patch_embed' in key
    }
    assert torch.equal(ours.backbone.blocks[2].attn.qkv.weight, state['blocks.2.attn.qkv.weight'])
    table = ours.backbone.pos_embed
    assert torch.equal(table[:, 0], state['pos_embed'][:, 0])
    theirs = torch.nn.functional.interpolate(
        patches.transpose(1, 2).reshape(1, 48, 14, 14), size=(4, 6), mode='bicubic'
    )
    torch.testing.assert_close(table[:, 1:25], theirs.flatten(2).transpose(1, 2))
    assert 0 < ours.backbone.det_token.std() < 0.05


def test_a_start_from_scratch():
    backbone = YOLOSBackbone((16, 2, 2), (64, 96), num_det_tokens=12, from_scratch=True)
    backbone.init_weights()
    patches, tokens = backbone.pos_embed[0, 1:25] * 2, backbone.pos_embed[0, 25:]
    x, rates = torch.arange(6.0), 100 ** (-torch.arange(4.0) / 4)
    for row in range(4):
        torch.testing.assert_close(patches[6 * row : 6 * row + 6, :4], torch.sin(x[:, None] * rates))
    # tokens lie in 3 x 4: the first in the middle of the first 4/3 x 3/2 patches
    torch.testing.assert_close(tokens[0, :4], torch.sin((1.5 / 2 - 0.5) * rates))
    torch.testing.assert_close(tokens[0, 8:12], torch.sin((4 / 3 / 2 - 0.5) * rates))
    assert len({tuple(token) for token in tokens.tolist()}) == 12
    query, key, _ = backbone.blocks[1].attn.qkv.weight.chunk(3)
    assert torch.equal(query, key)
    with pytest.raises(ValueError, match=r'multiple of 4, got \(18, 2, 2\)'):
        YOLOSBackbone((18, 2, 2), (64, 96), from_scratch=True)


def test_targets_of_patches_follow_a_slow_reading():
    from hii_mm.models.yolos import patch_targets

    rng = np.random.default_rng(0)
    for h, w, count in ((64, 96, 4), (50, 40, 6), (64, 96, 0)):
        corners = rng.uniform(0, (w * 0.6, h * 0.6), (count, 2))
        boxes = torch.tensor(np.concatenate([corners, corners + rng.uniform(4, 40, (count, 2))], 1)).float()
        sample = DetDataSample(metainfo=dict(img_shape=(h, w)))
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.arange(count) % 3)
        labels, shares, weights = patch_targets(sample, (4, 6), 16, background=9)
        for i in range(24):
            x, y = i % 6 * 16 + 8, i // 6 * 16 + 8
            assert weights[i] == (x < w and y < h)
            hit = [k for k, (x1, y1, x2, y2) in enumerate(boxes.tolist()) if x1 < x < x2 and y1 < y < y2]
            assert labels[i] == (9 if not hit else labels_of(boxes, hit) % 3)
            if hit:
                x1, y1, x2, y2 = boxes[labels_of(boxes, hit)].tolist()
                want = [(x1 + x2) / 2 / w, (y1 + y2) / 2 / h, (x2 - x1) / w, (y2 - y1) / h]
                assert shares[i].tolist() == pytest.approx(want, rel=1e-5)


def labels_of(boxes, hit):
    """The smallest of the boxes that were hit."""
    return min(hit, key=lambda k: (boxes[k, 2] - boxes[k, 0]) * (boxes[k, 3] - boxes[k, 1]))


@pytest.mark.parametrize('kind', ['YOLOS', 'PEYOLOS'])
def test_patch_losses_are_added_in_training_and_know_of_padding(kind):
    model = detector(kind, side=16 if kind == 'YOLOS' else 8)
    plain = model(**model.data_preprocessor(batch((64, 96), (50, 40)), True), mode='loss')
    model.patch_loss_weight = 0.5
    data = model.data_preprocessor(batch((64, 96), (50, 40)), True)
    losses = model(**data, mode='loss')
    added = {'patch.loss_cls', 'patch.loss_bbox', 'patch.loss_iou'}
    assert set(losses) == set(plain) | added
    assert all(torch.equal(losses[name], plain[name]) for name in plain)
    sum(losses[name] for name in added).backward()
    assert all(p.grad is not None for name, p in model.named_parameters() if 'head' in name or 'patch_embed' in name)
    model.patch_loss_weight = 1.0
    assert model(**data, mode='loss')['patch.loss_cls'].item() == pytest.approx(2 * losses['patch.loss_cls'].item())
    data['inputs'][1, :, :, 48:] = 7.0  # what stands in patches that are all padding changes nothing
    again = model(**data, mode='loss')
    assert again['patch.loss_iou'].item() == pytest.approx(2 * losses['patch.loss_iou'].item(), rel=1e-4)
    for sample in data['data_samples']:
        sample.gt_instances = sample.gt_instances[:0]
    assert model(**data, mode='loss')['patch.loss_bbox'] == 0


@pytest.mark.parametrize('kind', ['YOLOS', 'PEYOLOS'])
def test_training_and_testing_under_autocast(kind):
    model = detector(kind, side=16 if kind == 'YOLOS' else 8, mid_pos_embed=True)
    model.patch_loss_weight = 1.0
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.3)
    data = model.data_preprocessor(batch((64, 96), (50, 40)), True)
    exact = model(**copy.deepcopy(data), mode='loss')
    with torch.autocast('cpu', torch.bfloat16):
        losses = model(**copy.deepcopy(data), mode='loss')
        boxes = boxes_of(model(**copy.deepcopy(data), mode='predict'))
    for name, value in exact.items():
        assert losses[name].dtype == torch.float32
        assert losses[name].item() == pytest.approx(value.item(), rel=0.05), name
    sum(losses.values()).backward()
    assert all(torch.isfinite(box).all() for box in boxes)
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
