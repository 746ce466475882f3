"""The demo: plays a day with an outage on loopback (`play`), and prints what the library recorded of it (`show`)."""
