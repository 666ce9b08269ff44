"""The installed mm packages as fresh processes see them. Installations without any: tests/owner/cli."""

from importlib.metadata import version

import pytest
import torch

from hii_mm import compat


def distribution(folder, name, number='9.9'):
    """Make a distribution's metadata, as pip would leave it."""
    info = folder / f'{name.replace("-", "_")}-{number}.dist-info'
    info.mkdir(parents=True)
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n')


def other_stack():
    mine = compat.find_stack()[0]
    return mine, 'openmmlab' if mine == 'onedl' else 'onedl'


@pytest.mark.parametrize(
    'words', [['-m', 'hii_mm', 'doctor'], ['tools/train.py', 'configs/vit/vit-mini-p4_1xb128-20e_fashion-mnist.py']]
)
def test_two_stacks_are_refused_by_name(run, tmp_path, words):
    mine, other = other_stack()
    distribution(tmp_path, compat.STACKS[other][0])
    done = run(*words, code=1, env={'PYTHONPATH': str(tmp_path)})
    said = done.stdout + done.stderr
    assert 'two sets of mm packages overwrite each other here' in said
    assert f'{compat.STACKS[other][0]} 9.9' in said
    assert f'{compat.STACKS[mine][0]} {version(compat.STACKS[mine][0])}' in said
    assert "pip install '.[onedl]'" in said


@pytest.mark.slow
def test_doctor_finds_no_problems(run):
    done = run('-m', 'hii_mm', 'doctor')
    lines = {line[6:].split()[0]: line for line in done.stdout.splitlines() if line.startswith(('ok', 'note', 'FAIL'))}
    assert not [line for line in lines.values() if line.startswith('FAIL')]
    for scope in ('root', 'mmdet', 'mmpretrain'):
        assert 'PatchShuffle' in lines[scope]
        assert 'PEViT' in lines[scope]
    assert 'PatchCutMix' in lines['mmpretrain']
    assert 'PatchCutMix' not in lines['mmdet']
    assert done.stdout.rstrip().endswith('No problems found')


@pytest.mark.skipif(compat.ops_kind() == 'compiled', reason='mmcv has its compiled ops here')
def test_the_stand_in_says_which_op_was_called():
    from mmcv.ops import nms_match, sigmoid_focal_loss

    with pytest.raises(RuntimeError, match="mmcv op 'nms_match' was called, but mmcv was installed without its"):
        nms_match(torch.zeros(1, 5), 0.5)
    with pytest.raises(RuntimeError, match="mmcv op 'sigmoid_focal_loss_forward' was called"):
        sigmoid_focal_loss(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64), 2.0, 0.25, None, 'mean')


def slow_nms(boxes, scores, threshold):
    """Keep the best box that is left, leave out those that overlap it, and so on; boxes are xyxy."""
    left, kept = scores.argsort(descending=True).tolist(), []
    while left:
        best, *left = left
        kept.append(best)
        (x1, y1, x2, y2), others = boxes[best], boxes[left]
        inner = [
            (torch.min(others[:, 2 + k], (x2, y2)[k]) - torch.max(others[:, k], (x1, y1)[k])).clamp(min=0)
            for k in (0, 1)
        ]
        shared = inner[0] * inner[1]
        area = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
        left = [i for i, one in zip(left, shared / (area + (x2 - x1) * (y2 - y1) - shared)) if one <= threshold]
    return kept


@pytest.mark.parametrize('threshold', [0.1, 0.3, 0.6])
def test_nms_needs_no_compiled_op(threshold):
    from mmcv.ops import batched_nms, nms

    corners, sizes = torch.rand(60, 2) * 50, torch.rand(60, 2) * 40 + 1
    boxes, scores = torch.cat([corners, corners + sizes], 1), torch.rand(60)
    kept = nms(boxes, scores, threshold)[1].tolist()
    assert kept == slow_nms(boxes, scores, threshold) and len(kept) < 60
    classes = torch.arange(60) % 3
    apart = [batched_nms(boxes, scores, classes, dict(type='nms', iou_threshold=threshold))[1]]
    want = [torch.nonzero(classes == c)[:, 0] for c in range(3)]
    want = [one[slow_nms(boxes[one], scores[one], threshold)] for one in want]
    assert sorted(apart[0].tolist()) == sorted(torch.cat(want).tolist())
    if compat.ops_kind() == 'stand-in':
        with pytest.raises(RuntimeError, match='nms takes offset 0, got 1'):
            nms(boxes, scores, threshold, offset=1)


@pytest.mark.parametrize('scope', ['mmpretrain', 'mmdet'])
def test_a_scoped_name_needs_no_custom_imports(run, tmp_path, scope):
    """'hii_mm' among the custom imports registers nothing, although mmengine is imported already."""
    (tmp_path / 'c.py').write_text("custom_imports = dict(imports=['hii_mm'], allow_failed_imports=False)\n")
    code = (
        'from hii_mm import compat; compat.prepare();'  # mmdet needs the stand-in; nothing is registered by this
        f'from mmengine.config import Config; Config.fromfile({str(tmp_path / "c.py")!r});'
        'from mmengine.registry import TRANSFORMS as root, init_default_scope;'
        "print('registered', 'PatchShuffle' in root.module_dict);"
        f'init_default_scope({scope!r}); from {scope}.registry import TRANSFORMS;'
        "print(TRANSFORMS.build(dict(type='hii_mm.PatchShuffle', patch_size=8)))"
    )
    said = run('-c', code).stdout
    assert 'registered False' in said
    assert 'PatchShuffle(RS p 8, gap 0' in said


def test_register_registers_everything():
    import hii_mm.register  # noqa: F401
    from hii_mm import registry

    names = {ours.name: sorted(ours.module_dict) for ours in registry.registered_names()}
    assert names == {
        'hook': ['CheckEncryption', 'TorchThreads'],
        'metric': ['LikenessMetric', 'PlacesMetric', 'ShuffledCocoMetric'],
        'model': [
            'PEViT',
            'PEYOLOS',
            'PatchConvViT',
            'PatchDetector',
            'PatchHead',
            'PointingYOLOS',
            'PointingYOLOSBackbone',
            'PointingYOLOSHead',
            'StemPEViT',
            'YOLOS',
            'YOLOSBackbone',
            'YOLOSHead',
        ],  # fmt: skip
        'optimizer': ['FloatMuon'],
        'transform': ['PatchMixup', 'PatchShuffle'],
        'batch augment': ['PatchCutMix'],
    }
    for ours in registry.registered_names():
        assert all(ours.parent.get(name) is ours.get(name) for name in ours.module_dict)


def test_importing_hii_mm_registers_nothing(run):
    """In whichever order: mmengine first, as in every host's tools, or last."""
    code = "import {}; from mmengine.registry import TRANSFORMS; print('PatchShuffle' in TRANSFORMS.module_dict)"
    for order in ('mmengine, hii_mm', 'hii_mm, mmengine'):
        assert run('-c', code.format(order)).stdout.split() == ['False']
