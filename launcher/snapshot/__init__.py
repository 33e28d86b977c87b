"""The job folder as it was at submit: what is taken or left out, and a copy that later edits do not reach."""

from launcher.snapshot.copying import copy_tree
from launcher.snapshot.scanning import scan
from launcher.snapshot.tree import Entry, LeftOut, Tree, write_listing

__all__ = ["Entry", "LeftOut", "Tree", "copy_tree", "scan", "write_listing"]
