"""Requests and answers of `worker_process.py` as bytes on a socket."""

import json
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

WORKER = Path(__file__).parent / "worker_process.py"
PATIENCE_S = 20.0


def start_worker(stack: ExitStack, **bounds: float) -> int:
    """Start a worker with these bounds, until the stack is closed; its port."""
    command = [sys.executable, str(WORKER), json.dumps(bounds)]
    process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    stack.callback(process.terminate)
    assert process.stdout is not None
    return int(process.stdout.readline())


class Connections:
    """Connections that are closed together."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(self, port: int, sent: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
        """A new connection from an address, on which these bytes were sent."""
        made = socket.create_connection(("127.0.0.1", port), PATIENCE_S, source_address=(source, 0))
        self._stack.enter_context(made)
        made.sendall(sent)
        return made


def request(path: str, *, token: str | None = None, body: bytes = b"", more: str = "") -> bytes:
    """The bytes of a POST."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{more}"
    return (head + (f"Authorization: Bearer {token}\r\n" if token else "") + "\r\n").encode() + body


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """(status, headers, body) of the next answer; the status is 0 where the connection was closed."""
    got = b""
    while b"\r\n\r\n" not in got:
        try:
            arrived = connection.recv(1)
        except ConnectionResetError:
            arrived = b""
        if not arrived:
            return 0, {}, got
        got += arrived
    head, _, body = got.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = int(headers.get("content-length", 0))
    while len(body) < length:
        body += connection.recv(length - len(body))
    return int(first.split()[1]), headers, body
