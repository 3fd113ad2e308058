"""Everything that is not a screen: datasets, training, evaluation, prediction, and the runs on disk."""
