"""The report of an attack run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ...errors import InvalidValueError
from ...files import StrPath, write_atomically
from ..evaluation.runner import OUT_OF_BUDGET
from .explorer import chosen, explorer
from .page import page, shown
from .plots import plots
from .table import summary_table


class Report:
    """The result of :func:`hii_mm.attack`.

    Args:
        data: as :func:`.build.build` returns it.
        folder: where the pictures are that ``data`` names; those that the page
            shows are read at once, the others stay there.

    Attributes:
        data: the content of ``report.json``; see docs/reference/report_format.md.
    """

    def __init__(self, data: Mapping[str, Any], folder: StrPath) -> None:
        self.data = data
        names = dict.fromkeys(shown(data))
        if self.explores:
            names |= dict.fromkeys(name for row in chosen(data) for name in row['pictures'].values())
        self._pictures = {name: (Path(folder) / name).read_bytes() for name in names}

    def __repr__(self) -> str:
        return f'{type(self).__name__}({len(self.data["results"])} results, {len(self.data["settings"])} settings)'

    @property
    def explores(self) -> bool:
        """True if there are several settings to explore."""
        return len({row['setting'] for row in self.data['results']}) > 1

    @property
    def verdict(self) -> str:
        """One sentence: the grade of the worst setting, with the figures that decide it."""
        return str(self.data['verdict'])

    @property
    def verdicts(self) -> dict[str, dict[str, str]]:
        """``{setting: {attack: what it recovered, in sentences}}``."""
        return {
            setting['name']: {attack['name']: attack['verdict'] for attack in setting['attacks']}
            for setting in self.data['settings']
        }

    @property
    def skipped(self) -> list[str]:
        """One line for each file that was not attacked."""
        return list(self.data['skipped_files'])

    @property
    def interrupted(self) -> bool:
        """True if Ctrl-C ended the run; the report holds the results until then."""
        return bool(self.data['interrupted'])

    @property
    def ran(self) -> bool:
        """True if any attack ran, or would have run within a larger budget."""
        return bool(self.data['results']) or any(row['reason'] == OUT_OF_BUDGET for row in self.data['not_run'])

    def to_json(self) -> str:
        """Return the content of ``report.json``; it contains no NaN."""
        return json.dumps(self.data, indent=1, allow_nan=False) + '\n'

    def to_html(self) -> str:
        """Return one HTML page with figures, plots and pictures. It loads nothing and runs no script."""
        return page(self.data, self._pictures, self._plots)

    def to_explorer(self) -> str:
        """Return one HTML page in which photo and setting are chosen with sliders; it loads nothing.

        Raises:
            InvalidValueError: there is one setting alone.
        """
        if not self.explores:
            raise InvalidValueError('an interactive page needs results of several settings: use a sweep (--sweep)')
        return explorer(self.data, self._pictures)

    def table(self) -> str:
        """Return the main figures as a Markdown table."""
        return summary_table(self.data)

    def write(self, folder: StrPath) -> Path:
        """Write ``report.json``, the plots, the shown pictures and the pages.

        ``explore.html`` is written where there are several settings.

        Args:
            folder: created if missing.

        Returns:
            The path of ``report.html``.
        """
        folder = Path(folder)
        (folder / 'images').mkdir(parents=True, exist_ok=True)
        _write(folder / 'report.json', self.to_json())  # the figures are safe if a plot fails
        for name, (_, png) in self._plots.items():
            write_atomically(folder / name, png)
        for name, png in self._pictures.items():
            if not (folder / name).is_file():
                write_atomically(folder / name, png)
        _write(folder / 'report.html', self.to_html())
        if self.explores:
            _write(folder / 'explore.html', self.to_explorer())
        return folder / 'report.html'

    @cached_property
    def _plots(self) -> dict[str, tuple[str, bytes]]:
        return plots(self.data)


def _write(path: Path, text: str) -> None:
    """Write text as UTF-8; a file name in it may not be UTF-8."""
    write_atomically(path, text.encode('utf-8', errors='backslashreplace'))
