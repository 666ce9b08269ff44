"""The import graph: no circles, and no arrow upwards between rooms (contracts in pyproject.toml)."""

import graphlib

import grimp
from importlinter.cli import lint_imports

from helpers import ROOT


def test_arrows_run_downwards(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == 0, capsys.readouterr().out


def test_no_circles():
    """Imports inside functions count."""
    graph = grimp.build_graph('hii_mm', exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 60
    assert list(graphlib.TopologicalSorter(imports).static_order())
