"""`make bench`: the figures of docs/performance.md, measured on this machine. Nothing here asserts a time."""
