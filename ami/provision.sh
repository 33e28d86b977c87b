#!/usr/bin/env bash
# Install the locked stack on a machine from which an image will be made. Runs as root on Ubuntu 24.04.
#
#   provision.sh FOLDER [DRIVER]
#
# FOLDER is where the environment goes; its name is the hash of requirements.lock, by which it is found again.
# DRIVER is a package of the GPU's driver, where the image has none that fits (a V100 needs the 580 branch).
set -euo pipefail
folder=$1
driver=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
export DEBIAN_FRONTEND=noninteractive

apt-get update -qq
apt-get install -y -qq python3-venv >/dev/null
if [ -n "$driver" ]; then
    apt-get install -y -qq "linux-headers-$(uname -r)" "$driver" >/dev/null
fi

if ! command -v uv >/dev/null; then
    mkdir -p /opt/launcher
    python3 -m venv --clear /opt/launcher/uv
    /opt/launcher/uv/bin/pip install --quiet --disable-pip-version-check uv
    ln -sf /opt/launcher/uv/bin/uv /usr/local/bin/uv
fi

mkdir -p "$(dirname "$folder")"
rm -rf "$folder"
uv venv --quiet --python /usr/bin/python3 "$folder"
uv pip install --quiet --python "$folder/bin/python" --link-mode copy -r "$here/requirements.lock"
uv cache clean --quiet
touch "$folder/complete"
chmod -R a+rX,go-w /opt/launcher
