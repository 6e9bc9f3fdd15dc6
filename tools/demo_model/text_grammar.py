"""Template expansion and word lists shared by the story and chat generators.

`Grammar.fill` expands `[a|b|c]` to one of its alternatives and `{slot}` to a value of the current
story. A capitalised slot (`{She}`) gives the value with a capital first letter. "a" before a vowel
becomes "an" at the end, so templates may always write "a".
"""

import re
from random import Random

GIRLS = """Lily Mia Anna Emma Lucy Sara Ella Zoe Nora Rosie Lena Maya Ruby Ivy Clara Molly Daisy Amy
Sue Jane Kate Mary Alice Eva Tina Bella Nina Poppy Hana Leila Sophie Grace""".split()
BOYS = """Tom Tim Ben Sam Max Jack Leo Finn Noah Oscar Peter Billy Joe Dan Mark Luke Adam Theo Hugo
Eli Henry Charlie Bob Jim Will Oliver Ravi Omar Kofi Milo David John""".split()
PET_NAMES = """Pip Coco Buddy Luna Bruno Teddy Hazel Nibbles Fluffy Rusty Sunny Biscuit Pepper Shadow
Patch Honey Ziggy Bubbles Snowy Maple Dot Toby Mittens Waddles""".split()
ANIMALS = """cat dog rabbit bear fox mouse duck frog owl squirrel elephant lion bird turtle pig cow
horse sheep monkey hedgehog bee penguin kitten puppy tiger fish""".split()
FANTASY = "dragon robot unicorn fairy princess prince king queen knight pirate wizard giant".split()
HE_KINDS = {"boy", "prince", "king", "knight", "pirate", "wizard", "giant"}
SHE_KINDS = {"girl", "princess", "queen", "fairy"}
COLOURS = "red blue green yellow pink purple orange white brown black".split()
TOYS = "ball kite doll car boat drum teddy train book hat puzzle balloon scarf bell lantern".split()
FOODS = "apple cookie cake sandwich carrot banana pear strawberry bun pie cherry".split()
PLACES = "park|garden|forest|meadow|beach|village|farm|hill|river|lake".split("|")
FEELING_GOOD = "happy|glad|proud|very happy|so happy|full of joy".split("|")


def pseudo_name(rng: Random) -> str:
    """A made-up name: teaches the model to copy a name it has never seen."""
    consonants, vowels = "bdfgjklmnprstvz", "aeiou"
    name = "".join(rng.choice(consonants) + rng.choice(vowels) for _ in range(rng.randint(1, 2)))
    return (name + rng.choice(["", "n", "l", "x", "ra", "la", "s"])).capitalize()


class Grammar:
    """Expands templates with one random source; `slots` hold what must stay the same in a text."""

    _ALTERNATIVE = re.compile(r"\[([^\[\]]*)\]")
    _SLOT = re.compile(r"\{(\w+)\}")
    _ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])(?!unicorn|one\b|uni|use)")

    def __init__(self, rng: Random, slots: dict[str, str] | None = None):
        self.rng = rng
        self.slots = dict(slots or {})

    def pick(self, options):
        return self.rng.choice(options)

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def _slot(self, match: re.Match) -> str:
        name = match.group(1)
        if name in self.slots:
            return self.slots[name]
        value = self.slots[name[0].lower() + name[1:]]
        return value[0].upper() + value[1:]

    def fill(self, template: str) -> str:
        while self._ALTERNATIVE.search(template):
            template = self._ALTERNATIVE.sub(
                lambda m: self.rng.choice(m.group(1).split("|")), template)
        text = self._SLOT.sub(self._slot, template)
        text = re.sub(r"  +", " ", text)
        return self._ARTICLE.sub(r"\1n ", text)
