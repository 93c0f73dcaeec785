"""What the bench and its host processes say to each other; both sides import only this."""
