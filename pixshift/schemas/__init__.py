"""How things look on the wire.

In models refuse what they do not know, Out models feed the template and the JSON alike.
"""
