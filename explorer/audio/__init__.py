"""Speech as numbers and back: spectrograms, pitch, files, a vocoder, a watermark."""
