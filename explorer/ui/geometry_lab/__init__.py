"""What only the Geometry lab shows."""
