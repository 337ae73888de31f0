"""An LTQ broker in one SQLite file: ``sqlite:///path/to/file.db``."""
