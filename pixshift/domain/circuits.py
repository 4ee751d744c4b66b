"""When a model is left alone: the circuit breaker's figures, and what people are told meanwhile.

A circuit opens after faults of the vendor's in a row. Then its jobs wait, one of them in ten seconds tries, and the
first answer closes it again.
"""

from datetime import timedelta

OPENS_AFTER = 5  # faults in a row
IN_A_ROW = timedelta(minutes=10)  # twice the longest attempt: a model that hangs fails seldom, but every time
LAST_CHANCE = timedelta(seconds=30)  # for a job that used its attempts up while its circuit was open
PROBE_EVERY = timedelta(seconds=10)
FRESH = timedelta(minutes=6)  # longer than any attempt may take: when nobody tried since, nothing is known
LONGEST_PAUSE = timedelta(minutes=1)  # for a vendor who says "busy, come back in …"; its job waits as long as it says
# Calls are counted when their jobs are claimed. Two seconds are for the way to the call; a picture store that was away
# makes it longer, and then a minute may see some more.
CALLS_WINDOW = timedelta(seconds=62)

NOTICE = "The model is not answering right now. Your picture waits and starts by itself as soon as it does."
