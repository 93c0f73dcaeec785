"""A live session: a flow that runs, is watched, fed, edited and reloaded."""
