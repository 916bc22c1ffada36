"""One file a method, each a frozen dataclass that holds only its own options."""
