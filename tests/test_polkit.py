"""The rule that lets the station reach pcscd: it speaks of pcscd's own actions, of our user, and of nothing else."""

from pathlib import Path

import pytest
from browser import a_browser, a_page

ROOT = Path(__file__).parent.parent
RULE = ROOT / "config" / "polkit" / "50-wipline-pcscd.rules"
ACTIONS = ("org.debian.pcsc-lite.access_pcsc", "org.debian.pcsc-lite.access_card")
ASK = """asked => {
    let rule;
    const polkit = {Result: {YES: "yes"}, addRule: each => { rule = each; }};
    RULE
    return asked.map(([id, user]) => rule({id: id}, {user: user}) || "as before");
}"""


@pytest.mark.browser
def test_the_rule_says_yes_to_our_user_and_to_our_user_alone() -> None:
    asked = [
        *((action, "wipline") for action in ACTIONS),
        (ACTIONS[0], "root"),
        ("org.freedesktop.login1.halt", "wipline"),
    ]
    with a_browser() as browser, a_page(browser, "http://127.0.0.1") as page:
        said = page.evaluate(ASK.replace("RULE", RULE.read_text()), asked)
    assert said == ["yes", "yes", "as before", "as before"]


def test_the_manual_installs_the_rule_and_the_rule_names_what_pcscd_asks() -> None:
    text = RULE.read_text()
    assert [action in text for action in ACTIONS] == [True, True]
    assert text.count("polkit.Result.YES") == 1
    assert str(RULE.relative_to(ROOT)) in (ROOT / "docs" / "installing.md").read_text()
