"""A page on this machine where a person compares clips of logs, two at a time.

questions    which pairs are shown, and the file that answers are appended to
drawing      a clip as a picture that moves
server       what a browser on this machine gets, and nobody else
"""
