"""Give Keras one callback more, so that it sees what the user's callbacks left and changes nothing for them.

Keras looks at the type of the `callbacks` argument and at batch-level methods to decide how it calls them;
so the type is kept, and our callback has methods of epoch level only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def make_callback(keras: Any, methods: dict[str, Callable[..., None]]) -> Any:
    """Make a Keras callback from functions that take what the method of that name takes."""
    return type(
        "LauncherCallback", (keras.callbacks.Callback,), {k: staticmethod(v) for k, v in methods.items()}
    )()


def join(keras: Any, callbacks: Any, *, ours: Any, first: bool = False) -> Any:
    """Return the `callbacks` argument with ours in it: the first, or the last before Keras' History.

    A CallbackList is the user's own object and is changed: `leave` must follow.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.callbacks.insert(0 if first else _place(keras, callbacks.callbacks), ours)
        return callbacks
    if not callbacks:
        return [ours]
    if isinstance(callbacks, list | tuple):
        place = 0 if first else _place(keras, callbacks)
        members = [*callbacks[:place], ours, *callbacks[place:]]
        return tuple(members) if isinstance(callbacks, tuple) else members
    # Keras flattens any structure, a dict by its keys.
    return {"0": ours, "1": callbacks} if first else {"0": callbacks, "1": ours}


def leave(keras: Any, callbacks: Any, *, ours: Any) -> None:
    """Take our callback out of a CallbackList, which may live on."""
    if holds(keras, callbacks, ours=ours):
        callbacks.callbacks.remove(ours)


def holds(keras: Any, callbacks: Any, *, ours: Any) -> bool:
    """Return whether this is a CallbackList with our callback in it."""
    return isinstance(callbacks, keras.callbacks.CallbackList) and ours in callbacks.callbacks


def _place(keras: Any, callbacks: Sequence[Any]) -> int:
    histories = [at for at, each in enumerate(callbacks) if isinstance(each, keras.callbacks.History)]
    return histories[-1] if histories else len(callbacks)
