"""Rewards that explain demonstrations. In a known world each is a class with `explain`: see explained.py."""
