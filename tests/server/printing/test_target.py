"""Where pages go: files, a raw printer, a queue of CUPS; and combinations that cannot be."""

import subprocess

import pytest
from click.testing import CliRunner
from shop_writer import ShopWriter
from zpl_reader import labels

from server.cli.commands import main
from server.printing.cups import LpResult, print_cups
from server.printing.target import Target
from station.core.printing import PaperError


@pytest.mark.parametrize(
    ("target", "came"),
    [
        (("pdf", 300, None, None), "Neither a file nor a printer is named."),
        (("pdf", 300, "x.pdf", "cups:"), "A file and a printer are named."),
        (("svg", 300, None, "cups:"), "CUPS was asked to print svg."),
        (("pdf", 300, None, "tcp://10.0.0.7"), "A raw printer was asked to print pdf."),
        (("zpl", 203, None, "10.0.0.7"), "The printer is '10.0.0.7'."),
        (("zpl", 203, None, "tcp://10.0.0.7:x"), "The printer is 'tcp://10.0.0.7:x'."),
        (("zpl", 203, None, "tcp://user@10.0.0.7"), "The printer is 'tcp://user@10.0.0.7'."),
    ],
)
def test_a_combination_that_cannot_be_is_refused(target, came):
    with pytest.raises(PaperError) as refused:
        Target(*target)
    assert refused.value.came == came


def test_the_address_of_a_raw_printer():
    addresses = ("tcp://10.0.0.7", "tcp://printer.lan:6101/", "tcp://[::1]:9100")
    assert [Target("zpl", 203, None, text).address for text in addresses] == [
        ("10.0.0.7", 9100), ("printer.lan", 6101), ("::1", 9100),
    ]  # fmt: skip


def test_a_file_goes_to_a_queue_through_lp():
    seen = []

    def run(command, content):
        seen.append((command, content))
        return LpResult(0, "")

    print_cups("labels", b"^XA^XZ", raw=True, run=run)
    print_cups("", b"%PDF", raw=False, run=run)
    assert seen == [
        (["lp", "-s", "-t", "wipline", "-d", "labels", "-o", "raw"], b"^XA^XZ"), (["lp", "-s", "-t", "wipline"], b"%PDF"),
    ]  # fmt: skip


def missing(command, content):
    raise FileNotFoundError


def slow(command, content):
    raise subprocess.TimeoutExpired(command, 120)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (missing, "There is no command lp here. Expected CUPS."),
        (slow, "lp failed: Command"),
        (
            lambda *_: LpResult(1, "lp: The printer does not exist."),
            "lp refused the file: lp: The printer does not exist. Expected",
        ),
        (lambda *_: LpResult(1, ""), "lp refused the file: exit code 1."),
    ],
)
def test_a_queue_that_does_not_print_is_named(run, said):
    with pytest.raises(PaperError) as refused:
        print_cups("x", b"", raw=True, run=run)
    assert str(refused.value).startswith(said)


def test_the_command_prints_labels_as_zpl_on_a_roll(store, tmp_path):
    writer = ShopWriter(store)
    writer.small_shop()
    writer.settle()
    path = tmp_path / "labels.zpl"

    def run(*words):
        done = CliRunner().invoke(
            main, ["print", "label", "item", "WO-1", "^XZ", "--unrecorded", "--db", str(store.path), *map(str, words)]
        )
        return done.exit_code, done.stderr

    zpl = ("--format", "zpl", "--dpi", "600", "--sheet", "roll-50x30")
    assert run("-o", path, *zpl) == (0, f"2 pages in {path}.\n")
    assert [label.texts for label in labels(path.read_bytes())] == [["WO-1"], ["^XZ"]]
    assert run("-o", path, "--format", "zpl")[1].startswith("Error: The sheet a4-3x7 has 21 labels.")
    assert run("-o", path, "--printer", "cups:")[1].startswith("Error: A file and a printer are named.")
