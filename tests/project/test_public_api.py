"""``import hii_mm``: light, lazy, the same whatever was imported before."""

import pytest

import hii_mm

LOADED = "print(sorted({m.partition('.')[0] for m in sys.modules} & {'numpy', 'PIL', 'torch', 'mmengine', 'mmcv'}))"


def test_importing_it_loads_nothing_heavy(run):
    assert run('-c', f'import sys, hii_mm; {LOADED}').stdout.strip() == '[]'


def test_the_owner_s_names_load_neither_torch_nor_mm(run):
    code = f'import sys, hii_mm; hii_mm.Scheme, hii_mm.encrypt, hii_mm.verify, hii_mm.decrypt, hii_mm.merge; {LOADED}'
    assert run('-c', code).stdout.strip() == "['PIL', 'numpy']"


def test_every_public_name_is_there():
    for name in hii_mm.__all__:
        assert getattr(hii_mm, name) is not None
        assert name in dir(hii_mm)
    for name in ('Attack', 'Recovery', 'Given', 'register'):
        assert hasattr(hii_mm.attacks, name)
    with pytest.raises(AttributeError, match="module 'hii_mm' has no attribute 'encript'"):
        hii_mm.encript  # noqa: B018


@pytest.mark.parametrize('first', ['hii_mm', 'mmengine'])
def test_the_order_of_imports_makes_no_difference(run, first):
    second = {'hii_mm': 'mmengine', 'mmengine': 'hii_mm'}[first]
    code = f"import {first}, {second}; from mmengine.registry import TRANSFORMS; print('PatchShuffle' in TRANSFORMS)"
    assert run('-c', code).stdout.split()[-1] == 'False'
