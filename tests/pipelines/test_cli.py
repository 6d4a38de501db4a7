"""The command line: every command explains itself, every error is one sentence with the right code."""

import json
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from runs import sitewatch
from smalltif import write_tif

from pipelines.cli import TABLE, make_app

README = Path(__file__).parent.parent.parent / "README.md"


def commands(group: click.Group, before: str = "") -> dict[str, click.Command]:
    """All commands by their full names."""
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= commands(command, f"{before}{name} ")
        else:
            found[before + name] = command
    return found


@pytest.mark.parametrize("name", commands(make_app()))
def test_every_command_has_help_with_an_example(name: str) -> None:
    """What it does in one sentence, every option explained, and a line to copy."""
    command = commands(make_app())[name]
    assert command.help
    assert f"Example: sitewatch {name}" in (command.epilog or "")
    assert all(p.help for p in command.params if isinstance(p, click.Option))
    ended = sitewatch(*name.split(), "--help")
    assert ended.code == 0
    assert "Example:" in ended.out


def test_the_list_of_commands_agrees_with_the_commands_and_imports_none() -> None:
    """`--help` speaks from a table; its words are the commands' own."""
    code = "import sys; from pipelines.cli import run; run(['--help']); sys.exit('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    app = make_app()
    for name, (_, line) in TABLE.items():
        command = app.get_command(click.Context(app), name)
        assert command is not None
        assert (command.help or "").startswith(line.rstrip("."))
        assert name in done.stdout


def test_the_readme_names_every_command_and_exit_code() -> None:
    """Documentation that can fail."""
    text = README.read_text(encoding="utf-8")
    for name in commands(make_app()):
        assert name.split()[-1] in text
    for code in (0, 1, 2, 3, 4, 6, 7, 10, 11, 65, 75, 78):
        assert f" {code} " in text


@pytest.mark.parametrize(
    "words", [["frobnicate"], ["compare"], ["scan"], ["compare", "a", "b"], ["scan", "x", "--all"]]
)
def test_wrong_words_are_told_in_one_line(words: list[str], tmp_path: Path) -> None:
    """Exit code 2, nothing on standard output."""
    ended = sitewatch("-w", tmp_path, *words)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.count("\n") == 1
    assert "Traceback" not in ended.err


def test_shared_words_may_stand_on_both_sides(tmp_path: Path) -> None:
    """`sitewatch -w X sites list` and `sitewatch sites list -w X` are the same."""
    sitewatch("init", tmp_path / "w")
    before = sitewatch("-w", tmp_path / "w", "--json", "sites", "list")
    after = sitewatch("sites", "list", "--json", "-w", tmp_path / "w")
    assert (before.code, before.out) == (after.code, after.out) == (0, "[]\n")


def test_a_bug_is_one_sentence_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The traceback is for those who ask for it."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("pipelines.registry.list_sites", broken)
    ended = sitewatch("-w", tmp_path, "sites", "list")
    assert ended.code == 1
    assert "Unexpected ZeroDivisionError" in ended.err
    assert "Traceback" not in ended.err


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """An image that can be used."""
    return write_tif(tmp_path / "good.tif", np.full((3, 40, 40), 900, np.uint16))


def bad_files(folder: Path) -> dict[str, Path]:
    """Files that are no image, or not one that can be used."""
    text = folder / "text.tif"
    text.write_text("This is a note about an image.")
    whole = write_tif(folder / "whole.tif", np.random.default_rng(1).integers(1, 9000, (3, 64, 64)).astype(np.uint16))
    torn = folder / "torn.tif"
    torn.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    secret = folder / "secret.txt"
    secret.write_text("the password")
    vrt = folder / "vrt.tif"
    vrt.write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="3">'
        '<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">'
        f'<SourceFilename relativeToVRT="0">{secret}</SourceFilename></VRTRasterBand></VRTDataset>'
    )
    empty = folder / "empty.tif"
    empty.touch()
    return {"text": text, "torn": torn, "vrt": vrt, "empty": empty, "missing": folder / "no.tif", "folder": folder}


@pytest.mark.parametrize("kind", ["text", "torn", "vrt", "empty", "missing", "folder"])
def test_a_file_that_cannot_be_used_is_named_and_leaves_nothing(kind: str, good: Path, tmp_path: Path) -> None:
    """Exit code 65, one sentence, no half-written folder."""
    bad = bad_files(tmp_path)[kind]
    ended = sitewatch("compare", good, bad, "--out", tmp_path / "out")
    assert ended.code == 65
    assert ended.out == ""
    assert bad.name in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_the_folder_for_the_result_is_not_overwritten(good: Path, tmp_path: Path) -> None:
    """Somebody's folder stays somebody's; the sentence says what to do."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("chapter 1")
    ended = sitewatch("compare", good, good, "--out", tmp_path / "mine", "--force")
    assert ended.code == 2
    assert "holds something else" in ended.err
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "chapter 1"


def test_site_ids_cannot_leave_the_workspace(tmp_path: Path) -> None:
    """`../x` is no id, wherever it is written."""
    sitewatch("init", tmp_path / "w")
    for words in (["scan", "../x"], ["sites", "show", "../x"], ["sites", "add", "--id", "../x", "--point", "1", "2",
                  "--class", "town", "--source", "s"]):  # fmt: skip
        ended = sitewatch("-w", tmp_path / "w", *words)
        assert ended.code == 78, words
        assert "../x" in ended.err
    assert not (tmp_path / "x.geojson").exists()


def test_doctor_and_verify_speak_json(tmp_path: Path) -> None:
    """For machines."""
    sitewatch("init", tmp_path / "w")
    for command in ("doctor", "verify"):
        ended = sitewatch("-w", tmp_path / "w", command, "--json")
        assert ended.code in (0, 78)
        assert json.loads(ended.out)
