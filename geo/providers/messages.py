"""Messages to people and to watchdogs: a web hook, a ping, a mail. Short, bounded in time, never repeated for long."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from typing import Any

from geo.errors import TemporaryError
from geo.providers.addresses import netloc
from geo.providers.web import ANSWERS, Limits, Web

_LIMITS = Limits(connect_s=5.0, read_s=10.0, answer_s=15.0, total_s=20.0, tries=2)
_ACCEPTED = frozenset(range(200, 300))
_MOST_BYTES = 2**16
_SMTP_TIMEOUT_S = 20.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def post(url: str, message: dict[str, Any] | None = None) -> None:
    """Ask a web address, with a JSON message where there is one. Answers from 200 to 299 count as taken.

    Raises InputError for an address that is not https (http to this machine only), TemporaryError for no or another
    answer.
    """
    method = "GET" if message is None else "POST"
    web = Web(hosts=(_host(url),), limits=_LIMITS)
    answer = web.ask(method, url, most_bytes=_MOST_BYTES, json=message, answers=_ACCEPTED | ANSWERS)
    if answer.status not in _ACCEPTED:
        raise TemporaryError(f"{_host(url)} answered {answer.status}.")


def send_mail(server: str, message: EmailMessage, *, user: str | None = None, password: str | None = None) -> None:
    """Hand a mail to a server named `host:port` (port 465 speaks TLS from the start, any other STARTTLS).

    To this machine it may go in clear; anywhere else TLS is required. Raises TemporaryError where it is not taken.
    """
    host, _, number = server.partition(":")
    port = int(number) if number.isdigit() else 587
    context = ssl.create_default_context()
    try:
        if port == smtplib.SMTP_SSL_PORT:
            with smtplib.SMTP_SSL(host, port, timeout=_SMTP_TIMEOUT_S, context=context) as smtp:
                _hand_over(smtp, message, user, password)
            return
        with smtplib.SMTP(host, port, timeout=_SMTP_TIMEOUT_S) as smtp:
            if host not in _LOOPBACK:
                smtp.starttls(context=context)
            _hand_over(smtp, message, user, password)
    except (OSError, smtplib.SMTPException) as error:
        raise TemporaryError(f"{host} did not take the mail ({type(error).__name__}).") from error


def _hand_over(smtp: smtplib.SMTP, message: EmailMessage, user: str | None, password: str | None) -> None:
    if user and password:
        smtp.login(user, password)
    smtp.send_message(message)


def _host(url: str) -> str:
    try:
        return netloc(url)
    except ValueError:
        return ""
