"""What the voice cloning page shows."""
