"""Papers through a real CUPS: the hub's command, `lp`, cupsd, and what arrives at the printer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from cups_server import CupsServer, Printer
from read_back import pdf_pictures, scanned
from shop_writer import ShopWriter
from waiting import until
from zpl_reader import labels, on_white

from server.cli.commands import main

pytestmark = pytest.mark.host


@pytest.fixture
def printer() -> Iterator[Printer]:
    made = Printer()
    yield made
    made.close()


@pytest.fixture
def cups(tmp_path: Path, printer: Printer, monkeypatch: pytest.MonkeyPatch) -> Iterator[CupsServer]:
    """CUPS with the queue `labels`; `lp` finds it by the environment."""
    running = CupsServer(tmp_path / "cups")
    running.add_queue("labels", printer)
    monkeypatch.setenv("CUPS_SERVER", running.server)
    monkeypatch.setenv("LC_ALL", "C")
    yield running
    running.close()


def test_a_queue_passes_labels_and_travellers_to_its_printer(store, cups, printer, tmp_path):
    writer = ShopWriter(store)
    writer.small_shop()
    writer.release("WO-1")
    writer.settle()

    def printed(*words):
        done = CliRunner().invoke(main, ["print", *words, "--db", str(store.path)])
        return done.exit_code, done.stderr

    zpl = ("label", "item", "WO-1", "SN-2", "--unrecorded", "--format", "zpl", "--sheet", "roll-50x30")
    assert printed(*zpl, "--printer", "cups:labels") == (0, "2 pages on cups:labels.\n")
    until(lambda: printer.jobs)
    pictures = [on_white(label.picture) for label in labels(printer.jobs[0])]
    assert [scanned(picture) for picture in pictures] == [[("]C0", b"WO-1")], [("]C0", b"SN-2")]]

    pdf = ("traveller", "WO-1", "--unrecorded", "--printer")
    assert printed(*pdf, "cups:labels") == (0, "1 page on cups:labels.\n")
    until(lambda: len(printer.jobs) == 2)
    assert [scanned(picture) for picture in pdf_pictures(printer.jobs[1], tmp_path)] == [[("]C0", b"WO-1")] * 2]

    said = "Expected a queue of CUPS. List them: lpstat -p.\n"
    refused = f"Error: lp refused the file: lp: Error - The printer or class does not exist. {said}"
    assert printed(*pdf, "cups:nowhere") == (1, refused)
    cups.reject("labels")
    refused = f'Error: lp refused the file: lp: Destination "labels" is not accepting jobs. {said}'
    assert printed(*pdf, "cups:labels") == (1, refused)
    assert len(printer.jobs) == 2
