"""Settings: defaults, then the file, then the command line; nothing unknown, nothing of the wrong kind."""

from pathlib import Path

import pytest

from geo.errors import ConfigurationError
from pipelines import registry
from pipelines.detect import DetectSettings
from pipelines.settings import Settings, load_settings


def test_without_a_file_defaults_hold(tmp_path: Path) -> None:
    """Stated in full, so that they can be written beside each result."""
    settings = load_settings(tmp_path, workers=3)
    assert settings == Settings(workers=3)
    assert settings.model_dump(mode="json")["detect"]["fdr"] == DetectSettings().fdr


def test_the_file_of_a_new_workspace_changes_nothing_and_its_lines_are_the_defaults(tmp_path: Path) -> None:
    """As shipped it is all comments; with the comment signs taken off it says what holds anyway."""
    registry.init(tmp_path)
    path = tmp_path / "sitewatch.toml"
    assert load_settings(tmp_path, workers=2) == Settings()
    lines = [line.removeprefix("#") if not line.startswith("# ") else line for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))
    spoken = load_settings(tmp_path)
    plain = Settings().model_dump(mode="json", exclude={"providers"})
    plain["detect"]["min_area_px"] = 4
    assert spoken.model_dump(mode="json", exclude={"providers"}) == plain


def test_the_command_line_has_the_last_word(tmp_path: Path) -> None:
    """And only where it said something."""
    (tmp_path / "sitewatch.toml").write_text("workers = 5\n[detect]\nfdr = 0.2\nmin_area_px = 9\n")
    assert load_settings(tmp_path).workers == 5
    spoken = load_settings(tmp_path, workers=1, fdr=0.01)
    assert (spoken.workers, spoken.detect.fdr, spoken.detect.min_area_px) == (1, 0.01, 9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wrokers = 1", "no setting wrokers; did you mean workers?"),
        ("[detect]\nfrd = 0.1", "no setting detect.frd; did you mean detect.fdr?"),
        ("[detcet]\nfdr = 0.1", "no setting detcet; did you mean detect?"),
        ("[publish]\nfigure_dip = 300", "no setting publish.figure_dip; did you mean publish.figure_dpi?"),
        ("[publish]\nfigure_dpi = 1", "publish.figure_dpi"),
        ("detect = 1", "detect must be a section"),
        ("workers = 0", "workers"),
        ("workers = 1.5", "workers"),
        ("[detect]\nfdr = 2.0", "fdr must lie between 0 and 1"),
        ("[detect]\nfdr = 'x'", "detect.fdr"),
        ("[providers]\nx = 1", "providers.x"),
        ("workers = ", "not valid TOML"),
        ("a = 1\na = 2", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(text: str, expected: str, tmp_path: Path) -> None:
    """The file, the key, and the key that was probably meant."""
    (tmp_path / "sitewatch.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"sitewatch\.toml") as caught:
        load_settings(tmp_path)
    assert expected in str(caught.value)
    assert caught.value.exit_code == 78
