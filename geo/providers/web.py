"""One polite client for all that providers ask: allowed hosts only, bounded in time and size, redirects refused."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
import urllib3

from geo.errors import InputError, TemporaryError
from geo.providers.addresses import is_allowed, netloc

_RETRIED = {429, 500, 502, 503, 504}
ANSWERS = frozenset({401, 403, 404, 410})
"""Refused or gone: no other try would change it."""
WAITS_PER_TRY = 4
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII)
_SURELY_MILLISECONDS = 60
_FIRST_INTERVAL_S, _LONGEST_INTERVAL_S = 0.005, 10.0
_SLOWER, _FASTER = 1.3, 0.995
"""Multiplicative both ways: it settles a little below the rate that the service bears, whatever that is."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long and how often: seconds to connect, between bytes, for one answer, for all tries; tries; pauses.

    Attributes:
        slowest: bytes a second below which an answer, once it came for `read_s`, is given up.
        milliseconds: whether the service's Retry-After is documented in milliseconds (the standard says seconds).
    """

    connect_s: float = 10.0
    read_s: float = 30.0
    answer_s: float = 120.0
    total_s: float = 300.0
    tries: int = 5
    backoff_s: float = 1.0
    longest_pause_s: float = 120.0
    slowest: float = 100.0
    milliseconds: bool = False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Status, headers in lower case, and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Web:
    """Asks; where a service wants a pause, all threads keep it.

    Attributes:
        hosts: what may be asked.
        limits: see `Limits`.
        requests_made: how often something was asked.
    """

    hosts: tuple[str, ...]
    limits: Limits = field(default_factory=Limits)
    requests_made: int = 0
    _local: threading.local = field(default_factory=threading.local)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _not_before: float = 0.0
    _turn: float = 0.0
    _interval: float = 0.0

    def ask(
        self,
        method: str,
        url: str,
        *,
        most_bytes: int,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | bytes | None = None,
        answers: frozenset[int] = ANSWERS,
    ) -> Answer:
        """Ask until there is an answer that another try would not change.

        Args:
            method: of HTTP.
            url: on one of the hosts allowed.
            most_bytes: what an answer may weigh.
            headers: to send.
            json: a body.
            form: another kind of body, or its bytes.
            answers: statuses, beside 200 and 206, that the caller understands; they are returned.

        Raises:
            InputError: the host is not among those allowed; TemporaryError: no answer in time, too large, or an error.
        """
        if not is_allowed(url, self.hosts):
            raise InputError(f"The service points to {_where(url)}, which is none of the hosts that may be read.")
        body = {"json": json, "data": form}
        deadline, fault = time.monotonic() + self.limits.total_s, ""
        failed = slowed = 0
        while failed < self.limits.tries and slowed < WAITS_PER_TRY * self.limits.tries and self._wait(deadline):
            try:
                answer = self._once(method, url, most_bytes, headers or {}, body)
            except (requests.RequestException, urllib3.exceptions.HTTPError, TimeoutError) as error:
                fault = _told(error)
                self._local.not_before = time.monotonic() + self._backoff(failed)
                failed += 1
                continue
            if answer.status in (200, 206) or answer.status in answers:
                self._go_faster()
                return answer
            fault = f"status {answer.status}"
            if answer.status not in _RETRIED:
                break
            if answer.status == 429:  # not a failure: it asks us to go slower
                self._go_slower(self._asked_pause(answer, slowed))
                slowed += 1
            else:
                self._local.not_before = time.monotonic() + self._asked_pause(answer, failed)
                failed += 1
        raise TemporaryError(f"{_where(url)} gave no usable answer ({fault or 'out of time'}); the next run goes on.")

    def _once(
        self, method: str, url: str, most_bytes: int, headers: Mapping[str, str], sent: Mapping[str, Any]
    ) -> Answer:
        with self._lock:
            self.requests_made += 1
        limits = self.limits
        until = time.monotonic() + limits.answer_s
        with self._session().request(
            method, url, headers={"Accept-Encoding": "identity", **headers}, **sent, stream=True,
            timeout=(limits.connect_s, limits.read_s), allow_redirects=False,
        ) as response:  # fmt: skip
            body, began = bytearray(), time.monotonic()
            while part := response.raw.read1(2**16):
                body += part
                if len(body) > most_bytes:
                    raise TemporaryError(f"{_where(url)} sends more than it was asked for; the next run asks again.")
                now = time.monotonic()
                if now > until or (now - began > limits.read_s and len(body) < limits.slowest * (now - began)):
                    raise TimeoutError("it sends too slowly")
            stated = response.headers.get("Content-Length", "")
            if method != "HEAD" and stated.isdigit() and int(stated) != len(body):
                raise TimeoutError("the answer was cut short")
            lower = {key.lower(): value for key, value in response.headers.items()}
            return Answer(status=response.status_code, headers=lower, body=bytes(body))

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            session = requests.Session()
            # Neither a proxy's nor a .netrc's word, which may send credentials along.
            session.trust_env = False
            self._local.session = session
        kept: requests.Session = self._local.session
        return kept

    def _wait(self, deadline: float) -> bool:
        """Wait for this thread's turn; False where it would come too late."""
        with self._lock:
            start = max(time.monotonic(), self._turn, self._not_before, getattr(self._local, "not_before", 0.0))
            if start >= deadline:
                return False
            self._turn = start + self._interval
        time.sleep(max(0.0, start - time.monotonic()))
        return True

    def _go_slower(self, pause_s: float) -> None:
        """All threads pause as asked, and leave more time between requests from now on."""
        with self._lock:
            now = time.monotonic()
            if now >= self._not_before:  # one step for the refusals of one moment, however many threads got one
                self._interval = min(max(self._interval, _FIRST_INTERVAL_S) * _SLOWER, _LONGEST_INTERVAL_S)
            self._not_before = max(self._not_before, now + pause_s)

    def _go_faster(self) -> None:
        with self._lock:
            self._interval *= _FASTER

    def _backoff(self, attempt: int) -> float:
        return float(self.limits.backoff_s * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

    def _asked_pause(self, answer: Answer, attempt: int) -> float:
        """What Retry-After asks for, in seconds, milliseconds or as a date; else a growing pause.

        Where milliseconds are documented, a small number may still be the seconds of a proxy: the longer wait counts,
        and a larger one is never shorter than the pause that grows from try to try.
        """
        text = answer.headers.get("retry-after", "").strip()
        try:
            number = float(text) if _NUMBER.fullmatch(text) else None
            wanted = _until(text) if number is None else number
        except (ValueError, TypeError):
            return self._backoff(attempt)
        if self.limits.milliseconds and number is not None and number > _SURELY_MILLISECONDS:
            wanted = max(number / 1000, self._backoff(attempt))
        return min(max(wanted, 0.0), self.limits.longest_pause_s)


def _until(text: str) -> float:
    when = parsedate_to_datetime(text)
    return (when - datetime.now(UTC)).total_seconds()


def _told(error: Exception) -> str:
    """What went wrong, without an address that may carry a signature."""
    return str(error) if type(error) is TimeoutError else type(error).__name__


def _where(url: str) -> str:
    try:
        return netloc(url) or url.split(":")[0][:20] + ":…"
    except ValueError:
        return "an address that cannot be read"
