"""Kinds of fault that make a test red on a busy machine, found in the source: shared state, fixed waits, fixed ports.

Each exception is named here with its reason. An exception that is not needed any more fails, too.
"""

import ast
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("station", "server", "drivers", "config")
MUTABLE = {
    "list", "dict", "set", "bytearray", "deque", "defaultdict", "Counter", "OrderedDict", "count",
    "Queue", "SimpleQueue", "LifoQueue", "PriorityQueue", "Event", "Condition", "Lock", "RLock", "Semaphore",
}  # fmt: skip
CHANGING = {
    "append", "extend", "add", "update", "pop", "popitem", "clear", "setdefault", "remove", "discard", "insert", "put",
    "appendleft", "popleft", "extendleft", "sort", "reverse",
}  # fmt: skip
COPIED = ("Struct", "NamedTuple", "Structure")  # msgspec copies an empty default; ctypes reads `_fields_` once
BINDS = {"bind", "create_server", "create_connection", "connect", "make_server", "HTTPServer", "ThreadingHTTPServer"}

# Modules whose programs run on another machine (a guest that is started for them) or alone (benches): their waits are
# part of what they play, and no other test's threads are there.
WAITS_APART = ("tests/guest/", "tests/bench/")

STATE = {
    "tests/bench/plug_devices.py": "how each device is asked: constants, never changed",
    "server/queries/current_master_data.py": "a cache keyed by the database's address and all definitions",
    "tests/guest/inside/evread.py": "a program of its own in the guest, started for one test",
}
PORTS = {
    "tests/guest/inside/walls.py": "the guest's own network; the port is the one that its firewall must refuse",
}
# How often each file may call `time.sleep`: in a poll with a deadline, as the pace of a device that is played, or to see
# that nothing happens. A longer wait changes no verdict there. A wait for something to have happened is none of these.
WAITS = {
    "tests/compat/make.py": 1,
    "tests/drivers/fixtures/simulated_readers.py": 1,
    "tests/drivers/fixtures/pcscd_service.py": 3,
    "tests/drivers/test_hidpos_device.py": 1,
    "tests/drivers/test_hidpos_opening.py": 1,
    "tests/drivers/test_keyboard.py": 1,
    "tests/drivers/test_pcsc.py": 1,
    "tests/drivers/test_serial_probe.py": 2,
    "tests/drivers/capture/test_playback_scanners.py": 8,
    "tests/drivers/capture/test_playback_tags.py": 4,
    "tests/drivers/test_replay.py": 1,
    "tests/drivers/test_serial_line.py": 3,
    "tests/drivers/test_serial_rfid_presence.py": 5,
    "tests/drivers/test_umockdev.py": 3,
    "tests/faults/card.py": 1,
    "tests/faults/conftest.py": 2,
    "tests/faults/fuse_card.py": 1,
    "tests/faults/test_request_worker.py": 1,
    "tests/faults/test_salvage_to_hub.py": 2,
    "tests/faults/test_wire.py": 2,
    "tests/server/demo/test_demo.py": 1,
    "tests/server/auth/test_rate_limit.py": 2,
    "tests/station/fixtures/station_process.py": 1,
    "tests/station/test_daemon.py": 1,
    "tests/station/readers/test_reader_thread.py": 1,
    "tests/station/rules/test_recorded_patterns.py": 1,
    "tests/station/cli/test_capture.py": 2,
    "tests/station/cli/test_capture_playback.py": 1,
    "tests/support/live_hub.py": 1,
    "tests/support/running_hub.py": 1,
    "tests/support/slow_clients.py": 1,
    "tests/support/waiting.py": 1,
}
Look = Callable[[ast.Module], Iterator[str]]


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    """The tree of each Python file of the tests and of the product, by its path from the root."""
    paths = sorted(path for folder in ("tests", *PRODUCT) for path in (ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_bytes()) for path in paths}


def called(node: ast.AST) -> str:
    """The last word of what a call calls; "" for anything else."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func.value if isinstance(node.func, ast.Subscript) else node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def is_mutable(value: ast.AST | None) -> bool:
    """Whether this expression makes something that can change."""
    displays = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    return isinstance(value, displays) or called(value or ast.Pass()) in MUTABLE


def class_state(tree: ast.Module) -> Iterator[str]:
    """Containers, queues and locks that all objects of a class share."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef) or any(ast.unparse(base).endswith(COPIED) for base in node.bases):
            continue
        for line in node.body:
            if isinstance(line, ast.Assign | ast.AnnAssign) and is_mutable(line.value):
                yield f"line {line.lineno}: {node.name} shares {ast.unparse(line)[:60]}"


def module_state(tree: ast.Module) -> Iterator[str]:
    """Containers of a module that its functions change, and names that they set."""
    names = {
        target.id
        for line in tree.body
        if isinstance(line, ast.Assign | ast.AnnAssign) and is_mutable(line.value)
        for target in (line.targets if isinstance(line, ast.Assign) else [line.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield f"line {node.lineno}: sets {', '.join(node.names)} of its module"
        if called(node) in CHANGING and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id in names:
                yield f"line {node.lineno}: changes {owner.id} of its module"
        is_set = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del)
        if is_set and isinstance(node.value, ast.Name) and node.value.id in names:  # type: ignore[attr-defined]
            yield f"line {node.lineno}: changes {node.value.id} of its module"  # type: ignore[attr-defined]


def waits(tree: ast.Module) -> Iterator[str]:
    """Calls of `time.sleep`."""
    for node in ast.walk(tree):
        if called(node) == "sleep":
            yield f"line {node.lineno}: {ast.unparse(node)}"  # type: ignore[attr-defined]


def ports(tree: ast.Module) -> Iterator[str]:
    """Numbers of ports in the addresses of sockets and servers, and behind `--port`."""
    for node in ast.walk(tree):
        if called(node) in BINDS and isinstance(node, ast.Call):
            for place in node.args[:1]:
                number = place.elts[1] if isinstance(place, ast.Tuple) and len(place.elts) == 2 else place
                if isinstance(number, ast.Constant) and isinstance(number.value, int) and number.value:
                    yield f"line {node.lineno}: {ast.unparse(node)[:60]}"
        if isinstance(node, ast.Call | ast.List | ast.Tuple):
            words = node.args if isinstance(node, ast.Call) else node.elts
            for option, value in pairwise(words):
                numbers = [each.value for each in (option, value) if isinstance(each, ast.Constant)]
                if numbers[:1] == ["--port"] and numbers[1:] not in ([], ["0"]):
                    yield f"line {node.lineno}: --port {numbers[1]}"


def found(look: Look, trees: dict[str, ast.Module], below: str = "") -> dict[str, list[str]]:
    """What a look finds in the files whose path begins so, by file."""
    seen = {path: list(look(tree)) for path, tree in trees.items() if path.startswith(below)}
    return {path: lines for path, lines in seen.items() if lines}


@pytest.mark.parametrize("look", [class_state, module_state])
def test_no_class_and_no_module_keeps_what_a_second_test_could_meet(look: Look, trees: dict[str, ast.Module]) -> None:
    assert {path: lines for path, lines in found(look, trees).items() if path not in STATE} == {}


def test_no_test_binds_or_asks_for_a_port_of_a_fixed_number(trees: dict[str, ast.Module]) -> None:
    assert {path: lines for path, lines in found(ports, trees, "tests/").items() if path not in PORTS} == {}


def test_no_test_waits_a_fixed_time_but_where_it_is_named(trees: dict[str, ast.Module]) -> None:
    """Wait with `waiting.until` for what is to happen. One more wait in a file, or one less, is a change to `WAITS`."""
    seen = {path: len(lines) for path, lines in found(waits, trees, "tests/").items()}
    assert {path: count for path, count in seen.items() if not path.startswith(WAITS_APART)} == WAITS


def test_every_exception_is_still_needed(trees: dict[str, ast.Module]) -> None:
    assert set(STATE) == set(STATE) & {*found(class_state, trees), *found(module_state, trees)}
    assert set(PORTS) <= set(found(ports, trees, "tests/"))


PLANTED = [
    (class_state, "class A:\n    said: Queue[int] = queue.Queue()"),
    (class_state, "class A:\n    open = []"),
    (module_state, "kept = {}\ndef a(): kept['x'] = 1"),
    (module_state, "kept = []\ndef a(): kept.append(1)"),
    (module_state, "kept = 1\ndef a():\n    global kept\n    kept = 2"),
    (waits, "import time\ndef test_a():\n    time.sleep(0.5)\n    assert True"),
    (ports, "socket.create_server(('127.0.0.1', 35963))"),
    (ports, "sock.bind(('', 8080))"),
    (ports, "hub.command('run', '--port', '8080')"),
]


@pytest.mark.parametrize(("look", "source"), PLANTED)
def test_each_look_finds_what_it_is_for(look: Look, source: str) -> None:
    assert len(list(look(ast.parse(source)))) == 1
