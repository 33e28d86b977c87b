"""A fresh process: found as Popen would find it, with streams, folder and signals of its own."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from launcher.runner import spawn as spawning
from launcher.runner.spawn import spawn

ENVIRONMENT = {"PATH": os.defpath}


def run(argv: list[str], folder: Path, environment: dict[str, str] = ENVIRONMENT) -> tuple[int, str]:
    """Start and wait. Returns: its exit code, and what it wrote to both streams."""
    reader, writer = os.pipe()
    try:
        pid = spawn(argv, cwd=str(folder), environment=environment, stream=writer)
    finally:
        os.close(writer)
    with os.fdopen(reader) as stream:
        said = stream.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said


def program(path: Path, text: str = "#!/bin/sh\necho $0\n", mode: int = 0o755) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


@pytest.fixture(autouse=True)
def _come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Return to this process' folder; spawning leaves it at the root."""
    monkeypatch.chdir(Path.cwd())


@pytest.fixture(params=["at once", "with Popen"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "with Popen":
        monkeypatch.setattr(spawning, "sys", type("elsewhere", (), {"platform": "darwin"}))


@pytest.mark.usefixtures("_way")
class TestBothWays:
    def test_streams_folder_and_session_are_its_own(self, tmp_path: Path) -> None:
        text = (
            "print(os.getcwd(), os.getsid(0) == os.getpid(), os.read(0, 1), flush=True); os.write(2, b'err')"
        )

        code, said = run([sys.executable, "-c", f"import os; {text}"], tmp_path)

        assert (code, said) == (0, f"{tmp_path} True b''\nerr")

    def test_is_found_by_its_own_path_first_match_first(self, tmp_path: Path) -> None:
        (tmp_path / "a" / "tool").mkdir(parents=True)  # a folder is no program
        program(tmp_path / "b" / "tool", mode=0o644)  # nor is this
        program(tmp_path / "c" / "tool")
        program(tmp_path / "d" / "tool", "#!/bin/sh\nexit 3\n")
        path = os.pathsep.join(str(tmp_path / name) for name in "abcd")

        assert run(["tool"], tmp_path, {"PATH": path}) == (0, f"{tmp_path}/c/tool\n")

    def test_a_folder_of_its_path_may_be_its_own(self, tmp_path: Path) -> None:
        for name in "ab":
            (tmp_path / name).mkdir()
            program(tmp_path / name / "bin" / "uname", f"#!/bin/sh\necho {name}\n")  # the system has one, too

        said = [run(["uname"], tmp_path / name, {"PATH": f"bin:{os.defpath}"})[1] for name in "ab"]

        assert said == ["a\n", "b\n"]

    def test_is_looked_up_anew_where_it_is_gone(self, tmp_path: Path) -> None:
        path = {"PATH": f"{tmp_path}/a:{tmp_path}/b"}
        program(tmp_path / "a" / "tool")
        program(tmp_path / "b" / "tool")
        assert run(["tool"], tmp_path, path) == (0, f"{tmp_path}/a/tool\n")

        (tmp_path / "a" / "tool").unlink()

        assert run(["tool"], tmp_path, path) == (0, f"{tmp_path}/b/tool\n")

    def test_a_path_is_taken_from_its_folder(self, tmp_path: Path) -> None:
        program(tmp_path / "bin" / "tool")

        assert run(["./bin/tool"], tmp_path) == (0, "./bin/tool\n")

    def test_what_python_ignores_it_does_not(self, tmp_path: Path) -> None:
        _, said = run(["/bin/sh", "-c", "grep SigIgn /proc/self/status"], tmp_path)

        assert int(said.split()[1], 16) & (1 << 12) == 0  # SIGPIPE

    @pytest.mark.parametrize("name", ["no-such-tool", "./no-such-tool"])
    def test_a_missing_program_is_named(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            run([name], tmp_path)

        assert caught.value.filename == name

    def test_no_program_at_all(self, tmp_path: Path) -> None:
        (tmp_path / "tool").write_text("no script, no binary")
        (tmp_path / "tool").chmod(0o755)

        with pytest.raises(OSError, match="Exec format error") as caught:
            run(["./tool"], tmp_path)

        assert caught.value.errno == errno.ENOEXEC

    def test_a_nul_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="null byte"):
            run(["true", "a\0b"], tmp_path)


def test_the_runner_stays_in_no_folder_of_a_run(tmp_path: Path) -> None:
    run(["true"], tmp_path)

    assert Path.cwd() == Path("/")
