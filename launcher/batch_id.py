"""Ids that people can read, say and remember: the minute, UTC, and two words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from random import Random

_FIRST = """
amber brave brisk calm clear clever cool coral crisp deep early fair fleet fond free fresh gentle
glad golden grand green happy honest keen kind late light lively lucky mellow merry mild neat noble
pale plain proud quick quiet rapid rare ready royal sharp shy silent silver simple sleek slow smart
smooth snowy soft solid steady still sunny sweet swift tidy warm wise
"""
_SECOND = """
badger bear beaver bee bison boar bobcat crane crow deer dingo dove duck eagle egret elk falcon
ferret finch fox gecko goose hare hawk heron horse ibex jay kite koala lark lion llama lynx magpie
marten mole moose newt ocelot orca otter owl panda pike plover puffin quail raven robin seal shrew
sloth stoat stork swan tapir tern tiger toad trout vole walrus wolf wren yak
"""


def batch_ids(now: datetime, random: Random) -> Iterator[str]:
    """Yield ids for a batch made now, as 20261121-0213-brisk-otter, without end."""
    first, second = _FIRST.split(), _SECOND.split()
    while True:
        yield f"{now:%Y%m%d-%H%M}-{random.choice(first)}-{random.choice(second)}"
