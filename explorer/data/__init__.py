"""Data: 2D distributions and images, as tensors of about unit scale."""
