"""The caches of single topics, beside the ones in `cache` that every page uses."""
