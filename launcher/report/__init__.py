"""Turn what was planned and what was read into text. Nothing here decides, writes or asks anybody."""
