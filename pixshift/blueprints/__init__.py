"""What people and programs ask for over HTTP. A route parses, calls one service function, and answers."""
