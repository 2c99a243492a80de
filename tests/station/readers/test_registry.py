"""The roll of readers: one line a device, whatever node it has; bounded; each change said once."""

from station.readers.registry import MAX_HEARTBEAT_TEXT, MAX_LINES, MAX_TEXT, ReaderRegistry, to_heartbeat
from station.status import ReaderStatus


def a_roll() -> tuple[ReaderRegistry, list[tuple[str, dict[str, str]]], list[int]]:
    logged, changed = list[tuple[str, dict[str, str]]](), list[int]()
    return (
        ReaderRegistry(lambda what, **fields: logged.append((what, fields)), lambda: changed.append(1)),
        logged,
        changed,
    )


READY = ReaderStatus("keyboard", "usb-1", "ready")


def test_a_reader_that_comes_back_under_another_node_is_one_line() -> None:
    roll, *_ = a_roll()
    roll.update("event3", READY)
    roll.update("event3", ReaderStatus("keyboard", "usb-1", "lost", "It was unplugged."))
    roll.update("event9", READY)
    assert roll.lines() == [READY]


def test_two_interfaces_of_one_device_are_two_lines_and_both_count() -> None:
    roll, *_ = a_roll()
    pos = ReaderStatus("hidpos", "usb-1", "ready")
    roll.update("hidraw0", pos)
    roll.update("event3", READY)
    roll.count_read("hidraw0", 7)
    assert [(each.kind, each.reads) for each in roll.lines()] == [("hidpos", 1), ("keyboard", 0)]
    roll.update("event3", ReaderStatus("keyboard", "usb-1", "lost", "It was unplugged."))
    assert [each.kind for each in roll.lines()] == ["hidpos"]
    roll.update("hidraw0", ReaderStatus("hidpos", "usb-1", "lost", "It was unplugged."))
    assert [(each.kind, each.state) for each in roll.lines()] == [("hidpos", "lost")]


def test_the_late_word_of_an_old_plug_is_no_news_of_a_reader_that_is_back() -> None:
    roll, logged, _ = a_roll()
    roll.update("event3", READY)
    roll.count_read("event3", 7)
    roll.update("event9", READY)
    roll.update("event3", ReaderStatus("keyboard", "usb-1", "lost", "It was unplugged."))
    assert [each.state for each in roll.lines()] == ["ready"]
    roll.update("event3", ReaderStatus("keyboard", "usb-1", "waiting", "No such device."))
    assert [each.state for each in roll.lines()] == ["ready"]
    assert [what for what, _ in logged] == ["a reader is ready", "a reader is ready"]


def test_the_scans_of_a_reader_are_counted_on_when_it_comes_back() -> None:
    roll, *_ = a_roll()
    roll.update("event3", READY)
    roll.count_read("event3", 7)
    roll.update("event3", ReaderStatus("keyboard", "usb-1", "lost", "It was unplugged."))
    roll.update("event9", READY)
    roll.count_read("event9", 9)
    assert [(each.state, each.reads) for each in roll.lines()] == [("ready", 2)]


def test_scans_are_counted_and_outlive_a_change_of_state() -> None:
    roll, *_ = a_roll()
    roll.update("event3", READY)
    roll.count_read("event3", 7)
    roll.count_read("event3", 9)
    roll.count_read("unknown", 9)
    roll.update("event3", ReaderStatus("keyboard", "usb-1", "lost", "It was unplugged."))
    (line,) = roll.lines()
    assert (line.reads, line.last_boot_ns, line.state) == (2, 9, "lost")


def test_a_change_is_logged_once_however_often_it_is_tried() -> None:
    roll, logged, changed = a_roll()
    for _ in range(3):
        roll.update("pipe", ReaderStatus("replay", "/x", "waiting", "It is not there."))
    roll.update("pipe", ReaderStatus("replay", "/x", "ready"))
    assert logged == [
        ("a reader is waiting", {"reader": "/x", "kind": "replay", "why": "It is not there."}),
        ("a reader is ready", {"reader": "/x", "kind": "replay"}),
    ]
    assert len(changed) == 2


def test_what_is_ignored_stands_last_and_is_struck_when_it_goes() -> None:
    roll, *_ = a_roll()
    ignored = ReaderStatus("keyboard", "usb-2", "ignored", "It is a mouse as well.")
    roll.update("event2", ignored)
    roll.update("event3", READY)
    assert roll.lines() == [READY, ignored]
    roll.remove("event2")
    roll.remove("event2")
    assert roll.lines() == [READY]


def test_the_roll_is_bounded_and_keeps_what_is_read() -> None:
    roll, *_ = a_roll()
    roll.update("kept", READY)
    for number in range(MAX_LINES * 3):
        roll.update(f"event{number}", ReaderStatus("keyboard", f"usb-x{number}", "ignored"))
        assert len(roll.lines()) <= MAX_LINES
    assert READY in roll.lines()
    assert roll.lines()[-1].id == f"usb-x{MAX_LINES * 3 - 1}"


def test_no_device_can_say_more_than_a_sentence() -> None:
    roll, *_ = a_roll()
    roll.update(
        "event3", ReaderStatus("keyboard", "usb-1", "ignored", "w" * 9999, evidence=("e" * 9999,), mend="m" * 9999)
    )
    (line,) = roll.lines()
    assert (len(line.why), len(line.evidence[0])) == (MAX_TEXT, MAX_TEXT)
    assert {name: len(text) for name, text in to_heartbeat(line).items()} == {
        "id": 5, "kind": 8, "state": 7, "why": MAX_HEARTBEAT_TEXT, "evidence": MAX_HEARTBEAT_TEXT,
        "mend": MAX_HEARTBEAT_TEXT,
    }  # fmt: skip
