"""`python -m tests.fake_ec2`: an account in its own process. Prints its address; ends by SIGTERM."""

from __future__ import annotations

import argparse
import signal
import threading

from tests.fake_ec2 import FakeEc2


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with FakeEc2(parser.parse_args().port) as fake:
        print(fake.endpoint, flush=True)
        ended.wait()


main()
