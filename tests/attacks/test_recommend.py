"""``hii_mm.recommend`` and its command: what is tried, the rule of the advice, and what is printed."""

import json
import re
import shlex
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import hii_mm
from hii_mm import Scheme
from hii_mm.cli import arguments, console
from hii_mm.cli.main import main, parsers
from hii_mm.errors import SourceError, UsageError
from hii_mm.presets import PRESETS, Accuracy
from hii_mm.recommendation import api, fitting, rule, settings
from hii_mm.recommendation.rule import COMES, LITTLE, PARTLY, Boxes, Measures, Tried, advised, nearest
from hii_mm.recommendation.trial import agenda, load_photos, nested, spread
from hii_mm.recommendation.words import ALSO, sentence, table, warnings

QUICK = ('identity', 'jigsaw')
RS = Scheme(16)


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch):
    """Forget the accuracies that are measured now; tests that need some give their own."""
    monkeypatch.setattr(rule, 'ACCURACY', {})


@pytest.fixture(scope='module')
def photos(tmp_path_factory, photo):
    """Four photographs of 96 x 96 of one large one, and a file that is not one."""
    root = tmp_path_factory.mktemp('photos')
    for number in range(4):
        part = photo[100 * (number // 2) :, 100 + 60 * (number % 2) :][:192, :192]
        Image.fromarray(part).resize((96, 96)).save(root / f'{number}.png')
    (root / 'broken.jpg').write_bytes(b'not an image')
    return root


@pytest.fixture(scope='module')
def noise(tmp_path_factory):
    """Four pictures of noise: nobody can put their pieces together."""
    root = tmp_path_factory.mktemp('noise')
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (97, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f'{number}.png')
    return root


@pytest.fixture
def two_settings(monkeypatch):
    """Try two settings instead of all, so that a run takes a second."""
    monkeypatch.setattr(api, 'settings', lambda: [Scheme(16), Scheme.preset('light')])


def entry(scheme=RS, grade=LITTLE, exposed=0, pictures=8, neighbours=0.05, lost=0.5, boxes=None):
    found = {'neighbours': neighbours, 'neighbour gain': neighbours, 'retrieval gain': None}
    return Tried(scheme, Measures(lost, 1.0, boxes), pictures, grade, 'jigsaw', found, exposed, None)


# --- the rule


def test_the_highest_accuracy_of_the_settings_that_hold_is_advised(monkeypatch):
    weak, strong, other = (entry(Scheme(16, gap=gap), lost=lost) for gap, lost in ((2, 0.1), (4, 0.3), (3, 0.2)))
    assert advised([strong, weak, other]) is weak  # nothing was measured: the fewest pixels lost
    known = {one.scheme.label: Accuracy(value, 80, 'x', 'y') for one, value in ((strong, 70), (other, 60))}
    monkeypatch.setattr(rule, 'ACCURACY', known)
    assert advised([weak, other, strong]) is strong
    assert advised([weak, other, replace(strong, exposed=1)]) is other
    assert advised([weak, replace(other, grade=PARTLY)]) is weak
    assert advised([replace(weak, pictures=3)]) is None
    assert advised([replace(weak, grade=None)]) is None


def test_of_equal_settings_a_preset_is_advised():
    preset, other = entry(Scheme.preset('light')), entry(Scheme(16, gap=5))
    assert advised([other, preset]) is preset


def test_the_nearest_has_the_best_grade_and_the_fewest_exposed():
    worst, middle = entry(grade=COMES, neighbours=0.05), entry(grade=PARTLY, exposed=2, neighbours=0.1)
    best = entry(grade=PARTLY, exposed=1, neighbours=0.4)
    assert nearest([worst, middle, best]) is best
    assert nearest([middle, replace(middle, figures={'neighbour gain': 0.09})]).figures == {'neighbour gain': 0.09}
    assert nearest([entry(grade=None)]) is None


@pytest.mark.parametrize(
    'found, said',
    [
        (
            [entry(Scheme.preset('light'))],
            'Advice: light-v1 (RS p 16, gap 2, noise 16). Little came back of 8 photos; ',
        ),
        ([entry(pictures=3)], 'No advice yet: little came back of 3 photos, and 4 are needed. The same command'),
        ([entry(grade=None)], 'No advice: no attack finished on your photos; give more time.'),
        ([], 'No advice: no attack finished on your photos; give more time.'),
        ([entry(exposed=2)], 'None of these holds for your photos. The nearest is paper-rs (RS p 16, gap 0): little'),
    ],
)
def test_the_advice_is_said_in_a_sentence(found, said):
    assert sentence(found).startswith(said)


@pytest.mark.parametrize(
    'pictures, said',
    [(1, ' 1 photo proves little: try at least 4.'), (3, ' 3 photos prove little: try at least 4.'), (4, ' exposed.')],
)
def test_few_photos_on_which_nothing_holds_are_said_to_prove_little(pictures, said):
    assert sentence([entry(grade=COMES, exposed=1, pictures=pictures)]).endswith(said)


def test_an_advice_that_mixes_says_that_it_cannot_be_undone():
    said = [sentence([entry(Scheme(16, strategy=strategy))]) for strategy in ('both', 'shuffle')]
    assert ['cannot be undone' in each for each in said] == [True, False]
    noisy = sentence([entry(Scheme(16, noise=32))])
    assert noisy.endswith('It adds noise, which decrypt does not take off every value: keep the plain photos.')
    assert 'noise' not in said[1]


def test_the_table_names_what_was_not_measured():
    lines = table(
        [entry(Scheme.preset('light'), boxes=Boxes(0.9, 0.25)), entry(Scheme(16, gap=5), PARTLY, 1)]
    ).splitlines()
    assert len({line.index('not measured') for line in lines[1:]}) == 1
    assert re.split(r' {2,}', lines[0])[-2:] == ['objects kept', 'too small']
    cells = re.split(r' {2,}', lines[1])
    assert cells[0] == 'light-v1: RS p 16, gap 2, noise 16'
    assert cells[1:] == [LITTLE, 'jigsaw', '5%', '-', '0 of 8', '50%', 'not measured', '100%', '90%', '25%']


# --- what is tried


def test_every_preset_is_tried_once_and_its_options_give_it_back():
    tried = settings.settings()
    assert {entry.scheme for entry in PRESETS.values()} < set(tried)
    assert len(set(tried)) == len(tried)
    more = [
        Scheme(8, drop_ratio=0.25, orient=True, window=2),
        Scheme(32, strategy='mixup', grid=4),
        Scheme(16, tone=True),
    ]
    for scheme in [*tried, *more]:
        args = parsers()['encrypt'].parse_args(['a', 'b', *settings.flags_of(scheme)])
        assert arguments.scheme(args) == scheme


def test_the_command_brings_photos_to_what_was_tried():
    coarse = Scheme(32, strategy='both', grid=4)
    assert settings.fit_of(RS, [(32, 48)], 0) == []
    assert settings.fit_of(coarse, [(64, 64), (64, 48)], 0) == ['--fit', 'crop']
    assert settings.fit_of(coarse, [(640, 480)], 224) == ['--size', '224x224']
    assert settings.fit_of(coarse, [(640, 480)], 100) == ['--size', '96x96']
    assert settings.fit_of(RS, [(224, 224)] * 2, 224) == []
    assert settings.fit_of(RS, [(224, 224), (224, 240)], 224) == ['--size', '224x224']


@pytest.mark.parametrize('count, length', [(3, 10), (10, 10), (20, 10), (1, 1), (7, 100)])
def test_photos_are_spread_over_all(count, length):
    chosen = spread(range(length), count)
    assert chosen[0] == 0
    assert len(set(chosen)) == len(chosen) == min(count, length)
    gaps = np.diff([*chosen, length])
    assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize('length', [1, 2, 7, 64, 100])
def test_every_beginning_of_the_order_is_spread_over_all(length):
    order = nested(range(length))
    assert order[0] == 0 and sorted(order) == list(range(length))
    for count in range(1, length + 1):
        gaps = np.diff([*sorted(order[:count]), length])
        assert gaps.max() <= 4 * length / count


def test_the_time_decides_how_many_photos_are_attacked(photos):
    owned = load_photos([photos], 96, None, None)
    schemes = settings.settings()
    plenty = agenda(owned, schemes, QUICK, 60, 1)
    assert (len(plenty.names), plenty.schemes) == (4, schemes)
    short = agenda(owned, schemes, QUICK, 0.3, 1)
    assert 1 <= len(short.names) <= 2
    assert short.schemes == [entry.scheme for entry in PRESETS.values()]
    none = agenda(owned, schemes, QUICK, 0, 1)
    assert none.names == ['0']
    assert none.words.endswith(f': 1 photo x 2 attacks x {len(PRESETS)} settings, stopped after 0 min')
    assert plenty.jobs == 1
    assert f'4 photos x 2 attacks x {len(schemes)} settings, at most 60 min' in plenty.words


def test_time_for_fits_leaves_fewer_photos_but_the_same_limit(photos):
    owned = load_photos([photos], 96, None, None)
    few, more = (agenda(owned, [RS], QUICK, 10, 1, wait) for wait in (9.9, 0))
    assert len(few.names) < len(more.names)
    assert few.words.endswith(', at most 10 min') and more.words.endswith(', at most 10 min')


def test_the_time_left_is_no_more_than_the_minutes(monkeypatch, capsys):
    def slow(*given, progress, **more):
        progress(1, 10**6)
        time.sleep(0.05)  # at this rate the rest takes hours
        progress(2, 10**6)
        raise SourceError('enough')

    monkeypatch.setattr(console, 'LOG_SECONDS', 0.0)
    monkeypatch.setattr(api, 'recommend', slow)
    assert main(['recommend', 'photos', '--minutes', '2', '--out', 'report']) == 2
    assert [line for line in capsys.readouterr().err.splitlines() if line.endswith(' elapsed, 01:59 left')]


def test_a_fit_starts_only_if_a_quarter_of_the_time_is_enough_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    schemes = settings.settings()
    (last,) = fitting.to_fit(schemes, QUICK)
    assert last == Scheme(16, strategy='both', gap=2)  # what docs/guides/which_setting.md says
    assert fitting.to_fit(schemes, ['identity']) == [] == fitting.to_fit([Scheme(16, strategy='mixup')], QUICK)
    kept, left = fitting.affordable(schemes, QUICK, 119)
    assert (kept, len(left)) == (schemes[:-1], 1) and 'more --minutes' in left[0]
    assert fitting.affordable(schemes, QUICK, 120) == (schemes, [])


def test_a_fit_that_takes_too_long_is_cut_and_its_setting_left_out(noise, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setattr(fitting, 'FIT', 0.01)  # so that it starts, and 0.6 seconds, a thousandth, are too short
    monkeypatch.setattr(fitting, 'MOST', 0.001)
    slow, said = Scheme(16, strategy='both', gap=2), []
    owned = load_photos([noise], 0, None, None)
    chosen, left = api._agenda(owned, [RS, slow], QUICK, 10, 1, said.append)
    assert chosen.schemes == [RS]
    assert len(left) == 1 and left[0].startswith(f'{slow.label}: ')
    assert said[1].startswith(f'fitting an attack to {slow.label} first')
    assert not list(tmp_path.rglob('*.npz'))


def test_a_fit_in_time_is_kept(tmp_path, monkeypatch):
    (tmp_path / 'sitecustomize.py').write_text(  # the process fits to less than it would, which takes a second
        'from hii_mm.attacks.solver import seam_fitting\nseam_fitting.CROPS, seam_fitting.SAMPLES = 4, 2000\n'
    )
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    unknown = Scheme(16, gap=6)
    assert fitting.to_fit([unknown], QUICK) == [unknown]
    assert fitting.fit([unknown, RS], QUICK, 4e3) == ([unknown, RS], [])
    assert fitting.to_fit([unknown], QUICK) == []


@pytest.mark.parametrize('classes, said', [(None, 0), (2, 1), (10, 1), (11, 0)])
def test_few_classes_are_warned_about(photos, classes, said):
    lines = warnings([], load_photos([photos], 96, None, None), 4, classes)
    assert len(lines) == said
    assert not said or f'a guess is right in {1 / classes:.0%}' in lines[0]


# --- runs


def test_little_came_back_of_noise_and_the_setting_that_loses_least_is_advised(noise, tmp_path):
    progress = []
    found = hii_mm.recommend(
        noise, size=0, minutes=60, attacks=QUICK, jobs=1, schemes=[Scheme(16, gap=4), Scheme(16)], out=tmp_path / 'out',
        progress=lambda done, total, note: progress.append((done, total)),
    )  # fmt: skip
    assert [one.grade for one in found.tried] == [LITTLE, LITTLE]
    assert found.advice.scheme == Scheme(16)
    assert found.flags == ['--preset', 'paper-rs', '--fit', 'crop']
    assert found.sentence.startswith('Advice: paper-rs') and found.nearest_flags is None
    assert progress[-1] == (16, 16)
    assert [one.measures.lost for one in found.tried] == pytest.approx([1 - 48 * 48 / (97 * 96), 1 - 96 / 97])
    assert (tmp_path / 'out' / 'explore.html').is_file()


def test_a_time_that_is_over_gives_no_advice(noise):
    with pytest.raises(UsageError, match='out of budget'):
        hii_mm.recommend(noise, size=0, minutes=1e-9, attacks=QUICK, jobs=1, schemes=[Scheme(16)])


def test_photos_come_back_and_the_command_says_so(photos, tmp_path, capsys, two_settings):
    out = tmp_path / 'out'
    files = [str(photos / name) for name in ('0.png', '1.png', 'broken.jpg')]
    words = ['recommend', *files, '--size', '96', '--minutes', '60', '--classes', '2', '--jobs', '1']
    assert main([*words, '--out', str(out)]) == 3
    said = capsys.readouterr()
    assert 'broken.jpg' in said.err
    lines = said.out.splitlines()
    assert re.match('paper-rs: RS p 16, gap 0 +comes back .* 2 of 2 ', lines[1])
    assert any(line.startswith('Note: with 2 classes a guess is right in 50%') for line in lines)
    (none,) = [line for line in lines if line.startswith('None of these holds for your photos.')]
    assert 'The nearest is light-v1' in none and none.endswith(' 2 photos prove little: try at least 4.')
    (shown,) = [line.rpartition(': ')[2] for line in lines if line.startswith('See what comes back')]
    assert shown == str(out / 'most_exposed.png')
    assert Image.open(shown).width > 3 * 96
    told = lines.index('- or, if the trainer may see as much as that picture shows, take the nearest setting:')
    assert lines[told - 4].startswith('Do not hand them over to somebody who must not see')
    assert lines[-4] == '  hii-mm encrypt PHOTOS PHOTOS-encrypted --key owner.key --preset light-v1'
    assert lines[-3] == ALSO
    sweep = shlex.split(lines[told - 1])
    assert (
        sweep[:3] == ['hii-mm', 'attack', 'PHOTOS']
        and parsers()['attack'].parse_args(sweep[2:]).sweep == 'noise=16:48:16'
    )
    assert lines[-2:] == [f'All pictures: {out / name}' for name in ('explore.html', 'report.html')]
    report = json.loads((out / 'report.json').read_text())
    assert report['command'].startswith('hii-mm recommend ')
    assert {row['setting'] for row in report['results']} == {'RS p 16, gap 0', 'RS p 16, gap 2, noise 16'}


def test_the_advised_command_encrypts(noise, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(api, 'settings', lambda: [RS])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('HII_MM_KEY_FILE', raising=False)
    shutil.copytree(noise, 'my photos')
    assert main(['recommend', 'my photos', '--size', '0', '--minutes', '60', '--jobs', '1', '--out', 'report']) == 0
    lines = capsys.readouterr().out.splitlines()
    start = lines.index('Run:')
    assert lines[start + 1] == '  hii-mm keygen owner.key'
    assert lines[start + 2] == (
        "  hii-mm encrypt 'my photos' 'my photos-encrypted' --key owner.key --preset paper-rs --fit crop"
    )
    assert lines[start + 3] == ALSO
    for line in lines[start + 1 : start + 3]:
        words = [word.strip("'") for word in re.findall(r"'[^']*'|\S+", line)]
        assert main([*words[1:], *(['--quiet', '--workers', '1'] if 'encrypt' in words else [])]) == 0
    assert (tmp_path / 'my photos-encrypted' / 'manifest.json').is_file()


def test_boxes_are_measured_and_attacked(photos, tmp_path):
    images = [dict(id=n, file_name=f'{n}.png', width=96, height=96) for n in range(4)]
    boxes = [dict(id=n, image_id=n, category_id=1, bbox=[8, 8, 40, 40], area=1600, iscrowd=0) for n in range(4)]
    boxes.append(dict(id=9, image_id=0, category_id=1, bbox=[0, 0, 3, 3], area=9, iscrowd=0))
    file = tmp_path / 'ann.json'
    file.write_text(json.dumps(dict(images=images, annotations=boxes, categories=[dict(id=1, name='thing')])))
    found = hii_mm.recommend(
        photos,
        size=96,
        minutes=60,
        attacks=('annotations',),
        boxes=file,
        jobs=1,
        schemes=[Scheme(16), Scheme(16, gap=4)],
    )
    whole, cut = (one.measures.boxes for one in found.tried)
    assert whole == Boxes(1.0, 0.2)  # the object of 3 x 3 pixels
    assert cut == Boxes(0.8, 0.0)  # it lies in the gap
    assert any('boxes and outlines' in line for line in found.warnings)


@pytest.mark.parametrize(
    'given, message',
    [
        (dict(minutes=0), 'minutes must be a number above 0, got 0'),
        (dict(minutes=float('nan')), 'minutes must be a number above 0, got nan'),
        (dict(classes=1), 'classes must be at least 2'),
        (dict(size=-1), 'size must be at least 0'),
        (dict(photos='missing'), 'no such file or folder: missing'),
        (dict(attacks=['magic']), 'magic'),
        (dict(boxes='missing.json'), 'missing.json'),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(photos, tmp_path, given, message):
    given = {'photos': photos, **given}
    with pytest.raises((UsageError, OSError), match=re.escape(message)):
        hii_mm.recommend(given.pop('photos'), out=tmp_path / 'out', **given)
    assert not (tmp_path / 'out').exists()


def test_an_encrypted_copy_is_refused(run, noise, tmp_path):
    hii_mm.write_new_key(tmp_path / 'key')
    hii_mm.encrypt(noise, tmp_path / 'copy', key=tmp_path / 'key', scheme=Scheme(16), fit='crop')
    done = run('-m', 'hii_mm', 'recommend', tmp_path / 'copy', '--out', tmp_path / 'out', code=2)
    assert done.stderr == (
        f'hii-mm recommend: {tmp_path / "copy"} is an encrypted copy: give the plain photos, or run hii-mm attack on '
        'the copy\n'
    )
    for given in (tmp_path, next((tmp_path / 'copy').glob('*.png'))):  # the copy lies below, or around
        with pytest.raises(SourceError, match=f'^{tmp_path / "copy"} is an encrypted copy'):
            load_photos([given], 96, None, None)
