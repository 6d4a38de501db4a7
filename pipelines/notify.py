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
NAMED = 3


def mark_told(outputs: Path, alerts: tuple[Alert, ...], *, now: datetime) -> None:
    """Note that alerts were printed."""
    if alerts:
        with Ledger(outputs / "sitewatch.db") as ledger:
            ledger.done("told", alerts, now=now)


def told(alert: Alert, outputs: Path) -> str:
    """An alert in one line: the site, the sentence, the report."""
    report = (outputs / "runs" / alert.site / alert.run / "report.html").absolute()
    return f"{alert.site}: {alert.sentence} {report}"


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
                    way({alert: told(alert, outputs) for alert in alerts}, now)
                except SitewatchError as error:
                    faults.append(f"{len(alerts)} alerts were not sent and wait for the next run: {error}")
            if not faults:
                ledger.done("sent", alerts, now=now)
        return faults

    def _hook(self, alerts: Mapping[Alert, str], now: datetime) -> None:
        items = [{"site": alert.site, "run": alert.run, "text": line} for alert, line in alerts.items()]
        post(
            self.settings.webhook or "", {"text": "\n".join(alerts.values()), "alerts": items, "time": now.isoformat()}
        )

    def _mail(self, alerts: Mapping[Alert, str], now: datetime) -> None:
        settings = self.settings
        message = EmailMessage()
        sites = sorted({alert.site for alert in alerts})
        more = " and others" if len(sites) > NAMED else ""
        message["Subject"] = f"sitewatch: change at {', '.join(sites[:NAMED])}{more}"
        message["From"] = settings.mail_from or settings.mail_to
        message["To"] = settings.mail_to
        message["Date"] = format_datetime(now)
        message.set_content("\n\n".join(alerts.values()) + "\n")
        send_mail(
            settings.smtp or "localhost:25", message, user=self.environ.get(USER), password=self.environ.get(PASSWORD)
        )
