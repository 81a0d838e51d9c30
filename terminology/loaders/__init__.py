"""Readers of the publishers' files of code systems: streams of concepts, never a whole file in memory.

Formats are read as their publishers describe them; nothing of their content is part of this project.
"""
