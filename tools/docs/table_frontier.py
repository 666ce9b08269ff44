"""The tables of docs/frontier.md and README that show the frontier."""

from __future__ import annotations

from table_columns import Column, Row, Table, accuracy_of, by_accuracy, chance_of, trial_of

SHORT = ('vit-plain', 'rs-gap-0', 'mi', 'rs-gap-2', 'rs-gap-4', 'rs-on-mi-gap-1', 'rs-gap-2-tone')


def _short(rows: list[Row]) -> list[Row]:
    """Return the rows of README, in its order."""
    return sorted((row for row in rows if row['setting'] in SHORT), key=lambda row: SHORT.index(row['setting']))


FRONTIER = {
    'frontier': Table(
        'frontier',
        (
            Column('images', 'scheme'),
            Column('model', 'model'),
            Column('seeds', lambda row: len(row['seeds'])),
            Column('epochs', 'epochs'),
            Column('accuracy', accuracy_of),
            Column('of plain', 'share', '{:.1%}'),
            Column('right neighbours', chance_of('surviving')),
            Column('photo found', chance_of('photo')),
            Column('named from the bag', 'bag', '{:.0%}'),
            Column('neighbours, photographs of 224', chance_of('audit_surviving')),
            Column('photo found, photographs of 224', chance_of('audit_photo')),
        ),
        by_accuracy,
    ),
    'frontier-short': Table(
        'frontier',
        (
            Column('images', 'scheme'),
            Column('neighbours put back', chance_of('audit_surviving')),
            Column('photo picked among 200', chance_of('audit_photo')),
            Column('accuracy', accuracy_of),
            Column('of plain', 'share', '{:.0%}'),
        ),
        _short,
    ),
    'frontier-curves': Table(
        'frontier',
        (
            Column('images', 'scheme'),
            Column('model', 'model'),
            Column('accuracy over the training', lambda row: ', '.join(f'{value:.1f}' for value in row['curve'])),
            Column('CPU seconds', 'cpu_seconds'),
        ),
        by_accuracy,
    ),
    'frontier-longer': Table(
        'frontier_longer',
        (
            Column('images', 'scheme'),
            Column('model', 'model'),
            Column('accuracy after 6 epochs', 'before.accuracy', '{:.1f}'),
            Column('of plain', 'before.share', '{:.1%}'),
            Column('accuracy after 18 epochs', 'accuracy', '{:.1f}'),
            Column('of plain', 'share', '{:.1%}'),
            Column('over the training', lambda row: ', '.join(f'{value:.1f}' for value in row['curve'])),
        ),
        by_accuracy,
    ),
    'frontier-noise': Table(
        'frontier_noise',
        (
            Column('images', 'scheme'),
            Column('accuracy', accuracy_of),
            Column('of plain', 'share', '{:.1%}'),
            Column('right neighbours', chance_of('surviving')),
            Column('photo found', chance_of('photo')),
        ),
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
            Column('images', 'scheme'),
            Column('model', 'model'),
            Column('classes an object', 'classes'),
            Column('seeds', 'seeds'),
            Column('AP50', 'AP50', '{:.1f}'),
            Column('of plain', 'share', '{:.0%}'),
            Column('right neighbours', chance_of('surviving')),
            Column('photo found', chance_of('photo')),
        ),
    ),
}
