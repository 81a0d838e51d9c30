"""Is a resource a valid R4 resource? A fast gate that accepts, and an explanation of every problem."""

from resources.validate.base import accepts, check, explain

__all__ = ["accepts", "check", "explain"]
