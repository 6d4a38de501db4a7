"""`sitewatch schedule`: the crontab line and the systemd units of a workspace. Text only; a person installs it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from geo.errors import UsageError

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_ADDRESS = re.compile(r"[^\s@%\"'`$]+@[^\s@%\"'`$]+")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run when: absolute paths, hour and minute, whom to mail, how many sites at a time."""

    workspace: Path
    program: Path
    hour: int
    minute: int
    mail: str | None = None
    workers: int = 1

    @classmethod
    def of(cls, workspace: Path, *, program: Path, at: str, mail: str | None = None, workers: int = 1) -> Plan:
        """Read the time of day; raise UsageError for what is none, or for an address that no crontab can hold."""
        found = _TIME.fullmatch(at)
        if found is None:
            raise UsageError(f"--at {at} is not a time of day such as 03:20.")
        if mail is not None and _ADDRESS.fullmatch(mail) is None:
            raise UsageError(f"--mail {mail} is not an address.")
        return cls(
            workspace=workspace.absolute(), program=program, hour=int(found[1]), minute=int(found[2]), mail=mail,
            workers=workers,
        )  # fmt: skip

    @property
    def words(self) -> list[str]:
        """The command, word by word."""
        more = ["--workers", str(self.workers)] if self.workers > 1 else []
        return [str(self.program), "-w", str(self.workspace), "scan", "--due", *more]


def crontab(plan: Plan) -> str:
    r"""Lines for `crontab -e`. Cron takes a bare % for a line's end, so it is written \%."""
    command = shlex.join(plan.words).replace("%", r"\%")
    mail = [f"MAILTO={plan.mail}"] if plan.mail else []
    return "\n".join([*mail, f"{plan.minute} {plan.hour} * * * {command}"]) + "\n"


def units(plan: Plan) -> dict[str, str]:
    """A systemd user service that may write only the workspace's outputs, and its timer. Name to text.

    Directives as in systemd.exec(5) and systemd.timer(5); `Persistent` makes up for a machine that was off.
    """
    outputs = _quoted(str(plan.workspace / "outputs"))
    service = f"""[Unit]
Description=sitewatch: scan the sites that are due
Documentation=man:systemd.exec(5)
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={" ".join(_quoted(word) for word in plan.words)}
# 11: another run holds the lock; it does the work.
SuccessExitStatus=11
Nice=10
IOSchedulingClass=idle
TimeoutStartSec=12h
TimeoutStopSec=30s
UMask=0077
NoNewPrivileges=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={outputs}
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
CapabilityBoundingSet=
MemoryMax=6G
"""
    timer = f"""[Unit]
Description=sitewatch: every day

[Timer]
OnCalendar=*-*-* {plan.hour:02d}:{plan.minute:02d}:00
RandomizedDelaySec=15min
Persistent=true

[Install]
WantedBy=timers.target
"""
    return {"sitewatch.service": service, "sitewatch.timer": timer}


def _quoted(word: str) -> str:
    """A word as systemd reads it: % and $ stand for themselves only when doubled."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{plain}"' if re.search(r"[\s\"'\\;]", plain) else plain
