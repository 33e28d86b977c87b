"""A machine on which an image is built, or tried: rented like that of a batch, with its own end."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from launcher.targets.ec2_keys import remove_keys
from launcher.targets.ec2_open import open_new, renew_lease, settle
from launcher.targets.ec2_rent import Wanted, end, rent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from launcher.nodes.ssh_connection import Connection
    from launcher.plan.values import Offer
    from launcher.targets.ec2_rent import Terms

# As long as the recipe and the making of the image may take; its client gone, the machine waits no longer.
LIFE_S = 2 * 3600.0


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where an image is built.

    Attributes:
        name: stands in the tags of its machines in a batch's place.
        offers: what may be rented, best first.
    """

    name: str
    offers: Sequence[Offer]
    terms: Terms

    @contextmanager
    def rent(self, *, image: str | None) -> Iterator[tuple[str, Connection]]:
        """Give a machine, by id, and a connection to it; when it is left, both are gone.

        Args:
            image: what it starts from, by default the one that plans choose.

        Raises:
            NoMachineError: none could be had, or it may still be there.
            NodeError: it is not as it should be.
        """
        name = f"{self.name}-{'try' if image else 'build'}"
        terms = replace(self.terms, image=image or self.terms.image)
        rented = rent(Wanted(batch=name, offers=self.offers, environment="", batch_s=LIFE_S, usd=None), terms)
        try:
            with open_new(rented, terms) as (connection, _):
                settle(connection, rented, terms)
                renew_lease(connection, LIFE_S)
                terms.tell(f"{rented.machine} is up: it ends by itself at {rented.expires_at}")
                yield rented.machine, connection
        finally:
            end(rented, terms, keep_disk=False)
            remove_keys(terms.home, rented.key)
            terms.tell(f"{rented.machine} is gone, and its disk")
