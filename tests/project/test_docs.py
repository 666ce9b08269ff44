"""The documentation agrees with the code, with the json files of figures, and with itself."""

import json
import re
import shlex
import subprocess
import sys

import pytest

from helpers import ROOT

SCRIPTS = ROOT / 'tools' / 'docs'
PAGES = [ROOT / 'README.md', ROOT / 'CHANGELOG.md', *ROOT.glob('docs/**/*.md'), *ROOT.glob('configs/*/README.md')]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
FILES = r'(?:configs|tools|docs|benchmarks|tests|hii_mm)/[\w./*-]+\.(?:py|sh|md|png|yml|json)\b'


@pytest.mark.parametrize('script', ['tables.py', 'cli_reference.py', 'concept_pictures.py'])
def test_generated_parts_are_current(run, script):
    run(SCRIPTS / script, '--check')


def test_detection_figures_are_those_of_the_training_logs():
    """They are entered by hand; the logs are what the runs wrote."""
    names = {'AP': 'bbox_mAP', 'AP50': 'bbox_mAP_50', 'AP75': 'bbox_mAP_75', 'APs': 'bbox_mAP_s', 'APm': 'bbox_mAP_m'}
    rows = json.loads((ROOT / 'docs' / 'data' / 'fashion_det.json').read_text())['rows']
    assert len(rows) == 5
    for row in rows:
        lines = map(json.loads, (ROOT / row['log']).read_text().splitlines())
        last = [line for line in lines if 'coco/bbox_mAP' in line][-1]
        for name in names.keys() & row.keys():
            assert row[name] == pytest.approx(100 * last[f'coco/{names[name]}']), (row['config'], name)


def test_a_table_that_differs_from_its_figures_fails(run, tmp_path):
    for name in ('tools/docs', 'docs', 'configs/pevit'):
        subprocess.run(['cp', '-r', '--parents', name, str(tmp_path)], cwd=ROOT, check=True)
    (tmp_path / 'README.md').write_text('# A page without tables\n')
    script, data = tmp_path / 'tools' / 'docs' / 'tables.py', tmp_path / 'docs' / 'data' / 'audit.json'
    run(script, '--check')
    figures = json.loads(data.read_text())
    row = next(row for row in figures['rows'] if (row['set'], row['attack']) == ('gcompris', 'context'))
    row['metrics']['surviving']['mean'] = 0.123
    data.write_text(json.dumps(figures))
    done = run(script, '--check', code=1)
    assert 'docs/measured_attacks.md: out of date' in done.stdout
    assert '12.3%' not in (tmp_path / 'docs' / 'measured_attacks.md').read_text()
    run(script)
    assert '| 12.3% / ' in (tmp_path / 'docs' / 'measured_attacks.md').read_text()
    run(script, '--check')


def test_figures_of_a_report_are_collected(run, tmp_path):
    metric = {'mean': 0.25, 'worst_decile': 0.5, 'low': 0.2, 'high': 0.3, 'count': 2, 'images': 2}
    attack = {'name': 'jigsaw', 'status': 'run', 'images': 2, 'runs': 2, 'metrics': {'neighbour': metric}}
    attack |= {'floors': {'chance': {'neighbour': 0.01}}, 'seconds': {**metric, 'mean': 0.123456789}}
    left_out = {**attack, 'name': 'gradient', 'status': 'not run', 'metrics': {}}
    report = {'format': 'hii-mm attack report', 'command': 'hii-mm attack x', 'created': '2026-11-25 13:08'}
    report |= {'machine': 'x86_64', 'settings': [{'name': 'RS p 16, gap 0', 'attacks': [attack, left_out]}]}
    source, out = tmp_path / 'report.json', tmp_path / 'figures.json'
    source.write_text(json.dumps(report))
    run(SCRIPTS / 'collect.py', source, '--out', out)
    figures = json.loads(out.read_text())
    assert (figures['command'], figures['date'], figures['machine']) == ('hii-mm attack x', '2026-11-25', 'x86_64')
    assert [(row['setting'], row['attack'], row['seconds']) for row in figures['rows']] == [
        ('RS p 16, gap 0', 'jigsaw', 0.123457)
    ]
    assert figures['rows'][0]['metrics']['neighbour']['mean'] == 0.25
    source.write_text('{}')
    assert 'not an attack report' in run(SCRIPTS / 'collect.py', source, '--out', out, code=2).stderr


@pytest.mark.parametrize('path', sorted((ROOT / 'docs' / 'data').glob('*.json')), ids=lambda path: path.stem)
def test_figures_say_where_they_come_from(path):
    figures = json.loads(path.read_text())
    assert re.fullmatch(r'20\d\d-\d\d-\d\d', figures['date'])
    assert figures['command'] and figures['machine'] and figures['rows']
    assert path.name in (ROOT / 'docs' / 'data' / 'README.md').read_text()


@pytest.mark.parametrize('name', NAMES)
def test_links_and_named_files_exist(name):
    page = ROOT / name
    text = page.read_text()
    prose = re.sub(r'```.*?```', '', text, flags=re.DOTALL)
    links = re.findall(r'\]\(([^)#:\s]+)(?:#[^)]*)?\)', prose)
    assert not [link for link in links if not (page.parent / link).exists()]
    named = {word for word in re.findall(FILES, text) if 'NAME' not in word and 'MODEL' not in word}
    assert not [word for word in named if not list(ROOT.glob(word))]


@pytest.mark.parametrize('name', NAMES)
def test_nothing_is_claimed_that_does_not_hold(name):
    text = (ROOT / name).read_text().lower()
    for word in ('secure', 'anonymised', 'anonymized', 'well protected'):
        assert not re.search(rf'\b{word}\b', text)


def test_the_readme_is_short():
    assert len((ROOT / 'README.md').read_text().splitlines()) <= 150


def test_the_site_lists_every_page():
    listed = set(re.findall(r': ([\w/]+\.md)$', (ROOT / 'mkdocs.yml').read_text(), flags=re.MULTILINE))
    pages = {str(page.relative_to(ROOT / 'docs')) for page in ROOT.glob('docs/**/*.md')}
    assert pages <= listed
    assert {str(page.relative_to(ROOT)) for page in ROOT.glob('configs/*/README.md')} <= listed


def section(title):
    """The shell and Python blocks of a section of the README."""
    text = (ROOT / 'README.md').read_text().split(f'\n## {title}\n')[1].split('\n## ')[0]
    return re.findall(r'```(shell|python)\n(.*?)```', text, re.DOTALL)


def test_the_owners_part_of_the_readme_works_as_it_stands(tmp_path):
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'photos' / 'astronaut.webp').write_bytes((ROOT / 'tests/data/astronaut.webp').read_bytes())
    ran = []
    for language, block in section('I own pictures'):
        lines = [block] if language == 'python' else [line for line in block.splitlines() if line.startswith('hii-mm ')]
        for line in lines:
            words = ['-c', line] if language == 'python' else ['-m', 'hii_mm', *shlex.split(line, comments=True)[1:]]
            done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f'{line}\n{done.stdout}\n{done.stderr}'
            ran.append(done.stdout)
    assert len(ran) == 8
    assert ran[-1].strip() == 'True'
    assert (tmp_path / 'report' / 'report.html').is_file()
    assert len(list((tmp_path / 'back').glob('*.png'))) == 1
