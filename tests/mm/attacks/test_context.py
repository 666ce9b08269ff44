"""The network that sees all pieces: it learns, resumes, keeps no order, and refuses what does not fit."""

import numpy as np
import pytest
import torch

from hii_mm import Scheme
from hii_mm.attacks import Given, learning, make
from hii_mm.attacks.context import checkpoint, examples, held_out, learner, modules, network, precision, trainer
from hii_mm.attacks.evaluation.photos import sample_photos
from hii_mm.attacks.evaluation.retrieval import Retrieval
from hii_mm.attacks.solver.pieces import classes, cut
from hii_mm.attacks.solver.seams import SeamModel
from hii_mm.encryption.turns import turn
from hii_mm.errors import AttackRefusedError, CheckpointError, InvalidValueError

RS, TURNED = Scheme(16, gap=1), Scheme(16, gap=1, orient=True)
SIZE = 96, 96


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def photos():
    return list(sample_photos(96, ['chelsea.png', 'coffee.png', 'china.jpg']).values())


@pytest.fixture(scope='module')
def seams(photos):
    """Measures of RS at gap 1, fitted to few crops."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('hii_mm.attacks.solver.seam_fitting.CROPS', 8)
        patch.setattr('hii_mm.attacks.solver.seam_fitting.SAMPLES', 2000)
        return SeamModel.fit(photos, RS)


@pytest.fixture
def fresh(seams, monkeypatch):
    """Return a function that makes trainers at gap 1."""
    monkeypatch.setattr(trainer, 'seam_model', lambda scheme, photos: seams)
    return lambda seed=0, scheme=RS: trainer.ContextTrainer(scheme, SIZE, seed, 'float32')


# examples


@pytest.mark.parametrize('scheme', [RS, TURNED, Scheme((16, 8), gap=1, orient=True), Scheme(16, gap=1, drop_ratio=0.4)])
def test_seams_are_those_of_the_picture(scheme, photos):
    """Each pair is cut out of the picture, turned as a whole, side by side: an oracle that is slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('hii_mm.attacks.solver.seam_fitting.CROPS', 4)
        patch.setattr('hii_mm.attacks.solver.seam_fitting.SAMPLES', 500)
        model = SeamModel.fit(photos, scheme)
    image = photos[0][:48, :64]
    found = examples.cut_example(image, scheme, model, np.random.default_rng(0))
    square = scheme.patch_size[0] == scheme.patch_size[1]
    codes = (range(8) if square else (0, 2, 4, 6)) if scheme.shuffle.orient else [0]
    assert len(found.streams) == (1 if len(codes) == 8 else 2)
    for stream, pairs, plain in zip(found.streams, found.seams, (image, image.swapaxes(0, 1))):
        beside = {pair for code in codes for pair in neighbours(turn(plain[None], code)[0], stream.shape[1:3])}
        mine = {(stream[a].tobytes(), stream[b].tobytes()) for a, b in pairs}
        assert mine <= beside
        if not scheme.shuffle.drop_ratio:
            assert len(pairs) == len(beside) == len(mine)
        else:
            assert 0 < len(pairs) < len(beside)


def neighbours(picture, core):
    """Yield the bytes of all cores side by side, which are 2 pixels apart."""
    (h, w), step = core, (core[0] + 2, core[1] + 2)
    for y in range(1, picture.shape[0], step[0]):
        for x in range(1, picture.shape[1] - step[1], step[1]):
            one, two = picture[y : y + h, x : x + w], picture[y : y + h, x + step[1] : x + step[1] + w]
            yield one.tobytes(), two.tobytes()


@pytest.mark.parametrize('options', [{}, {'tone': True}])
def test_pieces_to_learn_from_have_the_noise_of_the_scheme(photos, options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('hii_mm.attacks.solver.seam_fitting.CROPS', 4)
        patch.setattr('hii_mm.attacks.solver.seam_fitting.SAMPLES', 500)
        model = SeamModel.fit(photos, Scheme(16, noise=20, **options))
    flat = np.full((96, 96, 3), 128, np.uint8)
    streams = examples.cut_example(flat, Scheme(16, noise=20, **options), model, np.random.default_rng(0)).streams
    for stream in streams:
        assert stream.reshape(len(stream), -1, 3).std(axis=1).mean() == pytest.approx(20, abs=1)


@pytest.mark.parametrize('flips', range(8))
def test_mirrored_examples_are_those_of_mirrored_pictures(photos, seams, flips):
    image, rng = photos[1], np.random.default_rng
    mine = examples.mirrored(examples.cut_example(image, RS, seams, rng(0)), flips)
    picture = image[:, ::-1] if flips & 1 else image
    picture = picture[::-1] if flips & 2 else picture
    picture = picture.swapaxes(0, 1) if flips & 4 else picture
    true = examples.cut_example(np.ascontiguousarray(picture), RS, seams, rng(0))
    for k in range(2):
        pairs = [{(s.streams[k][a].tobytes(), s.streams[k][b].tobytes()) for a, b in s.seams[k]} for s in (mine, true)]
        assert pairs[0] == pairs[1]
        order = [{piece.tobytes(): i for i, piece in enumerate(s.streams[k])} for s in (mine, true)]
        index = np.array([order[1][piece] for piece in order[0]])
        same = np.corrcoef(mine.measures[k].ravel(), true.measures[k][:, index[:, None], index].ravel())[0, 1]
        assert same > 0.97  # a wrong direction gives .8 and less


# the network


def random_inputs(count, streams=2, measures=5):
    parts = [torch.randn(count, 3, 8, 8) for _ in range(streams)]
    return parts, torch.randn(2, measures, count, count), torch.eye(count, dtype=torch.bool)


def stirred():
    """Return a network whose every weight matters."""
    torch.manual_seed(0)
    model = network.network((8, 8), 5)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model


def test_scores_do_not_depend_on_the_order_of_the_pieces(monkeypatch):
    monkeypatch.setattr(modules, 'AT_ONCE', 60)  # pairs are scored in several parts
    model, (parts, measures, banned) = stirred(), random_inputs(20)
    order = torch.randperm(20)
    with torch.no_grad():
        before = model(parts, measures, banned)
        after = model([part[order] for part in parts], measures[:, :, order][:, :, :, order], banned)
    for one, two in zip(before, after):
        torch.testing.assert_close(one[order][:, order], two, atol=1e-4, rtol=1e-4)
        assert (one - one.T).abs().max() > 0.1


def test_parts_of_the_pairs_are_scored_as_the_whole(monkeypatch):
    model, inputs = stirred(), random_inputs(9)
    whole = model(*inputs)
    monkeypatch.setattr(modules, 'AT_ONCE', 20)
    with torch.no_grad():
        parts = model(*inputs)
    torch.testing.assert_close(torch.stack(whole), torch.stack(parts))


def test_every_weight_receives_a_gradient():
    model, inputs = stirred(), random_inputs(9)
    sum(score[~inputs[2]].square().mean() for score in model(*inputs)).backward()
    silent = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert silent == []
    assert 400_000 < sum(weight.numel() for weight in model.parameters()) < 1_000_000


def borders(rng, count, planted):
    """Return pieces in a row: noise; if planted, their left borders are the negatives of the right borders before."""
    pieces = rng.normal(size=(count, 3, 8, 8)).astype(np.float32)
    if planted:
        pieces[1:, :, :, 0] = -pieces[:-1, :, :, -1]
    return torch.from_numpy(pieces)


@pytest.mark.parametrize('planted', [True, False])
def test_it_learns_a_planted_regularity_and_nothing_from_noise(planted):
    """The measures say nothing here: all comes from the pieces."""
    rng, count = np.random.default_rng(0), 24
    torch.manual_seed(0)
    model, nothing, banned = network.network((8, 8), 2), torch.zeros(2, 2, count, count), torch.eye(count) > 0
    truth = torch.arange(1, count)

    def loss(step):
        score = model([borders(rng, count, planted)], nothing, banned)[0]
        return torch.nn.functional.cross_entropy(score[:-1], truth)

    learning.fit(model, loss, 250, rate=2e-3)
    with torch.no_grad():
        tries = [model([borders(rng, count, planted)], nothing, banned)[0][:-1].argmax(1) == truth for _ in range(10)]
    share = torch.cat(tries).float().mean()
    assert share > 0.5 if planted else share < 0.12  # chance is .04


# training


def test_a_resumed_training_equals_an_uninterrupted_one(photos, tmp_path, fresh, monkeypatch):
    monkeypatch.setattr('hii_mm.attacks.context.pool.SIZE', 3)  # examples are replaced within the test
    many = [*photos] * 4
    whole = fresh()
    losses = whole.train(many, None, 14)
    part, first = tmp_path / 'a.part', fresh()
    first.part = part

    def stop(done, total, note):
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.train(many, None, 14, stop)
    usable = make('context', checkpoint=part)
    usable.prepare(RS, Given())
    second = fresh()
    second.resume(part)
    assert second.train(many, None, 14) == losses
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name
    assert [p['top1'] for p in second.curve] == [p['top1'] for p in whole.curve]
    assert 0 < whole.curve[-1]['top1'] <= 1
    times = [point['seconds'] for point in second.curve]
    assert times == sorted(times)


def test_what_cannot_be_resumed(photos, tmp_path, fresh):
    done = fresh()
    done.train(photos, None, 1)
    done.save(tmp_path / 'done')
    with pytest.raises(CheckpointError, match='cannot be resumed: it is of a training that was finished'):
        fresh().resume(tmp_path / 'done')
    done.part = tmp_path / 'part'
    done._keep(learner.Learner(done.model, 'float32'), 1.0)
    with pytest.raises(CheckpointError, match='it is of seed 0, not 1'):
        fresh(1).resume(tmp_path / 'part')
    with pytest.raises(CheckpointError, match='was trained at'):
        fresh(0, Scheme(16, gap=2)).resume(tmp_path / 'part')


def test_the_same_seed_gives_the_same_losses(photos, fresh):
    runs = [fresh(seed).train(photos, None, 3) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_training_lowers_the_loss_below_that_of_the_measures(photos, fresh):
    losses = fresh().train(photos, None, 60)
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:5])


def test_the_rate_rises_and_falls():
    rates = [learner.rate(step, 100) / learner.RATE for step in range(100)]
    assert max(rates) == pytest.approx(1)
    assert rates[0] == pytest.approx(0.1)
    assert rates[-1] < 0.01
    assert learner.rate(0, 1) == learner.RATE


def test_precisions():
    with pytest.raises(InvalidValueError, match="one of auto, float32, bfloat16, got 'half'"):
        precision.arithmetic('half')
    with precision.arithmetic('bfloat16')():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.bfloat16
    slow = {False: 0.0, True: 0.05}
    clock = __import__('time').process_time

    def work(context):
        with context:
            until = clock() + slow[torch.is_autocast_enabled('cpu')]
            while clock() < until:
                pass

    assert precision.faster(work) == 'float32'
    slow.update({False: 0.05, True: 0.0})
    assert precision.faster(work) == 'bfloat16'


def test_held_out_photos_are_not_learned_from():
    seen, unseen = held_out.split(list(range(25)))
    assert unseen == [9, 19]
    assert sorted([*seen, *unseen]) == list(range(25))


# the attack


def test_an_attack_with_a_checkpoint(photos, tmp_path, fresh):
    trained = fresh()
    trained.train(photos, None, 2)
    trained.save(tmp_path / 'a.pt')
    plan = RS.plan(photos[0].shape, np.random.default_rng(0))
    encrypted = plan.apply(photos[0])
    attack = make('context', checkpoint=tmp_path / 'a.pt', effort=0.0)
    found = attack.recover(encrypted, RS, Given(SIZE))
    assert found.image.shape == (*SIZE, 3)
    truth = plan.shuffle.permutation, plan.shuffle.grid.shape, classes(cut(encrypted, plan.shuffle.shape))
    assert Retrieval.calculate(*found.scores, *truth) > 0.4  # positive control: the measures alone do that
    noise = np.random.default_rng(1).integers(0, 256, encrypted.shape, np.uint8)
    found = attack.recover(noise, RS, Given(SIZE))
    truth = truth[:2] + (np.arange(36),)
    assert Retrieval.calculate(*found.scores, *truth) < 0.2  # negative control
    with pytest.raises(CheckpointError, match='was trained at .*rs-p16-gap1.*, and this scheme is .*rs-p16-gap2'):
        make('context', checkpoint=tmp_path / 'a.pt').prepare(Scheme(16, gap=2), Given())
    with pytest.raises(CheckpointError, match='was trained at'):
        make('context', checkpoint=tmp_path / 'a.pt').prepare(TURNED, Given())


def test_too_many_pieces(monkeypatch, photos, tmp_path, fresh):
    trained = fresh()
    trained.train(photos, None, 1)
    trained.save(tmp_path / 'a.pt')
    monkeypatch.setattr('hii_mm.attacks.attackers.context.MOST', 35)
    encrypted = RS.plan(photos[0].shape, np.random.default_rng(0)).apply(photos[0])
    with pytest.raises(AttackRefusedError, match='context: 36 pieces of 1 turns are more than 35 items'):
        make('context', checkpoint=tmp_path / 'a.pt').recover(encrypted, RS)


def test_refusals(monkeypatch):
    assert 'nothing was shuffled' in make('context').refuses(Scheme(16, strategy='mixup'))
    assert make('context').refuses(Scheme(12, gap=1)) == ('no checkpoint: train one with hii-mm attack-train context')
    assert make('context', checkpoint='a').refuses(Scheme(12, gap=1)) is None
    monkeypatch.setitem(__import__('sys').modules, 'torch', None)
    assert 'needs torch' in make('context', checkpoint='a').refuses(Scheme(12, gap=1))


# shipped checkpoints


SHIPPED = [Scheme(16), Scheme(16, gap=2), Scheme(16, strategy='both')]


@pytest.mark.parametrize('scheme', SHIPPED, ids=lambda scheme: scheme.label)
def test_shipped_checkpoints_load_and_are_small(scheme):
    attack = make('context')
    assert attack.refuses(scheme) is None
    attack.prepare(scheme, Given())
    assert attack.curve[-1]['top1'] > 0.3
    assert checkpoint.shipped(scheme).stat().st_size < 3_000_000
    assert checkpoint.shipped(Scheme(16, gap=2, drop_ratio=0.5)) == checkpoint.shipped(Scheme(16, gap=2))


def test_a_shipped_file_that_was_changed_is_refused(tmp_path):
    path = tmp_path / 'context-a.pt'
    path.write_bytes(b'a')
    (tmp_path / 'SHA256SUMS').write_text('0' * 64 + '  context-a.pt\n')
    with pytest.raises(CheckpointError, match='has SHA-256 ca97.* and SHA256SUMS says 000'):
        checkpoint.verify(path)
    (tmp_path / 'SHA256SUMS').write_text('')
    with pytest.raises(CheckpointError, match='says nothing of it'):
        checkpoint.verify(path)
