"""What the voice cloning page computes."""
