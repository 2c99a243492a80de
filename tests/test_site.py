"""The documentation site: it builds without a warning, and a link that leads nowhere ends the build."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COPIED = (".ci", "docs", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")


@pytest.fixture
def manual(tmp_path: Path) -> Path:
    """A copy of what the site is made of."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """`mkdocs build --strict`, as `./wipline check` calls it."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", ".ci/mkdocs.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_site_builds_and_has_the_pages_from_outside_docs(manual: Path) -> None:
    done = build(manual)
    assert done.returncode == 0, done.stderr
    site = manual / "build" / "site"
    for page in (
        "index.html",
        "project/contributing.html",
        "project/changelog.html",
        "adr/index.html",
        "reference/files.html",
    ):
        assert (site / page).exists(), page
    start = (site / "index.html").read_text()
    assert 'href="reference/commands.html"' in start
    assert "<code>config/station.toml</code>" in start  # the site has no copy of this file
    assert 'src="pictures/board.png"' in start


@pytest.mark.parametrize(
    ("page", "line", "complaint"),
    [
        ("docs/rules.md", "[x](nowhere.md)", "'nowhere.md'"),
        ("docs/rules.md", "[x](codes.md#nowhere)", "'#nowhere'"),
        ("README.md", "[x](docs/nowhere.md)", "'nowhere.md'"),
        ("docs/forgotten.md", "# A page that the navigation lacks", "forgotten.md"),
    ],
)
def test_a_planted_mistake_ends_the_build(page: str, line: str, complaint: str, manual: Path) -> None:
    with (manual / page).open("a") as file:
        file.write(f"\n{line}\n")
    done = build(manual)
    assert done.returncode == 1
    assert complaint in done.stderr


def test_a_page_of_the_design_appears_when_it_exists(manual: Path) -> None:
    (manual / "docs" / "design").mkdir(exist_ok=True)
    (manual / "docs" / "design" / "event.md").write_text("# Event\n")
    assert build(manual).returncode == 0
    assert 'href="design/event.html"' in (manual / "build" / "site" / "index.html").read_text()


def test_nothing_is_loaded_from_the_network(manual: Path) -> None:
    assert build(manual).returncode == 0
    for path in (manual / "build" / "site").rglob("*.html"):
        page = path.read_text()
        for loaded in ('src="http', "src='http", 'rel="stylesheet" href="http', 'src="//', 'href="//'):
            assert loaded not in page, f"{path.name}: {loaded}"
