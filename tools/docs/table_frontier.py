"""The tables of docs/frontier.md and README that show the frontier."""

from __future__ import annotations

from table_columns import Column, Row, Table, accuracy_of, by_accuracy, chance_of, curve_of, found_of, trial_of

SHORT = ('vit-plain', 'rs-gap-0', 'mi', 'rs-p8-gap-2', 'rs-gap-2-noise-16', 'rs-gap-4', 'rs-on-mi-gap-1')


def _short(rows: list[Row]) -> list[Row]:
    """Return the rows of README, in its order."""
    return sorted((row for row in rows if row['setting'] in SHORT), key=lambda row: SHORT.index(row['setting']))


def _noise(rows: list[Row]) -> list[Row]:
    """Return the rows of shuffles with noise and of those beside which it is added, without tone."""
    without = {f'RS p 16, gap {gap}' for gap in (0, 1, 2, 4)} | {'RS p 8, gap 2'}
    without |= {f'RS on MI p 16, grid 2, gap {gap}' for gap in (0, 1)}
    chosen = [row for row in rows if row['scheme'] in without or ', noise' in row['scheme']]
    return by_accuracy([row for row in chosen if 'tone' not in row['scheme']])


def longer(row: Row) -> str | None:
    """Return the accuracy after more epochs."""
    return accuracy_of(row['longer']) if row['longer'] else None


def bagged(row: Row) -> str | None:
    """Return the share that a linear model of the pieces names right, and its interval."""
    if row.get('bag') is None:
        return None
    return '{:.0f} [{:.0f}, {:.0f}]'.format(*(100 * value for value in (row['bag'], *row['bag_interval'])))


IMAGES, MODEL = Column('images', 'scheme'), Column('model', 'model')
SIX, EIGHTEEN = Column('accuracy, 6 epochs', accuracy_of), Column('18 epochs', longer)
SHARE, LONG_SHARE = Column('of plain', 'share', '{:.0%}'), Column('of plain', 'longer.share', '{:.0%}')
FOUND = (Column('right neighbours', chance_of('surviving')), Column('pictures found', found_of('photo')))
FRONTIER = {
    'frontier': Table(
        'frontier',
        (
            IMAGES,
            MODEL,
            Column('seeds', lambda row: len(row['seeds'])),
            SIX,
            SHARE,
            EIGHTEEN,
            LONG_SHARE,
            *FOUND,
            Column('neighbours, photographs of 224', chance_of('audit_surviving')),
            Column('photographs found', found_of('audit_photo')),
        ),
        by_accuracy,
    ),
    'frontier-short': Table(
        'frontier',
        (
            IMAGES,
            Column('neighbours put back', chance_of('audit_surviving')),
            Column('photo picked', chance_of('audit_photo')),
            Column('accuracy', longer),
            LONG_SHARE,
        ),
        _short,
    ),
    'frontier-curves': Table(
        'frontier',
        (
            IMAGES,
            MODEL,
            Column('accuracy over the 6 epochs', curve_of('curve')),
            Column('over the 18 epochs', curve_of('longer.curve')),
            Column('CPU seconds of 6', 'cpu_seconds'),
            Column('linear model of the pieces', bagged),
        ),
        by_accuracy,
    ),
    'frontier-copies': Table(
        'frontier_copies',
        (
            IMAGES,
            Column('encrypted anew in each epoch', 'before', '{:.1f}'),
            Column('a copy, encrypted once', accuracy_of),
        ),
    ),
    'frontier-noise': Table('frontier', (IMAGES, SIX, EIGHTEEN, *FOUND), _noise),
    'frontier-options': Table(
        'frontier_options', (IMAGES, Column('accuracy', accuracy_of), SHARE, *FOUND), by_accuracy
    ),
    'frontier-trials': Table(
        'frontier_trials',
        (
            Column('change', 'change'),
            Column('plain', trial_of('vit-plain')),
            Column('RS, gap 2', trial_of('rs-gap-2')),
            Column('RS on MI, gap 1', trial_of('rs-on-mi-gap-1')),
        ),
    ),
    'frontier-boxes': Table(
        'frontier_boxes',
        (
            IMAGES,
            MODEL,
            Column('classes an object', 'classes'),
            Column('seeds', 'seeds'),
            Column('AP50', 'AP50', '{:.1f}'),
            *FOUND,
        ),
    ),
}
