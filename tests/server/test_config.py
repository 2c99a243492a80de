"""hub.toml: every key, every mistake."""

from importlib.resources import files

import msgspec
import pytest

from server.config import BackupConfig, ConfigError, HubConfig, WebConfig, load


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "hub.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_sample_loads_and_names_every_key():
    sample = files("config") / "hub.toml"
    assert load(str(sample)) == HubConfig(
        currency="EUR",
        timezone="Europe/Berlin",
        locale="en",
        web=WebConfig("signed-in"),
        backup=BackupConfig("/mnt/backup/wipline", "6h"),
    )
    text = sample.read_text(encoding="utf-8")
    for form in (HubConfig, WebConfig, BackupConfig):
        for field in msgspec.structs.fields(form):
            assert f"\n{field.name} = " in text or f"\n[{field.name}]" in text


def test_flags_beat_the_file(written):
    path = written('db = "a.db"\nlisten = "0.0.0.0:80"')
    assert load(path, db="b.db", port=9) == HubConfig(db="b.db", listen="0.0.0.0:9")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("databse = 'x'", "unknown key 'databse'; expected one of db, listen, currency, timezone, locale, order_word"),
        ("[web]\nreads = 'open'", "unknown key [web] 'reads'; expected one of read. Did you mean read?"),
        ("listen = 8080", "Expected `str`, got `int` - at `$.listen`. config/hub.toml explains every key."),
        (
            "listen = 'here'",
            "listen = 'here': expected address:port, such as 127.0.0.1:8080. Correct it, or use --port.",
        ),
        ("[web]\nread = 'all'", "Invalid enum value 'all' - at `$.web.read`"),
        ("timezone = 'Europe/Berlyn'", "expected a name such as Europe/Berlin. Did you mean Europe/Berlin?"),
        ("currency = 'Euro'", "currency = 'Euro': expected three capital letters of ISO 4217, such as EUR."),
        ("order_word = ' '", "order_word is empty: expected the shop's word for an order"),
        ("[backup]\nevery = 'daily'", "[backup] every = 'daily': expected a number and m, h or d, such as 6h."),
        ("db = ", "is not valid TOML: Invalid value"),
    ],
)
def test_a_mistake_is_said_with_what_was_expected(written, text, said):
    with pytest.raises(ConfigError) as caught:
        load(written(text))
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match=r"hub.toml: No such file or directory. Name the hub's configuration"):
        load(tmp_path / "hub.toml")


@pytest.mark.parametrize(
    ("listen", "read", "is_open"),
    [
        ("127.0.0.1:1", None, True),
        ("[::1]:1", None, True),
        ("0.0.0.0:1", None, False),
        ("0.0.0.0:1", "open", True),
        ("127.0.0.1:1", "signed-in", False),
    ],
)
def test_reading_is_open_on_this_machine_only_unless_said(listen, read, is_open):
    assert HubConfig(listen=listen, web=WebConfig(read)).reads_open is is_open
