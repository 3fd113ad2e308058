"""Pictures on disk: which there are, what they hold, how they are dealt. Nothing here needs torch."""
