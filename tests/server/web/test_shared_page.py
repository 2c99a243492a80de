"""Viewers share the text of a page that follows the shop, and nothing of one viewer is in the page of another."""

import re

import pytest
from shop_writer import ShopWriter

from server.context import HubLimits
from server.web.shared_page import SharedPages

REFRESH = {"X-Refresh": "1"}
TOKEN = re.compile(r'name="csrf_token" value="([^"]*)"')
NOW = re.compile(r'data-now="([0-9]+)"')
ONCE = re.compile(r'name="once" value="([^"]*)"')


@pytest.fixture
def limits():
    return HubLimits(board_every_s=60.0, board_keep_s=60.0)


@pytest.fixture
def shop_writer(store):
    made = ShopWriter(store)
    made.small_shop(saw={"limit": 1})
    for order in ("WO-1", "WO-2"):
        made.release(order, due="2020-01-01")
        made.scan(order, "saw", made.ago(hours=30))
    made.scan("WO-1", "saw", made.ago(hours=2), action="call")
    made.settle()
    return made


@pytest.fixture
def renders(monkeypatch):
    """The keys of the texts that were rendered."""
    keys, text = [], SharedPages.text

    def counted(self, answer, key, render):
        return text(self, answer, key, lambda: (keys.append(key), render())[1])

    monkeypatch.setattr(SharedPages, "text", counted)
    return keys


def page(viewer, path="/", **headers):
    answer = viewer.get(path, headers={**REFRESH, **headers})
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def without_own(text):
    return NOW.sub("", ONCE.sub("", TOKEN.sub("", text)))


@pytest.mark.parametrize("path", ["/", "/wall"])
def test_a_shared_page_is_that_which_the_viewer_would_open(hub_app, shop_writer, renders, path):
    ann, bob, cal = (
        hub_app.person("supervise", "Ann <b>"), hub_app.person("supervise", "Bob"), hub_app.person("view", "Cal")
    )  # fmt: skip
    viewers = {"Ann &lt;b&gt;": ann, "Bob": bob, "Cal": cal, "": hub_app.anonymous()}
    for _ in range(2):
        for viewer in viewers.values():
            opened, shared = viewer.get(path).get_data(as_text=True), page(viewer, path)
            assert without_own(shared) == without_own(opened)
            for own in (TOKEN, ONCE, NOW):
                assert len(own.findall(shared)) == len(own.findall(opened))
            assert NOW.findall(shared)
    assert len(renders) == 3
    for name, viewer in viewers.items():
        shared = page(viewer, path)
        others = [other for other in viewers if other and other != name]
        assert [other for other in others if f">{other}<" in shared or f'"{other}"' in shared] == []
        assert f'data-visitor="{name}"' in shared


def test_forms_are_those_of_the_viewer(hub_app, shop_writer, renders):
    ann, bob, cal = hub_app.person("supervise", "Ann"), hub_app.person("supervise", "Bob"), hub_app.person("view")
    nobody = hub_app.anonymous()
    pages = {viewer: [page(viewer) for _ in range(2)] for viewer in (ann, bob, cal, nobody)}
    assert len(renders) == 3
    forms = {viewer: [text.count('class="answer"') for text in texts] for viewer, texts in pages.items()}
    assert forms[ann] == forms[bob] == [forms[ann][0]] * 2
    assert forms[ann][0] > 0
    assert forms[cal] == forms[nobody] == [0, 0]
    tokens = {viewer: set(TOKEN.findall("".join(texts))) for viewer, texts in pages.items()}
    assert tokens[ann].isdisjoint(tokens[bob])
    assert tokens[ann].isdisjoint(tokens[cal])
    assert tokens[nobody] == set()
    keys = [key for texts in pages.values() for text in texts for key in ONCE.findall(text)]
    assert len(keys) == len(set(keys)) == 2 * 2 * forms[ann][0]


@pytest.mark.parametrize("name", ["Ann", "Bob"])
def test_a_form_of_a_shared_page_is_accepted_from_its_viewer_alone(hub_app, shop_writer, name):
    viewers = {one: hub_app.person("supervise", one) for one in ("Ann", "Bob")}
    texts = {one: page(viewer) for one, viewer in viewers.items()}
    form = {"kind": "stage", "place": "saw", "back": "board", "csrf_token": TOKEN.findall(texts["Ann"])[-1]}
    answer = viewers[name].post("/calls", data=form)
    assert (answer.status_code == 302) == (name == "Ann")


def test_no_text_in_memory_has_anything_of_a_viewer(hub_app, shop_writer):
    ann = hub_app.person("supervise", "Ann")
    text = page(ann)
    (pages,) = [each for each in hub_app.app.extensions.values() if isinstance(each, SharedPages)]
    kept = "".join(part for parts in pages._texts.values() for part in parts)
    assert "Needs someone now" in kept
    for own in ("Ann", *TOKEN.findall(text), *ONCE.findall(text)):
        assert own in text
        assert own not in kept
    assert pages.mark not in text


def test_a_shared_running_time_has_the_clock_of_the_request(hub_app, shop_writer, monkeypatch):
    viewer = hub_app.anonymous()
    (first, *_), times = NOW.findall(page(viewer)), []
    monkeypatch.setattr("server.web.shared_page.clock_s", lambda: str(int(first) + 9))
    for _ in range(2):
        times += NOW.findall(page(viewer))
    assert set(times) == {str(int(first) + 9)}


def test_the_rights_of_a_viewer_change_with_the_next_request(hub_app, shop_writer):
    ann = hub_app.person("supervise", "Ann")
    assert 'class="answer"' in page(ann)
    ann.post("/sign-out", data={"csrf_token": TOKEN.findall(page(ann))[0]})
    assert 'class="answer"' not in page(ann)
    assert "Ann" not in page(ann)


def test_a_page_that_a_viewer_has_is_answered_without_a_body(hub_app, shop_writer):
    ann, bob = hub_app.person("supervise", "Ann"), hub_app.person("supervise", "Bob")
    tag = ann.get("/", headers=REFRESH).headers["ETag"]
    again = ann.get("/", headers={**REFRESH, "If-None-Match": tag})
    assert (again.status_code, again.get_data()) == (304, b"")
    assert "ETag" not in ann.get("/").headers
    for viewer in (bob, hub_app.anonymous()):
        assert "data-pos" in page(viewer, **{"If-None-Match": tag})
    assert "data-pos" in page(ann, "/wall", **{"If-None-Match": tag})
    shop_writer.scan("WO-2", "test", shop_writer.now_us)
    shop_writer.settle()
    assert 'data-behind="1"' in page(ann, **{"If-None-Match": tag})


def test_a_message_for_a_viewer_is_shown_to_that_viewer_alone(hub_app, shop_writer):
    ann, bob = hub_app.person("supervise", "Ann"), hub_app.person("supervise", "Bob")
    form = {"kind": "stage", "place": "saw", "back": "board", "csrf_token": TOKEN.findall(page(ann))[-1]}
    ann.post("/calls", data=form)
    assert "Answered." in page(ann)
    assert "Answered." not in page(bob)
    assert "Answered." not in page(ann)


def test_a_past_board_is_not_shared(hub_app, shop_writer, renders):
    viewer = hub_app.anonymous()
    assert "as it was" in page(viewer, "/?as_of=2026-01-01")
    assert renders == []
