"""What stands in for AWS: moto's server on loopback, and around it what AWS has and moto lacks.

`FakeEc2` is one account. Its clock can be moved; the rest of the state is moto's, which is one for a whole
process, so that a process has one `FakeEc2`. `python -m tests.fake_ec2 --port N` serves it alone.
"""

from tests.fake_ec2.faults import Fault
from tests.fake_ec2.machines import Hooks, Launched
from tests.fake_ec2.server import FakeEc2

__all__ = ["FakeEc2", "Fault", "Hooks", "Launched"]
