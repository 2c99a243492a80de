"""The version: from pyproject.toml in a clone, from the metadata of an installed wheel, else `unknown`."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from station.system.version import UNKNOWN, version, version_at

ROOT = Path(__file__).resolve().parents[3]


def test_a_clone_has_the_version_of_its_own_project_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "wipline"\nversion = "9.8.7"\n')
    assert version_at(tmp_path, lambda _name: "0.0.1") == "9.8.7", "not that of an older editable installation"
    assert version() == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.mark.parametrize("text", [None, "", "[project", '[project]\nname = "another"\nversion = "3"\n', "[project]\n"])
def test_a_wheel_has_the_version_of_its_metadata(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)  # the folder above site-packages may hold any file
    assert version_at(tmp_path, lambda _name: "1.2.3") == "1.2.3"


def test_files_without_either_have_an_unknown_version(tmp_path: Path) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    assert version_at(tmp_path, missing) == UNKNOWN
