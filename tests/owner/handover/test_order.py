"""The order of the lines of a journal, against the numbers that each part should have."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hii_mm.errors import CopyError
from hii_mm.handover.journal import Order
from hii_mm.handover.parts import index_of
from hii_mm.handover.rows import FileRow, Line, Reject, Row


def lines_of(files, part, unit, tarred):
    """Return the lines of a part, by a slow way; each third file is rejected."""
    out = []
    for first in range(0, files, unit):
        numbers = range(first, min(first + unit, files))
        if first // unit % part[1] != part[0]:
            continue
        shard = f'{first}.tar' if tarred and any(i % 3 for i in numbers) else None
        if shard:
            out.append(Line(i=first, shard=FileRow(shard, '', 1)))
        for i in numbers:
            row = Row(f'{i}.png', '', 1, 'L', (8, 8), (8, 8), '', shard)
            out.append(Line(i=i, row=row) if i % 3 else Line(i=i, reject=Reject('a', 'b')))
    return out


@given(st.integers(1, 30), st.integers(1, 3), st.integers(1, 5), st.booleans(), st.data())
def test_lines_are_taken_in_their_order_only(files, world, shard_size, tarred, data):
    part = data.draw(st.integers(0, world - 1)), world
    unit = shard_size if tarred else 1
    order, lines = (
        Order(SimpleNamespace(tarred=tarred, unit=unit, files=files), part),
        lines_of(files, part, unit, tarred),
    )
    total = sum(line.shard is None for line in lines)
    assert order.missing == total and order.whole
    for line in lines:
        for other in (line.i + 1, line.i - 1):
            with pytest.raises(CopyError, match=f'file number {other} where {line.i} belongs'):
                order.check(Line(i=other, row=line.row, shard=line.shard, reject=line.reject))
        order.check(line)
        if line.shard is None:
            assert line.i == index_of(order.count - 1, part, unit)
        assert order.whole == (line.shard is None and (order.count % unit == 0 or order.count == total))
    assert order.missing == 0
    with pytest.raises(CopyError, match='None belongs'):
        order.check(Line(i=files, reject=Reject('a', 'b')))
