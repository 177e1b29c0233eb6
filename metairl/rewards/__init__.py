"""Rewards that explain demonstrations, comparisons or examples of success.

In a known world each is a class with `explain`: see explained.py.
"""
