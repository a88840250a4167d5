"""What the page that builds a rig shows: one file for each look at it."""
