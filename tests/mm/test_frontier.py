"""tools/frontier.py on a few images: training, resumption, attacks, table and plot."""

import itertools
import json
import subprocess
import sys

import frontier_attack
import frontier_more
import frontier_options
import frontier_pretraining
import frontier_run
import frontier_settings
import frontier_show
import frontier_trials
import numpy as np
import pytest
import torch
from frontier_held import LoadHeldImage, hold
from mmcv.transforms import LoadImageFromFile
from PIL import Image
from zoo_add import label_of_config

import hii_mm
from helpers import ROOT
from hii_mm import Scheme
from hii_mm.attacks.solver.seams import SeamModel

FRONTIER = 'tools/frontier.py'
W = (4, 3, 2, 1)  # tenths, of sub-patches that are mixed unequally


@pytest.fixture(scope='module')
def data(tmp_path_factory, photo):
    """Crops of a photograph in folders of two classes: 64 for training, a batch, 4 for validation."""
    root, rng = tmp_path_factory.mktemp('scene'), np.random.default_rng(0)
    for split, count in (('train', 32), ('val', 2)):
        for label in ('bag', 'coat'):
            (root / split / label).mkdir(parents=True)
            for k in range(count):
                y, x = (rng.integers(side - 127) for side in photo.shape[:2])
                crop = photo[y : y + 128, x : x + 128]
                crop = crop // 2 if label == 'bag' else crop  # dark, so that pieces tell a bag
                Image.fromarray(crop).save(root / split / label / f'{split}{k}.png')
    return root


def frontier(call, tmp_path, data, *words, **options):
    """Run the script with folders of its own."""
    places = ('--out', tmp_path / 'out') + (('--data', data) if data else ())
    return call(FRONTIER, words[0], *places, *words[1:], **options)


def test_held_images_are_those_of_the_files(data):
    held, load = LoadHeldImage(str(data / 'val')), LoadImageFromFile()
    for path in sorted((data / 'val').rglob('*.png')):
        ours, theirs = held({'img_path': str(path)}), load({'img_path': str(path)})
        assert np.array_equal(ours.pop('img'), theirs.pop('img'))
        assert {**ours} == {**theirs}
    Image.new('RGB', (128, 128)).save(data / 'val' / 'bag' / 'new.png')
    images, names = hold(data / 'val')  # a file more: held anew
    assert not images[names.index('bag/new.png')].any() and len(images) == 5
    (data / 'val' / 'bag' / 'new.png').unlink()


def test_a_run_goes_on_where_it_was_killed(data, tmp_path, call):
    """A real process, killed after its first epoch; the next one does not begin again, and ends as if undisturbed."""
    train = ['run', '--settings', 'rs-on-mi-gap-1', '--epochs', 8]
    places = ['--out', tmp_path / 'out', '--data', data, '--work-dir', tmp_path / 'work']
    words = [sys.executable, '-W', 'ignore', FRONTIER, *map(str, [*train, *places])]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert any('seed0, epoch 2:' in line for line in process.stdout)
        process.kill()
    path = tmp_path / 'out' / 'epochs-8' / 'rs-on-mi-gap-1-seed0.json'
    assert not path.exists()
    second = frontier(call, tmp_path, data, *train, '--work-dir', tmp_path / 'work')
    assert 'epoch 8:' in second.stdout and 'epoch 2:' not in second.stdout
    run = json.loads(path.read_text())
    assert [point['epoch'] for point in run['curve']] == [2, 4, 6, 8]
    assert (run['scheme'], run['seed'], run['validation_images']) == ('RS on MI p 16, grid 2, gap 1', 0, 4)
    assert run['accuracy'] == run['curve'][-1]['accuracy']
    assert run['interval'][0] <= run['accuracy'] <= run['interval'][1]
    assert 'is there already' in frontier(call, tmp_path, data, *train).stdout and json.loads(path.read_text()) == run


def test_runs_of_other_epochs_or_copies_do_not_meet(data, tmp_path, call):
    """Each begins anew, although the work folder is the same."""
    run = ('run', '--settings', 'rs-gap-2', '--work-dir', tmp_path / 'work', '--epochs', 2)
    frontier(call, tmp_path, data, *run)
    for part in ('train', 'val'):
        copy, source = tmp_path / 'copies' / 'rs-gap-2' / part, data / part
        hii_mm.encrypt(source, copy, key=hii_mm.MasterKey(bytes(32)), scheme=Scheme(16, gap=2))
    said = frontier(call, tmp_path, data, *run, '--copies', tmp_path / 'copies').stdout
    assert 'epoch 2:' in said  # trained, not taken from the run that encrypts
    folders = ['epochs-2', 'epochs-2-copies']
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == folders
    runs = [json.loads((tmp_path / 'out' / name / 'rs-gap-2-seed0.json').read_text()) for name in folders]
    assert [run['copies'] for run in runs] == [False, True]
    cfg = frontier_run.config('rs-gap-2', tmp_path / 'x', tmp_path / 'copies' / 'rs-gap-2', encrypted=True)
    kinds = [step['type'] for step in cfg.train_dataloader.dataset.pipeline]
    assert kinds == ['LoadImageFromFile', 'RandomFlip', 'PackInputs']  # neither shifted nor encrypted again


@pytest.mark.parametrize('name', frontier_settings.SETTINGS)
def test_each_setting_has_a_model_that_reads_its_images(name, data, tmp_path):
    """The size of the patches and, with positions, of the image."""
    setting = frontier_settings.SETTINGS[name]
    cfg = frontier_run.config(name, tmp_path, data)
    h, w = setting.built.core_size if setting.built else (16, 16)
    assert cfg.model.backbone.patch_size == (h if h == w else (h, w))
    assert label_of_config(cfg) == (setting.built.label if setting.built else 'plain')
    kinds = [step['type'] for step in cfg.train_dataloader.dataset.pipeline]
    ours = [kind for kind in kinds if kind.startswith('Patch')]
    assert ours == [type_ for type_ in ('PatchMixup', 'PatchShuffle') if type_ in ours]
    assert kinds[-1 - len(ours) : -1] == ours and bool(ours) == (setting.scheme is not None)
    assert (kinds[-3] == 'CutPieces') == bool(setting.option)
    assert cfg.val_dataloader.dataset.pipeline[1:-1] == cfg.train_dataloader.dataset.pipeline[3:-1]


@pytest.mark.parametrize('option', frontier_options.CUTS)
def test_an_option_cuts_each_piece_from_its_own_patch(option, photo):
    """Pixel by pixel, for one patch after the other."""
    image = photo[:64, :48].copy()
    pieces = frontier_options.cut(image, option, np.random.default_rng(0))
    h, w = pieces.shape[0] // 4, pieces.shape[1] // 3
    assert (h, w) == {'anywhere': (12, 12), 'middle': (12, 12), 'two_mixtures': (8, 16)}.get(option, (8, 8))
    places = set()
    for row, col in itertools.product(range(4), range(3)):
        patch = image[16 * row : 16 * row + 16, 16 * col : 16 * col + 16].astype(float)
        piece = pieces[h * row : h * row + h, w * col : w * col + w]
        parts = [patch[y : y + 8, x : x + 8] for y in (0, 8) for x in (0, 8)]
        first, last = (np.floor(sum(k * part for k, part in zip(order, parts)) / 10 + 0.5) for order in (W, W[::-1]))
        if option == 'anywhere':
            fits = [yx for yx in np.ndindex(5, 5) if (patch[yx[0] :, yx[1] :][:12, :12] == piece).all()]
            places.add(fits[0])  # IndexError: cut from elsewhere
        elif option == 'middle':
            assert (piece == patch[2:14, 2:14]).all()
        elif option == 'mixed_or_cropped':
            even = np.floor(sum(parts) / 4 + 0.5)
            places.add(next(k for k, one in enumerate((even, patch[4:12, 4:12])) if (one == piece).all()))
        else:
            assert np.abs(piece - (first if option == 'unequal' else np.hstack([first, last]))).max() <= 1
    assert len(places) >= {'anywhere': 6, 'mixed_or_cropped': 2}.get(option, 0)


def test_halves_of_patches_are_hidden():
    images = torch.arange(2 * 3 * 24 * 36.0).reshape(2, 3, 24, 36)
    hidden = frontier_pretraining.halves(images, 12, 12)
    cut = frontier_pretraining.patches(images, 12, 12)
    assert torch.equal(cut[1, 5], images[1, :, 12:, 24:].flatten())
    sides = set()
    for patch in frontier_pretraining.patches(hidden, 12, 12).reshape(-1, 12, 12):
        rows, cols = patch.all(1), patch.all(0)
        assert patch.sum() == 72 and 6 in (rows.sum(), cols.sum())
        sides.add((bool(rows[0]), bool(rows[-1]), bool(cols[0]), bool(cols[-1])))
    assert len(sides) > 2


@pytest.mark.parametrize('name', ['hidden', 'longer'])
def test_a_trial_that_trains_longer(name, data, tmp_path, call):
    """Pre-training changes what the training begins with, once: a training that goes on does not guess again."""
    work = tmp_path / 'work'
    trial = ('try', '--trials', name, '--work-dir', work)
    said = frontier(call, tmp_path, data, *trial, '--epochs', 2).stdout
    run = json.loads((tmp_path / 'out' / 'trials' / f'{name}-gap.json').read_text())
    assert (run['epochs'], 'guessing, epoch 2' in said) == ((4, False) if name == 'longer' else (2, True))
    if name == 'hidden':
        (folder,) = work.glob('trial-hidden-gap*')
        longer = folder.rename(work / folder.name.replace('epochs-2', 'epochs-4'))  # as if it had been interrupted
        (longer / 'last_checkpoint').write_text(str(longer / 'epoch_2.pth'))
        (tmp_path / 'out' / 'trials' / 'hidden-gap.json').unlink()
        assert 'guessing' not in frontier(call, tmp_path, data, *trial, '--epochs', 4).stdout


def test_attacks_on_an_option_fit_seams_to_its_pieces(data, tmp_path, call, monkeypatch):
    """Pieces of 8 pixels that were mixed are no patches of 8 pixels, whose seams are shipped."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    words = ('--settings', 'rs-on-unequal', '--images', 2, '--attacks', 'jigsaw', '--work-dir', tmp_path / 'work')
    frontier(call, tmp_path, data, 'attack', *words)
    (found,) = (tmp_path / 'cache').rglob('*.npz')
    assert SeamModel.load(found).setting == 'rs-p8-gap0'
    (row,) = json.loads((tmp_path / 'out' / 'attacks' / 'rs-on-unequal.json').read_text())['attacks']
    assert row['images'] == 2


def write_run(folder, name, accuracy, seed=0):
    """Write the json of a run as ``run`` does."""
    setting = frontier_settings.SETTINGS[name]
    scheme = setting.built.label if setting.built else 'plain'
    run = dict(setting=name, scheme=scheme, model=setting.model, config='c.py', epochs=2, machine='a CPU')
    run |= dict(seed=seed, accuracy=accuracy, validation_images=400, date='2026-11-29', cpu_seconds=9)
    run['curve'] = [dict(epoch=1, accuracy=1.0), dict(epoch=2, accuracy=accuracy)]
    folder.mkdir(exist_ok=True)
    (folder / f'{name}-seed{seed}.json').write_text(json.dumps(run))


def write_attack(folder, name, file=None, **found):
    """Write the json of attacks; ``found`` is the share of neighbours of each."""
    (folder / 'attacks').mkdir(parents=True, exist_ok=True)
    floors = dict(chance=dict(surviving=0.01), encrypted=dict(surviving=0.02))
    rows = [
        dict(attack=attack, images=4, metrics=dict(surviving=dict(mean=share, low=share, high=share)), floors=floors)
        for attack, share in found.items()
    ]
    scheme = frontier_settings.SETTINGS[name].built.label
    (folder / 'attacks' / f'{file or name}.json').write_text(json.dumps(dict(scheme=scheme, attacks=rows, machine='a')))


def test_rows_merge_seeds_and_take_the_best_attack(tmp_path, call):
    out = tmp_path / 'out'
    write_run(out, 'vit-plain', 80.0)
    write_run(out, 'rs-gap-2', 70.0)
    write_run(out, 'rs-gap-2', 74.0, seed=1)
    write_attack(out, 'rs-gap-2', jigsaw=0.2, context=0.5)
    plain, row = frontier_show.rows(out, audit=tmp_path / 'none.json')
    assert (plain['setting'], row['setting']) == ('vit-plain', 'rs-gap-2')
    assert (row['accuracy'], row['cost'], row['share'], row['seeds']) == (72.0, 8.0, 0.9, [70.0, 74.0])
    assert (row['surviving'], row['surviving_by']) == (0.5, 'context')
    shown = frontier(call, tmp_path, None, 'table', '--json', tmp_path / 'rows.json').stdout
    assert '| RS p 16, gap 2 | PEViT | 72.0 ' in shown and '50.0%' in shown
    assert json.loads((tmp_path / 'rows.json').read_text())['rows'][1]['surviving'] == 0.5


def test_a_spread_of_seeds_and_the_interval_of_their_mean(tmp_path):
    write_run(tmp_path, 'vit-plain', 60.0)
    for seed, accuracy in enumerate((47.0, 50.0, 53.0)):
        write_run(tmp_path, 'rs-gap-2', accuracy, seed)
    row = frontier_show.rows(tmp_path, audit=tmp_path / 'none.json')[1]
    assert row['deviation'] == 3.0
    assert row['interval'] == pytest.approx([45.1, 54.9], abs=0.05)  # 50 % of 400: Wilson's, by hand
    run = json.loads((tmp_path / 'rs-gap-2-seed1.json').read_text())
    (tmp_path / 'rs-gap-2-seed1.json').write_text(json.dumps({**run, 'epochs': 18}))
    with pytest.raises(SystemExit, match='runs of rs-gap-2 differ in epochs'):
        frontier_show.rows(tmp_path)


def test_figures_on_photographs_are_of_attacks_that_know_the_copy_alone(tmp_path):
    write_run(tmp_path, 'vit-plain', 60.0)
    write_run(tmp_path, 'rs-gap-2', 50.0)
    values = dict(linkage=1.0, context=0.5, jigsaw=0.4)
    rows = [
        dict(set='gcompris', setting='RS p 16, gap 2', attack=name, images=107, floors={},
             metrics=dict(photo=dict(mean=value, low=value, high=value)))
        for name, value in values.items()
    ]  # fmt: skip
    (tmp_path / 'audit').write_text(json.dumps(dict(rows=rows)))
    row = frontier_show.rows(tmp_path, audit=tmp_path / 'audit')[1]
    assert (row['audit_photo'], row['audit_photo_by'], row['audit_photo_images']) == (0.5, 'context', 107)
    rows[2]['metrics']['photo_layout'] = dict(mean=0.7, low=0.6, high=0.8)  # colours tell more than features
    (tmp_path / 'audit').write_text(json.dumps(dict(rows=rows)))
    row = frontier_show.rows(tmp_path, audit=tmp_path / 'audit')[1]
    assert (row['audit_photo'], row['audit_photo_by'], row['audit_photo_low']) == (0.7, 'jigsaw', 0.6)


def test_any_part_of_the_gallery_has_all_classes(tmp_path):
    """An attack takes as many of its first pictures as there is room for."""
    for label in 'abcd':
        for k in range(100):
            path = tmp_path / label / f'{k}.png'
            path.parent.mkdir(exist_ok=True)
            path.touch()
    found = frontier_attack.others(tmp_path)
    assert len(found) == len(set(found)) == 200
    assert {path.parent.name for path in found[:50]} == {path.parent.name for path in found[150:]} == set('abcd')


def test_rows_take_the_best_of_shipped_and_trained_attacks_and_the_bag(data, tmp_path, call):
    """One scheme, two files of attacks: the trained one is written beside the other, and neither hides the other."""
    out, words = tmp_path / 'out', ('--settings', 'vit-plain', 'rs-gap-2', '--machine', 'a CPU')
    write_run(out, 'vit-plain', 80.0)
    write_run(out, 'rs-gap-2', 70.0)
    attack = ('attack', *words, '--images', 2, '--work-dir', tmp_path / 'work', '--attacks')
    frontier(call, tmp_path, data, *attack, 'identity')
    frontier(call, tmp_path, data, *attack, 'context', '--steps', 5)
    names = sorted(path.name for path in (out / 'attacks').iterdir())
    assert names == ['rs-gap-2-trained.json', 'rs-gap-2.json']
    trained = json.loads((out / 'attacks' / names[0]).read_text())
    assert trained['context']['photos'] == 64 and [point['step'] for point in trained['context']['curve']] == [5]
    frontier(call, tmp_path, data, 'bag', *words)
    bag = json.loads((out / 'bags' / 'rs-gap-2.json').read_text())
    assert (bag['training_images'], bag['validation_images'], bag['accuracy']) == (64, 4, 1)  # dark and light
    for shipped, learned in ((0.9, 0.4), (0.3, 0.4)):
        write_attack(out, 'rs-gap-2', jigsaw=shipped)
        write_attack(out, 'rs-gap-2', file='rs-gap-2-trained', context=learned)
        row = frontier_show.rows(out, audit=tmp_path / 'none.json')[1]
        assert row['surviving'] == max(shipped, learned) and row['bag'] == 1
        assert row['surviving_by'] == ('jigsaw' if shipped > learned else 'context')
        assert (row['surviving_chance'], row['surviving_copy'], row['surviving_images']) == (0.01, 0.02, 4)


def test_longer_runs_and_copies_stand_beside_the_others(tmp_path):
    out = tmp_path / 'out'
    for folder, plain, gap in ((out, 60.0, 30.0), (out / 'epochs-18', 80.0, 60.0)):
        write_run(folder, 'vit-plain', plain)
        write_run(folder, 'rs-gap-2', gap)
    write_run(out / 'epochs-18', 'rs-gap-4', 50.0)  # nothing to compare with
    write_run(out / 'epochs-20-copies', 'rs-gap-2', 10.0)  # of copies, not longer
    write_run(out, 'mi', 40.0)
    whole, gap, mixed = frontier_more.run_rows(out)
    assert (gap['accuracy'], gap['share']) == (30.0, 0.5)
    assert (gap['longer']['accuracy'], gap['longer']['share'], gap['longer']['curve']) == (60.0, 0.75, [1.0, 60.0])
    assert whole['longer']['accuracy'] == 80.0 and mixed['longer'] is None

    write_run(out / 'copies', 'rs-gap-2', 27.0)
    (copy,) = frontier_more.copy_rows(out)
    assert (copy['before'], copy['accuracy']) == (30.0, 27.0)


def test_other_options_have_a_table_of_their_own(tmp_path):
    for name, accuracy in (('vit-plain', 60.0), ('rs-anywhere', 30.0), ('rs-gap-2', 40.0), ('rs-gap-0', 50.0)):
        write_run(tmp_path, name, accuracy)
    assert [row['setting'] for row in frontier_more.run_rows(tmp_path)] == ['vit-plain', 'rs-gap-0', 'rs-gap-2']
    beside, option = frontier_more.option_rows(tmp_path)
    assert (beside['setting'], option['setting'], option['share']) == ('rs-gap-2', 'rs-anywhere', 0.5)


def test_labels_of_the_plot_do_not_meet(tmp_path):
    import matplotlib.pyplot as plt

    rows = [dict(setting=f's{k}', scheme=f'RS p 16, gap {k}', accuracy=50.0 + k % 2, x=0.99) for k in range(9)]
    figure, axes = plt.subplots(figsize=(8, 6))
    axes.set_xlim(0, 102)
    axes.set_ylim(0, 90)
    frontier_show._label(axes, rows, 'x', {row['setting']: 'C0' for row in rows})
    boxes = [text.get_window_extent() for text in axes.texts]
    assert [text.get_text() for text in axes.texts][0] == 'RS gap 1'
    assert len(boxes) == 9 and not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    plt.close(figure)


def test_the_plot_names_each_scheme_and_is_the_same_again(tmp_path, call):
    out = tmp_path / 'out'
    write_run(out, 'vit-plain', 80.0)
    for name, share in (('rs-gap-2', 0.5), ('mi', None)):  # what no attack was run on has no place
        write_run(out, name, 70.0)
        if share:
            write_attack(out, name, jigsaw=share)
    files = [tmp_path / 'a.svg', tmp_path / 'b.svg']
    for file in files:
        frontier(call, tmp_path, None, 'plot', '--file', file)
    text = files[0].read_text()
    assert text.count('<!-- RS gap 2 -->') == 1 and 'plain images, 2 epochs' in text and 'MI grid 2' not in text
    assert text == files[1].read_text()


def test_nothing_to_show_and_no_data_are_said(tmp_path, call):
    assert 'no runs in' in frontier(call, tmp_path, None, 'table', code=2).stderr
    missing = frontier(call, tmp_path, tmp_path / 'none', 'run', code=2)
    assert 'run tools/dataset_converters/fashion_scene.py first' in missing.stderr


def test_a_teacher_answers_beside_the_labels(data, tmp_path, call):
    """The student learns from what a plain model says: its labels are the mean of both, and trials tell the gain."""
    places = ('--work-dir', tmp_path / 'work', '--epochs')
    frontier(call, tmp_path, data, 'run', '--settings', 'vit-plain', *places[:2])  # the teacher
    frontier(call, tmp_path, data, 'try', '--trials', 'base', 'teacher', 'keys', *places, 1)
    names = sorted(path.name for path in (tmp_path / 'out/trials').iterdir())
    assert names == ['base-gap.json', 'base-mixed.json', 'base-plain.json', *(f'{name}-{kind}.json' for name, kind in (
        ('keys', 'gap'), ('keys', 'plain'), ('teacher', 'gap'), ('teacher', 'mixed')))]  # fmt: skip
    base, *others = frontier_more.trial_rows(tmp_path / 'out')
    assert base['trial'] == 'base' and base['accuracy']['rs-gap-2']['gain'] is None
    assert {row['trial']: set(row['accuracy']) for row in others} == {
        'keys': {'vit-plain', 'rs-gap-2'},
        'teacher': {'rs-gap-2', 'rs-on-mi-gap-1'},
    }
    assert 'there are base, ' in frontier(call, tmp_path, data, 'try', '--trials', 'none', code=2).stderr

    hook = frontier_trials.Distil(str(tmp_path / 'work/vit-plain-seed0/epoch_6.pth'), weight=0.25)
    held = LoadHeldImage(str(data / 'train'))
    scores = frontier_trials.answers(hook.teacher, held.images)
    assert scores.shape == (64, 10) and scores.sum(1) == pytest.approx(np.ones(64), abs=1e-5)
    mixed = hook._scored({'gt_label': 3}, scores[0])['gt_score']
    assert mixed == pytest.approx(0.25 * scores[0] + 0.75 * np.eye(10)[3])


def test_boxes_take_the_mean_of_their_seeds_and_their_attack(tmp_path):
    figures = tmp_path / 'figures.json'
    rows = [
        dict(model=model, images=images, classes=1, epochs=8, seed=seed, AP=1.0, AP50=value)
        for model, images, values in (
            ('YOLOS-mini', 'plain', (20.0, 30.0)),
            ('PatchDetector-mini', '16-pixel patches shuffled', (20.0,)),
            ('PointingYOLOS-mini', '16-pixel patches shuffled', (0.0,)),
            ('YOLOS-mini', 'shuffled within windows of 2 x 2 patches', (5.0,)),
        )
        for seed, value in enumerate(values)
    ]
    figures.write_text(json.dumps(dict(rows=rows, machine='a CPU', date='2026-11-29')))
    write_attack(tmp_path / 'boxes', 'rs-gap-0', jigsaw=0.9)
    plain, shuffled = frontier_more.box_rows(tmp_path, figures)
    assert (plain['AP50'], plain['seeds'], plain['scheme'], 'surviving' in plain) == (25.0, 2, 'plain', False)
    assert (shuffled['AP50'], shuffled['surviving'], shuffled['scheme']) == (20.0, 0.9, 'RS p 16, gap 0')
