"""The demo: a story of a good and a bad day on loopback (`play`), and what the library shows of it (`show`)."""
