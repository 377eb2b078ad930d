"""The web server in a thread of the daemon."""

from __future__ import annotations

import socket
import threading
import time
from ipaddress import IPv6Address, ip_address

import uvicorn
from litestar import Litestar

#: how long requests under way may still take when the daemon stops, in seconds
GRACE_SECONDS = 3
#: connections that are served at once; further ones are told to come back
CONNECTIONS_MAX = 512


class BindError(Exception):
    """The address cannot be taken; the text says what a person can do."""


class WebServer:
    """Serves from `start` to `stop`; `url` is where."""

    def __init__(self, app: Litestar, bind: str = "127.0.0.1", port: int = 0) -> None:
        self._bind, self._port = bind, port
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """`http://ADDRESS:PORT`, with the port that was really taken."""
        host = f"[{self._bind}]" if ":" in self._bind else self._bind
        return f"http://{host}:{self._port}"

    def start(self, seconds_max: float = 10) -> None:
        """Take the address and serve. Raises BindError."""
        try:
            self._socket = _listening(self._bind, self._port)
        except OSError as error:
            told = f"api.bind {self._bind}, api.port {self._port}: {error.strerror or error}. Is another driftd up?"
            raise BindError(told) from error
        self._port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="web", daemon=True)
        self._thread.start()
        end = time.monotonic() + seconds_max
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > end:
                raise BindError("the web server did not start; the log says why")
            time.sleep(0.005)

    def stop(self) -> None:
        """Take no further connections, let what is under way end, and stop."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(GRACE_SECONDS + 2)
        if self._socket is not None:
            self._socket.close()


def _listening(bind: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(bind, port, type=socket.SOCK_STREAM)[0][4][0]
    is_v6 = isinstance(ip_address(str(found)), IPv6Address)
    return socket.create_server((str(found), port), family=socket.AF_INET6 if is_v6 else socket.AF_INET, backlog=128)
