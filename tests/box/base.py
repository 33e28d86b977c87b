"""The disk that every machine of the box starts from: Debian with systemd, cloud-init and OpenSSH; made once.

It lies in the user's cache, named by the recipe below, and outlives test runs. Nothing in it is of launcher.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    "cloud-init openssh-server python3 python3-venv iproute2 sudo dbus systemd-sysv libnss-myhostname procps"
)
SIZE = "3G"

# cloud-init looks for its data on the disk alone; what Debian's image lacks is not asked for.
CLOUD = 'datasource_list: [NoCloud]\nlocale: "false"\nsystem_info: {network: {renderers: []}}\n'
NETWORK = "network: {config: disabled}\n"

FINISH = f"""
set -e
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
apt-get install -y -qq --no-install-recommends {PACKAGES}
rm -rf /usr/sbin/policy-rc.d /etc/ssh/ssh_host_* /etc/hostname /var/lib/apt/lists/* /var/cache/apt/*.bin
rm -rf /usr/share/doc /usr/share/man /usr/share/locale /var/log/*.log
apt-get clean
: > /etc/machine-id
printf %s '{CLOUD}' > /etc/cloud/cloud.cfg.d/90-box.cfg
printf %s '{NETWORK}' > /etc/cloud/cloud.cfg.d/91-box-network.cfg
systemctl disable -q apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer
systemctl mask -q e2scrub_reap.service systemd-networkd.service console-getty.service dpkg-db-backup.timer
# An interpreter of root's home is bound in; the user of the runs has to get there.
chmod 711 /root
"""


def base_image() -> Path:
    """Return the image, built where it is not there: two minutes, 0.4 GB."""
    recipe = f"{SUITE}\n{SIZE}\n{FINISH}"
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "launcher-tests"
    image = cache / f"box-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.img"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "box.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test processes wait for the one that builds
        if not image.exists():
            _build(image)
    return image


def _build(image: Path) -> None:
    for old in image.parent.glob("box-*"):
        old.unlink()
    with tempfile.TemporaryDirectory(dir=image.parent, prefix="build-") as folder:
        root, new = Path(folder, "root"), Path(folder, "image")
        root.mkdir()
        # In memory: a package manager waits for the disk at every file.
        _call("mount", "-t", "tmpfs", "-o", "size=2g", "box", str(root))
        try:
            _call("debootstrap", "--variant=minbase", SUITE, str(root), MIRROR)
            _call("chroot", str(root), "sh", "-c", FINISH)
            _call("truncate", "-s", SIZE, str(new))
            _call("mkfs.ext4", "-q", "-L", "root", "-d", str(root), str(new))
        finally:
            _call("umount", "--lazy", str(root))
        new.replace(image)


def _call(*argv: str) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{argv[0]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
