"""What happens inside a run's own interpreter, from outside the user's files: history, metrics, seed.

`sitecustomize.py` is the way in. It loads the other files as a package with a private name. Their own names
begin with `launcher_`, for under `python -S` nobody takes this folder out of sys.path again. Nothing here
may import another part of launcher, change what the script computes or let an error of its own reach the
script.
"""
