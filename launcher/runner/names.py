"""The words of the protocol: files, folders, states, variables. Everybody imports them from here."""

from __future__ import annotations

SCHEMA = 1
VERSION = "0.1.0"

# In a home (.launcher)
BATCHES = "batches"
RUNNERS = "runner"
ENVIRONMENTS = "environments"
NODE_LOCK = "node.lock"

# In a batch
PLAN = "plan.json"
CODE = "code"
RUNNER = "runner.json"
RUNNER_LOCK = "runner.lock"
RUNNER_LOG = "runner.log"
EVENTS = "events.jsonl"
MANIFEST = "manifest.json"
LIMITS = "limits.json"  # left by a place whose time is bought
REQUESTS = "requests"
TRIALS = ".trials"  # runs that are done twice, for the comparison alone
SPARES = ".spares"  # work folders that the next run takes over
BALLAST = ".ballast"  # there as long as a runner has not tidied up behind itself
RUNS = "runs"
START = "start.json"  # {"argv": [...]}: how its runner is started again, where the client may be away
PLACE = "place.json"  # at home only: where the batch runs, if not here
SUBMIT_LOCK = "submit.lock"  # at home only: held as long as whoever submits it is not done
SEEN = "seen.json"  # at home only: what was seen there when its files were last fetched

# In a run
RUN = "run.json"
PARAMS = "params.json"
STATE = "state.json"
LOG = "log.txt"
HISTORY = "history.csv"
METRICS = "metrics.json"
VERDICT = "verdict.json"
FITTING = "fitting"  # there from a warm run's first fit until its first batch has ended
WORK = "work"
OUTPUTS = "outputs"
CHECKPOINT = "checkpoint"  # the hooks' own; it outlives attempts, not a success

# States of a run
QUEUED = "queued"
RUNNING = "running"
SUCCEEDED = "succeeded"
FAILED = "failed"
TIMED_OUT = "timed_out"
STALLED = "stalled"
INTERRUPTED = "interrupted"
CANCELLED = "cancelled"
STATES = (QUEUED, RUNNING, SUCCEEDED, FAILED, TIMED_OUT, STALLED, INTERRUPTED, CANCELLED)
OPEN = frozenset({QUEUED, RUNNING})
ENDED = frozenset(STATES) - OPEN
RETRIED = frozenset({FAILED, STALLED, TIMED_OUT})
RESUMABLE = frozenset({INTERRUPTED, CANCELLED, STALLED, TIMED_OUT})

# What a run finds in its environment
ENV_OUTPUT = "LAUNCHER_OUTPUT"
ENV_PARAMS = "LAUNCHER_PARAMS"
ENV_SEED = "LAUNCHER_SEED"
ENV_RUN = "LAUNCHER_RUN"

HEARTBEAT_S = 10.0
HEARTBEAT_LOST_S = 120.0
LOG_LIMIT_BYTES = 64 * 1024 * 1024
LOG_GAP = "[launcher: {left_out} bytes left out here; the log reached its limit of {limit}]"
