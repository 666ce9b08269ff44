"""Tables in temporary files, against dicts."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from hii_mm.handover.temporary import Groups, NameTable

WORDS = st.sampled_from(['a', 'A', 'b', 'é', '\udcff', '\U0001f600', 'a b', ''])
ROWS = st.lists(st.tuples(WORDS, WORDS))


@given(ROWS, ROWS)
def test_a_table_of_names_is_a_dict(first, second):
    table, known = NameTable(), dict(first)
    table.update(first)
    assert table.update(iter(known.items())) == 0
    changed = table.update(second)
    assert (changed > 0) == any(known.get(name) != value for name, value in _steps(known, second))
    assert list(table) == sorted({**known, **dict(second)}.items())
    assert [table.get(name) for name in ('a', 'zz')] == [{**known, **dict(second)}.get('a'), None]
    table.close()


def _steps(known, rows):
    """Yield the rows that find another value, as they come."""
    now = dict(known)
    for name, value in rows:
        if now.get(name) != value:
            yield name, value
        now[name] = value


@given(ROWS, st.lists(WORDS))
def test_groups_are_taken_out_once(rows, taken):
    groups, expected = Groups(rows), defaultdict(list)
    for name, value in rows:
        expected[name].append(value)
    for name in taken:
        assert groups.pop(name) == sorted(expected.pop(name, []))
    assert list(groups.left()) == sorted((name, sorted(values)) for name, values in expected.items())
    groups.close()
