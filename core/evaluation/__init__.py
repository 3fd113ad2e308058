"""What a trained model is worth, and the proof that its file answers as it did in training."""
