"""to_hii.py on checkpoints with random weights and the released keys and shapes."""

import argparse
import re

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

TOOL = 'tools/model_converters/to_hii.py'
DIMS, DEPTH, CLASSES, PATCHES = 192, 12, 1000, 196


def timm_checkpoint(reference=False, position=False, distilled=False):
    """A checkpoint of tiny size in the released layout."""
    shapes = {'cls_token': (1, 1, DIMS), 'patch_embed.proj': ((DIMS, 3, 16, 16), DIMS)}
    if position:
        shapes['pos_embed'] = (1, PATCHES + 1 + distilled, DIMS)
    if distilled:
        shapes.update({'dist_token': (1, 1, DIMS), 'head_dist': ((CLASSES, DIMS), CLASSES)})
    if reference:
        shapes['reference'] = (1, 1, DIMS)
        shapes.update({f'ref_encoding.{i}': ((DIMS, DIMS), DIMS) for i in (0, 2)})
    for i in range(DEPTH):
        block = f'blocks.{i}.'
        shapes.update({f'{block}norm{k}': ((DIMS,), DIMS) for k in (1, 2)})
        shapes[f'{block}attn.qkv'] = ((3 * DIMS, DIMS), 3 * DIMS)
        shapes[f'{block}attn.proj'] = ((DIMS, DIMS), DIMS)
        shapes[f'{block}mlp.fc1'] = ((4 * DIMS, DIMS), 4 * DIMS)
        shapes[f'{block}mlp.fc2'] = ((DIMS, 4 * DIMS), DIMS)
    shapes.update({'norm': ((DIMS,), DIMS), 'head': ((CLASSES, DIMS), CLASSES)})
    state = {}
    for key, shape in shapes.items():
        if isinstance(shape[0], tuple):
            state[f'{key}.weight'], state[f'{key}.bias'] = torch.randn(shape[0]) * 0.1, torch.randn(shape[1]) * 0.1
        else:
            state[key] = torch.randn(shape)
    return state


def timm_forward(state, images):
    """The released network in plain torch, from the checkpoint's own names: an oracle for the renaming."""
    F = torch.nn.functional

    def linear(x, name):
        return F.linear(x, state[f'{name}.weight'], state[f'{name}.bias'])

    def norm(x, name):
        return F.layer_norm(x, (DIMS,), state[f'{name}.weight'], state[f'{name}.bias'], 1e-6)

    x = F.conv2d(images, state['patch_embed.proj.weight'], state['patch_embed.proj.bias'], stride=16)
    x = x.flatten(2).transpose(1, 2)
    if 'reference' in state:
        x = x + linear(F.relu(linear(x - state['reference'], 'ref_encoding.0')), 'ref_encoding.2').sigmoid()
    x = torch.cat([state['cls_token'].expand(len(x), -1, -1), x], 1) + state.get('pos_embed', 0)
    for i in range(DEPTH):
        block = f'blocks.{i}.'
        q, k, v = linear(norm(x, block + 'norm1'), block + 'attn.qkv').reshape(*x.shape[:2], 3, 3, -1).unbind(2)
        scores = torch.einsum('bqhd,bkhd->bhqk', q, k) * 64**-0.5
        mixed = torch.einsum('bhqk,bkhd->bqhd', scores.softmax(-1), v).flatten(2)
        x = x + linear(mixed, block + 'attn.proj')
        x = x + linear(F.gelu(linear(norm(x, block + 'norm2'), block + 'mlp.fc1')), block + 'mlp.fc2')
    return linear(norm(x, 'norm')[:, 0], 'head')


def build(config, **backbone):
    """The model of a config, with some backbone settings changed."""
    init_default_scope('mmpretrain')
    cfg = Config.fromfile(config).model
    cfg.backbone.update(backbone)
    cfg.pop('train_cfg', None)
    return MODELS.build(cfg)


def loaded(dst, model):
    """``model`` with a converted checkpoint in it: no key missing, none left over."""
    model.load_state_dict(torch.load(dst, weights_only=True)['state_dict'])
    return model.eval()


PEVIT, PEVIT_RPE = (f'configs/pevit/pevit-tiny-p16{rpe}_8xb192-rs-300e_in1k.py' for rpe in ('', '-rpe'))


@pytest.mark.parametrize('reference', [False, True])
def test_released_pevit(call, tmp_path, reference):
    state, images = timm_checkpoint(reference), torch.randn(1, 3, 224, 224)
    args = argparse.Namespace(lr=1e-3)  # as released checkpoints carry
    torch.save(dict(model=state, epoch=299, args=args), tmp_path / 'src.pth')
    done = call(TOOL, tmp_path / 'src.pth', tmp_path / 'dst.pth', '--model', 'pevit')
    assert 'found: PEViT' + (', with reference encoding;' if reference else ';') in done.stdout
    assert 'left out' not in done.stdout
    model = loaded(tmp_path / 'dst.pth', build(PEVIT_RPE if reference else PEVIT))
    with torch.no_grad():
        torch.testing.assert_close(model(images, mode='tensor'), timm_forward(state, images), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('model', ['pevit', 'vit'])
def test_deit(call, tmp_path, model):
    state, images = timm_checkpoint(position=True), torch.randn(1, 3, 224, 224)
    torch.save(dict(model=state), tmp_path / 'src.pth')
    done = call(TOOL, tmp_path / 'src.pth', tmp_path / 'dst.pth', '--model', model)
    assert 'found: DeiT; 12 layers, 192 wide, patches of 16 x 16, 3 channels, 1000 classes' in done.stdout
    assert ('left out: pos_embed' in done.stdout) == (model == 'pevit')
    built = build(PEVIT, type='PEViT' if model == 'pevit' else 'VisionTransformer')
    expected = {key: value for key, value in state.items() if model == 'vit' or key != 'pos_embed'}
    with torch.no_grad():
        got = loaded(tmp_path / 'dst.pth', built)(images, mode='tensor')
        torch.testing.assert_close(got, timm_forward(expected, images), atol=1e-4, rtol=1e-4)


def test_distilled_deit(call, tmp_path):
    state = timm_checkpoint(position=True, distilled=True)
    torch.save(dict(model=state), tmp_path / 'src.pth')
    done = call(TOOL, tmp_path / 'src.pth', tmp_path / 'dst.pth', '--model', 'vit')
    assert [line.split()[2] for line in done.stdout.splitlines() if line.startswith('left out')] == [
        'dist_token',
        'head_dist.weight',
        'head_dist.bias',
    ]
    model = loaded(tmp_path / 'dst.pth', build(PEVIT, type='VisionTransformer'))
    position = state['pos_embed']
    assert torch.equal(model.backbone.pos_embed, torch.cat((position[:, :1], position[:, 2:]), 1))


@pytest.mark.parametrize('kind', ['ViT', 'DeiT', 'safetensors'])
def test_hugging_face(call, tmp_path, kind):
    transformers = pytest.importorskip('transformers', reason='transformers breaks mmpretrain 1.2.0 beside it')
    name = 'DeiT' if kind == 'DeiT' else 'ViT'
    size = dict(hidden_size=DIMS, num_hidden_layers=DEPTH, num_attention_heads=3, intermediate_size=4 * DIMS)
    config = getattr(transformers, f'{name}Config')(**size, num_labels=CLASSES, layer_norm_eps=1e-6)
    theirs = getattr(transformers, f'{name}ForImageClassification')(config).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    src = tmp_path / 'src.bin'
    if kind == 'safetensors':
        theirs.save_pretrained(tmp_path)
        src = tmp_path / 'model.safetensors'
    else:
        torch.save(theirs.state_dict(), src)
    done = call(TOOL, src, tmp_path / 'dst.pth', '--model', 'vit')
    assert f'found: Hugging Face {name};' in done.stdout
    ours = loaded(tmp_path / 'dst.pth', build(PEVIT, type='VisionTransformer'))
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        if name == 'DeiT':
            assert 'left out: deit.embeddings.distillation_token' in done.stdout
            assert ours(images, mode='tensor').shape == (1, CLASSES)
        else:
            torch.testing.assert_close(ours(images, mode='tensor'), theirs(images).logits, atol=1e-4, rtol=1e-4)


def without(state, key):
    return {name: value for name, value in state.items() if name != key}


BROKEN = {
    'missing': (lambda: without(timm_checkpoint(), 'blocks.3.attn.qkv.bias'), 'lacks.*layers.3.attn.qkv.bias'),
    'half a reference': (lambda: without(timm_checkpoint(True), 'ref_encoding.2.bias'), 'lacks.*ref_encoding.2.bias'),
    'unknown': (lambda: dict(timm_checkpoint(), decoder=torch.zeros(1)), 'unknown keys: decoder'),
    'other network': (lambda: {'conv1.weight': torch.zeros(1)}, 'unknown layout.*conv1.weight'),
    'ours already': (lambda: {'backbone.ln1.weight': torch.zeros(1)}, 'already an mmpretrain checkpoint'),
    'a list': (lambda: [1, 2], 'expected a dict of tensors, found a list'),
    'no tensors': (lambda: {'epoch': 3}, 'epoch is not a tensor'),
}


@pytest.mark.parametrize('case', BROKEN)
def test_a_refused_checkpoint_writes_nothing(call, tmp_path, case):
    make, message = BROKEN[case]
    torch.save(make(), tmp_path / 'src.pth')
    done = call(TOOL, tmp_path / 'src.pth', tmp_path / 'out' / 'dst.pth', '--model', 'pevit', code=2)
    assert re.search(message, done.stderr), done.stderr
    assert not (tmp_path / 'out').exists()


def test_no_pevit_for_a_model_with_positions(call, tmp_path):
    torch.save(timm_checkpoint(), tmp_path / 'src.pth')
    done = call(TOOL, tmp_path / 'src.pth', tmp_path / 'dst.pth', '--model', 'vit', code=2)
    assert 'PEViT checkpoint, in the names of vit: lacks backbone.pos_embed' in done.stderr


@pytest.mark.parametrize('content', [b'', b'hello', b'PK\x03\x04 cut short', bytes(1000)])
@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_other_files_are_refused(call, tmp_path, content, suffix):
    src = tmp_path / f'src.{suffix}'
    src.write_bytes(content)
    done = call(TOOL, src, tmp_path / 'dst.pth', '--model', 'pevit', code=2)
    assert done.stderr.startswith(f'to_hii: {src} is not a ')
    assert 'Traceback' not in done.stderr
    assert list(tmp_path.iterdir()) == [src]


def test_a_missing_file(run, tmp_path):
    done = run(TOOL, tmp_path / 'none.pth', tmp_path / 'dst.pth', '--model', 'pevit', code=2)
    assert 'checkpoint not found: ' in done.stderr
    assert 'none.pth' in done.stderr


class Evil:
    """Makes a file when it is unpickled without care."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, 'w'))


def test_no_code_in_a_checkpoint_is_run(call, tmp_path):
    torch.save(dict(model=Evil(tmp_path / 'made')), tmp_path / 'src.pth')
    done = call(TOOL, tmp_path / 'src.pth', tmp_path / 'dst.pth', '--model', 'pevit', code=2)
    assert 'not a checkpoint that can be read safely' in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ['src.pth']
