"""What the page for teachers shows."""
