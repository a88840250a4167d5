"""What the page that builds a rig computes: what fits where, and fresh traces."""
