"""The demo: an app meets an overload and an outage of a simulated API (`play`), and what was recorded is printed."""
