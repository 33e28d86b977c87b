"""What users write: job files, checked at this edge and nowhere else."""

from __future__ import annotations

from launcher.spec.job import JobSpec, Limits, Machine, Needs, Value
from launcher.spec.load import load_jobs

__all__ = ["JobSpec", "Limits", "Machine", "Needs", "Value", "load_jobs"]
