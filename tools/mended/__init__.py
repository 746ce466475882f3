"""The proof that the tests would have caught what was wrong: they are run on the library before it was mended."""
