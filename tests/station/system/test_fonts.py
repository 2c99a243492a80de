"""Fonts of the machine: the one that is chosen, and the letters that none has."""

import pytest

from station.system.fonts import FontFile, font_file, letters_without_font, run_command

LISTED = (
    "/f/Serif.ttf\t0\t80\t0\t0\tExample Serif\n"
    "/f/A-Math.ttf\t0\t80\t0\t0\tExample Math\n"
    "/f/Mono.ttf\t0\t80\t0\t100\tExample Mono\n"
    "/f/Oblique.ttf\t0\t80\t110\t0\tExample Sans\n"
    "/f/Bold.ttf\t0\t200\t0\t0\tExample Sans\n"
    "/f/Collection.ttc\t2\t80\t0\t0\tExample Sans CJK JP\n"
    "/f/Variable.ttf\t65536\t[40 210]\t0\t0\tExample Sans Variable\n"
    "rubbish\n"
)


def listing(text: str = LISTED):
    """A fontconfig with these fonts, and the commands that it was given."""
    commands: list[list[str]] = []

    def run(command: list[str]) -> str:
        commands.append(command)
        return text

    return run, commands


def test_an_upright_font_without_serifs_of_the_weight_is_chosen() -> None:
    run, commands = listing()
    assert font_file("注文 17", run) == FontFile("/f/Collection.ttc", 2)
    assert font_file("注文 17", run, bold=True) == FontFile("/f/Bold.ttf", 0)
    assert commands[0][-1] == ":charset=31 37 6587 6ce8"
    assert commands[0][:2] == ["fc-list", "--format"]


def test_the_same_letters_are_asked_for_once() -> None:
    run, commands = listing()
    assert [font_file(text, run) for text in ("ab", "ba", "a b")] == [FontFile("/f/Collection.ttc", 2)] * 3
    assert len(commands) == 1


def test_letters_that_no_font_has_are_named_once_each() -> None:
    def run(command: list[str]) -> str:
        return LISTED if command[-1] == ":charset=61" else ""

    assert font_file("aꗬ", run) is None
    assert letters_without_font("aꗬꗬb", run) == ["ꗬ", "b"]


@pytest.mark.parametrize("command", [["no-such-command-here"], ["false"]])
def test_a_machine_without_fontconfig_has_no_font(command: list[str]) -> None:
    assert run_command(command) == ""
