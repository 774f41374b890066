"""The command line: reads flags, draws tables and bars, and computes nothing."""
