"""Run an attack on one photograph and score it; read reports. No torch, no scikit-learn."""

import json

import pytest

from hii_mm.attacks import Given, make
from hii_mm.attacks.evaluation.places import Places, turned_classes
from hii_mm.attacks.solver.pieces import classes, cut

SCENES = [  # that scikit-image ships
    'astronaut.png',
    'camera.png',
    'chelsea.png',
    'coffee.png',
    'coins.png',
    'hubble_deep_field.jpg',
    'ihc.png',
    'moon.png',
    'motorcycle_left.png',
    'motorcycle_right.png',
    'retina.jpg',
    'rocket.jpg',
]


def score_places(found, plan, encrypted):
    """Return the figures of the places of a recovery, as the report has them."""
    pieces, shuffle = cut(encrypted, plan.shuffle.shape), plan.shuffle
    if shuffle.orientation is None:
        return Places.calculate(found.places, shuffle.permutation, shuffle.grid.shape, classes(pieces))
    truth = shuffle.permutation, shuffle.orientation, shuffle.grid.shape, turned_classes(pieces)
    return Places.turned(found.places, found.turns, *truth)


def attack_places(name, plain, scheme, rng, **options):
    """Encrypt a photograph, attack it with the plain size known, and return the figures of the places."""
    plan = scheme.plan(plain.shape, rng)
    encrypted = plan.apply(plain)
    found = make(name, **options).recover(encrypted, scheme, Given(plain.shape[:2]))
    return score_places(found, plan, encrypted)


def figures(report, setting=0):
    """Return ``{attack: entry}`` of a setting of a report."""
    return {entry['name']: entry for entry in report.data['settings'][setting]['attacks']}


def read_report(out):
    """Return the report in a folder, with NaN refused."""
    text = (out / 'report.json').read_text()
    return json.loads(text, parse_constant=lambda name: pytest.fail(f'{name} in report.json'))
