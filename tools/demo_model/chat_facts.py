"""Small facts that the chat can be asked about, as (question variants, answer variants) pairs."""

from random import Random

from text_grammar import BOYS, COLOURS, GIRLS, Grammar

COLOUR_OF = {
    "the sky": "blue", "grass": "green", "the sun": "yellow", "snow": "white", "a banana": "yellow",
    "a strawberry": "red", "a tomato": "red", "an orange": "orange", "a carrot": "orange",
    "a lemon": "yellow", "milk": "white", "coal": "black", "the night": "black", "a frog": "green",
    "the sea": "blue", "a pig": "pink", "chocolate": "brown", "a leaf": "green", "blood": "red",
    "a cherry": "red", "a cloud": "white", "a grape": "purple", "a fire truck": "red",
    "an elephant": "gray", "a polar bear": "white", "wood": "brown"}
OPPOSITES = [("big", "small"), ("hot", "cold"), ("happy", "sad"), ("fast", "slow"), ("up", "down"),
             ("day", "night"), ("good", "bad"), ("new", "old"), ("light", "dark"), ("hard", "soft"),
             ("wet", "dry"), ("tall", "short"), ("open", "closed"), ("left", "right"),
             ("loud", "quiet"), ("full", "empty"), ("in", "out"), ("on", "off"), ("yes", "no"),
             ("clean", "dirty"), ("early", "late"), ("rich", "poor"), ("strong", "weak"),
             ("black", "white"), ("near", "far"), ("first", "last"), ("high", "low"),
             ("start", "end"), ("win", "lose"), ("young", "old"), ("heavy", "light")]
SOUNDS = {"cat": "meow", "dog": "woof", "cow": "moo", "duck": "quack", "sheep": "baa",
          "lion": "roar", "frog": "ribbit", "bee": "buzz", "horse": "neigh", "mouse": "squeak",
          "owl": "hoo hoo", "pig": "oink", "bird": "tweet", "snake": "hiss"}
BABIES = {"cat": "kitten", "dog": "puppy", "cow": "calf", "duck": "duckling", "sheep": "lamb",
          "lion": "cub", "bear": "cub", "horse": "foal", "pig": "piglet", "hen": "chick",
          "kangaroo": "joey", "goat": "kid", "frog": "tadpole"}
LEGS = {"cat": 4, "dog": 4, "bird": 2, "spider": 8, "bee": 6, "ant": 6, "cow": 4, "horse": 4,
        "duck": 2, "fish": 0, "snake": 0, "lion": 4, "elephant": 4, "butterfly": 6, "chicken": 2,
        "person": 2, "sheep": 4, "pig": 4}
HOMES = {"a fish": "in the water", "a bird": "in a nest", "a bee": "in a hive", "a bear": "in a cave",
         "a rabbit": "in a hole in the ground", "a cow": "on a farm", "a lion": "in the grassland",
         "a penguin": "in the cold, icy south", "a monkey": "in the jungle", "a pig": "on a farm",
         "an owl": "in a tree", "a squirrel": "in a tree", "a whale": "in the sea",
         "a camel": "in the desert", "a frog": "near a pond", "a spider": "in a web"}
FOOD_OF = {"cats": "fish and meat", "dogs": "meat and bones", "rabbits": "carrots and grass",
           "cows": "grass", "birds": "seeds and worms", "monkeys": "bananas and other fruit",
           "bears": "fish, berries and honey", "mice": "cheese and seeds", "pandas": "bamboo",
           "squirrels": "nuts", "horses": "grass and hay", "lions": "meat", "frogs": "flies"}
WHAT_IS = {
    "a cat": "a small animal with soft fur and a long tail. It says meow",
    "a dog": "an animal that is a good friend to people. It says woof",
    "the sun": "a big, hot star. It gives us light and keeps us warm",
    "the moon": "a big ball of rock that goes around the earth. We see it at night",
    "a star": "a big ball of light, very far away in the sky",
    "rain": "water that falls from the clouds", "snow": "frozen water that falls from the sky in winter",
    "a rainbow": "a bow of many colors in the sky. You can see it after the rain",
    "a friend": "someone who likes you and helps you", "a tree": "a tall plant with leaves and branches",
    "a flower": "a pretty plant that often smells sweet", "a book": "a thing with many pages that you can read",
    "a bird": "an animal with wings and feathers", "a fish": "an animal that lives and swims in the water",
    "ice": "water that is so cold that it is hard", "a cloud": "many tiny drops of water in the sky",
    "the sea": "a very big place full of salt water", "a river": "water that flows over the land to the sea",
    "a robot": "a machine that can move and do work", "a computer": "a machine that can think with numbers",
    "honey": "a sweet food that bees make", "milk": "a white drink that comes from cows",
    "a dragon": "a big animal from stories that can fly and breathe fire",
    "a kite": "a toy that flies in the wind on a string", "a ball": "a round toy that you can throw and kick",
    "love": "when you care for someone very much", "school": "a place where children learn",
    "winter": "the cold time of the year", "summer": "the warm time of the year",
    "music": "sounds that are nice to hear", "a horse": "a big animal with four legs that can run fast",
    "an apple": "a round fruit that grows on a tree", "a language model":
    "a computer program that reads words and guesses which word comes next"}
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = ("January February March April May June July August September October November "
          "December").split()
SEASONS = "spring summer autumn winter".split()
NUMBERS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
           "fifteen sixteen seventeen eighteen nineteen twenty").split()
LISTS = {"animals": "a cat, a dog and a horse|a lion, a bear and a fox|a rabbit, a duck and a cow",
         "colors": "red, blue and green|yellow, pink and white|orange, purple and brown",
         "fruits": "an apple, a banana and a pear|a cherry, an orange and a grape",
         "toys": "a ball, a kite and a doll|a train, a puzzle and a drum",
         "birds": "an owl, a duck and a penguin", "numbers": "one, two and three|four, seven and ten",
         "names": "Lily, Tom and Mia|Ben, Anna and Max", "vegetables": "a carrot, a potato and a bean",
         "days": "Monday, Tuesday and Friday", "seasons": "spring, summer and winter"}
SHAPES = {"a triangle": 3, "a square": 4, "a rectangle": 4, "a circle": 0}
YES_NO = [("Is the sun hot", "Yes, the sun is very hot."), ("Is ice cold", "Yes, ice is very cold."),
          ("Is snow warm", "No, snow is cold."), ("Is fire cold", "No, fire is very hot."),
          ("Can birds fly", "Yes, most birds can fly."), ("Can fish fly", "No, fish swim in the water."),
          ("Can pigs fly", "No, pigs cannot fly. But they can in stories!"),
          ("Can cats talk", "No, cats cannot talk. But they say meow."),
          ("Is an elephant small", "No, an elephant is very big."),
          ("Is a mouse big", "No, a mouse is very small."), ("Is grass green", "Yes, grass is green."),
          ("Is the sky green", "No, the sky is blue."), ("Do dogs bark", "Yes, dogs bark. They say woof."),
          ("Do fish live in trees", "No, fish live in the water."),
          ("Can a penguin swim", "Yes, penguins swim very well."),
          ("Is honey sweet", "Yes, honey is very sweet."), ("Is a lemon sweet", "No, a lemon is sour."),
          ("Is water wet", "Yes, water is wet."), ("Are dragons real", "No, dragons live only in stories."),
          ("Do you sleep", "No, I do not sleep. I am a computer program."),
          ("Can you see me", "No, I cannot see. I can only read words."),
          ("Can you dance", "No, I have no legs. But I like words!")]


def _count(first: int, last: int) -> str:
    step = 1 if last >= first else -1
    return ", ".join(str(n) for n in range(first, last + step, step))


def make_fact(rng: Random) -> tuple[str, str]:
    """One (question, answer). The question keeps normal spelling; callers may roughen it."""
    g = Grammar(rng)
    kind = rng.choices(list(_MAKERS), [w for _, w in _MAKERS.values()])[0]
    question, answer = _MAKERS[kind][0](g)
    return g.fill(question), g.fill(answer)


def _colour(g):
    thing, colour = g.pick(list(COLOUR_OF.items()))
    q = g.pick([f"What [color|colour] is {thing}?", f"What is the [color|colour] of {thing}?",
                f"Tell me the color of {thing}.", f"Which color is {thing}?"])
    return q, f"{thing[0].upper() + thing[1:]} is {colour}."


def _favourite(g):
    c = g.pick(COLOURS)
    return g.pick([("What is your favorite [color|colour]?", "I like blue, like the sky[.|. What is yours?]"),
                   (f"My favorite color is {c}.", f"[{c.capitalize()} is a nice color!|I like {c} too!]"),
                   (f"I like {c}.", f"[{c.capitalize()} is a nice color!|I like {c} too!]")])


def _opposite(g):
    a, b = g.pick(OPPOSITES)
    if g.chance(0.5) and (a, b) not in [("young", "old"), ("heavy", "light")]:
        a, b = b, a
    return g.pick([f"What is the opposite of {a}?", f"[Tell me|Say] the opposite of {a}.",
                   f'What is the opposite of "{a}"?', f"Opposite of {a}?"]), \
        f"The opposite of {a} is {b}."


def _sound(g):
    a, s = g.pick(list(SOUNDS.items()))
    return g.pick([f"What does a {a} say?", f"What sound does a {a} make?", f"How does a {a} sound?",
                   f"What does the {a} say?"]), f"A {a} says {s}."


def _baby(g):
    a, b = g.pick(list(BABIES.items()))
    return g.pick([f"What is a baby {a} called?", f"What do you call a baby {a}?",
                   f"What is the name of a baby {a}?"]), f"A baby {a} is called a {b}."


def _legs(g):
    a, n = g.pick(list(LEGS.items()))
    answer = f"A {a} has {NUMBERS[n]} legs." if n else f"A {a} has no legs."
    return g.pick([f"How many legs does a {a} have?", f"How many legs has a {a}?"]), answer


def _home(g):
    a, h = g.pick(list(HOMES.items()))
    return g.pick([f"Where does {a} live?", f"Where is the home of {a}?"]), \
        f"{a[0].upper() + a[1:]} lives {h}."


def _food(g):
    a, f = g.pick(list(FOOD_OF.items()))
    return f"What do {a} [eat|like to eat]?", f"{a.capitalize()} eat {f}."


def _what_is(g):
    thing, what = g.pick(list(WHAT_IS.items()))
    q = g.pick([f"What is {thing}?", f"What is {thing}?", f"Can you tell me what {thing} is?",
                f"Tell me about {thing}.", f"What's {thing}?"])
    return q, f"{thing[0].upper() + thing[1:]} is {what}."


def _counting(g):
    kind = g.rng.randrange(4)
    if kind == 0:
        n = g.rng.randint(2, 20)
        word = g.pick([str(n), NUMBERS[n]])
        return g.pick([f"Count to {word}.", f"Can you count to {word}?", f"Please count to {word}.",
                       f"Count from 1 to {word}."]), _count(1, n) + "[.|!]"
    if kind == 1:
        n = g.rng.randint(3, 10)
        return f"Count [down|backwards] from {n}.", _count(n, 1) + "[.|!]"
    n = g.rng.randint(0, 19)
    if kind == 2:
        return f"What [comes|number comes] after {n}?", f"{n + 1} comes after {n}."
    return f"What [comes|number comes] before {n + 1}?", f"{n} comes before {n + 1}."


def _sum(g):
    a, b = g.rng.randint(0, 10), g.rng.randint(0, 10)
    if g.chance(0.3):
        a, b = max(a, b), min(a, b)
        q = [f"What is {a} minus {b}?", f"What is {a} - {b}?", f"{a} - {b} = ?"]
        return g.pick(q), f"{a} minus {b} is {a - b}."
    q = [f"What is {a} plus {b}?", f"What is {a} + {b}?", f"How much is {a} plus {b}?",
         f"{a} + {b} = ?", f"{a} + {b}", f"What is {a}+{b}?"]
    return g.pick(q), f"{a} plus {b} is {a + b}."


def _calendar(g):
    kind = g.rng.randrange(6)
    names, what = g.pick([(DAYS, "day"), (MONTHS, "month"), (SEASONS, "season")])
    i = g.rng.randrange(len(names))
    here, after = names[i], names[(i + 1) % len(names)]
    if kind < 2:
        return f"What {what} comes after {here}?", f"{after[0].upper() + after[1:]} comes after {here}."
    if kind == 2:
        return f"What {what} comes before {after}?", f"{here[0].upper() + here[1:]} comes before {after}."
    if kind == 3:
        return g.pick([("[What are|Tell me|Name] the days of the week.", "The days of the week are " +
                        ", ".join(DAYS[:-1]) + " and Sunday."),
                       ("How many days are in a week?", "There are seven days in a week.")])
    if kind == 4:
        return "How many months are [in|there in] a year?", "There are twelve months in a year."
    return "What are the [four|] seasons?", "The four seasons are spring, summer, autumn and winter."


def _list(g):
    what, options = g.pick(list(LISTS.items()))
    return f"[Name|Tell me|Say|Can you name] three {what}.", \
        f"[Three {what} are|Here are three {what}:] [{options}]."


def _shape(g):
    shape, sides = g.pick(list(SHAPES.items()))
    answer = f"{shape.capitalize()} has {NUMBERS[sides]} sides." if sides else "A circle has no sides. It is round."
    return f"How many sides does {shape} have?", answer


def _yes_no(g):
    q, a = g.pick(YES_NO)
    return q + "?", a


def _spell(g):
    word = g.pick("cat dog sun moon ball tree fish bird star book hat red blue cow pig fox".split()
                  + [n for n in GIRLS + BOYS if len(n) == 3])
    return g.pick([f"How do you spell {word}?", f"Spell {word}.", f"Can you spell {word}?"]), \
        "-".join(word.upper()) + "."


_MAKERS = {"colour": (_colour, 12), "favourite": (_favourite, 4), "opposite": (_opposite, 13),
           "sound": (_sound, 7), "baby": (_baby, 5), "legs": (_legs, 5), "home": (_home, 5),
           "food": (_food, 5), "what_is": (_what_is, 14), "counting": (_counting, 11),
           "sum": (_sum, 16), "calendar": (_calendar, 11), "list": (_list, 8), "shape": (_shape, 2),
           "yes_no": (_yes_no, 8), "spell": (_spell, 3)}
