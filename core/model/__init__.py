"""AlexNet, its input, and its file."""
