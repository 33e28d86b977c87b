"""A project for each test. What a test leaves running is ended, and is that test's fault."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.broken.kit import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Harm is done, and its traces are looked for, by means of Linux."""
    if sys.platform != "linux":
        for item in items:
            if "/broken/" in item.path.as_posix():
                item.add_marker(pytest.mark.skip(reason="done and looked at by means of Linux"))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    yield project
    assert project.clear_away() == set()


@pytest.fixture
def new_project(tmp_path: Path) -> Iterator[Callable[[], Project]]:
    """Make as many projects as a property-based test has examples."""
    made: list[Project] = []

    def make() -> Project:
        made.append(Project(tmp_path / str(len(made))))
        return made[-1]

    yield make
    assert [project.clear_away() for project in made] == [set()] * len(made)
