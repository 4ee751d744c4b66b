"""When a model is left alone: the circuit breaker's figures, and what people are told meanwhile.

A circuit opens after faults of the vendor's in a row. Then its jobs wait, one of them in ten seconds tries, and the
first answer closes it again.
"""

from datetime import timedelta

OPENS_AFTER = 5  # faults in a row
IN_A_ROW = timedelta(minutes=1)  # faults that lie farther apart say nothing about now
PROBE_EVERY = timedelta(seconds=10)
# Calls are counted when their jobs are claimed; two seconds are for what lies between a claim and its call.
CALLS_WINDOW = timedelta(seconds=62)

NOTICE = "The model is not answering right now. Your picture waits and starts by itself as soon as it does."
