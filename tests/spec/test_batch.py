"""Jobs of one batch have names of their own, wait for each other in order, and run on one machine."""

# ruff: noqa: E501 - a case is a line

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from launcher.spec import load_jobs
from tests.spec.kit import RUN, refused_batch, write

if TYPE_CHECKING:
    from pathlib import Path

AGREE = "A batch runs on one machine: make them agree, or submit them apart."
OTHER_NAME = "Write another name; upper and lower case make no difference."
LESS = "Submit fewer jobs at once."


def write_all(folder: Path, *texts: str) -> list[Path]:
    """Write a.yaml, b.yaml and so on, each with its line 1 being run."""
    return [write(folder, f"{RUN}{text}", f"{'abcdefghi'[index]}.yaml") for index, text in enumerate(texts)]


def test_jobs_keep_the_order_of_their_files(tmp_path: Path) -> None:
    files = write_all(tmp_path, "after: [b]", "", "after: [a, b]")

    assert [job.name for job in load_jobs([files[2], files[0], files[1]])] == ["c", "a", "b"]


def test_no_files_are_no_jobs() -> None:
    assert load_jobs([]) == ()


CLASHES = [
    (["name: x", "name: x"], "b.yaml:2: name: x is taken: a.yaml is named x.", OTHER_NAME),
    (["name: x", "\nname: X"], "b.yaml:3: name: X is taken: a.yaml is named x.", OTHER_NAME),
    (["", "name: a"], "b.yaml:2: name: a is taken: a.yaml is named a.", OTHER_NAME),
    (["after: [a]"], "a.yaml:2: after: a waits for itself.", "Remove it from after."),
    (["after: a"], "a.yaml:2: after: a waits for itself.", "Remove it from after."),
    (["after:\n- b\n- zebra", ""], 'a.yaml:4: after: there is no job "zebra" in this batch.', "Submit it together with this one."),
    (["after: [sonor]", "name: sonar"], 'a.yaml:2: after: there is no job "sonor" in this batch.', "Did you mean sonar?"),
    (["", "after: [c]", "after: [b]"], "b.yaml:2: after: the jobs wait for each other in a circle: b -> c -> b.", "Remove one of them from after."),
    (["after: [b]", "after: [c]", "after: [d]", "after: [b]"], "b.yaml:2: after: the jobs wait for each other in a circle: b -> c -> d -> b.", "Remove one of them from after."),
    (["machine: {spot: true}", ""], "b.yaml: machine.spot: b has false, a has true.", AGREE),
    (["", "machine: {spot: true}"], "b.yaml:2: machine.spot: b has true, a has false.", AGREE),
    (["", "machine: {regions: [eu-west-1]}"], 'b.yaml:2: machine.regions: b has ["eu-west-1"], a has ["us-west-2"].', AGREE),
    (["machine: {types: [x]}", "machine: {types: [y]}"], "b.yaml:2: machine.types: b lists none of x, which a and the jobs after it have in common.", AGREE),
    (["machine: {types: [x, y]}", "machine: {types: [y, z]}", "machine: {types: [x, z]}"], "c.yaml:2: machine.types: c lists none of y, which a and the jobs after it have in common.", AGREE),
    (["repeats: 60000", "repeats: 60000"], "The batch makes 120,000 runs; the most is 100,000.", LESS),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "what", "todo"), CLASHES)
def test_what_does_not_go_together_is_named(tmp_path: Path, texts: list[str], what: str, todo: str) -> None:
    assert refused_batch(write_all(tmp_path, *texts)) == (what, todo)


def test_a_file_given_twice_is_told(tmp_path: Path) -> None:
    (file,) = write_all(tmp_path, "")

    assert refused_batch([file, file]) == ("a.yaml is given twice.", "Name it once.")


@pytest.mark.parametrize(
    "texts",
    [
        ["machine: {regions: [x, y]}", "machine: {regions: [y, x]}"],
        ["machine: {types: [x, y]}", "machine: {types: [z, y]}"],
        ["", "after: [a]", "after: [a]", "after: [b, c]"],
        ["repeats: 60000", "repeats: 40000"],
    ],
)
def test_what_goes_together_is_a_batch(tmp_path: Path, texts: list[str]) -> None:
    assert len(load_jobs(write_all(tmp_path, *texts))) == len(texts)


def test_a_long_chain_is_no_circle(tmp_path: Path) -> None:
    files = [
        write(
            tmp_path,
            f"{RUN}name: j{index}\nafter: [{f'j{index + 1}' if index < 299 else ''}]\n",
            f"{index}.yaml",
        )
        for index in range(300)
    ]

    assert len(load_jobs(files)) == 300
