"""What only the Training lab shows."""
