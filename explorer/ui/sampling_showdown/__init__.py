"""What the Sampling showdown alone shows: a file for each of its sections, and what they share."""
