"""Draw a task distribution, meta-train any method on it, judge every method by the same meta-test."""

__version__ = "0.1.0"
