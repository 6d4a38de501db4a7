"""A time-stamping authority on loopback: OpenSSL behind HTTP, with a root of its own."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

CONFIG = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
"""


def openssl(*words: object) -> None:
    """Run OpenSSL; its talk is kept for a failure."""
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def certified(folder: Path, *, usage: str = "critical,timeStamping", name: str = "tsa") -> Path:
    """Make a root, and a certificate for a usage that it vouches for; return the root."""
    folder.mkdir(parents=True, exist_ok=True)
    root, key = folder / "root.pem", folder / "root.key"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", root, "-days", "30",
            "-subj", "/CN=A root of the tests", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    request, extensions = folder / "request.pem", folder / "extensions"
    openssl(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        folder / f"{name}.key",
        "-out",
        request,
        "-subj",
        "/O=Tests/CN=Tests",
    )
    extensions.write_text(
        f"extendedKeyUsage={usage}\nkeyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE\n"
        "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
    )
    openssl("x509", "-req", "-in", request, "-CA", root, "-CAkey", key, "-CAcreateserial", "-days", "30",
            "-out", folder / f"{name}.pem", "-extfile", extensions, "-sha256")  # fmt: skip
    return root


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve an authority whose files lie in a folder made by `certified`; give its address."""
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = folder / "query.tsq"
            query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            openssl("ts", "-reply", "-config", folder / "tsa.cnf", "-queryfile", query, "-out", folder / "answer.tsr")
            data = (folder / "answer.tsr").read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsr"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
