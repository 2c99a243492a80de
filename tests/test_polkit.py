"""The rule that lets the station reach pcscd: it speaks of pcscd's own actions, of our user, and of nothing else."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

RULE = Path(__file__).parent.parent / "config" / "polkit" / "50-wipline-pcscd.rules"
ACTIONS = ("org.debian.pcsc-lite.access_pcsc", "org.debian.pcsc-lite.access_card")
ASK = """
let rule;
const polkit = {Result: {YES: "yes"}, addRule: (each) => { rule = each; }};
RULES
console.log(JSON.stringify(ASKED.map(([id, user]) => rule({id: id}, {user: user}) || null)));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="no engine for the rule's language; its words are read below")
def test_the_rule_says_yes_to_our_user_and_to_our_user_alone() -> None:
    asked = [
        *((action, "wipline") for action in ACTIONS),
        (ACTIONS[0], "root"),
        ("org.freedesktop.login1.halt", "wipline"),
    ]
    script = ASK.replace("RULES", RULE.read_text()).replace("ASKED", json.dumps(asked))
    said = subprocess.run(["node", "-e", script], check=True, capture_output=True, text=True, timeout=20).stdout
    assert json.loads(said) == ["yes", "yes", None, None]


def test_the_manual_installs_the_rule_and_the_rule_names_what_pcscd_asks() -> None:
    text = RULE.read_text()
    assert [action in text for action in ACTIONS] == [True, True]
    assert text.count("polkit.Result.YES") == 1
    assert str(RULE.relative_to(RULE.parents[2])) in (RULE.parents[2] / "docs" / "installing.md").read_text()
