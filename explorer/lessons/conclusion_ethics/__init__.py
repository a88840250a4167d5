"""What the page on ethics computes."""
