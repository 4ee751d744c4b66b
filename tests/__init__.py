"""A package of its own, so that the tests which some libraries install do not go before it."""
