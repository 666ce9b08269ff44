"""``tools/dev/fuzz.py``: it finds what it looks for, and a short run finds nothing."""

import ctypes
import importlib
import json
import random
import sys
import time

import pytest

from helpers import ROOT

TOOL = ROOT / 'tools' / 'dev' / 'fuzz.py'
MIB = 1 << 20


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOL.parent))
    return importlib.import_module('fuzz')


def crash():
    ctypes.string_at(0)


def hang():
    time.sleep(60)


def use_memory():
    _ = bytearray(400 * MIB)


def use_too_much_memory():
    _ = bytearray(8192 * MIB)


def raise_an_error():
    {}['none']


@pytest.mark.parametrize(
    'job, found',
    [
        (crash, 'killed by SIGSEGV'),
        (hang, 'no answer after 0.5 s'),
        (use_memory, 'MiB of memory'),
        (use_too_much_memory, 'MemoryError'),
        (raise_an_error, "KeyError: 'none'"),
        (list, None),
    ],
    ids=lambda value: getattr(value, '__name__', None),
)
def test_what_is_a_finding(fuzz, job, found):
    said = fuzz.isolated(job, 512 * MIB, 0.5 if job is hang else 30)
    assert said is None if found is None else found in said


def test_a_finding_is_saved_and_makes_the_exit_code(fuzz, tmp_path, monkeypatch, capsys):
    def broken(seeds, work, dice):
        (work / 'mutated').write_text('text')
        raise_an_error()

    monkeypatch.setitem(fuzz.TARGETS, 'coco', broken)
    words = ['--cases', '10', '--targets', 'coco', '--out', str(tmp_path / 'out')]
    assert fuzz.main(words) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "coco:0: KeyError: 'none'"
    assert lines[-1].startswith('10 cases of coco in ')
    assert lines[-1].endswith('10 findings, 1 distinct')
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['coco-0', 'coco-1', 'coco-2']
    assert (tmp_path / 'out' / 'coco-0' / 'mutated').read_text() == 'text'
    assert 'Traceback' in (tmp_path / 'out' / 'coco-0' / 'finding.txt').read_text()


@pytest.mark.parametrize('kind', ['any_bytes', 'json_text', 'json_lines', 'tar'])
def test_mutations_change_the_data_and_repeat_with_the_seed(fuzz, kind):
    mutate = getattr(sys.modules['mutate'], kind)
    data = json.dumps({'a': [1, 2, {'b': 'c'}], 'd': 1.5}).encode() * (1 if kind == 'json_text' else 3)
    found = {mutate(data, random.Random(seed)) for seed in range(50)}
    assert len(found) > 25
    assert found == {mutate(data, random.Random(seed)) for seed in range(50)}


def test_a_short_run_finds_nothing(run, tmp_path):
    done = run(TOOL, '--cases', 60, '--out', tmp_path / 'out')
    assert done.stdout.startswith('60 cases of coco,manifest,journal,tar,key in ')
    assert done.stdout.endswith(' s: 0 findings, 0 distinct\n')
    assert not (tmp_path / 'out').exists()
