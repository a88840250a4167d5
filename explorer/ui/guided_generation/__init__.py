"""What the page on guided generation alone shows, a file for each of its parts."""
