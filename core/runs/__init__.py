"""Runs on disk: what a run says, how it is stored and followed, and what a screen shows of it."""
