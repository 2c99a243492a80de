"""The rule in Debian's own polkit, as a machine with Debian 13's pcscd runs it: who may reach the card readers, and who not.

polkitd and its bus run in namespaces of their own and end with them; those of this machine are left alone.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from missing import not_here

pytestmark = pytest.mark.host
RULE = Path(__file__).parent.parent / "config" / "polkit" / "50-wipline-pcscd.rules"
POLKITD = Path("/usr/lib/polkit-1/polkitd")
ENDS_S = 30
# What Debian 13's pcscd asks for, with the answers that hold where no rule says otherwise (its package's own policy).
ACTIONS = ("org.debian.pcsc-lite.access_pcsc", "org.debian.pcsc-lite.access_card")
DEFAULTS = "<allow_any>no</allow_any><allow_inactive>no</allow_inactive><allow_active>yes</allow_active>"
DOCTYPE = (
    '<!DOCTYPE policyconfig PUBLIC "-//freedesktop//DTD PolicyKit Policy Configuration 1.0//EN"\n'
    ' "http://www.freedesktop.org/standards/PolicyKit/1.0/policyconfig.dtd">\n'
)
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/polkit-test/bus</listen><auth>EXTERNAL</auth>
<policy context="default">
<allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
</policy></busconfig>
"""
SCRIPT = """
set -e
mount -t tmpfs none /run && mkdir /run/polkit-test
for place in /usr/share/polkit-1/actions /usr/share/polkit-1/rules.d /etc/polkit-1/rules.d; do
  mount -t tmpfs none $place
done
cp pcscd.policy /usr/share/polkit-1/actions
if [ -f site.rules ]; then cp site.rules /etc/polkit-1/rules.d; fi
mount --bind passwd /etc/passwd
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/polkit-test/bus
dbus-daemon --config-file=bus.conf --nofork --nopidfile &
until [ -S /run/polkit-test/bus ]; do sleep 0.02; done
"$POLKITD" &
for user in 64998 64999; do
  setpriv --reuid $user --clear-groups sleep infinity &
  subject=$!
  until [ "$(stat -c %u /proc/$subject)" = $user ]; do sleep 0.02; done
  for action in $ACTIONS; do
    code=127  # until polkitd is on the bus
    while [ $code = 127 ]; do
      code=0; sleep 0.05
      pkcheck --action-id $action --process $subject || code=$?
    done
    echo "$user $action $code" >>said
  done
done
"""
WIPLINE, SOMEBODY = 64_999, 64_998


@pytest.fixture
def asked(tmp_path):
    """What polkit says to the station's user and to somebody else, of each action: whether they may."""
    root = [] if os.geteuid() == 0 else ["sudo", "-n", "--preserve-env"]
    if root and subprocess.run([*root, "true"], check=False, capture_output=True).returncode:
        not_here("who asks polkit must be of two users, which only root can be: neither root nor sudo here")
    if not all(map(shutil.which, ("unshare", "setpriv", "dbus-daemon", "pkcheck", str(POLKITD)))):
        not_here("polkitd is missing: sudo apt-get install polkitd")

    def ask(rule: str | None) -> dict[tuple[int, str], bool]:
        actions = "".join(f'<action id="{name}"><defaults>{DEFAULTS}</defaults></action>' for name in ACTIONS)
        (tmp_path / "pcscd.policy").write_text(f"{DOCTYPE}<policyconfig>{actions}</policyconfig>")
        (tmp_path / "bus.conf").write_text(BUS)
        users = f"wipline:x:{WIPLINE}:{WIPLINE}::/:/bin/false\nsomebody:x:{SOMEBODY}:{SOMEBODY}::/:/bin/false\n"
        (tmp_path / "passwd").write_text(Path("/etc/passwd").read_text() + users)
        (tmp_path / "said").unlink(missing_ok=True)
        if rule is not None:
            (tmp_path / "site.rules").write_text(rule)
        # All of it ends with its shell.
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        environment = {**os.environ, "POLKITD": str(POLKITD), "ACTIONS": " ".join(ACTIONS)}
        done = subprocess.run(
            [*root, *apart, "sh", "-c", SCRIPT],
            check=False,
            cwd=tmp_path,
            env=environment,
            timeout=ENDS_S,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        lines = [line.split() for line in (tmp_path / "said").read_text().splitlines()]
        return {(int(user), action): code == "0" for user, action, code in lines}

    return ask


def test_the_stations_user_may_reach_the_card_readers_and_somebody_else_may_not(asked):
    assert asked(None) == {(user, action): False for user in (SOMEBODY, WIPLINE) for action in ACTIONS}
    assert asked(RULE.read_text()) == {
        (user, action): user == WIPLINE for user in (SOMEBODY, WIPLINE) for action in ACTIONS
    }
