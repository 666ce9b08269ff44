"""Paths and pages that the scripts of this folder share."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / 'docs'
DATA = DOCS / 'data'


def pages() -> list[Path]:
    """Return every Markdown file that is part of the documentation."""
    return [ROOT / 'README.md', *sorted(DOCS.rglob('*.md')), *sorted(ROOT.glob('configs/*/README.md'))]


def update(path: Path, text: str, check: bool) -> bool:
    """Write ``text`` to a file, or with ``check`` only compare; return whether the file was up to date."""
    current = path.is_file() and path.read_text(encoding='utf-8') == text
    if not current and not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
    return current


def report(name: str, stale: list[Path], check: bool) -> int:
    """Print the files that were out of date and return the exit code: 1 with ``check`` if there were any."""
    for path in stale:
        print(f'{path.relative_to(ROOT)}: {"out of date; run: python tools/docs/" + name if check else "updated"}')
    return 1 if check and stale else 0
