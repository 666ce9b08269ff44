"""How much an attack got back. Static ``calculate`` functions; no runner, no torch.

Grids of pieces are int (rows, columns). ``places`` is what an attack says: the
piece of the encrypted image, counted row by row, that belongs there, or -1.
``plan.permutation`` says which plain patch each piece is.
"""

import hashlib
import warnings

import numpy as np

from .pieces import as_uint8, resized, turn


def classes(pieces):
    """int64 (n,): pieces that are equal pixel for pixel share a number, the lowest of theirs."""
    flat = np.ascontiguousarray(pieces).reshape(len(pieces), -1)
    _, first, inverse = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    return first[inverse.ravel()]


def turned_classes(pieces):
    """int64 (n, 8): what each piece shows under each code of :func:`.pieces.turn`; equal pixels share a number.

    So a flat piece has one number for all codes. An oblong piece that lies
    never shows what one that stands does.
    """
    seen, found = {}, np.empty((len(pieces), 8), np.int64)
    for code in range(8):
        for k, form in enumerate(np.ascontiguousarray(turn(pieces, code))):
            content = form.shape, hashlib.blake2b(form.data, digest_size=16).digest()
            found[k, code] = seen.setdefault(content, len(seen))
    return found


class Places:
    """Direct, neighbour, largest component and perfect, of one reassembled image."""

    @staticmethod
    def calculate(places, permutation, plain_grid, same=None):
        """How well the pieces lie.

        Args:
            places: int (rows, columns), the piece at each place or -1.
            permutation: int (n,), the plain patch that each piece is.
            plain_grid: (rows, columns) of the plain patches.
            same: int (n,), from :func:`classes`: pieces with equal numbers may stand for each other.

        Returns:
            dict of floats in [0, 1]:

            - direct: share of pieces at the right place, for the best of all translations.
            - neighbour: right directed adjacencies / (2uv - u - v).
            - surviving: the same over the adjacencies whose two patches were kept; nan without any.
            - component: the largest 4-connected group joined by right adjacencies / pieces.
            - perfect: 1 if direct is 1, else 0.
        """
        label = np.arange(len(permutation)) if same is None else np.asarray(same)
        return _score(np.where(places >= 0, label[places], -1), _truth(label, permutation, plain_grid))

    @staticmethod
    def turned(places, turns, permutation, orientation, plain_grid, same=None):
        """As :meth:`calculate`, where pieces were turned.

        A piece counts only if it shows, as it is turned, what belongs there.
        The whole picture may be turned or mirrored: the best of all 8 ways counts.

        Args:
            places: int (rows, columns), as there.
            permutation: int (n,), as there.
            plain_grid: (rows, columns), as there.
            same: int (n, 8), from :func:`turned_classes`; or (n,), as there: then only
                the code that undoes the owner's turns a piece right, whatever it shows; or None.
            turns: int (rows, columns), how each piece was turned back.
            orientation: int (n,), how the owner turned it.
        """
        index = np.arange(len(permutation))
        label = index if same is None else np.asarray(same)
        label = label[:, None] * 8 + np.arange(8) if label.ndim == 1 else label
        found, grids = np.where(places >= 0, label[places, turns], -1), []
        for code in range(8):
            want = np.array([_compose(_inverse(turned), code) for turned in range(8)])[orientation]
            truth = _truth(label[index, want], permutation, plain_grid)
            grid = _turned_grid(found, _inverse(code))
            right = sum(int(_seams(grid, truth, axis)[0].sum()) for axis in (0, 1))
            grids.append((right, grid, truth))
        most = max(right for right, _, _ in grids)
        scores = [_score(grid, truth) for right, grid, truth in grids if right == most]
        return max(scores, key=lambda score: score['direct'])


def chance(params, plan, same=None, seed=0, rounds=20):
    """What the places of :class:`Places` score where nothing is known.

    The pieces are left as they lie, and this is compared with random other
    plans of the same parameters: the mean of each figure.

    Args:
        params: the :class:`hii_mm.encryption.ShuffleParams`.
        plan: the :class:`hii_mm.encryption.ShufflePlan` of an image; its size counts alone.
        same: as :class:`Places` takes it: equal pieces make chance higher.
        seed: of the plans.
        rounds: how many plans.

    Returns:
        dict of floats; what is never defined is left out.
    """
    rng, places, scores = np.random.default_rng(seed), np.arange(plan.permutation.size).reshape(plan.shape), []
    for _ in range(rounds):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of a window of one patch, which the owner was told
            other = params.plan(plan.plain_shape, rng)
        if other.orientation is None:
            scores.append(Places.calculate(places, other.permutation, other.grid.shape, same))
        else:
            where = other.permutation, other.orientation, other.grid.shape, same
            scores.append(Places.turned(places, np.zeros_like(places), *where))
    found = {name: [score[name] for score in scores if np.isfinite(score[name])] for name in scores[0]}
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def _truth(label, permutation, plain_grid):
    """The label of the piece of each plain patch, -1 where it was dropped: int (rows, columns)."""
    truth = np.full(plain_grid[0] * plain_grid[1], -1)
    truth[permutation] = label
    return truth.reshape(plain_grid)


def _score(found, truth):
    """The figures of :meth:`Places.calculate`, of two grids of labels."""
    (u, v), pieces = truth.shape, int((truth >= 0).sum())
    seams = [_seams(found, truth, axis) for axis in (0, 1)]
    right, kept = sum(int(part[0].sum()) for part in seams), sum(part[1] for part in seams)
    direct = _direct(found, truth) / pieces
    return {
        'direct': direct,
        'neighbour': min(1.0, right / max(1, 2 * u * v - u - v)),
        'surviving': min(1.0, right / kept) if kept else float('nan'),
        'component': _largest(found, seams) / pieces,
        'perfect': float(direct == 1),
    }


def _compose(first, then):
    """The code of turning by ``first`` and then by ``then``: quarters anti-clockwise, then the mirror."""
    if first >= 4:  # a mirror before a turn is the opposite turn before the mirror
        return (first % 4 - then % 4) % 4 + (4 if then < 4 else 0)
    return (first + then) % 4 + (4 if then >= 4 else 0)


def _inverse(code):
    return code if code >= 4 else -code % 4


def _turned_grid(grid, code):
    turned = np.rot90(grid, code % 4)
    return turned[:, ::-1] if code >= 4 else turned


def _direct(found, truth):
    """The most places that agree, over all translations of one grid on the other."""
    (a, b), (u, v) = found.shape, truth.shape
    where = {}
    for y, x in zip(*np.nonzero(truth >= 0)):
        where.setdefault(int(truth[y, x]), []).append((y, x))
    votes = np.zeros((a + u, b + v), np.int64)
    for y, x in zip(*np.nonzero(found >= 0)):
        spots = np.array(where.get(int(found[y, x]), []))
        if len(spots):
            votes[spots[:, 0] - y + a, spots[:, 1] - x + b] += 1
    return int(votes.max(initial=0))


def _seams(found, truth, axis):
    """(bool array of right adjacencies in ``found`` along an axis, number of them in ``truth``)."""
    one, two = (np.s_[:-1], np.s_[1:]) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
    a, b = truth[one].ravel(), truth[two].ravel()
    kept = (a >= 0) & (b >= 0)
    span = int(max(truth.max(initial=0), found.max(initial=0))) + 1
    pairs = np.unique(a[kept] * span + b[kept])
    x, y = found[one], found[two]
    return (x >= 0) & (y >= 0) & np.isin(x * span + y, pairs), int(kept.sum())


def _largest(found, seams):
    """Size of the largest group of places joined by right adjacencies; 0 for no pieces."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    index = np.arange(found.size).reshape(found.shape)
    ends = [(index[:-1], index[1:], seams[0][0]), (index[:, :-1], index[:, 1:], seams[1][0])]
    i, j = np.concatenate([a[ok] for a, _, ok in ends]), np.concatenate([b[ok] for _, b, ok in ends])
    graph = coo_matrix((np.ones(len(i)), (i, j)), shape=(found.size, found.size))
    label = connected_components(graph, directed=False)[1]
    return int(np.bincount(label[found.ravel() >= 0], minlength=1).max())


class Retrieval:
    """How often the true neighbour ranks first, whatever the solver does."""

    @staticmethod
    def calculate(right, down, permutation, plain_grid, same=None):
        """Mean over both directions and both sides of each seam.

        Args:
            right: (n, n) scores that piece j is right of piece i.
            down: (n, n) scores that piece j is below piece i.
            permutation: int (n,), as in :meth:`Places.calculate`.
            plain_grid: (rows, columns), as there.
            same: int (n,) or None, as there.
        """
        truth = np.full(plain_grid[0] * plain_grid[1], -1)
        truth[permutation] = np.arange(len(permutation))
        truth = truth.reshape(plain_grid)
        label = np.arange(len(permutation)) if same is None else np.asarray(same)
        hits = []
        for scores, one, two in ((right, np.s_[:, :-1], np.s_[:, 1:]), (down, np.s_[:-1], np.s_[1:])):
            a, b = truth[one].ravel(), truth[two].ravel()
            a, b = a[(a >= 0) & (b >= 0)], b[(a >= 0) & (b >= 0)]
            hits += [label[scores[a].argmax(axis=1)] == label[b], label[scores[:, b].argmax(axis=0)] == label[a]]
        hits = np.concatenate(hits)
        return float(hits.mean()) if len(hits) else float('nan')


class Likeness:
    """PSNR and SSIM of a reconstruction to the plain image."""

    @staticmethod
    def calculate(plain, found):
        """``{'psnr', 'ssim'}``; sizes are made equal first, PSNR is at most 100 dB so that it is finite.

        Args:
            plain: (H, W[, C]).
            found: (h, w[, C]); it is resized to the plain size.
        """
        from skimage.metrics import structural_similarity

        plain = as_uint8(plain)
        found = resized(found, plain.shape[:2])
        error = float(((plain.astype(np.float64) - found) ** 2).mean())
        psnr = 100.0 if error == 0 else min(100.0, 10 * np.log10(255**2 / error))
        side = min(7, *(length - 1 + length % 2 for length in plain.shape[:2]))
        if side < 3:
            return {'psnr': psnr, 'ssim': float(error == 0)}
        return {'psnr': psnr, 'ssim': float(structural_similarity(plain, found, channel_axis=2, win_size=side))}


def floors(plain, encrypted, patch_size):
    """What costs no attack at all: ``{'encrypted', 'mean colour', 'mosaic'}`` -> PSNR and SSIM.

    Args:
        plain: (H, W[, C]).
        encrypted: the encrypted image, resized for this.
        patch_size: (h, w) of the plain patches; the mosaic has one colour for each.
    """
    plain = as_uint8(plain)
    flat = np.broadcast_to(plain.mean(axis=(0, 1)), plain.shape)
    (ph, pw), (h, w) = patch_size, plain.shape[:2]
    tiles = np.zeros(plain.shape, np.float32)
    for y in range(0, h, ph):
        for x in range(0, w, pw):
            tiles[y : y + ph, x : x + pw] = plain[y : y + ph, x : x + pw].mean(axis=(0, 1))
    pictures = {
        'encrypted': encrypted,
        'mean colour': flat.round().astype(np.uint8),
        'mosaic': tiles.round().astype(np.uint8),
    }
    return {name: Likeness.calculate(plain, picture) for name, picture in pictures.items()}


def summary(values, seed=0, rounds=2000, images=None):
    """Mean, worst decile and a 95 % bootstrap interval of the mean.

    Several runs on one image are no independent samples: mean and interval are
    over the images, each with the mean of its runs. The worst decile, for the
    owner, is the mean of the highest tenth (at least one) of the values: what
    is recovered in the runs that fared worst.

    Args:
        values: floats; nan are left out.
        seed: of the bootstrap, so that it is the same each time.
        rounds: how often it draws.
        images: the name of the image behind each value; None: each has its own.

    Returns:
        dict: ``mean``, ``worst_decile``, ``low``, ``high``, None where there is no value;
        ``count`` of values and ``images``, how many different ones they are of.
    """
    by_image = {}
    for name, value in zip(range(len(values)) if images is None else images, values):
        if value is not None and np.isfinite(value):
            by_image.setdefault(name, []).append(float(value))
    if not by_image:
        return {'mean': None, 'worst_decile': None, 'low': None, 'high': None, 'count': 0, 'images': 0}
    means, values = np.array([np.mean(found) for found in by_image.values()]), np.concatenate([*by_image.values()])
    draws = np.random.default_rng(seed).integers(len(means), size=(rounds, len(means)))
    low, high = np.quantile(means[draws].mean(axis=1), [0.025, 0.975])
    worst = np.sort(values)[-max(1, len(values) // 10) :].mean()
    numbers = {'mean': means.mean(), 'worst_decile': worst, 'low': low, 'high': high}
    counts = {'count': len(values), 'images': len(means)}
    return {**{name: float(number) for name, number in numbers.items()}, **counts}
