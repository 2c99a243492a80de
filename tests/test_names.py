"""One name, one thing: class names, modules at a package's root, and the folders of the tests."""

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("station", "server", "drivers")
MOST_AT_A_ROOT = 12
MOST_LINES = 400
TWICE: Mapping[str, str] = {}  # "package.Class": why the name serves two classes; at most three
TESTS_ALONE = {"fixtures", "recordings"}  # folders of tests/ that mirror no folder of the product


def classes(package: Path) -> dict[str, list[str]]:
    """Class name -> modules that define one, nested classes too."""
    found = defaultdict(list)
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(str(path.relative_to(package)))
    return found


def modules_at(package: Path) -> list[str]:
    """The modules that lie directly in a folder."""
    return sorted(path.name for path in package.glob("*.py") if path.name != "__init__.py")


def folders(top: Path) -> set[str]:
    """Folders with Python files in them, relative to `top`."""
    return {str(path.parent.relative_to(top)) for path in top.rglob("*.py")}


def long_modules(package: Path) -> list[str]:
    """Modules with too many lines to be one concept."""
    return [str(path) for path in sorted(package.rglob("*.py")) if path.read_bytes().count(b"\n") > MOST_LINES]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_class_name_serves_two_classes(package: str) -> None:
    twice = {name: places for name, places in classes(ROOT / package).items() if len(places) > 1}
    assert {name: places for name, places in twice.items() if f"{package}.{name}" not in TWICE} == {}
    assert len(TWICE) <= 3


@pytest.mark.parametrize("package", [*PACKAGES, "station/core"])
def test_few_modules_lie_at_a_root(package: str) -> None:
    assert len(modules_at(ROOT / package)) <= MOST_AT_A_ROOT


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_is_too_long(package: str) -> None:
    assert long_modules(ROOT / package) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_tests_have_the_folders_of_the_product(package: str) -> None:
    tests = {path for path in folders(ROOT / "tests" / package) if not TESTS_ALONE & set(Path(path).parts)}
    assert tests <= folders(ROOT / package)


def test_each_check_can_fail(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.py").write_text("class Twice:\n    pass\n" + "\n" * MOST_LINES)
    assert classes(tmp_path) == {"Twice": ["a/one.py", "b/one.py"]}
    assert len(long_modules(tmp_path)) == 2
    assert folders(tmp_path) == {"a", "b"}
    assert modules_at(tmp_path / "a") == ["one.py"]
