"""The first run on a machine that cannot be set up: one sentence, and exit code 3."""

import ast
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / ".ci" / "environment.py"
UNREACHABLE = "http://127.0.0.1:9/simple"


@pytest.fixture
def environment(tmp_path):
    """The module, for a folder without an environment."""
    folder = tmp_path / "wipline"
    (folder / ".ci").mkdir(parents=True)
    for name in (".ci/environment.py", "pyproject.toml", "wipline"):
        shutil.copy(ROOT / name, folder / name)
    spec = importlib.util.spec_from_file_location("environment", folder / ".ci" / "environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_set_up_has_the_syntax_of_old_pythons():
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_an_old_python_gets_one_sentence(environment, capsys):
    with pytest.raises(SystemExit) as end:
        environment.main("demo", (3, 9, 2))
    assert end.value.code == 3
    said = "wipline: this is Python 3.9, and 3.11 or newer is needed: sudo apt-get install python3\n"
    assert capsys.readouterr().err == said


def test_a_machine_without_a_new_python_gets_one_sentence(environment, tmp_path):
    script = environment.ROOT / "wipline"
    script.write_text(script.read_text().replace("/usr/bin/python3", "/nowhere/python3"))
    old = tmp_path / "bin" / "python3"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    path = f"{old.parent}:/usr/bin:/bin"
    done = subprocess.run([script, "demo"], env={"PATH": path}, capture_output=True, text=True, check=False)
    said = "wipline: no Python 3.11 or newer here; install it: sudo apt-get install python3\n"
    assert (done.returncode, done.stderr) == (3, said)


def test_a_folder_that_cannot_be_written_gets_one_sentence(environment, capsys):
    with pytest.raises(SystemExit) as end:
        environment.main("demo", may=lambda *_: False)
    assert end.value.code == 3
    do = "copy it to one that can be, and start it there."
    said = f"wipline: the folder {environment.ROOT} cannot be written by this user; {do}\n"
    assert capsys.readouterr().err == said


def test_without_network_there_is_one_sentence(environment):
    variables = {**os.environ, "PIP_INDEX_URL": UNREACHABLE, "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    variables.pop("PIP_EXTRA_INDEX_URL", None)
    variables.pop("PIP_FIND_LINKS", None)
    script = environment.ROOT / ".ci" / "environment.py"
    done = subprocess.run(["python3", script, "demo"], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        f"wipline: making {environment.ROOT}/.venv",
        f"wipline: the package index {UNREACHABLE} cannot be reached; connect this machine to the network, and try again.",
    ]
