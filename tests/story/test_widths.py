"""Pages at the widths of a tablet, a desk and a sheet of paper: no word is broken and nothing is cut off."""

from typing import Any

import pytest
from browser import a_page

pytestmark = pytest.mark.browser

PAGES = (
    "/",
    "/orders",
    "/orders?status=finished",
    "/orders?printed=no",
    "/print/kit/saw",
    "/stages/saw",
    "/stations",
    "/rules",
    "/items/WO-1009",
    "/items/WO-1001",
    "/without-cost",
    "/costs",
    "/costs/operations",
    "/products",
    "/obsolete?days=1",
    "/obsolete/write-down?days=1",
    "/rollforward",
    "/rollforward?by=operation",
    "/rollforward/expense",
    "/month-end",
    "/journal",
    "/month-end/items?check=unsent",
    "/counts",
    "/counts/C-1",
    "/count-accuracy",
    "/unknown-codes",
    "/people",
    "/carriers",
    "/labels",
    "/labels?kind=card",
    "/sheet",
    "/cards",
)
# Words that are drawn on two lines, and parts that stand out of the window or scroll sideways.
BROKEN = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest('.unseen, .skip, script, code, td.raw, [hidden]')) continue;
    if (node.data.length > 20 && node.parentElement.closest('bdi.code')) continue; // a long code may break
    for (const word of node.data.matchAll(/[\\p{L}\\p{N}()]{2,24}/gu)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const lines = new Set(Array.from(range.getClientRects(), (rect) => Math.round(rect.top)));
      if (lines.size > 1) found.push(word[0] + ' in ' + node.data.trim().slice(0, 60));
    }
  }
  return found;
}"""
CUT = """() => Array.from(document.querySelectorAll('main section, main table, main li:not(.stage), main p:not(.rate)'))
  .filter((part) => part.getClientRects().length && getComputedStyle(part).display !== 'inline')
  .filter((part) => part.scrollWidth > part.clientWidth + 1)
  .map((part) => part.tagName + ' ' + (part.id || part.className) + ' ' + part.scrollWidth + ' > ' + part.clientWidth)"""


def troubles(page: Any, script: str) -> list[str]:
    found = []
    for address in PAGES:
        page.goto(address)
        found += [f"{address}: {each}" for each in page.evaluate(script)]
    return found


@pytest.mark.parametrize("width", [390, 768, 1024, 1280, 1920])
def test_no_word_is_broken(chromium, hub, width):
    with a_page(chromium, hub.url, viewport={"width": width, "height": 900}) as page:
        assert troubles(page, BROKEN) == []


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_is_cut_off(chromium, hub, width):
    with a_page(chromium, hub.url, viewport={"width": width, "height": 900}) as page:
        assert troubles(page, CUT) == []


@pytest.mark.parametrize(("paper", "width"), [("a4", 680), ("letter", 702)])
def test_paper_has_everything_and_the_time_of_printing(chromium, hub, paper, width):
    """`width`: of the paper without its margins of 1.5 cm, in CSS pixels."""
    with a_page(chromium, hub.url, viewport={"width": width, "height": 1000}) as page:
        page.emulate_media(media="print")
        assert troubles(page, BROKEN) == []
        assert troubles(page, CUT) == []
        page.goto("/items/WO-1009")
        assert page.locator("#printed").inner_text().startswith("As of ")
        assert page.locator("form:visible, nav:visible").count() == 0
        assert page.locator("#events thead").is_visible()
