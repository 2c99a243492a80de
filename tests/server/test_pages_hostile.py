"""A station may say anything of what is plugged into it: the page shows it, and obeys none of it."""

import pytest

from server.reading.visible import visible

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "\u202egnp.renn\u2066ac",
    "\x1b[2J\x9b\x00",
    "{{7*7}}",
]


@pytest.mark.parametrize("said", HOSTILE)
def test_what_a_station_says_of_its_readers_is_shown_as_text(desk, said):
    token = desk.station()
    reader = dict.fromkeys(("id", "kind", "state", "why", "evidence", "mend", "taught"), said)
    beat = {"sw": said, "clock": said, "readers": [reader, said, {"id": said * 40}]}
    assert desk.nobody().post("/api/v1/heartbeat", json=beat, headers=token).status_code == 200
    page = desk.nobody().get("/stations")
    assert page.status_code == 200
    body = page.get_data(as_text=True)
    for unsafe in ("<script>alert", "<img src", '" onmouseover="', "\u202e", "\u2066", "\x1b", "\x9b", "\x00", ">49<"):
        assert unsafe not in body
    shown = visible(said).replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")
    assert shown in body
