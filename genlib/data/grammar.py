"""Probabilistic grammars whose probabilities, entropy and lengths are computed exactly, without listing sentences."""

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rule:
    """One way to write a symbol: with probability ``p``, its ``parts`` in turn, texts and symbols by turns."""

    p: float
    parts: tuple[str, ...]  # text, symbol, text, symbol, ..., text

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.parts[1::2]

    @property
    def n_characters(self) -> int:
        return sum(map(len, self.parts[::2]))


class Grammar:
    """A probabilistic context-free grammar without recursion: a finite language, and a probability for each sentence.

    ``rules`` maps a symbol to its alternatives and their weights, such as ``{"sentence": {"<who> sleeps.": 2, "hush.":
    1}, "who": {"the cat": 1, "she": 1}}``. A sentence ends with one more symbol, which counts as a character.
    ``entropy`` and ``bits_per_character`` are those of the sentences only when every sentence has one derivation.
    Raises ``ValueError`` for symbols without rules or within themselves, weights that are not positive, line breaks.
    """

    def __init__(self, rules: Mapping[str, Mapping[str, float]], start: str = "sentence") -> None:
        self.start = start
        self.rules: dict[str, tuple[Rule, ...]] = {}
        for symbol, weights in rules.items():
            if not weights or not all(0 < weight < math.inf for weight in weights.values()):
                raise ValueError(f"the alternatives of <{symbol}> are {dict(weights)}; expected some, of weight > 0")
            if "\n" in "".join(weights):
                raise ValueError(
                    f"an alternative of <{symbol}> contains a line break, which ends sentences; leave it out"
                )
            total = sum(weights.values())
            parts = [(weight / total, tuple(re.split("<(.*?)>", text))) for text, weight in weights.items()]
            self.rules[symbol] = tuple(Rule(*part) for part in parts)
        self._check(start, ())

    def _check(self, symbol: str, above: tuple[str, ...]) -> None:
        if symbol not in self.rules or symbol in above:
            what = "has no rules" if symbol not in self.rules else f"contains itself, by way of {' > '.join(above)}"
            raise ValueError(f"<{symbol}> {what}; expected rules without recursion for every symbol")
        for rule in self.rules[symbol]:
            for child in rule.symbols:
                self._check(child, (*above, symbol))

    def log_prob(self, sentence: str) -> float:
        """The log-probability of a sentence in nats, over all its derivations; -inf for what is no sentence."""
        known: dict[tuple[str, int], dict[int, float]] = {}

        def ends(symbol: str, start: int) -> dict[int, float]:
            """Where the symbol can end if it starts there, with the probabilities."""
            if (symbol, start) not in known:
                found: dict[int, float] = {}
                for rule in self.rules[symbol]:
                    for end, p in follow(rule, start).items():
                        found[end] = found.get(end, 0.0) + p
                known[symbol, start] = found
            return known[symbol, start]

        def follow(rule: Rule, start: int) -> dict[int, float]:
            reached = {start: rule.p}
            for index, part in enumerate(rule.parts):
                step: dict[int, float] = {}
                for at, p in reached.items():
                    text = {at + len(part): 1.0} if sentence.startswith(part, at) else {}
                    for end, q in (ends(part, at) if index % 2 else text).items():
                        step[end] = step.get(end, 0.0) + p * q
                reached = step
            return reached

        p = ends(self.start, 0).get(len(sentence), 0.0)
        return math.log(p) if p > 0 else -math.inf

    def entropy(self) -> float:
        """The entropy of a sentence in nats: of the choices that lead to it."""
        return self._expected(lambda rule: -math.log(rule.p))

    def expected_length(self) -> float:
        """The expected number of characters of a sentence, its end included."""
        return 1 + self._expected(lambda rule: rule.n_characters)

    def bits_per_character(self) -> float:
        """Entropy rate of sentences that follow one another: no model has fewer bits per character in expectation."""
        return self.entropy() / math.log(2) / self.expected_length()

    def n_sentences(self) -> int:
        """The number of derivations, which is the number of sentences when each has one."""
        return self._fold(lambda rule, below: math.prod(below), sum)

    def alphabet(self) -> set[str]:
        """The characters that sentences are made of, without the end."""
        rules = itertools.chain.from_iterable(self.rules[symbol] for symbol in self._from_below())
        return set().union(*(part for rule in rules for part in rule.parts[::2]))

    def longest(self) -> int:
        """The number of characters of the longest sentence, its end included."""
        return 1 + self._fold(lambda rule, below: rule.n_characters + sum(below), max)

    def n_choices(self) -> int:
        """The number of choices in the longest derivation."""
        return self._fold(lambda rule, below: 1 + sum(below), max)

    def sentences(self) -> Iterator[tuple[str, float]]:
        """Every derivation, one after the other: its sentence and its probability."""

        def written(symbol: str) -> Iterator[tuple[str, float]]:
            for rule in self.rules[symbol]:
                for below in itertools.product(*(lists[child] for child in rule.symbols)):
                    texts = [text for text, _ in below] + [""]
                    words = (part for pair in zip(rule.parts[::2], texts, strict=True) for part in pair)
                    yield "".join(words), rule.p * math.prod(p for _, p in below)

        lists: dict[str, list[tuple[str, float]]] = {}
        for symbol in self._from_below():
            if symbol != self.start:
                lists[symbol] = list(written(symbol))
        return written(self.start)

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> list[str]:
        """Draw ``n`` independent sentences."""
        device = "cpu" if generator is None else generator.device
        draws = torch.rand(n, self.n_choices(), generator=generator, dtype=torch.float64, device=device)
        return self.written_from(draws.cpu().numpy())

    def written_from(self, draws: NDArray[np.float64]) -> list[str]:
        """The sentences that draws ``(N, n_choices)`` from U[0, 1) lead to, one for each choice, from left to right."""
        return ["".join(self._write(self.start, iter(row))) for row in draws.tolist()]

    def _write(self, symbol: str, draws: Iterator[float]) -> Iterator[str]:
        left = next(draws)
        for rule in self.rules[symbol]:
            left -= rule.p
            if left < 0:
                break
        for index, part in enumerate(rule.parts):
            yield from self._write(part, draws) if index % 2 else (part,)

    def _expected(self, own: Callable[[Rule], float]) -> float:
        """The expected sum of a quantity over the rules of a derivation."""
        return self._fold(lambda rule, below: rule.p * (own(rule) + sum(below)), sum)

    def _fold(self, of_rule: Callable[[Rule, list[Any]], Any], over_rules: Callable[[Iterable[Any]], Any]) -> Any:
        """A value for the start symbol, from below: of each rule, given the values of its symbols, then over rules."""
        values: dict[str, Any] = {}
        for symbol in self._from_below():
            found = (of_rule(rule, [values[child] for child in rule.symbols]) for rule in self.rules[symbol])
            values[symbol] = over_rules(found)
        return values[self.start]

    def _from_below(self) -> list[str]:
        """The symbols in use, each after those that it contains."""
        order: dict[str, None] = {}

        def visit(symbol: str) -> None:
            for rule in self.rules[symbol]:
                for child in rule.symbols:
                    visit(child)
            order.setdefault(symbol)

        visit(self.start)
        return list(order)
