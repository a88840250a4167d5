"""The Geometry lab without its page."""
