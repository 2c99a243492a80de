#!/bin/sh
# Build the guest's root file system, kernel and first programs; as root, from Debian bookworm on any host.
#
#   root.sh build OUT WHEELS    OUT gets vmlinuz, initrd and root.img; WHEELS is the folder of Python wheels to install
#   root.sh furnish ROOT        called by mmdebstrap inside `build`, while its apt still works
#
# The kernel comes through mmdebstrap's own apt: a newer host would otherwise bring its newer kernel along.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

# The parts of the kernel's module tree that a station with USB readers, and its faults, need.
trees='drivers/usb/common drivers/usb/core drivers/usb/gadget drivers/usb/host drivers/usb/serial drivers/usb/class
drivers/hid drivers/input drivers/virtio drivers/block/virtio_blk.ko drivers/block/loop.ko drivers/char/virtio_console.ko
drivers/char/hw_random drivers/net/virtio_net.ko drivers/net/net_failover.ko net/core/failover.ko net/sched/sch_netem.ko
fs/ext4 fs/jbd2 fs/mbcache.ko fs/configfs fs/fuse fs/binfmt_misc.ko lib crypto arch/x86/crypto'

furnish() { # the kernel's files, the station's environment, and what the host drives the guest with
    root=$1
    export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
    kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    # Not as apt's own user: the folder belongs to the one who builds.
    (cd "$OUT" && apt-get -o APT::Sandbox::User=root download --quiet=2 "$kernel")
    mkdir "$OUT/kernel"
    dpkg-deb --fsys-tarfile "$OUT"/linux-image-*.deb | tar -x -C "$OUT/kernel" ./boot ./lib/modules
    rm "$OUT"/linux-image-*.deb
    version=$(ls "$OUT/kernel/lib/modules")
    cp "$OUT/kernel/boot/vmlinuz-$version" "$OUT/vmlinuz"
    modules=lib/modules/$version
    mkdir -p "$root/$modules/kernel"
    for tree in $trees; do
        if [ -e "$OUT/kernel/$modules/kernel/$tree" ]; then
            mkdir -p "$root/$modules/kernel/$(dirname "$tree")"
            cp -a "$OUT/kernel/$modules/kernel/$tree" "$root/$modules/kernel/$tree"
        fi
    done
    cp "$OUT/kernel/$modules/modules.builtin" "$OUT/kernel/$modules/modules.builtin.modinfo" \
        "$OUT/kernel/$modules/modules.order" "$root/$modules/"
    depmod -b "$root" "$version"
    first_programs "$root" "$version"

    cp -r "$WHEELS" "$root/root/wheels"
    chroot "$root" python3 -m venv --system-site-packages /opt/wipline
    chroot "$root" /opt/wipline/bin/pip install --quiet --no-index --disable-pip-version-check \
        --find-links /root/wheels --requirement /root/wheels/requirements.txt
    rm -r "$root/root/wheels"

    install -D -m 644 "$here/inside/lineshell.py" "$root/usr/local/lib/guest/lineshell.py"
    install -m 644 "$here/inside/lineshell.service" "$root/etc/systemd/system/lineshell.service"
    install -m 644 "$here/inside/hub-side.network" "$root/etc/systemd/network/hub-side.network"
    printf '%s\n' libcomposite dummy_hcd usbhid evdev loop >"$root/etc/modules-load.d/readers.conf"
    echo 'options dummy_hcd num=6' >"$root/etc/modprobe.d/readers.conf" # USB ports; of HID gadgets the kernel makes four
    echo bench >"$root/etc/hostname"
    echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
    mkdir "$root/project"
    rm -f "$root/etc/machine-id"
    echo uninitialized >"$root/etc/machine-id"
    chroot "$root" passwd --quiet --delete root
    chroot "$root" systemctl --quiet enable lineshell.service systemd-networkd.service
    # Timers and consoles that nobody here waits for would run in the middle of a test.
    chroot "$root" systemctl --quiet mask getty@tty1.service serial-getty@ttyS0.service systemd-firstboot.service \
        systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
        e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-tmpfiles-clean.timer
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
}

first_programs() { # the archive that finds the disk and hands over to systemd
    root=$1 version=$2
    first=$OUT/first
    mkdir -p "$first/bin" "$first/dev" "$first/proc" "$first/sys" "$first/root" "$first/lib"
    cp "$root/bin/busybox" "$first/bin/"
    install -m 755 "$here/inside/first-init" "$first/init"
    for module in virtio_pci virtio_blk crc32c_generic ext4; do
        modprobe -d "$root" -S "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
    done | awk '!seen[$0]++' | while read -r file; do
        cp "$file" "$first/lib/"
        basename "$file" >>"$first/lib/order"
    done
    (cd "$first" && find . | cpio --quiet --create --format=newc --owner=0:0) >"$OUT/initrd"
    rm -r "$first"
}

build() {
    OUT=$1 WHEELS=$2
    export OUT WHEELS
    packages=$(sed '/^#/d' "$here/packages.txt" | paste -sd,)
    mmdebstrap --quiet --variant=minbase --mode=root --include="$packages" \
        --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook="'$here/root.sh' furnish \"\$1\"" bookworm "$OUT/root"
    truncate -s 1G "$OUT/root.img"
    mke2fs -q -t ext4 -d "$OUT/root" "$OUT/root.img"
    rm -rf "$OUT/root" "$OUT/kernel"
}

"$@"
