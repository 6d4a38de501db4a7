"""Telling people beside cron's mail: pings of a watchdog, a web hook, a mail. Whatever fails here fails no run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from geo.errors import SitewatchError
from geo.providers.messages import post, send_mail
from pipelines.ledger import Alert, Ledger
from pipelines.settings import NotifySettings

USER, PASSWORD = "SITEWATCH_SMTP_USER", "SITEWATCH_SMTP_PASSWORD"


def mark_told(outputs: Path, alerts: tuple[Alert, ...], *, now: datetime) -> None:
    """Note that alerts were printed."""
    if alerts:
        with Ledger(outputs / "sitewatch.db") as ledger:
            ledger.done("told", alerts, now=now)


@dataclass(frozen=True)
class Notifier:
    """Whom to tell, and what the environment says of the mail server's account."""

    settings: NotifySettings
    environ: Mapping[str, str]

    def ping(self, what: str) -> str | None:
        """Tell the watchdog of a start, a `fail` or, with an empty word, of success; return what went wrong."""
        if self.settings.ping is None:
            return None
        try:
            post(self.settings.ping.rstrip("/") + (f"/{what}" if what else ""))
        except SitewatchError as error:
            return f"the ping was not sent: {error}"
        return None

    def send(self, outputs: Path, *, now: datetime) -> list[str]:
        """Send what was not sent yet, and note what was; return a sentence for each way that failed.

        An alert counts as sent when every way that is set up took it; until then the next run tries again.
        """
        ways = [self._hook] if self.settings.webhook else []
        ways += [self._mail] if self.settings.mail_to else []
        if not ways:
            return []
        with Ledger(outputs / "sitewatch.db") as ledger:
            alerts = ledger.waiting("sent")
            if not alerts:
                return []
            faults = []
            for way in ways:
                try:
                    way(alerts, now)
                except SitewatchError as error:
                    faults.append(f"{len(alerts)} alerts were not sent and wait for the next run: {error}")
            if not faults:
                ledger.done("sent", alerts, now=now)
        return faults

    def _hook(self, alerts: list[Alert], now: datetime) -> None:
        told = [{"site": a.site, "run": a.run, "text": a.sentence} for a in alerts]
        text = "\n".join(f"{a.site}: {a.sentence}" for a in alerts)
        post(self.settings.webhook or "", {"text": text, "alerts": told, "time": now.isoformat()})

    def _mail(self, alerts: list[Alert], now: datetime) -> None:
        settings = self.settings
        message = EmailMessage()
        sites = sorted({alert.site for alert in alerts})
        message["Subject"] = f"sitewatch: change at {', '.join(sites[:3])}" + (" and others" if len(sites) > 3 else "")
        message["From"] = settings.mail_from or settings.mail_to
        message["To"] = settings.mail_to
        message["Date"] = format_datetime(now)
        message.set_content("\n\n".join(f"{alert.site}: {alert.sentence}" for alert in alerts) + "\n")
        send_mail(
            settings.smtp or "localhost:25", message, user=self.environ.get(USER), password=self.environ.get(PASSWORD)
        )
