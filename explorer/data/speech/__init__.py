"""Speech: the sounds of English, how words are spoken, and how long each sound lasts."""
