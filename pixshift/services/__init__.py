"""What we do.

One module a noun, one function a use case. Each commits once at its end and nudges the queue after that.
"""
