"""The errors that hii_mm raises, each with the exit code of the command that meets it."""

from __future__ import annotations


class HiiError(Exception):
    """Base of all errors of this package.

    Attributes:
        exit_code: what ``hii-mm`` exits with when it ends with this error.
    """

    exit_code = 1


class UsageError(HiiError, ValueError):
    """Arguments that are wrong or do not go together. Nothing was changed."""

    exit_code = 2


class InvalidValueError(UsageError):
    """A parameter outside the accepted values."""


class InvalidTypeError(UsageError, TypeError):
    """A parameter of the wrong type."""


class KeyFileError(UsageError):
    """A key file, or the file of pseudonyms beside it, that cannot be used."""


class RefusedError(UsageError):
    """A folder is not in a state to start or to continue. Nothing was changed."""


class OtherRunError(RefusedError):
    """A folder holds a run of other settings, another key or another source."""


class CannotDecryptError(UsageError):
    """A copy that cannot be decrypted as asked. Nothing was written."""


class BusyError(HiiError):
    """Another process holds the lock."""


class CopyError(HiiError):
    """An encrypted copy that is incomplete or unreadable."""


class ManifestError(CopyError, ValueError):
    """A manifest that is missing, damaged, changed or signed with another key."""


class RejectedError(HiiError):
    """One file cannot be encrypted; the message says why and holds no path."""


class SourceError(UsageError):
    """Pictures to attack that are missing, or whose scheme is unknown."""


class NothingToAttackError(SourceError):
    """Sources exist, but none of them can be attacked."""

    exit_code = 1


class AttackRefusedError(HiiError, ValueError):
    """An attack that does not apply to a scheme, or that lacks something it needs."""


class CheckpointError(UsageError):
    """A file that is not a checkpoint, or one with unexpected content."""


class MissingPackageError(UsageError, ImportError):
    """An optional package is not installed; the message says how to install it."""


class StackError(MissingPackageError):
    """No mm packages, or two sets of them in one environment."""

    exit_code = 1
