"""Networks: each file is one, read top to bottom."""
