"""Is the stack whole, and does TensorFlow see the GPU? Runs on a machine, in the stack's own interpreter.

    python verify.py requirements.lock [--gpu]

Exit code 0 is yes; else the last line says what is wrong.
"""

from __future__ import annotations

import os
import re
import sys
from importlib import metadata
from pathlib import Path

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")


def main(argv: list[str]) -> int:
    """Check everything; print what is wrong."""
    lock, wants_gpu = Path(argv[0]), "--gpu" in argv[1:]
    wrong = check_versions(lock.read_text(encoding="utf-8"))
    wrong = wrong or check_training(wants_gpu=wants_gpu)
    print(wrong or "the stack is whole")
    return 1 if wrong else 0


def check_versions(lock: str) -> str:
    """Compare what is installed with the lock. Returns: what is wrong; empty where nothing is."""
    pins = [match.groups() for line in lock.splitlines() if (match := _PIN.match(line))]
    found = {name: version_of(name) for name, _ in pins}
    wrong = [f"{name} is {found[name]}, not {wanted}" for name, wanted in pins if found[name] != wanted]
    return "; ".join(wrong) if pins else "the lock names nothing"


def version_of(name: str) -> str:
    """Return the version of a distribution, `missing` where there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"


def check_training(*, wants_gpu: bool) -> str:
    """Train one step where the jobs will. Returns: what is wrong; empty where nothing is."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if wants_gpu and not gpus:
        return "TensorFlow sees no GPU"
    with tf.device("/GPU:0" if gpus else "/CPU:0"):
        values = tf.Variable(tf.ones((64, 64)))  # (64, 64)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.nn.conv2d(values[None, :, :, None], tf.ones((3, 3, 1, 1)), 1, "SAME"))
        gradient = tape.gradient(loss, values)  # (64, 64): conv2d goes through cuDNN
    return "" if float(tf.reduce_max(gradient)) == 9.0 else "a convolution gives a wrong gradient"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
