"""station.toml: read strictly, the sample explained, flags before the file."""

from pathlib import Path

import pytest

from station.config import (
    MAX_GPIO_LINE,
    ConfigError,
    GpioLinesConfig,
    HubConfig,
    OutputConfig,
    ReaderConfig,
    StationConfig,
    load,
    read,
    token,
)

SAMPLE = Path(__file__).parents[2] / "config" / "station.toml"


def test_the_sample_is_the_contracts_and_explains_every_key() -> None:
    assert load(SAMPLE) == StationConfig(
        station="saw-1", stage="saw", hub=HubConfig("http://127.0.0.1:8080", "/etc/wipline/token"),
        signal=(OutputConfig("lines", "/run/wipline/answers"),),
    )  # fmt: skip
    text = SAMPLE.read_text(encoding="utf-8")
    for kind in (StationConfig, HubConfig, ReaderConfig, OutputConfig, GpioLinesConfig):
        for key in kind.__struct_fields__:
            assert f"{key} " in text or f"{key}," in text or f"[{key}]" in text, (
                f"{key} is not explained in {SAMPLE.name}"
            )


def test_flags_beat_the_file() -> None:
    config = read('station = "a"\nstage = "saw"', "station.toml", stage="mill", journal=None, station="b")
    assert (config.station, config.stage, config.journal) == ("b", "mill", "/var/lib/wipline/journal.db")


@pytest.mark.parametrize(
    ("text", "came"),
    [
        ('stage = "saw"', "station.toml cannot be used: Object missing required field `station`."),
        ('station = "a"\nreapeat_s = 3', "station.toml has a key 'reapeat_s'."),
        ('station = "a"\n[hub]\nurll = "x"', "station.toml [hub] has a key 'urll'."),
        ('station = "a"\n[[reader]]\nkind = "replay"\nbanch = "x"', "station.toml [reader] has a key 'banch'."),
        ('station = "a"\n[[signal]]\nkind = "sound"\nword = true', "station.toml [signal] has a key 'word'."),
        ('station = "a"\n[[signal]]\nkind = "gpio"\nlines = { gren = 4 }',
         "station.toml [signal] [lines] has a key 'gren'."),
        ('station = "a"\n[[signal]]\nkind = "gpio"\nlines = 4',
         "station.toml cannot be used: Expected `object | null`, got `int` - at `$.signal[0].lines`."),
        (f'station = "a"\n[[signal]]\nkind = "gpio"\nlines = {{ red = {MAX_GPIO_LINE + 1} }}',
         "station.toml cannot be used: Expected `int` <= 1023 - at `$.signal[0].lines.red`."),
        ('station = "a"\n[[signal]]\nkind = "console"\nwords = true',
         "station.toml has a key 'words' at a signal of kind 'console'."),
        ('station = "a"\n[[signal]]\nkind = "sound"\nactive_low = false',
         "station.toml has a key 'active_low' at a signal of kind 'sound'."),
        ('station = "a"\nrepeat_s = -1', "station.toml cannot be used: Expected `float` >= 0.0 - at `$.repeat_s`."),
        ('station = ""', "station.toml cannot be used: Expected `str` of length >= 1 - at `$.station`."),
        ('station = "a"\nstage = "b"\nstages = ["c"]', "station.toml has both stage and stages."),
        ('station = "a"\n[[reader]]\nkind = "x"\naction = "add"',
         "station.toml cannot be used: Invalid enum value 'add' - at `$.reader[0].action`."),
        ("station", "station.toml is not TOML: Expected '=' after a key in a key/value pair (at end of document)."),
    ],
)  # fmt: skip
def test_what_cannot_be_used_says_what_came(text: str, came: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(text, "station.toml")
    assert refused.value.came == came


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    with pytest.raises(ConfigError) as refused:
        read('station = "a"\nreapeat_s = 3', "station.toml")
    assert refused.value.expected == "Expected a known one; the nearest is 'repeat_s'."


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "station.toml")
    assert str(refused.value) == (
        f"{tmp_path}/station.toml cannot be read: No such file or directory. Expected a station.toml. "
        f"Name another with --config, or create it: sudo install -D -m 644 station.toml {tmp_path}/station.toml"
    )


def test_a_token_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("abc\n")
    assert token(HubConfig("http://h", str(path))) == "abc"
    path.write_text("two words\n")
    with pytest.raises(ConfigError) as refused:
        token(HubConfig("http://h", str(path)))
    assert refused.value.came == f"{path} holds no token."


def test_a_serial_reader_has_a_speed_and_a_parity() -> None:
    text = 'station = "a"\n[[reader]]\nkind = "serial_line"\npath = "/dev/ttyS0"\nbaud = 19200\nparity = "even"'
    assert read(text, "station.toml").reader == (ReaderConfig("serial_line", "/dev/ttyS0", baud=19_200, parity="even"),)


@pytest.mark.parametrize(
    ("line", "came"),
    [
        ("baud = 50", "Expected `int` >= 1200 - at `$.reader[0].baud`"),
        ('parity = "mark"', "Invalid enum value 'mark' - at `$.reader[0].parity`"),
    ],
)
def test_a_speed_or_parity_that_cannot_be_is_refused(line: str, came: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(f'station = "a"\n[[reader]]\nkind = "serial_line"\n{line}', "station.toml")
    assert refused.value.came == f"station.toml cannot be used: {came}."


def test_every_line_of_the_sample_that_is_only_shown_loads_too() -> None:
    shown = SAMPLE.read_text(encoding="utf-8").partition("# [[signal]]")
    rest = "".join(f"{row.removeprefix('# ')}\n" for row in (shown[1] + shown[2]).splitlines())
    assert read('station = "saw-1"\n' + rest, "station.toml").signal == (
        OutputConfig("console", "/dev/tty1"),
        OutputConfig("sound", "default", words=False),
        OutputConfig(
            "gpio", "/dev/gpiochip0", lines=GpioLinesConfig(green=17, amber=27, red=22, buzzer=23), active_low=False
        ),
    )


def test_a_line_may_be_the_last_that_a_chip_can_have_and_a_reader_may_be_silent() -> None:
    lamp = f'[[signal]]\nkind = "gpio"\nlines = {{ red = {MAX_GPIO_LINE} }}'
    config = read(f'station = "a"\n{lamp}\n[[reader]]\nkind = "pcsc"\nbeep = false', "station.toml")
    assert config.signal == (OutputConfig("gpio", lines=GpioLinesConfig(red=1023)),)
    assert config.reader == (ReaderConfig("pcsc", beep=False),)
