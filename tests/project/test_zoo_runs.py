"""A run becomes a row of the zoo, or leaves nothing; tables and commands of rows."""

import json
import shutil
import sys

import pytest
import torch

from helpers import ROOT

sys.path.insert(0, str(ROOT / 'tools'))

import zoo_add  # noqa: E402
import zoo_check  # noqa: E402
import zoo_rows  # noqa: E402
import zoo_run  # noqa: E402
import zoo_speed  # noqa: E402
import zoo_table  # noqa: E402

import zoo  # noqa: E402
from hii_mm import compat  # noqa: E402
from hii_mm.errors import HiiError, UsageError  # noqa: E402

compat.prepare()
PEVIT = 'pevit-mini-p4_1xb128-rs-20e_fashion-mnist'
YOLOS = 'yolos-mini_1xb32-50e_fashion-det'
WEIGHTS = f'zoo/weights/{PEVIT}.pth'
LOG = f'zoo/logs/{PEVIT}.jsonl'


@pytest.fixture
def work_dir(tmp_path):
    """What a run leaves: that of PEViT-mini, written anew from the zoo, with an optimiser in the checkpoint."""
    work, log = tmp_path / 'work', zoo_rows.read_log(ROOT / LOG)
    data = work / '20261128_120000' / 'vis_data'
    data.mkdir(parents=True)
    (data / 'scalars.json').write_text(''.join(json.dumps(line) + '\n' for line in log.scalars))
    dump = log.head['dump'].replace("'data/", "'/somewhere/data/")
    assert '/somewhere' in dump
    (data / 'config.py').write_text(dump + "work_dir = '/somewhere/else'\n")
    times = ('2026/11/28 12:00:00', '11/28 12:03:20')
    (data.parent / 'run.log').write_text(''.join(f'{time} - mmengine - INFO - x\nmore\n' for time in times))
    saved = torch.load(ROOT / WEIGHTS, weights_only=True)
    torch.save({**saved, 'optimizer': {'state': torch.zeros(100_000)}}, work / 'epoch_20.pth')
    (work / 'last_checkpoint').write_text('/elsewhere/epoch_20.pth')
    return work


def test_a_run_is_added_and_compared(copy, work_dir):
    name = f'{PEVIT}_again'
    zoo_add.add(name, work_dir, 'a slide rule', copy)
    rows = zoo_rows.read_rows(copy)
    assert list(zoo_check.problems(rows, copy)) == []
    row, old = zoo_rows.find_row(rows, name), zoo_rows.read_log(copy / LOG)
    log, kept = zoo_rows.read_log(copy / row.log), zoo_rows.find_row(rows, PEVIT)
    assert (row.metrics, row.config, row.metadata['Protection']) == (kept.metrics, kept.config, 'RS p 4, gap 0')
    assert (row.metadata['Training Time (s)'], row.metadata['Machine']) == (200, 'a slide rule')
    assert (log.scalars, log.head['dump'], log.head['options']) == (old.scalars, old.head['dump'], [])
    assert (copy / row.weights).stat().st_size < (work_dir / 'epoch_20.pth').stat().st_size - 100_000 * 4
    assert 'somewhere' not in (copy / row.log).read_text()
    lines = zoo.compared(kept, old, work_dir).splitlines()
    assert lines[1].split() == ['Top', '1', 'Accuracy', '81.40', '81.40'] and lines[2].split()[2] == '200'


def test_a_run_that_began_anew_counts_alone_and_one_that_was_resumed_as_a_whole(work_dir):
    """In a work directory that holds another part of a run, as ``reproduce`` finds it the second time."""
    first = work_dir / '20261128_120000'
    steps = [json.loads(line) for line in (first / 'vis_data' / 'scalars.json').read_text().splitlines()]
    later = work_dir / '20261128_130000'
    shutil.copytree(first, later)
    run = zoo_run.read_run(work_dir)
    assert (run.seconds, run.scalars) == (200, steps)
    half = len(steps) // 2
    (later / 'vis_data' / 'scalars.json').write_text(''.join(json.dumps(line) + '\n' for line in steps[half:]))
    run = zoo_run.read_run(work_dir)
    assert run.seconds == 400 and [line for line in run.scalars if 'loss' in line] == [
        line for line in steps if 'loss' in line
    ]


def test_the_speed_of_rows_is_measured_side_by_side(copy, capsys):
    rows = [
        zoo_rows.find_row(zoo_rows.read_rows(), name) for name in (PEVIT, PEVIT.replace('rs', 'mi').replace('pe', ''))
    ]
    zoo_speed.write(rows, 1, 'a slide rule', copy)
    assert capsys.readouterr().out.splitlines()[0].endswith(' images a CPU second, 1.00 x')
    found = zoo_speed.read(copy)
    assert found.keys() == {row.name for row in rows} and all(value > 0 for value in found.values())
    with pytest.raises(UsageError, match='is no classifier'):
        zoo_speed.images_a_second([zoo_rows.find_row(zoo_rows.read_rows(), YOLOS)], 1)
    with pytest.raises(UsageError, match='--rounds must be at least 1, got 0'):
        zoo_speed.images_a_second(rows, 0)


def test_a_run_that_does_not_fit_leaves_nothing(copy, work_dir):
    before = {path: path.read_bytes() for path in copy.rglob('*') if path.is_file() and work_dir not in path.parents}
    scalars = work_dir / '20261128_120000' / 'vis_data' / 'scalars.json'
    all_lines = scalars.read_text()
    scalars.write_text(all_lines.splitlines()[0] + '\n')
    with pytest.raises(UsageError, match='was not evaluated'):
        zoo_add.add(PEVIT, work_dir, 'x', copy)
    scalars.write_text(all_lines)
    for name, said in (('none', "'none' is neither"), (PEVIT, 'does not hold its scheme')):
        torch.save({'meta': {}, 'state_dict': {}}, work_dir / 'epoch_20.pth')
        with pytest.raises(HiiError, match=said):
            zoo_add.add(name, work_dir, 'x', copy)
    with pytest.raises(UsageError, match='holds no run'):
        zoo_add.add(PEVIT, copy / 'zoo', 'x', copy)
    assert before == {path: path.read_bytes() for path in before}


def test_the_table_shows_the_best_attack_or_what_the_copy_tells_as_it_is():
    def row(attack, **means):
        metrics = {name: {'mean': mean} for name, mean in means.items()}
        return {'set': 'gcompris', 'setting': 'RS p 16, gap 0', 'attack': attack, 'metrics': metrics}

    attacks = {
        'audit': [
            row('identity', photo=0.1, surviving=0.01),
            row('jigsaw', surviving=0.5, photo_layout=0.4),
            row('context', surviving=0.75, photo=0.2),
            row('linkage', photo=1.0),
        ]
    }
    attacks['zoo_attacks'] = []
    assert zoo_table.back('RS p 16, gap 0', attacks) == '75% of neighbours, 40% of photos named (photographs)'
    assert zoo_table.back('RS p 16, gap 9', attacks) == 'not attacked'
    assert zoo_table.back('plain', attacks) == 'everything is seen'


def test_reproduce_prints_the_command(capsys):
    name = 'yolos-mini_1xb32-50e_fashion-det_8-epochs'
    assert zoo.main(['reproduce', name, '--print']) == 0
    said = capsys.readouterr().out
    assert said.startswith('$ python tools/train.py configs/yolos/yolos-mini_1xb32-50e_fashion-det.py --work-dir ')
    assert 'train_cfg.max_epochs=8' in said and 'data_root' not in said
    assert zoo.main(['reproduce', 'none']) == 2
    assert "no row 'none'; its rows: vit-" in capsys.readouterr().err
    assert zoo.main(['reproduce', 'yolos-tiny_8xb1-300e_coco']) == 2
    assert zoo.main(['add', PEVIT, 'work_dirs/none']) == 2
