"""Build and find runner.pyz: the runner and the hooks in one zip, the same bytes everywhere."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

_START = b"from launcher.runner.__main__ import main\nimport sys\nsys.exit(main(sys.argv[1:]))\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can name: no build time, equal bytes


def runner_zip() -> bytes:
    """Return the zip that this installation runs batches with."""
    package = Path(__file__).resolve().parent.parent
    built = package / "runner.pyz"
    return built.read_bytes() if built.exists() else build_runner_zip(package)


def build_runner_zip(package: Path) -> bytes:
    """Build the zip from the sources in `package`; equal sources give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "__main__.py", _START)
        _add(archive, "launcher/__init__.py", b"")
        for island in ("runner", "hooks"):
            for path in sorted((package / island).rglob("*.py")):
                _add(archive, f"launcher/{path.relative_to(package).as_posix()}", path.read_bytes())
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)
