"""A training of an image model, whichever page shows it: its plan, and its record."""
