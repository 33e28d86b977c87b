#!/usr/bin/env bash
# Take away what belongs to the machine on which an image was built. Runs as root, as the last step.
#
# What must not be in an image: keys of any kind, the end that was set for this machine, names, logs.
set -euo pipefail

# The machine's own end goes away with the files below, so it gets another first, which is in memory alone and
# so in no image: whatever happens to whoever builds the image, the machine is gone within the hour.
systemd-run --quiet --unit launcher-image-end --on-active=55min systemctl poweroff

systemctl disable --quiet launcher-deadman.timer launcher-backstop.timer 2>/dev/null || true
rm -rf /etc/launcher /var/lib/launcher /usr/local/lib/launcher /etc/systemd/system/launcher-*
rm -rf /home/runner/.launcher /home/launcher/.ssh /root/.ssh /home/ubuntu/.ssh
rm -f /etc/ssh/ssh_host_* /etc/ssh/sshd_config.d/10-launcher.conf
rm -rf "$(cd "$(dirname "$0")" && pwd)"
cloud-init clean --logs --seed >/dev/null
truncate -s 0 /etc/machine-id
rm -f /root/.bash_history /home/*/.bash_history
find /var/log -type f -exec truncate -s 0 {} +
sync
