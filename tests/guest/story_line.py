"""The story's line: a pipeline in which nobody saw a scan travel from a USB port to the ledger has failed.

`test_story` prints the line and leaves it here; whoever renames, deselects or skips that test finds out at the end of the
run. A run of one file, or of the nightly tests alone, is no run of the guest and owes no line.
"""

import os
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
STORY_LINE = pytest.StashKey[str]()
UNTOLD = "The run ended without the story's line (tests/guest/test_story.py): expected one `story: kernel …`."


def owes_line(session: pytest.Session) -> bool:
    """Whether this run is a pipeline's, of the whole guest folder, and chose tests that need the guest."""
    whole = any(HERE.is_relative_to(session.config.invocation_params.dir / arg) for arg in session.config.args)
    chosen = any(item.get_closest_marker("guest") and not item.get_closest_marker("nightly") for item in session.items)
    return os.environ.get("CI") == "true" and whole and chosen


def finish(session: pytest.Session) -> None:
    """Fail the run where it owes the line and did not print it."""
    if owes_line(session) and STORY_LINE not in session.config.stash:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(UNTOLD, red=True)
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
