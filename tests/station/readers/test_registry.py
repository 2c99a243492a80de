"""The registry of readers: one line a device, whatever node it has; bounded; each change is logged once."""

from station.readers.registry import MAX_HEARTBEAT_TEXT, MAX_LINES, MAX_TEXT, ReaderRegistry, to_heartbeat
from station.status import ReaderStatus


def a_registry() -> tuple[ReaderRegistry, list[tuple[str, dict[str, str]]], list[int]]:
    logged, changed = list[tuple[str, dict[str, str]]](), list[int]()
    return (
        ReaderRegistry(lambda what, **fields: logged.append((what, fields)), lambda: changed.append(1)),
        logged,
        changed,
    )


READY = ReaderStatus("keyboard", "usb-1", "ready")


def test_a_reader_that_comes_back_under_another_node_is_one_line() -> None:
    registry, *_ = a_registry()
    registry.update("event3", READY)
    registry.update("event3", ReaderStatus("keyboard", "usb-1", "lost", "It was unplugged."))
    registry.update("event9", READY)
    assert registry.lines() == [READY]


def test_two_interfaces_of_one_device_are_two_lines_and_both_count() -> None:
    registry, *_ = a_registry()
    pos = ReaderStatus("hidpos", "usb-1", "ready")
    registry.update("hidraw0", pos)
    registry.update("event3", READY)
    registry.count_read("hidraw0", 7)
    assert [(each.kind, each.reads) for each in registry.lines()] == [("hidpos", 1), ("keyboard", 0)]
    registry.update("event3", ReaderStatus("keyboard", "usb-1", "lost", "It was unplugged."))
    assert [each.kind for each in registry.lines()] == ["hidpos"]
    registry.update("hidraw0", ReaderStatus("hidpos", "usb-1", "lost", "It was unplugged."))
    assert [(each.kind, each.state) for each in registry.lines()] == [("hidpos", "lost")]


def test_the_late_word_of_an_old_plug_is_no_news_of_a_reader_that_is_back() -> None:
    registry, logged, _ = a_registry()
    registry.update("event3", READY)
    registry.count_read("event3", 7)
    registry.update("event9", READY)
    registry.update("event3", ReaderStatus("keyboard", "usb-1", "lost", "It was unplugged."))
    assert [each.state for each in registry.lines()] == ["ready"]
    registry.update("event3", ReaderStatus("keyboard", "usb-1", "waiting", "No such device."))
    assert [each.state for each in registry.lines()] == ["ready"]
    assert [what for what, _ in logged] == ["a reader is ready", "a reader is ready"]


def test_the_scans_of_a_reader_are_counted_on_when_it_comes_back() -> None:
    registry, *_ = a_registry()
    registry.update("event3", READY)
    registry.count_read("event3", 7)
    registry.update("event3", ReaderStatus("keyboard", "usb-1", "lost", "It was unplugged."))
    registry.update("event9", READY)
    registry.count_read("event9", 9)
    assert [(each.state, each.reads) for each in registry.lines()] == [("ready", 2)]


def test_scans_are_counted_and_outlive_a_change_of_state() -> None:
    registry, *_ = a_registry()
    registry.update("event3", READY)
    registry.count_read("event3", 7)
    registry.count_read("event3", 9)
    registry.count_read("unknown", 9)
    registry.update("event3", ReaderStatus("keyboard", "usb-1", "lost", "It was unplugged."))
    (line,) = registry.lines()
    assert (line.reads, line.last_boot_ns, line.state) == (2, 9, "lost")


def test_a_change_is_logged_once_however_often_it_is_tried() -> None:
    registry, logged, changed = a_registry()
    for _ in range(3):
        registry.update("pipe", ReaderStatus("replay", "/x", "waiting", "It is not there."))
    registry.update("pipe", ReaderStatus("replay", "/x", "ready"))
    assert logged == [
        ("a reader is waiting", {"reader": "/x", "kind": "replay", "why": "It is not there."}),
        ("a reader is ready", {"reader": "/x", "kind": "replay"}),
    ]
    assert len(changed) == 2


def test_what_is_ignored_stands_last_and_is_struck_when_it_goes() -> None:
    registry, *_ = a_registry()
    ignored = ReaderStatus("keyboard", "usb-2", "ignored", "It is a mouse as well.")
    registry.update("event2", ignored)
    registry.update("event3", READY)
    assert registry.lines() == [READY, ignored]
    registry.remove("event2")
    registry.remove("event2")
    assert registry.lines() == [READY]


def test_the_roll_is_bounded_and_keeps_what_is_read() -> None:
    registry, *_ = a_registry()
    registry.update("kept", READY)
    for number in range(MAX_LINES * 3):
        registry.update(f"event{number}", ReaderStatus("keyboard", f"usb-x{number}", "ignored"))
        assert len(registry.lines()) <= MAX_LINES
    assert READY in registry.lines()
    assert registry.lines()[-1].id == f"usb-x{MAX_LINES * 3 - 1}"


def test_no_device_can_say_more_than_a_sentence() -> None:
    registry, *_ = a_registry()
    registry.update(
        "event3", ReaderStatus("keyboard", "usb-1", "ignored", "w" * 9999, evidence=("e" * 9999,), mend="m" * 9999)
    )
    (line,) = registry.lines()
    assert (len(line.why), len(line.evidence[0])) == (MAX_TEXT, MAX_TEXT)
    assert {name: len(text) for name, text in to_heartbeat(line).items()} == {
        "id": 5, "kind": 8, "state": 7, "why": MAX_HEARTBEAT_TEXT, "evidence": MAX_HEARTBEAT_TEXT,
        "mend": MAX_HEARTBEAT_TEXT,
    }  # fmt: skip
