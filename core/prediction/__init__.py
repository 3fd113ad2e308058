"""From a URL or a file to a label and a confidence."""
