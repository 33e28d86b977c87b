"""A home for each test. What a test leaves running is ended, and is that test's fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.runner.kit import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    assert home.clear_away() == set()
