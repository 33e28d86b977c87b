"""Where an SSH server is. A value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """Host, port and user of a server."""

    host: str
    port: int = 22
    user: str = "launcher"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}" + ("" if self.port == 22 else f":{self.port}")  # noqa: PLR2004
