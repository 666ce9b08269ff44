"""Columns and row selections that the tables of figures are built from."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paths import ROOT

Row = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A column: its title, the dotted name of a field or a function of the row, and a format."""

    title: str
    field: str | Callable[[Row], Any]
    form: str = '{}'

    def cell(self, row: Row, path: Path) -> str:
        """Return the text for one row; empty where the row lacks the field. Links are relative to the page."""
        value = self.field(row) if callable(self.field) else pick(row, self.field)
        if isinstance(value, Link):
            return f'[{value.text}]({os.path.relpath(ROOT / value.target, path.parent)})'
        return '' if value is None else self.form.format(value)


@dataclass(frozen=True)
class Link:
    """A link to a file of the repository."""

    text: str
    target: str


@dataclass(frozen=True)
class Table:
    """A table: the name of its json file, its columns, and how rows are selected or merged."""

    data: str
    columns: tuple[Column, ...]
    rows: Callable[[list[Row]], Iterable[Row]] = list


def pick(row: Row, field: str) -> Any:
    """Return a field such as 'metrics.psnr.mean', or None where it is missing."""
    value: Any = row
    for name in field.split('.'):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def having(*fields: str) -> Callable[[list[Row]], list[Row]]:
    """Select the rows that have all of some fields."""
    return lambda rows: [row for row in rows if all(pick(row, field) is not None for field in fields)]


def mean(title: str, metric: str, form: str = '{:.3f}') -> Column:
    """Show the mean of a metric."""
    return Column(title, f'metrics.{metric}.mean', form)


def tenth(title: str, metric: str, form: str = '{:.1%}', floor: str = '') -> Column:
    """Show the mean of a metric, its worst tenth behind a slash, and in brackets a floor."""

    def text(row: Row) -> str | None:
        found = pick(row, f'metrics.{metric}')
        if found is None or found['mean'] is None:
            return None
        shown = f'{form.format(found["mean"])} / {form.format(found["worst_decile"])}'
        return f'{shown} ({form.format(row["floors"][floor][metric])})' if floor else shown

    return Column(title, text)


def between(title: str, metric: str, form: str = '{:.0%}') -> Column:
    """Show the mean of a metric, and in brackets its floor and its ceiling."""

    def text(row: Row) -> str | None:
        found = pick(row, f'metrics.{metric}.mean')
        if found is None:
            return None
        ends = (row['floors'].get('encrypted', {}).get(metric), row['ceilings'].get(metric))
        shown = ', '.join('-' if end is None else form.format(end) for end in ends)
        return f'{form.format(found)} ({shown})'

    return Column(title, text)


def looked(title: str, look: str, metric: str) -> Column:
    """Show a share and its interval of 95 %, from ``looks`` of content.json; empty where there is none."""

    def text(row: Row) -> str | None:
        found = pick(row, f'looks.{look}.{metric}')
        return None if found is None else f'{found[0]:.0%} [{100 * found[1]:.0f}, {100 * found[2]:.0f}]'

    return Column(title, text)


def chance_of(metric: str) -> Callable[[Row], str | None]:
    """Show what the best attack got of a metric, which attack it was, and in brackets chance; for frontier.json."""

    def text(row: Row) -> str | None:
        if row.get(metric) is None:
            return None
        chance = row.get(f'{metric}_chance')
        shown = f'{row[metric]:.1%} {attack_name(row[f"{metric}_by"])}'
        return shown if chance is None else f'{shown} ({chance:.1%})'

    return text


def attack_name(attack: str) -> str:
    """Return an attack's name; the control that leaves the copy as it is has a plain one."""
    return 'as it is' if attack == 'identity' else attack


def found_of(metric: str) -> Callable[[Row], str | None]:
    """Show as :func:`chance_of` does, and in brackets before chance what the copy tells without any attack."""
    best = chance_of(metric)

    def text(row: Row) -> str | None:
        shown, copy = best(row), row.get(f'{metric}_copy')
        return shown if shown is None or copy is None else shown.replace('(', f'(copy as it is {copy:.0%}; ')

    return text


def curve_of(field: str) -> Callable[[Row], str | None]:
    """Show the accuracies of a training."""

    def text(row: Row) -> str | None:
        found = pick(row, field)
        return None if found is None else ', '.join(f'{value:.1f}' for value in found)

    return text


def by_accuracy(rows: list[Row]) -> list[Row]:
    """Return the rows of frontier.json, the most accurate ones first."""
    return sorted(rows, key=lambda row: -row['accuracy'])


def accuracy_of(row: Row) -> str:
    """Return an accuracy with its deviation over three seeds or more, or the interval of its validation images."""
    if len(row['seeds']) > 2:
        return f'{row["accuracy"]:.1f} ± {row["deviation"]:.1f}'
    return '{:.1f} [{:.1f}, {:.1f}]'.format(row['accuracy'], *row['interval'])


def trial_of(setting: str) -> Callable[[Row], str]:
    """Return what writes the accuracy of a trial on a setting, and what it gained."""

    def cell(row: Row) -> str:
        found = row['accuracy'].get(setting)
        if found is None:
            return ''
        return f'{found["percent"]:.1f}' + ('' if found['gain'] is None else f' ({found["gain"]:+.1f})')

    return cell


def of_set(name: str, *fields: str, settings: tuple[str, ...] = (), attacks: tuple[str, ...] = ()) -> Any:
    """Select the rows of a set of photographs that have all of some fields, of some settings and attacks."""
    return lambda rows: [
        row
        for row in having(*fields)(rows)
        if row['set'] == name
        and (not settings or row['setting'] in settings)
        and (not attacks or row['attack'] in attacks)
    ]


def strongest(names: dict[str, str], sets: tuple[str, ...]) -> Callable[[list[Row]], list[Row]]:
    """Merge the rows of each setting in some sets: the most that any attack got, by metric, and which attack it was.

    Args:
        names: ``{setting: name to show}``, in the order of the table.
        sets: sets of photographs; attacks that suppose more than the copy are left out.
    """

    def merged(rows: list[Row]) -> list[Row]:
        found = []
        for setting, name in names.items():
            own = [
                row for row in rows if row['setting'] == setting and row['set'] in sets and row['attack'] != 'linkage'
            ]
            one: Row = {'name': name, 'setting': setting}
            for column, metrics in {'surviving': ('surviving',), 'photo': ('photo', 'photo_layout')}.items():
                known = [
                    (row, pick(row, f'metrics.{name}.mean'))
                    for name in metrics
                    for row in having(f'metrics.{name}.mean')(own)
                ]
                top = max(known, key=lambda each: each[1], default=None)
                one[column] = top and f'{top[1]:.0%} ({attack_name(top[0]["attack"])})'
            found.append(one)
        return found

    return merged


def flat_speed(rows: list[Row]) -> list[Row]:
    """Return a row for each number of pieces, with the seconds at both gaps, and one with the exponents."""
    merged: dict[str, Row] = {}
    for row in rows:
        if 'gap' in row:
            name = f'{row["pieces"]:,}' if 'pieces' in row else 'growth'
            text = f'{row["seconds"]:.2f} s' if 'pieces' in row else f'pieces ** {row["exponent"]:.2f}'
            merged.setdefault(name, {'pieces': name})[f'gap {row["gap"]}'] = text
    return list(merged.values())


def by_seed(rows: list[Row]) -> list[Row]:
    """Merge the rows of one config: ``{'AP': [...], 'AP50': [...], 'log': ...}`` by seed; only configs with two."""
    merged: dict[str, Row] = {}
    for row in rows:
        found = merged.setdefault(row['config'], {**row, 'AP': [], 'AP50': []})
        found['AP'].append(row['AP'])
        found['AP50'].append(row['AP50'])
    return [row for row in merged.values() if len(row['AP']) > 1]


def fit(title: str, strategy: str) -> Column:
    """Show whether a model fits a strategy, after which change, and what a training step lacked."""

    def text(row: Row) -> str:
        found = row[strategy]
        shown = f'fits after `{found["change"]}`' if found['change'] else found['verdict']
        return f'{shown}; a step {found["step"]}' if found['step'] not in ('', 'ok') else shown

    return Column(title, text)


def half_up(value: float) -> float:
    """Round to one decimal; a five goes up, and binary noise is ignored."""
    return int(value * 10 + 0.5 + 1e-9) / 10


def pair(seed: int | None) -> Callable[[Row], str | None]:
    """Show AP / AP50 of one seed, or of the mean with None."""

    def text(row: Row) -> str:
        if seed is None:
            return f'{half_up(statistics.mean(row["AP"])):.1f} / {half_up(statistics.mean(row["AP50"])):.1f}'
        return f'{row["AP"][seed]:.1f} / {row["AP50"][seed]:.1f}'

    return text


def seed_of(number: int) -> Column:
    """Show the accuracy with one seed."""
    return Column(str(number), lambda row: f'{row["seeds"][number]:.2f}')


def first_seed(rows: list[Row]) -> list[Row]:
    """Select the rows of seed 0."""
    return [row for row in rows if row.get('seed', 0) == 0]


def models(*names: str, several: bool = False) -> Callable[[list[Row]], list[Row]]:
    """Select the rows of seed 0 of some models; with ``several`` only those with several seeds."""
    return lambda rows: [
        row
        for row in first_seed(rows)
        if (not names or row['model'] in names) and (not several or len(row['seeds']) > 1)
    ]


def config(title: str = 'model') -> Column:
    """Show the model, linked to its config."""
    return Column(title, lambda row: Link(row['model'], row['config']))


def command(prefix: str = '') -> Column:
    """Show the command that trains the config of the row."""
    return Column('command', lambda row: f'`{prefix}python tools/train.py {row["config"]}`')


def linked(field: str) -> Callable[[Row], Link | None]:
    """Link a field that holds the path of a file by the field's name; empty where the row lacks it."""
    return lambda row: Link(field, row[field]) if row.get(field) else None


def best(row: Row) -> str:
    """Show the accuracy or the AP of a row of the zoo."""
    metrics = row['metrics']
    return f'{metrics["Top 1 Accuracy"]:.2f}' if 'Top 1 Accuracy' in metrics else f'{metrics["box AP"]:.1f} AP'


def zoo(*data: str) -> Callable[[list[Row]], list[Row]]:
    """Select the rows of the zoo on some data, those that were measured first."""
    return lambda rows: sorted(
        (row for row in rows if row['data'].startswith(data)), key=lambda row: row['status'] == 'config only'
    )
