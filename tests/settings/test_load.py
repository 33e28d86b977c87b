"""Settings come from pyproject.toml, the user's file, LAUNCHER_* and flags; the later wins."""

# ruff: noqa: E501 - a case is a line

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.errors import UsageError
from launcher.settings.known import EXPECTED, Settings
from launcher.settings.load import load_settings

if TYPE_CHECKING:
    from pathlib import Path


def load(
    folder: Path,
    *,
    user: str | None = None,
    environ: dict[str, str] | None = None,
    flags: dict[str, Any] | None = None,
) -> Settings:
    user_file = folder / "config.toml"
    if user is not None:
        user_file.write_text(user)
    return load_settings(folder, user_file=user_file, environ=environ or {}, flags=flags or {})


def refused(folder: Path, **sources: Any) -> tuple[str, str]:
    with pytest.raises(UsageError) as caught:
        load(folder, **sources)
    return caught.value.what.replace(f"{folder}/", ""), caught.value.todo


def test_a_fresh_clone_runs_here_with_what_it_has(tmp_path: Path) -> None:
    assert load_settings(tmp_path, user_file=None, environ={}, flags={}) == Settings(on="local", slots=None)


def test_the_later_source_wins(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.launcher]\non = "a"\nslots = 1\n')
    user, environ = 'on = "b"\nslots = 2\n', {"LAUNCHER_ON": "c", "LAUNCHER_SLOTS": "3", "HOME": "/"}

    assert load(tmp_path) == Settings(on="a", slots=1)
    assert load(tmp_path, user=user) == Settings(on="b", slots=2)
    assert load(tmp_path, user=user, environ=environ) == Settings(on="c", slots=3)
    assert load(tmp_path, user=user, environ=environ, flags={"slots": 4}) == Settings(on="c", slots=4)
    assert load(tmp_path, user="slots = 2\n") == Settings(on="a", slots=2)


def test_the_nearest_pyproject_counts_whatever_it_holds(tmp_path: Path) -> None:
    inner = tmp_path / "a'; echo b" / "c"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.launcher]\nslots = 5\n")
    assert load(inner).slots == 5

    (inner.parent / "pyproject.toml").write_text("[tool.other]\nslots = 6\n")
    assert load(inner).slots is None


@pytest.mark.parametrize("name", ["OUTPUT", "PARAMS", "SEED", "RUN"])
def test_what_runs_are_given_is_no_setting(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, environ={f"LAUNCHER_{name}": "x"}) == Settings()


KNOWN = "Known settings: on, slots, profile, regions, subnet, cidr, image, disk_gb, ask_above_usd, reaper_role, bucket, deadman_s, keep."


@pytest.mark.parametrize(
    ("text", "what", "todo"),
    [
        ("[tool.launcher]\nslot = 2\n", "pyproject.toml:2: slot: there is no such setting.", "Did you mean slots = 2?"),
        ("[tool.launcher]\n\nzzz = 2\n", "pyproject.toml:3: zzz: there is no such setting.", KNOWN),
        ("slots = 1\n[tool.launcher]\nslots = 0\n", "pyproject.toml:3: slots: 0 is not a whole number from 1 on.", "Write slots = 2."),
        ('[tool.launcher]\nslots = "2"\n', 'pyproject.toml:2: slots: "2" is not a whole number from 1 on.', "Write slots = 2."),
        ("[tool.launcher]\nslots = true\n", "pyproject.toml:2: slots: true is not a whole number from 1 on.", "Write slots = 2."),
        ("[tool.launcher]\nslots = 2.0\n", "pyproject.toml:2: slots: 2.0 is not a whole number from 1 on.", "Write slots = 2."),
        ("[tool.launcher]\nslots = 2026-11-21\n", 'pyproject.toml:2: slots: "2026-11-21" is not a whole number from 1 on.', "Write slots = 2."),
        ("[tool.launcher]\non = 5\n", "pyproject.toml:2: on: 5 is not a place.", 'Write on = "local".'),
        ('[tool.launcher]\non = ""\n', 'pyproject.toml:2: on: "" is not a place.', 'Write on = "local".'),
        ("[tool]\nlauncher.slots = 0\n", "pyproject.toml: slots: 0 is not a whole number from 1 on.", "Write slots = 2."),
        ("tool = 3\n", "pyproject.toml: tool is 3, not a table.", "Write [tool.launcher] on a line."),
        ("[tool]\nlauncher = [1]\n", "pyproject.toml: launcher is [1], not a table.", "Write [tool.launcher] on a line."),
        ("[tool.launcher]\non = local\n", "pyproject.toml: this is no TOML: Invalid value (at line 2, column 6).", "Mend the file."),
        (f"a = {'[' * 5000}", "pyproject.toml: this is nested too deeply.", "Mend the file."),
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_a_mistake_in_a_file_is_named_with_its_line(tmp_path: Path, text: str, what: str, todo: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)

    assert refused(tmp_path) == (what, todo)


def test_a_number_that_is_too_long_is_one_clear_error(tmp_path: Path) -> None:
    what, _ = refused(tmp_path, user=f"slots = {'9' * 5000}\n")

    assert what.startswith("config.toml: this is no TOML: ")


def test_the_users_file_has_no_table(tmp_path: Path) -> None:
    assert refused(tmp_path, user="# mine\n  slots=0\n") == (
        "config.toml:2: slots: 0 is not a whole number from 1 on.",
        "Write slots = 2.",
    )


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff")

    assert refused(tmp_path) == ("pyproject.toml: the text is not UTF-8.", "Save the file as UTF-8.")


@pytest.mark.root
def test_a_file_that_cannot_be_read_is_named() -> None:
    from pathlib import Path

    with pytest.raises(UsageError) as caught:
        load_settings(Path("/nowhere"), user_file=Path("/proc/self/mem"), environ={}, flags={})

    assert caught.value.what == "/proc/self/mem can't be read: Input/output error."
    assert caught.value.todo == "Make it readable."


@pytest.mark.parametrize(
    ("name", "value", "what", "todo"),
    [
        ("SLOTS", "two", 'LAUNCHER_SLOTS: "two" is not a whole number from 1 on.', "Write LAUNCHER_SLOTS=2."),
        ("SLOTS", "0", 'LAUNCHER_SLOTS: "0" is not a whole number from 1 on.', "Write LAUNCHER_SLOTS=2."),
        ("SLOTS", "", 'LAUNCHER_SLOTS: "" is not a whole number from 1 on.', "Write LAUNCHER_SLOTS=2."),
        ("ON", "", 'LAUNCHER_ON: "" is not a place.', "Write LAUNCHER_ON=local."),
        ("SLOT", "2", "LAUNCHER_SLOT: there is no such setting.", "Did you mean LAUNCHER_SLOTS=2?"),
        ("Slots", "2", "LAUNCHER_Slots: there is no such setting.", "Did you mean LAUNCHER_SLOTS=2?"),
        ("slots", "2", "LAUNCHER_slots: there is no such setting.", "Did you mean LAUNCHER_SLOTS=2?"),
        ("ZZZ", "2", "LAUNCHER_ZZZ: there is no such setting.", KNOWN),
        ("", "2", "LAUNCHER_: there is no such setting.", KNOWN),
    ],
)  # fmt: skip
def test_a_mistake_in_a_variable_is_named(
    tmp_path: Path, name: str, value: str, what: str, todo: str
) -> None:
    assert refused(tmp_path, environ={f"LAUNCHER_{name}": value}) == (what, todo)


def test_a_mistake_in_a_flag_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path, flags={"on": ""}) == ('--on: "" is not a place.', "Write --on local.")


@given(
    content=st.binary(max_size=80) | st.text(alphabet='[tool.launcher]\n="sn12 ', max_size=80).map(str.encode)
)
def test_no_file_is_a_bug(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"[tool.launcher]\n" + content)

    try:
        settings = load(tmp_path)
    except UsageError as error:
        assert error.todo  # noqa: PT017 - most contents are refused
    else:
        assert isinstance(settings, Settings)


@pytest.mark.parametrize(("key", "example"), [(key, example) for key, (_, example) in EXPECTED.items()])
def test_what_an_error_proposes_is_right_everywhere(tmp_path: Path, key: str, example: Any) -> None:
    text = ",".join(example) if isinstance(example, list) else str(example)
    wanted = tuple(example) if isinstance(example, list) else example

    assert getattr(load(tmp_path, user=f"{key} = {json.dumps(example)}"), key) == wanted
    assert getattr(load(tmp_path, environ={f"LAUNCHER_{key.upper()}": text}), key) == wanted


def test_every_setting_is_known_to_errors() -> None:
    assert list(EXPECTED) == list(Settings.model_fields)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('regions = ["us-west-2", "Oregon"]', 'config.toml:1: regions: ["us-west-2", "Oregon"] is not a list of AWS regions.'),
        ("regions = 3", "config.toml:1: regions: 3 is not a list of AWS regions."),
        ('cidr = "everyone"', 'config.toml:1: cidr: "everyone" is not a range of IPv4 addresses.'),
        ("disk_gb = 7", "config.toml:1: disk_gb: 7 is not a whole number from 8 to 16000."),
        ("ask_above_usd = -1", "config.toml:1: ask_above_usd: -1 is not an amount of US dollars."),
        ("ask_above_usd = nan", "config.toml:1: ask_above_usd: NaN is not an amount of US dollars."),
        ('reaper_role = "launcher-reaper"', 'config.toml:1: reaper_role: "launcher-reaper" is not the ARN of a role.'),
        ('keep = "half an hour"', 'config.toml:1: keep: "half an hour" is not a duration.'),
        ('subnet = "vpc-1"', 'config.toml:1: subnet: "vpc-1" is not a subnet\'s id.'),
    ],
)  # fmt: skip
def test_a_setting_for_machines_is_checked_too(tmp_path: Path, text: str, what: str) -> None:
    assert refused(tmp_path, user=text)[0] == what


def test_a_list_of_regions_may_be_one_line(tmp_path: Path) -> None:
    assert load(tmp_path, environ={"LAUNCHER_REGIONS": "us-west-2, eu-west-1"}).regions == (
        "us-west-2",
        "eu-west-1",
    )
