"""The screen of a store's forks: copies that are cut at an epoch, checked, mapped, removed."""
