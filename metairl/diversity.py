"""How many different sentences a policy says, beside how many of them are right.

quality     share of sentences that are right
distinct    different ones among the right ones, of as many as were said
self-bleu   mean over sentences of how much of one is found in the others of its prompt: the geometric
            mean of the clipped shares of its 1-, 2- and 3-grams; 1 where all are alike
                                                                         Zhu et al. 2018, arXiv:1802.01886
"""

from collections import Counter
from collections.abc import Sequence
from math import exp, log

Sentence = tuple[int, ...]
LONGEST = 3  # grams
LEAST = 1e-9


def distinct(sentences: Sequence[Sentence], right: Sequence[bool]) -> float:
    said = {sentence for sentence, good in zip(sentences, right, strict=True) if good}
    return len(said) / len(sentences)


def self_bleu(sentences: Sequence[Sentence]) -> float:
    """Of two sentences or more, all of one length."""
    counts = {n: [_grams(sentence, n) for sentence in sentences] for n in range(1, LONGEST + 1)}
    return sum(_found(counts, index) for index in range(len(sentences))) / len(sentences)


def _found(counts: dict[int, list[Counter[Sentence]]], index: int) -> float:
    shares = []
    for every in counts.values():
        own = every[index]
        most: Counter[Sentence] = Counter()
        for place, other in enumerate(every):
            if place != index:
                most |= other
        shares.append((own & most).total() / own.total())
    return exp(sum(log(max(share, LEAST)) for share in shares) / len(shares))


def _grams(sentence: Sentence, n: int) -> Counter[Sentence]:
    return Counter(sentence[place : place + n] for place in range(len(sentence) - n + 1))
