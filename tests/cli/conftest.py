"""A project for each test. What a test leaves running is ended, and is that test's fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.kit import Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    yield project
    assert project.clear_away() == []
