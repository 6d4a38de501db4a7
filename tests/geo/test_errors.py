"""Every error is a sentence and an exit code."""

import pytest

from geo import errors
from geo.errors import SitewatchError

TREE = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, SitewatchError)]


@pytest.mark.parametrize("error", TREE, ids=lambda e: e.__name__)
def test_the_message_of_an_error_is_one_sentence(error: type[SitewatchError]) -> None:
    """A bare error says what its class says; a message replaces it."""
    assert error.__doc__
    assert error.__doc__.strip().endswith((".", ";", "help."))
    if error is not errors.MissingExtraError:
        assert str(error()) == error.__doc__.strip()
        assert str(error("x.tif is torn.")) == "x.tif is torn."


def test_exit_codes_tell_the_errors_apart() -> None:
    """One code, one meaning; a missing extra is a matter of configuration."""
    codes = [e.exit_code for e in TREE if e is not errors.MissingExtraError]
    assert len(set(codes)) == len(codes)
    assert errors.MissingExtraError("distributed", "dask").exit_code == 78
    assert "sitewatch[dask]" in str(errors.MissingExtraError("distributed", "dask"))


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """The table at the top of the module names every class with its code."""
    for error in TREE:
        line = next(line for line in (errors.__doc__ or "").splitlines() if error.__name__ in line)
        assert str(error.exit_code) in line.split()
