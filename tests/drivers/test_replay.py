"""Scans from files and named pipes: nothing is lost, for any number of writers, however they close."""

import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from drivers import DriverError, open_driver


@pytest.fixture
def fifo(tmp_path):
    path = tmp_path / "scans"
    os.mkfifo(path)
    return path


def test_a_file_is_read_once_and_then_nothing_more_comes(tmp_path, listen):
    path = tmp_path / "scans.txt"
    path.write_bytes(b"WIP:BADGE:7\r\n]C1010401{GS}10A\n\nlast without end")
    outcomes = listen(open_driver("replay", {"path": str(path)}))
    reads = [outcomes.read() for _ in range(3)]
    assert [(read.raw, read.sym) for read in reads] == [
        (b"WIP:BADGE:7", None),
        (b"]C1010401\x1d10A", "]C1"),
        (b"last without end", None),
    ]
    assert outcomes.nothing()
    outcomes.end()


def test_close_in_the_middle_of_a_file_ends_it(tmp_path):
    path = tmp_path / "scans.txt"
    path.write_text("".join(f"{number}\n" for number in range(5000)))
    driver = open_driver("replay", {"path": str(path)})
    taken = []
    for read in driver.reads():
        taken.append(read.raw)
        if len(taken) == 3:
            driver.close()
    assert taken == [b"0", b"1", b"2"]


def test_a_pipe_is_read_for_ever_whoever_writes(fifo, listen):
    outcomes = listen(open_driver("replay", {"path": str(fifo)}))
    for number in range(20):
        with fifo.open("w") as writer:
            writer.write(f"scan {number}\nhalf {number}")
        assert [outcomes.read().raw, outcomes.read().raw] == [b"scan %d" % number, b"half %d" % number]
    assert outcomes.nothing()
    outcomes.end()


def test_writers_that_come_and_go_at_once_lose_nothing(fifo, listen):
    outcomes = listen(open_driver("replay", {"path": str(fifo)}))
    count = 300
    script = "import sys\nfor n in range(int(sys.argv[2])):\n    with open(sys.argv[1], 'w') as w: w.write(f'{n}\\n')"
    writer = subprocess.Popen([sys.executable, "-c", script, str(fifo), str(count)])
    assert [outcomes.read().raw for _ in range(count)] == [b"%d" % number for number in range(count)]
    assert writer.wait(10) == 0
    outcomes.end()


def test_half_a_line_of_a_writer_that_closed_early_is_read_to_its_end(fifo):
    driver = open_driver("replay", {"path": str(fifo)})
    patience = threading.Timer(10, driver.close)
    patience.start()
    reads = driver.reads()
    with fifo.open("w") as writer:
        writer.write("first")
    assert next(reads).raw == b"first"
    # The driver is paused after its first end of file; a second writer opens and closes meanwhile.
    with fifo.open("w") as writer:
        writer.write("second\nhalf")
    assert [next(reads).raw, next(reads).raw] == [b"second", b"half"]
    patience.cancel()
    driver.close()
    assert list(reads) == []


def test_a_slow_writer_may_cut_a_scan_anywhere(fifo, listen):
    outcomes = listen(open_driver("replay", {"path": str(fifo)}))
    with fifo.open("wb", buffering=0) as writer:
        for byte in b"WO-{4":
            writer.write(bytes([byte]))
            time.sleep(0.002)
        assert outcomes.nothing()
        writer.write(b"1}\n")
        assert outcomes.read().raw == b"WO-A"
    outcomes.end()


def test_close_takes_effect_while_a_writer_sends_empty_lines(fifo, listen):
    outcomes = listen(open_driver("replay", {"path": str(fifo)}))
    with fifo.open("wb") as pipe:
        writer = subprocess.Popen(["yes", ""], stdout=pipe, stderr=subprocess.DEVNULL)
    try:
        assert outcomes.nothing()
        outcomes.end()
    finally:
        writer.kill()
        writer.wait()


def test_a_writer_waits_while_the_station_is_busy(fifo):
    driver = open_driver("replay", {"path": str(fifo)})
    lines = 40_000
    done = threading.Event()

    def write():
        with fifo.open("w") as writer:
            writer.writelines(f"{number:06}\n" for number in range(lines))
        done.set()

    threading.Thread(target=write, daemon=True).start()
    reads = driver.reads()
    first = next(reads).raw
    assert not done.wait(0.3)  # more than a pipe holds, and it is not read
    rest = [next(reads).raw for _ in range(lines - 1)]
    assert [first, *rest] == [b"%06d" % number for number in range(lines)]
    assert done.wait(5)
    driver.close()


def test_a_reader_without_a_path_is_reported_with_a_remedy():
    with pytest.raises(DriverError) as refused:
        open_driver("replay", {})
    assert str(refused.value) == (
        "A reader of kind 'replay' has no path. Expected the path of a file or a named pipe with one scan a line. "
        'Add path = "/run/wipline/scans" to the reader.'
    )


def test_a_missing_path_is_reported_with_a_command(tmp_path):
    path = tmp_path / "none"
    with pytest.raises(DriverError) as refused:
        open_driver("replay", {"path": str(path)})
    assert str(refused.value) == (
        f"{path} cannot be opened: No such file or directory. "
        f"Expected the path of a file or a named pipe with one scan a line. Make it: mkfifo {path}"
    )


def test_a_folder_and_a_device_are_refused(tmp_path, open_descriptors):
    before = open_descriptors()
    for path in (str(tmp_path), "/dev/null"):
        with pytest.raises(DriverError) as refused:
            open_driver("replay", {"path": path})
        assert refused.value.came == f"{path} is neither a file nor a named pipe."
    assert open_descriptors() == before


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        with pytest.raises(DriverError) as refused:
            open_driver("replay", {"path": "s"})
    assert refused.value.came == "s cannot be opened: No such device or address."
