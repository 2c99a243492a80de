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
install -D -m 644 "$files/polkit/50-wipline-pcscd.rules" /etc/polkit-1/rules.d/50-wipline-pcscd.rules
cp -r "$files"/console/. /etc/
systemctl --quiet mask ctrl-alt-del.target getty@tty1.service
systemctl daemon-reexec
udevadm control --reload
udevadm trigger --settle --subsystem-match=input --subsystem-match=hidraw # docs: all of them
# What else a restart of the device does: the kernel's settings, and no console but the first.
sysctl --quiet --system >/dev/null
systemctl restart systemd-logind
python3 -c 'import fcntl; fcntl.ioctl(open("/dev/tty0"), 0x5608, 0)' # VT_DISALLOCATE, all that nobody uses
mkdir -p /etc/wipline
sync
