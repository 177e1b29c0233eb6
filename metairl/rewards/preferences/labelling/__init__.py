"""A local web page on which a person compares segments of a dataset, two at a time.

questions    the pairs to compare, and the file that answers are appended to
drawing      a segment as an animated SVG
server       the HTTP server, which answers this machine alone
"""
