"""Notes for the owner of a copy, part of an outcome."""

from __future__ import annotations

from .settings import Settings


def notes(settings: Settings, turned: int = 0) -> list[str]:
    """Return one sentence for each choice that the owner should check.

    Args:
        settings: of the copy.
        turned: number of images with annotations and an EXIF orientation.
    """
    found = []
    if turned:
        images = f'{turned} image{"s" * (turned != 1)}'
        upright = settings.boxes_frame == 'upright'
        frame, other = ('the upright image', 'raw') if upright else ('the pixels as stored', 'upright')
        found.append(
            f'{images} with annotations and an EXIF orientation: boxes were read as of {frame}; '
            f'if they are not, use --boxes-frame {other}'
        )
    if settings.keep_class_names:
        found.append('the names of class folders, the first folder of each path, are readable in the copy')
    elif settings.rename:
        found.append('the names of folders are replaced, too; --keep-class-names leaves those of classes readable')
    return found
