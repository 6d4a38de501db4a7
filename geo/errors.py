"""The error tree. A class's docstring is its message for a person; `exit_code` is what the command line returns.

    SitewatchError                 1
    ├── UsageError                 2   the words of the command are off
    ├── SomeSitesFailed            3   the rest was kept
    ├── NothingObservable          4   only with --fail-on-blind
    ├── IntegrityError             6   bytes are not what the manifest says
    ├── NoSpaceError               7   the disk is full, or would be
    ├── ChangeFound               10   only with --fail-on-change
    ├── LockedError               11   another run holds the lock
    ├── InputError                65   an image or vector file cannot be used
    ├── TemporaryError            75   quota or network: come back later
    └── ConfigurationError        78   settings, site file, credentials
        └── MissingExtraError     78   an optional package is not installed

A message is one sentence or two that name the file or feature and the way out.
"""

from __future__ import annotations

from collections.abc import Sequence


class SitewatchError(Exception):
    """Something unexpected went wrong."""

    exit_code = 1

    def __init__(self, message: str | None = None) -> None:
        """Keep `message`, or the class's docstring where there is none."""
        super().__init__(message or (type(self).__doc__ or "").strip())


class UsageError(SitewatchError):
    """The command cannot be understood; see --help."""

    exit_code = 2


class SomeSitesFailed(SitewatchError):  # noqa: N818 - an outcome, told as such
    """Some sites failed; the results of the others were kept."""

    exit_code = 3
    sentences: tuple[str, ...] = ()  # one for each failure

    @classmethod
    def of(cls, sentences: Sequence[str], *, exit_code: int | None = None) -> SomeSitesFailed:
        """Return the error of several failures; `exit_code` is theirs where all sites failed in the same way."""
        error = cls("; ".join(sentences))
        error.sentences = tuple(sentences)
        error.exit_code = cls.exit_code if exit_code is None else exit_code
        return error


class NothingObservable(SitewatchError):  # noqa: N818
    """No site could be observed in this period."""

    exit_code = 4


class IntegrityError(SitewatchError):
    """A file is not what its manifest says."""

    exit_code = 6


class NoSpaceError(SitewatchError):
    """There is not enough space on the disk."""

    exit_code = 7


class ChangeFound(SitewatchError):  # noqa: N818
    """A change was found."""

    exit_code = 10


class LockedError(SitewatchError):
    """Another run holds the lock; this one did nothing."""

    exit_code = 11


class InputError(SitewatchError):
    """An input file cannot be used."""

    exit_code = 65


class TemporaryError(SitewatchError):
    """A service or quota is out of reach for now; the next run goes on where this one stopped."""

    exit_code = 75


class ConfigurationError(SitewatchError):
    """A setting, a site file or a credential is wrong."""

    exit_code = 78


class MissingExtraError(ConfigurationError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        """Name the package that is missing and the extra that brings it."""
        super().__init__(f"{package} is not installed; run: pip install 'sitewatch[{extra}]'")
