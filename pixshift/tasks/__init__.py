"""What the worker runs. A task is two lines and carries no id: the row it works on is claimed in the database."""
