"""What the page on ethics shows."""
