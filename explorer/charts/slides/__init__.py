"""What a page shows, as pictures for slides and as data: figures in, files out."""
