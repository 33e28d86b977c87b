"""Read a batch folder: runs and their true states, histories, metrics, logs. Reads files only, writes none.

The modules are imported by name; this one imports nothing, because `status` pays for every import.
"""
