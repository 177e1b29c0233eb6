"""One module a verb: parse the words, call one function of the package, print."""
