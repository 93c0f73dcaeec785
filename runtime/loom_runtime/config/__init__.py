"""Configuration: where it comes from and the typed sections it decodes into."""
