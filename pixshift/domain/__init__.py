"""What is true, whoever asks: no database, no network, no Flask, no clock (time is an argument)."""
