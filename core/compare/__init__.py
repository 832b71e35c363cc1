"""Runs against one another: what differs in their recipes, in their answers to the same images, and beyond chance."""

from core.compare.stored import compare_runs, read_comparison

__all__ = ["compare_runs", "read_comparison"]
