"""The grade of a run: every edge of the rule."""

import pytest

from hii_mm.attacks.report.grade import (
    COMES,
    LITTLE,
    PARTLY,
    Retrieved,
    beyond_chance,
    grade,
    graded,
    retrieved,
    sentence,
)


@pytest.mark.parametrize(
    'figure, high, low',
    [('neighbour gain', 0.5, 0.1), ('retrieval gain', 0.5, 0.1), ('retrieval', 0.5, 0.1), ('ssim', 0.5, 0.3)],
)
def test_every_edge_of_the_rule(figure, high, low):
    steps = [(high, COMES), (high - 1e-6, PARTLY), (low, PARTLY), (low - 1e-6, LITTLE)]
    assert [grade({figure: value}) for value, _ in steps] == [expected for _, expected in steps]


def test_the_worst_figure_decides():
    assert grade({'neighbour gain': 0.0, 'retrieval gain': 0.6}) == COMES
    assert grade({'neighbour gain': None, 'retrieval gain': 0.2}) == PARTLY
    assert grade({'neighbour gain': None, 'retrieval gain': None}) is None


def test_retrieval_counts_from_floor_to_ceiling():
    assert Retrieved(0.6, 0.2, 1.0).gain == pytest.approx(0.5)
    assert Retrieved(0.98, 0.96, 1.0).gain is None  # the encrypted picture tells as much


@pytest.mark.parametrize('photos, expected', [(20, COMES), (200, COMES), (19, None), (4, None)])
def test_retrieval_counts_among_twenty_photographs_and_more(photos, expected):
    summed = {'mean': 0.9, 'count': 3}
    floors = {'encrypted': {'photo': 0.1}, 'chance': {'photo': 1 / photos}}
    found = {'name': 'x', 'supposing': '', 'metrics': {'photo': summed}, 'floors': floors, 'ceilings': {'photo': 1.0}}
    made = {'name': 'RS', 'parameters': {'gap': 0}, 'attacks': [found]}
    assert graded(made)['grade'] == expected
    assert 'photo share' in graded(made)['figures'] or not expected


def test_retrieval_without_a_known_number_of_photographs_does_not_count():
    assert retrieved({'metrics': {'photo': {'mean': 1.0, 'count': 1}}, 'floors': {}, 'ceilings': {}}) is None


def test_retrieval_is_that_which_gains_more():
    """Features that know clean photographs alone must not hide what the layout tells."""
    floors = {'encrypted': {'photo': 0.1, 'photo_layout': 0.0}, 'chance': {'photo': 0.01, 'photo_layout': 0.01}}
    for features, layout, share in ((0.2, 0.6, 0.6), (0.9, 0.3, 0.9)):
        metrics = {name: {'mean': mean, 'count': 3} for name, mean in (('photo', features), ('photo_layout', layout))}
        found = {'metrics': metrics, 'floors': floors, 'ceilings': {'photo': 1.0, 'photo_layout': 1.0}}
        assert retrieved(found).share == share


def entry(name, surviving, supposing=''):
    summed = {'mean': surviving, 'count': 1}
    return {'name': name, 'supposing': supposing, 'metrics': {'surviving': summed}, 'floors': {}, 'ceilings': {}}


def setting(*attacks, name='RS'):
    made = {'name': name, 'parameters': {'gap': 0}, 'attacks': list(attacks)}
    return {**made, 'grade': graded(made)}


def test_attacks_that_suppose_more_are_named_apart():
    found = setting(entry('jigsaw', 0.05), entry('linkage', 0.9, 'a guess'))
    assert (found['grade']['grade'], found['grade']['apart']) == (LITTLE, {'linkage': COMES})
    assert sentence([found]) == (
        'Little came back: RS, jigsaw: 5% of the neighbours among the kept pieces are right. '
        'Apart, since they suppose more: linkage: comes back.'
    )


@pytest.mark.parametrize('chance, share, expected', [(0.5, 0.54, LITTLE), (0.5, 0.56, PARTLY), (0.5, 0.75, COMES)])
def test_neighbours_count_from_chance_on(chance, share, expected):
    """Of a picture with a white background most neighbours are right in any order."""
    found = entry('jigsaw', share)
    found['floors'] = {'chance': {'surviving': chance}}
    graded_setting = setting(found)
    assert graded_setting['grade']['grade'] == expected
    assert f'{share:.0%} of the neighbours among the kept pieces are right (chance 50%)' in sentence([graded_setting])


def test_fewer_neighbours_than_chance_and_certain_ones_tell_nothing():
    assert beyond_chance({'surviving': 0.2}, {'chance': {'surviving': 0.3}}) == 0
    assert beyond_chance({'surviving': 1.0}, {'chance': {'surviving': 1.0}}) == 0
    assert beyond_chance({}, {}) is None


def test_the_control_alone_is_no_ground_for_the_best_grade():
    assert setting(entry('identity', 0.0))['grade']['grade'] is None
    assert setting(entry('identity', 0.6))['grade']['grade'] == COMES
    assert sentence([]).startswith('No grade: ')


def test_the_worst_of_several_settings_is_named():
    said = sentence([setting(entry('jigsaw', 0.2), name='A'), setting(entry('jigsaw', 0.7), name='B')])
    assert said.startswith('The picture comes back: B (worst of 2 settings), jigsaw: 70%')
    assert 'secure' not in said


def test_of_equals_by_one_figure_the_other_decides():
    def both(name, surviving):
        found = entry(name, surviving)
        found['metrics']['photo'] = {'mean': 0.9, 'count': 1}
        found['floors'] = {'encrypted': {'photo': 0.1}, 'chance': {'photo': 0.01}}
        return found

    for attacks in ([both('a', 0.3), both('b', 0.4)], [both('b', 0.4), both('a', 0.3)]):
        assert setting(*attacks)['grade']['attack'] == 'b'
