"""Maps where users already are: each module serves one of their tools, and imports none of the others."""
