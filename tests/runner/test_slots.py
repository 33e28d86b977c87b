"""How many runs at a time, and what each sees of the GPUs. The one fake is `nvidia-smi`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from launcher.runner.slots import Place, Slots, find_gpus, place_environment, python_path
from tests.runner.kit import Job, write_program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runner.kit import Frozen, Home

GPU = 'echo "${CUDA_VISIBLE_DEVICES-unset} ${TF_FORCE_GPU_ALLOW_GROWTH-} ${XLA_PYTHON_CLIENT_PREALLOCATE-}"'
PEAK = 'echo + >> "$COUNT"; sleep 0.15; echo - >> "$COUNT"'
GROWS = "true false"


def with_gpus(place: Path, *indexes: int) -> str:
    """A PATH on which `nvidia-smi` shows these GPUs."""
    lines = "".join(f"echo {index}; " for index in indexes)
    write_program(place / "bin" / "nvidia-smi", f"#!/bin/sh\n{lines}\n")
    return f"{place / 'bin'}:/usr/bin:/bin"


def words(batch: Frozen, run: int = 0) -> str:
    return batch.log(run).decode().strip()


def peak(count: Path) -> int:
    """The most that ran at once, from the signs that runs left when they began and ended."""
    running = highest = 0
    for sign in count.read_text().split():
        running += 1 if sign == "+" else -1
        highest = max(highest, running)
    return highest


def test_each_run_sees_its_own_gpu_only(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(Job(GPU + "; sleep 0.3", runs=4, needs=1), slots=None)

    batch.run(env={"PATH": with_gpus(tmp_path, 0, 1)})

    assert sorted(words(batch, run) for run in (0, 1)) == ["0", "1"]
    assert {words(batch, run) for run in (2, 3)} == {"0", "1"}


def test_a_run_that_needs_two_gpus_sees_both(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(Job(GPU, needs=2), slots=None)

    batch.run(env={"PATH": with_gpus(tmp_path, 0, 1, 2)})

    assert words(batch) == "0,1"


def test_runs_that_share_a_gpu_let_its_memory_grow(home: Home, tmp_path: Path) -> None:
    count = tmp_path / "count"
    job = Job(f"{GPU}; {PEAK}", runs=4, needs=0.5, env={"COUNT": str(count)})
    batch = home.freeze(job, slots=None)

    batch.run(env={"PATH": with_gpus(tmp_path, 0)})

    assert {words(batch, run) for run in range(4)} == {f"0 {GROWS}"}
    assert peak(count) == 2


def test_a_run_that_needs_no_gpu_sees_none_where_others_do(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(Job(GPU, name="gpu", needs=1), Job(GPU, name="cpu", needs=0), slots=None)

    batch.run(env={"PATH": with_gpus(tmp_path, 0)})

    assert (words(batch, 0), words(batch, 1)) == ("0", "-1")


def test_a_batch_on_the_cpu_hides_every_gpu(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(Job(GPU, needs=1), slots=None, cpu=True)

    batch.run(env={"PATH": with_gpus(tmp_path, 0)})

    assert words(batch) == "-1"


def test_without_a_gpu_runs_run_on_the_cpu_and_nothing_is_set(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(Job(GPU, needs=1), slots=None)

    batch.run(env={"PATH": with_gpus(tmp_path)})

    assert words(batch) == "unset"


def test_a_run_that_needs_more_gpus_than_there_are_fails_and_others_run(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(
        Job(GPU, name="large", needs=3, runs=2, retries=1), Job(GPU, name="small", needs=1), slots=None
    )

    batch.run(env={"PATH": with_gpus(tmp_path, 0)})

    assert batch.states() == ["failed", "failed", "succeeded"]
    assert batch.reason(0) == "it needs 3 GPUs, more than this node has"


@pytest.mark.parametrize(("slots", "expected"), [(1, 1), (3, 3), (None, 1)])
def test_as_many_runs_at_a_time_as_there_are_slots(
    home: Home, tmp_path: Path, slots: int | None, expected: int
) -> None:
    count = tmp_path / "count"
    batch = home.freeze(Job(PEAK, runs=5, env={"COUNT": str(count)}), slots=slots)

    batch.run()

    assert peak(count) == expected


@pytest.mark.parametrize(
    ("allowed", "found"),
    [
        (None, ("0", "1", "2")),
        ("2,0", ("0", "2")),
        (" 1 , 2 ", ("1", "2")),
        ("", ()),
        ("-1", ()),
        ("GPU-8f2e", ()),
    ],
)
def test_only_gpus_that_we_may_see_are_given_to_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: str | None, found: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PATH", with_gpus(tmp_path, 0, 1, 2))
    environ = {} if allowed is None else {"CUDA_VISIBLE_DEVICES": allowed}

    assert find_gpus(environ) == found


def test_a_broken_driver_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_program(tmp_path / "nvidia-smi", "#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_gpus({}) == ()


def test_no_driver_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_gpus({}) == ()


def test_shares_fill_one_gpu_before_they_open_another() -> None:
    slots = Slots(("0", "1"), limit=None)

    taken = [slots.take(0.5) for _ in range(3)]

    assert taken == [Place(("0",), 0.5), Place(("0",), 0.5), Place(("1",), 0.5)]
    assert slots.take(1) is None


def test_ten_tenths_are_a_whole_again() -> None:
    slots = Slots(("0",), limit=None)
    places = [slots.take(0.1) for _ in range(10)]

    assert slots.take(0.1) is None
    for place in places:
        assert place is not None
        slots.give_back(place)

    assert slots.take(1) == Place(("0",), 1.0)


def test_a_place_on_the_cpu_stands_beside_those_on_gpus() -> None:
    slots = Slots(("0",), limit=None)

    first, second = slots.take(1), slots.take(0)

    assert (first, second) == (Place(("0",), 1.0), Place((), 0.0))
    assert slots.take(0) is None
    slots.give_back(Place((), 0.0))
    assert slots.take(0) == Place((), 0.0)


def test_a_limit_counts_every_run() -> None:
    slots = Slots(("0", "1", "2"), limit=2)

    assert [slots.take(1) is not None for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("needs", "gpus", "expected"),
    [(1, (), True), (8, (), True), (2, ("0",), False), (2, ("0", "1"), True), (0.5, ("0",), True)],
)
def test_tells_what_can_never_be_taken(needs: float, gpus: tuple[str, ...], expected: bool) -> None:  # noqa: FBT001
    assert Slots(gpus, limit=None).can_ever_take(needs) is expected


def test_gpus_are_named_in_the_order_of_the_node() -> None:
    visible = place_environment(Place(("10", "9"), 1.0), gpus=("9", "10"), hide=False)

    assert visible == {"CUDA_VISIBLE_DEVICES": "9,10"}


def test_the_folder_of_an_interpreter_is_taken_where_all_its_names_mean_it(tmp_path: Path) -> None:
    own = write_program(tmp_path / "bin" / "python3.99", "#!/bin/sh\n")
    for name in ("python", "python3"):
        (own.parent / name).symlink_to(own)

    assert python_path(str(own), wrappers=str(tmp_path / "wrappers")) == str(own.parent)
    assert not (tmp_path / "wrappers").exists()


def test_wrappers_hand_over_every_argument_as_it_is(home: Home, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "python3.99").symlink_to(sys.executable)
    batch = home.freeze(Job(["python3", "-c", "import sys; print(sys.argv[1:])", "a b", "", "it's", "-x"]))

    batch.run(python=str(tmp_path / "own" / "python3.99"))

    assert words(batch) == "['a b', '', \"it's\", '-x']"
