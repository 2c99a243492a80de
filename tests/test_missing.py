"""What is missing on a machine is never passed over in silence: in the pipeline it is a failure."""

import re
from pathlib import Path

import browser
import pytest
import read_back
from missing import not_here

TESTS = Path(__file__).parent
PASSED_OVER = re.compile(r"pytest\.(mark\.)?(skip|skipif|importorskip)\b")


FAILED, PASSED = pytest.fail.Exception, pytest.skip.Exception


def ended(piece):
    """How a test ends that needs this piece, and with which words; caught, or this test itself would be passed over."""
    with pytest.raises((FAILED, PASSED)) as end:
        piece()
    return end.type, str(end.value)


@pytest.mark.parametrize(("ci", "how"), [("true", FAILED), ("1", FAILED), ("", PASSED)])
def test_what_is_missing_fails_in_the_pipeline_and_is_passed_over_on_a_desk(monkeypatch, tmp_path, ci, how):
    monkeypatch.setenv("CI", ci)
    why = "no /dev/fuse here: sudo apt-get install fuse3"
    assert ended(lambda: not_here(why)) == (how, why)
    why = f"{tmp_path}/pdftoppm is missing: sudo apt-get install poppler-utils"
    assert ended(lambda: read_back.pdf_pictures(b"", tmp_path, f"{tmp_path}/pdftoppm")) == (how, why)
    why = f"{tmp_path}/chromium is missing: sudo apt-get install chromium"
    assert ended(browser.a_browser(tmp_path / "chromium").__enter__) == (how, why)


def test_no_test_passes_itself_over():
    alone = {TESTS / "support" / "missing.py", Path(__file__)}
    assert [each for each in TESTS.rglob("*.py") if each not in alone and PASSED_OVER.search(each.read_text())] == []
