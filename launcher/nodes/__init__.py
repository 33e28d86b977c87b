"""Places with a shell and files: this computer, or one reached by SSH."""
