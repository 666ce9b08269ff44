"""Keys on paper: typing errors are found in their line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hii_mm.encryption import MasterKey, from_paper, to_paper
from hii_mm.errors import KeyFileError

RAW = bytes(range(32))
PAPER = to_paper(MasterKey(RAW))


def test_what_is_printed_is_frozen():
    assert PAPER.splitlines()[4:] == [
        '1: 0001 0203 0405 0607  9706',
        '2: 0809 0a0b 0c0d 0e0f  53a9',
        '3: 1011 1213 1415 1617  6ab4',
        '4: 1819 1a1b 1c1d 1e1f  6491',
        'fingerprint: dde1 3040 1515 de99',
    ]
    assert 'This is the key itself' in PAPER


@given(raw=st.binary(min_size=32, max_size=32))
def test_what_is_printed_is_read(raw):
    assert from_paper(to_paper(MasterKey(raw))).reveal() == raw


@pytest.mark.parametrize(
    'change',
    [
        str.upper,
        lambda text: text.replace(' ', ''),
        lambda text: text.replace('0', 'O').replace('1', 'l'),
        lambda text: text.replace('\n', '\r\n\r\n   '),
        lambda text: text.replace(':', ')').replace(' ', '-'),
        lambda text: '\n'.join(reversed(text.splitlines())),
        lambda text: '\n'.join(line for line in text.splitlines() if line[:2] in ('1:', '2:', '3:', '4:')),
    ],
)
def test_typing_is_tolerated(change):
    assert from_paper(change(PAPER)).reveal() == RAW


@given(data=st.data())
def test_a_typing_error_is_found_in_its_line(data):
    number = data.draw(st.integers(1, 4))
    lines = PAPER.splitlines()
    line = lines[3 + number]
    where = data.draw(st.sampled_from([i for i in range(3, len(line)) if line[i] != ' ']))
    other = data.draw(st.sampled_from([c for c in '0123456789abcdef' if c != line[where]]))
    lines[3 + number] = line[:where] + other + line[where + 1 :]
    with pytest.raises(KeyFileError, match=f'line {number}: its checksum is wrong. Compare with the paper') as error:
        from_paper('\n'.join(lines))
    assert str(error.value).count('line') == 1
    assert line[3:].replace(' ', '') not in str(error.value).replace(' ', '')


@pytest.mark.parametrize(
    'old, new, message',
    [
        ('2: 0809', '2: 089', 'line 2: it has 19 digits instead of 20'),
        ('2: 0809', '2: 08x9', "line 2: 'x' cannot occur in it, only 0 to 9 and a to f"),
        ('2: 0809', '1: 0809', 'line 1: it is there twice; line 2: it is missing'),
        ('2: 0809', '7: 0809', 'line 2: it is missing'),
        ('0607', '0670', 'line 1: its checksum is wrong'),
        ('dde1', 'dde2', "these lines have the fingerprint dde1 3040 1515 de99, but the backup says 'dde2 3040"),
    ],
)
def test_mistakes_are_named(old, new, message):
    with pytest.raises(KeyFileError) as error:
        from_paper(PAPER.replace(old, new, 1))
    assert message in str(error.value)


def test_lines_of_two_keys_are_found():
    other = to_paper(MasterKey(RAW[::-1])).splitlines()
    lines = PAPER.splitlines()
    with pytest.raises(KeyFileError, match='or the lines are of different keys'):
        from_paper('\n'.join([*lines[:5], other[5], *lines[6:]]))


@pytest.mark.parametrize('text', ['', 'hello\nworld', 'hii-mm key v1\nkey 00\nsum 00\n', '\ufffd' * 1000])
def test_other_text_is_not_a_backup(text):
    with pytest.raises(KeyFileError, match='this is not a backup of a key'):
        from_paper(text)


@given(
    text=st.one_of(
        st.text(max_size=200), st.lists(st.from_regex(r'[1-4]: [0-9a-fx ]{18,22}'), max_size=5).map('\n'.join)
    )
)
def test_any_other_text_is_a_message(text):
    with pytest.raises(KeyFileError):
        from_paper(text)
