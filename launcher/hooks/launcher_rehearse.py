"""Shorten a rehearsal: every fit to one epoch of one batch, every evaluate to one batch, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping


def shorten_fit(arguments: MutableMapping[str, Any]) -> None:
    """Change the arguments of a fit; one that would train no epoch still trains none."""
    epochs, initial_epoch = arguments.get("epochs", 1), arguments.get("initial_epoch", 0)
    arguments["epochs"] = min(epochs, initial_epoch + 1)
    arguments["steps_per_epoch"] = 1
    if arguments.get("validation_data") is not None or arguments.get("validation_split"):
        arguments["validation_steps"] = 1


def shorten_evaluate(arguments: MutableMapping[str, Any]) -> None:
    """Change the arguments of an evaluate."""
    arguments["steps"] = 1
