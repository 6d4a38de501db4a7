"""The command line: words in, sentences and exit codes out. Thin: every command calls one function elsewhere."""

from __future__ import annotations

import functools
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from geo.errors import ChangeFound, NothingObservable, SitewatchError, UsageError
from pipelines import __version__
from pipelines.workers import Terminated

INTERRUPTED = 130
CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@dataclass(frozen=True)
class Session:
    """What every command shares: the workspace, the clock, how to speak."""

    workspace: Path
    now: datetime
    as_json: bool = False
    verbose: bool = False

    def say(self, text: str) -> None:
        """Print to standard output."""
        click.echo(text)

    def tell(self, text: str) -> None:
        """Print progress to standard error, only where a person watches."""
        if sys.stderr.isatty():
            click.echo(text, err=True)


class Time(click.ParamType):  # type: ignore[type-arg]
    """A date or time; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read ISO 8601."""
        if isinstance(value, datetime):
            return value
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date such as 2019-03-12 or 2019-03-12T03:20:00Z", param, ctx)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def shared(command: Callable[..., None]) -> Callable[..., None]:
    """Let the words that every command shares stand before or after the command's name."""

    @functools.wraps(command)
    def wrapped(
        *args: Any, workspace: Path | None, now: datetime | None, as_json: bool, verbose: bool, **words: Any
    ) -> None:
        outer = click.get_current_context().obj or Session(Path(), datetime.now(UTC).replace(microsecond=0))
        session = Session(
            workspace or outer.workspace, now or outer.now, as_json or outer.as_json, verbose or outer.verbose
        )
        command(session, *args, **words)

    for option in reversed(SHARED):
        wrapped = option(wrapped)
    return wrapped


SHARED = [
    click.option(
        "-w",
        "--workspace",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder with aois/, outputs/ and sitewatch.toml.  [default: here]",
    ),
    click.option("--now", type=Time(), metavar="TIME", help="Fix the clock of the run, for reproducible outputs."),
    click.option("--json", "as_json", is_flag=True, help="Speak JSON, for machines."),
    click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error."),
]


def judge(state: str, words: dict[str, Any]) -> None:
    """Raise what --fail-on-change and --fail-on-blind ask for."""
    if state == "change" and words["fail_on_change"]:
        raise ChangeFound
    if state == "not-observed" and words["fail_on_blind"]:
        raise NothingObservable


def _remember(workspace: Path | None, now: datetime | None, as_json: bool, verbose: bool) -> None:
    """Watch named places from space and say, with dates and numbers, what was built there."""
    clock = now or datetime.now(UTC).replace(microsecond=0)
    click.get_current_context().obj = Session(workspace or Path(), clock, as_json, verbose)


# Each command's module and its one line in --help. A module is imported when its command is asked for:
# all of them together pull in plotting and statistics, three seconds for a question that needs none.
TABLE = {
    "acquire": ("acquire_command", "Fetch the scenes of a SITE that the archive does not hold yet."),
    "compare": ("commands", "Compare two rasters: one change map and report."),
    "demo": ("commands", "Run the whole pipeline on a simulated site."),
    "doctor": ("commands", "Check what a run needs: libraries, disk, clock, credentials, site files."),
    "export": (
        "exchange_command",
        "Write the findings of all sites as CSV, GeoJSON, an Atom feed and a STAC catalogue.",
    ),
    "export-evidence": (
        "evidence_command",
        "Pack a RUN with the images it rests on, its lineage and its method, for others to check without this program.",
    ),
    "figure": ("picture_commands", "Make a before/after picture of a SITE to print: PNG, SVG, PDF, the GeoTIFF pair"),
    "init": ("site_commands", "Make a workspace: aois/ for site files, outputs/, and a commented sitewatch.toml."),
    "review": ("review_commands", "Take analysts' verdicts out of a workspace, and in."),
    "scan": ("scan_command", "Fetch, prepare, compare, assess and publish: cron's command."),
    "schedule": ("status_commands", "Print the crontab line and the systemd units that scan this workspace every day."),
    "score": ("score_command", "Score a result against a truth: by pixels, by objects, or as SMART site models."),
    "search": ("search_command", "Search a REGION for new construction: candidates, ranked, with dates and reasons."),
    "sites": ("site_commands", "List, show, check and add the sites of a workspace."),
    "stamp": ("evidence_command", "Have an authority sign when the newest run was there (RFC 3161)."),
    "status": (
        "status_commands",
        "Tell for every site when it was last looked at and seen, what stands there, and who is blind since when.",
    ),
    "timelapse": (
        "picture_commands",
        "Make an animation of all clear looks at a SITE, dated, and a sheet of small pictures for print.",
    ),
    "verify": ("commands", "Prove that archive and results are what was written."),
}


class Commands(click.Group):
    """The commands of `TABLE`, each loaded when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names in alphabetical order."""
        return sorted(TABLE)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of a command; None where there is no such command."""
        if cmd_name not in TABLE:
            return None
        module = importlib.import_module(f"pipelines.{TABLE[cmd_name][0]}")
        found: click.Command = next(c for c in module.COMMANDS if c.name == cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list without importing a single command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, TABLE[name][1]) for name in self.list_commands(ctx)])


def make_app() -> click.Group:
    """Return the whole command line."""
    group = Commands(
        "sitewatch",
        params=[],
        callback=_remember,
        help=_remember.__doc__,
        epilog="Example: sitewatch compare before.tif after.tif --out result",
        context_settings=CONTEXT,
    )
    for option in reversed(SHARED):
        group = option(group)
    return click.version_option(__version__, "-V", "--version", prog_name="sitewatch")(group)


def run(words: Sequence[str]) -> int:
    """Run one command; return its exit code. An error is one sentence on standard error."""
    verbose = "-v" in words or "--verbose" in words
    try:
        make_app().main(args=list(words), prog_name="sitewatch", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except BrokenPipeError:  # the reader of a pipe went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Exception, KeyboardInterrupt, Terminated) as error:
        if verbose:
            traceback.print_exc()
        text, code = _sentence(error)
        for sentence in getattr(error, "sentences", ()) or (text,):
            click.echo("sitewatch: " + " ".join(sentence.split()), err=True)
        return code
    return 0


def _sentence(error: BaseException) -> tuple[str, int]:
    """What to say of an error, and the exit code."""
    if isinstance(error, SitewatchError):
        return str(error), error.exit_code
    if isinstance(error, click.Abort | KeyboardInterrupt | Terminated):
        return "Stopped.", getattr(error, "exit_code", INTERRUPTED)
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{error.format_message()} See: {error.ctx.command_path} --help", UsageError.exit_code
    if isinstance(error, click.ClickException):
        return error.format_message(), UsageError.exit_code
    text = f"Unexpected {type(error).__name__}: {error}. Run again with -v for details, and please report it."
    return text, SitewatchError.exit_code
