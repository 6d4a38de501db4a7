"""Pings, a web hook and a mail, to real servers on loopback: sent once, waiting where they fail, never failing a run."""

from __future__ import annotations

import email
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from runs import Ended, sitewatch
from seriesworld import Story, write_images, write_site

from pipelines.ledger import Ledger
from pipelines.notify import Notifier
from pipelines.settings import NotifySettings


class Web(ThreadingHTTPServer):
    """Notes what is asked of it; answers with `status`."""

    daemon_threads = True
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Web

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _answer  # noqa: N815 - as http.server asks

    def log_message(self, *words: object) -> None:
        """Say nothing."""


class Post(socketserver.ThreadingTCPServer):
    """As much of SMTP (RFC 5321) as takes a mail."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Talk)
        self.mails: list[str] = []


class Talk(socketserver.StreamRequestHandler):
    server: Post

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper().strip()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (text := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(text.removeprefix(b".") if text.startswith(b"..") else text)
                self.server.mails.append(b"".join(lines).decode())
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 fine\r\n")


@contextmanager
def running(server: Web | Post) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    workspace = tmp_path / "w"
    sitewatch("init", workspace)
    write_site(workspace)
    write_images(workspace / "images", Story(clearing=6, building=9, dates=14))
    return workspace


def due(workspace: Path, notify: str, *words: object) -> Ended:
    (workspace / "sitewatch.toml").write_text(
        f'[scan]\nprovider = "folder"\nsource = "images"\n[publish]\nfigure_dpi = 72\n[notify]\n{notify}'
    )
    return sitewatch("scan", "--due", "-w", workspace, "--now", "2020-01-01", *words)


def test_people_and_the_watchdog_are_told_once(workspace: Path) -> None:
    """Start and success are pinged, the alert is posted and mailed, and the next run has nothing to send."""
    web, post = Web(), Post()
    with running(web), running(post):
        notify = f'ping = "{web.url}/p"\nwebhook = "{web.url}/hook"\nmail_to = "desk@example.org"\n'
        notify += f'smtp = "127.0.0.1:{post.server_address[1]}"\n'
        ended = due(workspace, notify)
        assert (ended.code, ended.err) == (0, "")
        paths = [path for _, path, _ in web.asked]
        assert paths == ["/p/start", "/hook", "/p"]
        told = json.loads(web.asked[1][2])
        assert told["text"] == ended.out.strip()
        assert told["alerts"][0]["site"] == "wood"
        (mail,) = post.mails
        message = email.message_from_string(mail)
        assert message["Subject"] == "sitewatch: change at wood"
        assert " ".join(ended.out.split()) == " ".join(bytes(message.get_payload(decode=True)).decode().split())
        assert due(workspace, notify) == Ended(0, "", "")
        assert [path for _, path, _ in web.asked[3:]] == ["/p/start", "/p"]
        assert len(post.mails) == 1


def test_what_cannot_be_sent_fails_no_run_and_waits(workspace: Path) -> None:
    """A hook that is down: the run ends well, says so in a line, and the next one sends what waited."""
    web = Web()
    with running(web):
        web.status = 404
        ended = due(workspace, f'webhook = "{web.url}/hook"\n')
        assert ended.code == 0
        assert ended.out.startswith("wood: ")
        assert ended.err.count("\n") == 1
        assert "wait for the next run" in ended.err
        web.status = 200
        again = due(workspace, f'webhook = "{web.url}/hook"\n')
        assert again == Ended(0, "", "")
        assert len(web.asked) == 2
        with Ledger(workspace / "outputs/sitewatch.db") as ledger:
            assert ledger.waiting("sent") == []


def test_a_run_that_failed_is_pinged_as_failed(workspace: Path) -> None:
    web = Web()
    with running(web):
        ended = due(workspace, f'ping = "{web.url}/p/"\n', "--source", workspace / "nowhere")
        assert ended.code != 0
        assert [path for _, path, _ in web.asked] == ["/p/start", "/p/fail"]


@pytest.mark.parametrize("url", ["http://example.org/p", "file:///etc/passwd", "ftp://127.0.0.1/p", "nonsense", ""])
def test_only_https_or_this_machine_is_asked(url: str) -> None:
    """The network is refused by a fixture; an address that is not allowed does not even get there."""
    assert "not" in (Notifier(NotifySettings(ping=url), {}).ping("start") or "")
