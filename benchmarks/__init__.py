"""This project beside its peers: `make bench`, or `python -m benchmarks --help`."""
