"""Runs inside the guest: takes shell lines from the host over a virtio port, answers each with its code and output.

Host to guest, one JSON object a line: ``{"id", "line", "timeout_s"}`` or, to leave it running, ``{"id", "line", "log"}``.
Guest to host: ``{"id", "code", "out"}``; the code of a line that was stopped at its time limit is 124.
"""

import json
import os
import signal
import subprocess
import tempfile
import time

PORT = "/dev/virtio-ports/wipline.shell"
TIMED_OUT = 124


def run(line: str, timeout_s: float) -> tuple[int, str]:
    """Run one line to its end, or stop it with all it started at the limit; a file takes the output, so no pipe blocks."""
    with tempfile.TemporaryFile(dir="/run") as out:
        child = subprocess.Popen(
            ["/bin/sh", "-c", line],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            code = TIMED_OUT
        out.seek(0)
        return code, out.read().decode(errors="replace")


def leave_running(line: str, log: str) -> int:
    """Start a line that outlives the answer; its process id."""
    with open(log, "ab") as out:  # noqa: PTH123 - a plain script of the guest
        return subprocess.Popen(
            ["/bin/sh", "-c", line],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ).pid


def serve() -> None:
    """Answer lines for ever, one after another."""
    with open(PORT, "r+b", buffering=0) as port:  # noqa: PTH123
        port.write(b'{"id": 0, "code": 0, "out": "up"}\n')
        waiting = b""
        while True:
            piece = port.read(65536)
            if not piece:  # the host's end is not open just now: after a snapshot was loaded, say
                time.sleep(0.02)
                continue
            *lines, waiting = (waiting + piece).split(b"\n")
            for text in lines:
                asked = json.loads(text)
                if "log" in asked:
                    code, out = 0, str(leave_running(asked["line"], asked["log"]))
                else:
                    code, out = run(asked["line"], asked["timeout_s"])
                answer = json.dumps({"id": asked["id"], "code": code, "out": out}).encode() + b"\n"
                while answer:  # the port takes 32 KiB at a time
                    answer = answer[port.write(answer) :]


if __name__ == "__main__":
    serve()
