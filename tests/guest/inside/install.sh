#!/bin/sh
# Runs inside the guest: set the product up from its wheel as the installer's guide says, then stop.
set -eu
/opt/wipline/bin/pip install --quiet --no-index --no-deps --no-cache-dir --disable-pip-version-check \
    --root-user-action ignore /project/wipline-*.whl
files=$(/opt/wipline/bin/python -c 'import config; print(config.__path__[0])')
install -D -m 644 "$files/systemd/wipline.sysusers" /etc/sysusers.d/wipline.conf
systemd-sysusers
install -m 644 "$files"/systemd/*.service /etc/systemd/system/
install -m 644 "$files"/udev/*.rules /etc/udev/rules.d/
systemctl daemon-reload
udevadm control --reload
mkdir -p /etc/wipline
sync
