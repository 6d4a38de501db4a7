"""The client keeps to what a service asks, and gives up in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from services.stac import Fault, Store, serving

from geo.errors import InputError, TemporaryError
from geo.providers.addresses import netloc
from geo.providers.stac.ranges import body_of_range
from geo.providers.web import Answer, Limits, Web

HASTY = Limits(connect_s=1, read_s=0.5, answer_s=1, total_s=3, tries=3, backoff_s=0.05, longest_pause_s=0.5)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    tmp_path.joinpath("x.bin").write_bytes(bytes(range(256)) * 40)
    with serving(tmp_path) as running:
        yield running


def web(store: Store, limits: Limits = HASTY) -> Web:
    return Web(hosts=(netloc(store.url),), limits=limits)


def test_more_than_was_asked_for_is_not_read_to_its_end(store: Store) -> None:
    with pytest.raises(TemporaryError, match="more than"):
        web(store).ask("GET", f"{store.url}/files/x.bin", most_bytes=1000)


def test_a_host_that_is_not_listed_is_not_even_looked_up(store: Store) -> None:
    with pytest.raises(InputError, match="hosts"):
        web(store).ask("GET", "http://localhost:1/x", most_bytes=10)
    assert not store.asked


def test_a_redirect_is_not_followed(store: Store) -> None:
    store.faults.append(Fault("redirect"))
    with pytest.raises(TemporaryError, match="302"):
        web(store).ask("GET", f"{store.url}/files/x.bin", most_bytes=1000)
    assert sum(store.asked.values()) == 1


def test_messages_carry_no_query(store: Store) -> None:
    store.faults.append(Fault("500"))
    with pytest.raises(TemporaryError) as told:
        web(store).ask("GET", f"{store.url}/files/x.bin?sig=secret", most_bytes=1000)
    assert "secret" not in str(told.value)


def test_threads_settle_at_the_rate_that_a_service_bears(store: Store) -> None:
    """Eight threads, 60 requests a second: few refusals, and none gives up."""
    store.rate = 60
    client = web(store, Limits(total_s=60))

    def ask(_: int) -> int:
        return client.ask("GET", f"{store.url}/files/x.bin", most_bytes=20_000).status

    start = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(240))) == {200}
    assert time.monotonic() - start >= 240 / 60 - 1.1  # the service's own limit held
    assert store.refused <= 60


def test_a_pause_longer_than_the_time_left_is_not_waited_for(store: Store) -> None:
    store.rate = 0
    start = time.monotonic()
    with pytest.raises(TemporaryError):
        web(store, Limits(total_s=0.8, longest_pause_s=60)).ask("GET", f"{store.url}/files/x.bin", most_bytes=20_000)
    assert time.monotonic() - start < 10  # without it, a minute


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(status=206, headers={"content-range": "bytes 0-3/10"}, body=b"abc"), TemporaryError),
        (Answer(status=206, headers={"content-range": "bytes 5-8/10"}, body=b"abcd"), TemporaryError),
        (Answer(status=206, headers={"content-range": "bytes 0-3/*"}, body=b"abcd"), TemporaryError),
        (Answer(status=206, headers={}, body=b"abcd"), TemporaryError),
        (Answer(status=200, headers={}, body=b"abcd"), TemporaryError),
        (Answer(status=404, headers={}, body=b""), InputError),
        (Answer(status=403, headers={}, body=b""), TemporaryError),
    ],
)
def test_a_range_that_is_not_the_one_asked_for_is_refused(answer: Answer, error: type[Exception]) -> None:
    with pytest.raises(error):
        body_of_range(answer, "x", 0, 4)


@pytest.mark.parametrize(
    ("text", "milliseconds", "least", "most"),
    [
        ("2", False, 2, 2), ("2", True, 2, 2), ("60", True, 60, 60), ("1500", True, 1.5, 1.5), ("61", True, 0.5, 1),
        ("1500", False, 100, 100), ("1.5", False, 1.5, 1.5), ("1e400", False, 0.5, 1), ("inf", True, 0.5, 1),
        ("-5", True, 0.5, 1), ("soon", True, 0.5, 1), ("", False, 0.5, 1), ("31536000000", True, 100, 100),
        ("Wed, 21 Oct 2015 07:28:00 GMT", True, 0, 0), ("Wed, 21 Oct 2065 07:28:00 GMT", False, 100, 100),
        ("Wed, 99 Oct 2015 07:28:00 GMT", False, 0.5, 1), ("٣", True, 0.5, 1), ("9" * 400, True, 0.5, 1),
    ],
)  # fmt: skip
def test_a_pause_is_understood_however_it_is_written(text: str, milliseconds: bool, least: float, most: float) -> None:
    """Seconds, milliseconds, a date, nonsense: never longer than the cap, never an error of ours."""
    client = Web(hosts=(), limits=Limits(longest_pause_s=100, backoff_s=1, milliseconds=milliseconds))
    pause = client._asked_pause(Answer(status=429, headers={"retry-after": text}, body=b""), 0)
    assert least <= pause <= most


def test_a_trickle_is_given_up_long_before_its_end(store: Store) -> None:
    store.faults.append(Fault("drip"))
    start = time.monotonic()
    with pytest.raises(TemporaryError, match="slowly"):
        web(store, Limits(read_s=0.5, answer_s=60, total_s=60, tries=1, slowest=100)).ask(
            "GET", f"{store.url}/files/x.bin", most_bytes=200_000
        )
    assert time.monotonic() - start < 15  # it would take 60


def test_a_form_is_sent_as_one() -> None:
    """Names and values that hold the signs of a form come through whole."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from urllib.parse import parse_qs

    got: list[tuple[str, dict[str, list[str]]]] = []

    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            got.append((self.headers["Content-Type"], parse_qs(body)))
            self.send_response(204 if "x" in body else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.handle_request, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/token"
    answer = Web(hosts=(netloc(url),), limits=HASTY).ask("POST", url, most_bytes=10, form={"a": "s&c=/+ ü"})
    server.server_close()
    assert answer.status == 200
    assert got == [("application/x-www-form-urlencoded", {"a": ["s&c=/+ ü"]})]


def test_a_status_that_the_caller_understands_is_returned_at_once(store: Store) -> None:
    store.faults.append(Fault("400"))
    client = web(store)
    url = f"{store.url}/files/x.bin"
    assert client.ask("GET", url, most_bytes=100, answers=frozenset({400})).status == 400
    with pytest.raises(TemporaryError, match="400"):
        client.ask("GET", url, most_bytes=100)
