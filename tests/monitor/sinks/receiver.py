"""A real HTTP server that does what a test tells it: it takes messages, fails, lies, hangs or drips."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple, Self


class Got(NamedTuple):
    """One request."""

    id: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """What to answer. `drop`: take the message and close without a word. `hang_seconds`: wait before answering."""

    status: int = 204
    headers: tuple[tuple[str, str], ...] = ()
    drop: bool = False
    hang_seconds: float = 0
    drip: bool = False


class Receiver:
    """Listens on loopback; `answer(got)` decides, `got` are all requests in order."""

    def __init__(self, answer: Callable[[Got], Answer] = lambda _: Answer(), certificate: Path | None = None) -> None:
        self.answer = answer
        self.got: list[Got] = []
        self.closing = threading.Event()
        receiver = self

        class Verbs(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver.take(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Verbs)
        self._server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?x=1"

    @property
    def ids(self) -> list[str]:
        return [got.id for got in self.got]

    def take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["content-length"]))
        got = Got(request.headers["webhook-id"], {k.lower(): v for k, v in request.headers.items()}, body)
        answer = self.answer(got)
        self.got.append(got)
        request.close_connection = True
        if answer.hang_seconds:
            self.closing.wait(answer.hang_seconds)
        if answer.drop:
            return
        if answer.drip:
            self._drip(request)
            return
        request.send_response(answer.status)
        for name, value in answer.headers:
            request.send_header(name, value)
        request.send_header("content-length", "0")
        request.end_headers()

    def _drip(self, request: BaseHTTPRequestHandler) -> None:
        """A head that never ends, a byte at a time, each within any timeout for one read."""
        request.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
        try:
            while not self.closing.wait(0.05):
                request.wfile.write(b"x")
                request.wfile.flush()
        except OSError:
            pass

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


def until(done: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until it is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "still waiting"
        time.sleep(0.01)
