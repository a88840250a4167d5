"""What the page for teachers computes."""
