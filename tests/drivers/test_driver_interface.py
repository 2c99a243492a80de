"""Every kind of reader implements the same protocol."""

import hashlib
import threading
import time

import pytest

from drivers import MAX_RAW_BYTES, DeviceLost, Read, kinds, open_driver
from drivers import DriverError as Refusal

TAGS = ("pcsc", "serial_rfid")
"""Kinds that read the number of a tag and no text."""


@pytest.fixture(params=kinds())
def bench(request, benches, tmp_path):
    """A simulated reader of each kind."""
    return benches[request.param](tmp_path)


@pytest.fixture(params=[kind for kind in kinds() if kind not in TAGS])
def text_bench(request, benches, tmp_path):
    """A simulated reader of each kind that reads texts."""
    return benches[request.param](tmp_path)


def test_every_kind_in_the_folder_is_held_to_the_port(benches):
    assert kinds() == tuple(sorted(benches))


def test_a_driver_names_its_kind_and_its_reader(bench):
    driver = bench.driver
    assert driver.kind in kinds()
    assert driver.reader == bench.reader
    assert driver.lossless == (driver.kind == "replay")
    driver.close()


def test_a_scan_is_one_read_with_all_that_is_known_of_it(bench, listen):
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    outcomes = listen(bench.driver)
    code = bench.codes[0]
    bench.scan(code)
    read = outcomes.read()
    assert before <= read.boot_ns <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    tag = bench.driver.kind in ("pcsc", "serial_rfid")
    assert read == Read(code.encode(), None, bench.driver.kind, bench.reader, read.boot_ns, len(code), None, tag=tag)


def test_an_aim_identifier_is_named_and_stays_in_the_raw_scan(text_bench, listen):
    outcomes = listen(text_bench.driver)
    text_bench.scan("]C10104012345678901\x1d10A7")
    read = outcomes.read()
    assert (read.sym, read.raw) == ("]C1", b"]C10104012345678901\x1d10A7")


def test_scans_come_in_their_order(bench, listen):
    outcomes = listen(bench.driver)
    for code in bench.codes:
        bench.scan(code)
    assert [outcomes.read().raw for _ in bench.codes] == [code.encode() for code in bench.codes]


def test_an_empty_scan_is_none(text_bench, listen):
    outcomes = listen(text_bench.driver)
    text_bench.scan("")
    text_bench.scan("a")
    assert outcomes.read().raw == b"a"


@pytest.mark.parametrize("length", [MAX_RAW_BYTES, MAX_RAW_BYTES + 1, 3 * MAX_RAW_BYTES])
def test_a_scan_beyond_the_limit_is_cut_and_its_whole_is_named(text_bench, listen, length):
    text = ("0123456789" * length)[:length]
    outcomes = listen(text_bench.driver)
    threading.Thread(target=text_bench.scan, args=(text,), daemon=True).start()  # more than a pipe holds
    read = outcomes.read()
    sha256 = hashlib.sha256(text.encode()).hexdigest() if length > MAX_RAW_BYTES else None
    assert (read.raw, read.raw_len, read.sha256) == (text[:MAX_RAW_BYTES].encode(), length, sha256)


def test_close_from_another_thread_ends_the_reading(bench, listen, open_descriptors):
    outcomes = listen(bench.driver)
    bench.scan(bench.codes[0])
    assert outcomes.read().raw == bench.codes[0].encode()
    outcomes.end()
    before = open_descriptors()
    bench.driver.close()
    assert open_descriptors() == before


def test_close_lets_go_of_everything_and_may_come_twice(benches, tmp_path, open_descriptors):
    for kind in kinds():
        before = open_descriptors()
        folder = tmp_path / kind
        folder.mkdir()
        bench = benches[kind](folder)
        bench.driver.close()
        bench.driver.close()
        bench.unplug()
        assert list(bench.driver.reads()) == []
        assert open_descriptors() == before


def test_a_half_scan_is_nothing_when_the_reader_is_closed(bench, listen):
    outcomes = listen(bench.driver)
    bench.begin(bench.codes[0])
    assert outcomes.nothing()
    outcomes.end()


def test_a_reader_that_goes_away_is_lost_and_lets_go_at_once(benches, tmp_path, listen, open_descriptors):
    for kind in kinds():
        before = open_descriptors()
        folder = tmp_path / kind
        folder.mkdir()
        bench = benches[kind](folder)
        outcomes = listen(bench.driver)
        bench.scan(bench.codes[0])
        assert outcomes.read().raw == bench.codes[0].encode()
        bench.unplug()
        lost = outcomes.next()
        assert isinstance(lost, DeviceLost)
        assert all(sentence.endswith((".", "scans")) for sentence in (lost.came, lost.expected, lost.do)), lost
        assert outcomes.next() is None
        assert open_descriptors() == before
        assert list(bench.driver.reads()) == []


def test_a_sleeping_reader_costs_nothing(bench, listen):
    outcomes = listen(bench.driver)
    assert outcomes.nothing(for_s=0.5)
    outcomes.end()
    assert outcomes.cpu_s < 0.05


def test_two_threads_cannot_read_one_device(bench, listen):
    outcomes = listen(bench.driver)
    bench.scan(bench.codes[0])
    assert outcomes.read().raw == bench.codes[0].encode()
    with pytest.raises(RuntimeError, match=r"^This reader is being read already; one thread reads a device\.$"):
        next(iter(bench.driver.reads()))
    outcomes.end()


def test_an_unknown_kind_is_reported_with_the_known_ones():
    with pytest.raises(Refusal) as refused:
        open_driver("telepathy", {})
    assert (refused.value.came, refused.value.expected, refused.value.do) == (
        "There is no reader of kind 'telepathy'.",
        "Expected one of hidpos, keyboard, pcsc, replay, serial_line, serial_rfid.",
        "Correct the reader's kind.",
    )
