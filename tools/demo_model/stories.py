"""A grammar of short children's stories: one hero, one small problem, one clear ending.

Every story keeps its hero, friend, object and place from beginning to end. `make_story` can be
told which kind of hero or which object the story is about (the chat uses that).
"""

from random import Random

from text_grammar import (ANIMALS, BOYS, COLOURS, FANTASY, FOODS, GIRLS, HE_KINDS, PET_NAMES,
                          PLACES, SHE_KINDS, TOYS, Grammar, pseudo_name)

TRAITS = ("little|small|kind|brave|curious|shy|clever|cheerful|gentle|funny|young").split("|")
HOBBIES = ("play outside|sing songs|run in the grass|draw pictures|read books|look at the stars|"
           "jump in puddles|help others|climb trees|pick flowers|dance|play with friends|"
           "watch the clouds|swim in the lake|tell jokes|build things").split("|")


def _pronouns(female: bool) -> dict[str, str]:
    if female:
        return {"she": "she", "her": "her", "hers": "her"}
    return {"she": "he", "her": "him", "hers": "his"}


def _kind_is_female(rng: Random, kind: str) -> bool:
    if kind in SHE_KINDS:
        return True
    return kind not in HE_KINDS and rng.random() < 0.5


def _hero(rng: Random, kind: str | None, name: str | None) -> dict[str, str]:
    if kind is None:
        kind = rng.choices(["girl", "boy", rng.choice(ANIMALS), rng.choice(FANTASY)],
                           [36, 34, 22, 8])[0]
    female = _kind_is_female(rng, kind)
    if name in GIRLS or name in BOYS:
        female = name in GIRLS
        kind = ("girl" if female else "boy") if kind in ("girl", "boy") else kind
    if name is None:
        if rng.random() < 0.06:
            name = pseudo_name(rng)
        elif kind == "girl" or kind in SHE_KINDS:
            name = rng.choice(GIRLS)
        elif kind == "boy" or kind in HE_KINDS:
            name = rng.choice(BOYS)
        else:
            name = rng.choice(PET_NAMES)
    return {"name": name, "kind": kind, **_pronouns(female)}


def _place(rng: Random) -> dict[str, str]:
    place = rng.choice(PLACES)
    on = {"beach": "on", "hill": "on", "farm": "on", "river": "by", "lake": "by"}.get(place, "in")
    size = "quiet" if place == "beach" else rng.choice(["big", "small", "quiet", "green"])
    return {"place": place, "atplace": f"{on} the {place}", "inplace": f"{on} a {size} {place}"}


def _friend(rng: Random, hero: dict[str, str]) -> dict[str, str]:
    human = rng.random() < 0.5
    female = rng.random() < 0.5
    while True:
        name = rng.choice((GIRLS if female else BOYS) if human else PET_NAMES)
        kind = rng.choice([a for a in ANIMALS if a not in ("fish", "bee")])
        if name != hero["name"] and kind != hero["kind"]:
            break
    p = _pronouns(female)
    who = f"{hero['hers']} friend {name}" if human else f"{name} the {kind}"
    return {"friend": name, "friendfull": who, "fshe": p["she"], "fher": p["her"],
            "fhers": p["hers"]}


# Each plot is a list of sentences; an item that is a tuple is optional text with a probability.
PLOTS: dict[str, list] = {
    "lost": [
        "{Name} had a {colour} {toy}. [It was {hers} favorite toy.|{She} took it everywhere.|{She} loved it very much.]",
        "One [day|morning|afternoon], the {toy} was gone. {Name} [was very sad|began to cry|felt very sad|did not know what to do].",
        '"Where is my {toy}?" {she} [asked|said|cried].',
        "{She} looked under the [bed|table|chair], but it was not there. {She} looked behind the [door|sofa|big tree], but it was not there either.",
        "Then {friendfull} came to help. [\"Do not worry,\" said {friend}. \"We will find it together.\"|\"Let us look together,\" said {friend}.]",
        "[They looked and looked.|They looked all around the {place}.|They walked to the {place} and looked again.]",
        "At last, {friend} saw something {colour} [in the tall grass|under a bush|behind a rock|near the gate|under some leaves]. It was the {toy}!",
        '"[Thank you|Oh, thank you|Thank you so much], {friend}!" said {name}. {She} hugged {fher} and [smiled|laughed].',
        "[From that day on, {name} always took good care of the {toy}.|They played with the {toy} until the sun went down.|{Name} and {friend} played together all day.]",
    ],
    "share": [
        "One day, {name} had a [big|sweet|fresh|yummy] {food}. {She} [sat down under a tree to eat it|took it to the {place}|could not wait to eat it].",
        "On the way, {she} met {friendfull}. {friend} looked [sad|hungry|very hungry|tired].",
        '"[What is wrong|Why are you sad|Are you okay], {friend}?" asked {name}.',
        '"I am so hungry," said {friend}. "I have [nothing to eat|no food today]."',
        "{Name} looked at {hers} {food}. [{She} wanted to eat it all.|{She} was hungry too.|{She} thought for a moment.] But {she} [had a kind heart|wanted to help].",
        '"Here," said {name}. "[We can share my {food}.|You can have half of my {food}.]"',
        "{friend} [smiled a big smile|was so happy|jumped with joy]. They sat together and ate the {food}. It [was very tasty|tasted so good].",
        '"Thank you, {name}," said {friend}. "You are a good friend."',
        "{Name} felt [warm|happy|good] inside. {She} learned that [sharing makes everyone happy|it is good to share|food tastes better with a friend].",
    ],
    "fear": [
        "But {name} was afraid of {fear}. [Every time {she} thought of it, {she} wanted to hide.|It made {hers} heart beat very fast.]",
        "One [day|evening], {friendfull} said, \"[Come with me, {name}|Let us play, {name}|Come and see].\"",
        '"I cannot," said {name}. "I am afraid of {fear}."',
        "{friend} [did not laugh|smiled kindly|took {hers} hand]. \"[I was afraid too|It is okay to be afraid|Everyone is afraid sometimes],\" {fshe} said. \"[We can try together.|I will stay with you.|Take one small step.]\"",
        "{Name} took a deep breath. {She} [held on to {friend}|closed {hers} eyes|counted to three]. [One small step, then another.|Slowly, {she} tried.]",
        "[It was not so bad!|Nothing bad happened!|It was even a little fun!] {Name} opened {hers} eyes and [smiled|laughed].",
        '"[I did it|I can do it|Look at me]!" said {name}. "[I knew you could|You are so brave|Well done]!" said {friend}.',
        "[After that, {name} was not afraid of {fear} anymore.|From that day on, {name} was not afraid of {fear}.|That night, {name} felt very brave.]",
    ],
    "bake": [
        "One day, {name} wanted to make a cake for {friendfull}. It was {friend}'s birthday.",
        "{She} put [milk, eggs and flour|flour, sugar and eggs|eggs, milk and sugar] in a big bowl. {She} mixed and mixed.",
        "But [oh no|oh dear]! The bowl fell down, and there was [flour|cake mix] all over the floor. {Name} felt [sad|like crying].",
        "{Hers} {parent} came in. \"[Do not cry|It is okay|Do not be sad],\" {hers} {parent} said. \"We can clean it up and try again.\"",
        "So they cleaned the floor and tried again. This time, {name} was very careful.",
        "Soon the cake was ready. It was [big and brown|soft and sweet|warm and yummy], with {colour} [candles|berries|cream] on top.",
        "When {friend} saw the cake, {fshe} [clapped {fhers} hands|jumped with joy|smiled a big smile]. \"[Is this for me?|It is the best cake ever!]\" {fshe} said.",
        "They all ate cake and [sang a song|laughed together|played games]. {Name} was [proud|happy] because {she} did not give up.",
    ],
    "rain": [
        "One morning, {name} wanted to go to the {place}. But when {she} looked out of the window, it was raining.",
        '"Oh no," said {name}. "[Now I cannot play outside.|I do not like the rain.]"',
        "Then there was a knock at the door. It was {friendfull}. {Fshe} had a {colour} [umbrella|raincoat|hat].",
        '"[Rain can be fun|We can play in the rain|Come and see the puddles]!" said {friend}.',
        "So {name} put on {hers} boots and went outside. They jumped in [big puddles|the puddles]. Splash, splash, splash! [They got very wet.|The water went everywhere.]",
        "After some time, the rain stopped and the sun came out. There was a big rainbow in the sky.",
        '"[Look at all the colors|How pretty|Look, a rainbow]!" said {name}. "[If there is no rain, there is no rainbow|Rain makes rainbows]," said {friend}.',
        "From that day on, {name} [liked the rain|was always happy when it rained].",
    ],
    "baby": [
        "One day, {name} was walking {atplace}. {She} heard a small sound. [\"Peep, peep!\"|It sounded like someone crying.|It came from behind a bush.]",
        "{She} looked and saw a baby {baby}. The baby {baby} was [alone|lost|cold and afraid].",
        '"[Where is your mother?|Are you lost?|Why are you crying?]" asked {name}. "I cannot find my mother," said the baby {baby}.',
        '"[Do not cry|Do not be afraid]," said {name}. "I will help you."',
        "First, they went to the [river|hill|old tree]. The mother was not there. Then they went to the [pond|field|bridge]. The mother was not there either.",
        "Then they met {friendfull}. \"I saw a mother {baby} near the [big tree|old bridge|tall grass],\" said {friend}.",
        "They ran there as fast as they could. And there she was! The mother {baby} was so happy to see her baby.",
        '"Thank you, {name}," said the mother. "You are very kind."',
        "{Name} [waved goodbye and went home|went home with a smile]. {She} was [happy|proud] because {she} had helped [a new friend|someone].",
    ],
    "seed": [
        "One spring day, {name} found a tiny seed. \"[What will it be?|I will plant it,\" {she} said. \"What will it be?]\"",
        "{She} dug a small hole in the {garden} and put the seed in the ground. Every day, {she} gave it water.",
        "One day passed, then two days, then three days. But nothing grew. {Name} was [sad|worried].",
        '"You must wait," said {friendfull}. "[Good things take time.|Little seeds need time to grow.]"',
        "So {name} waited. {She} [sang to the seed|talked to the seed|watered the seed] every day.",
        "Then one [sunny|bright|warm] morning, {she} saw a little green leaf. [\"It is growing!\" {she} cried.|{She} jumped with joy.]",
        "The plant grew and grew. By summer, it was a [big|tall|beautiful] {plant}.",
        "{Name} showed it to {friend}. \"[You were right|Look how big it is],\" {she} said. \"[Good things take time.|I am glad I waited.]\"",
    ],
    "race": [
        "One day, there was a big race {atplace}. Everyone wanted to win, and {name} wanted to win too.",
        '"One, two, three, go!" shouted the old owl. {Name} ran as fast as {she} could. {She} was in front!',
        "But then {she} heard a cry. {friendfull} had fallen down and hurt {fhers} [leg|foot|knee].",
        "{Name} stopped. {She} looked at the end of the race. It was so near. Then {she} looked at {friend}.",
        "{She} turned around and ran back. \"[Let me help you|I will help you|Hold on to me],\" said {name}.",
        "They walked to the end together, very slowly. They were the last ones. But everyone clapped and cheered for them!",
        '"You did not win the race," said {friend}, "but you are the best friend."',
        "{Name} smiled. [Being kind felt better than winning.|{She} did not need to win. {She} had a good friend.]",
    ],
    "broken": [
        "One day, {name} went to play with {friendfull}. {friend} had a new {colour} {toy}.",
        '"May I play with it?" asked {name}. "Yes, but please be careful," said {friend}.',
        "{Name} played with the {toy}. But then [it fell down|{she} dropped it], and it broke. Oh no!",
        "{Name} was afraid. {She} wanted to [run away|hide it|say nothing]. But {she} knew that was not right.",
        '"I am sorry, {friend}," {she} said. "I broke your {toy}."',
        "{friend} was sad at first. Then {fshe} said, \"[Thank you for telling the truth|I am glad you told me|It is okay]. Maybe we can fix it.\"",
        "They got some [glue|tape|string] and worked together. Soon the {toy} was as good as new.",
        "[{Name} and {friend} played all afternoon.|They were even better friends than before.] {Name} learned that it is good to tell the truth.",
    ],
    "wish": [
        "Every night, {name} looked at the sky and saw a bright star. {She} made a wish. \"I wish I had a friend,\" {she} said.",
        "One night, the star began to shine more and more. [It came down from the sky|It fell slowly from the sky] and landed {atplace}.",
        "{Name} ran to see it. There, in the light, sat {friendfull2}.",
        '"Hello," {fshe} said. "My name is {friend}. I am lost, and I have no friends here."',
        '"I can be your friend," said {name}. {friend} [smiled|was so happy].',
        "They played [every day|from morning to night]. They [ran in the grass|told stories|sang songs] and [looked at the stars|laughed a lot].",
        "And every night, they looked up at the sky and said, \"Thank you, star.\"",
    ],
    "trip": [
        "One [sunny|warm|bright] day, {name} went to the [zoo|farm|beach] with {friendfull}.",
        "First, they saw a [big|happy|funny] {a1}. [It was eating.|It was sleeping in the sun.|It looked at them.] Then they saw a [small|quiet|pretty] {a2}. \"Hello, {a2}!\" said {name}.",
        "At noon, they sat down and ate {food2}. [It was very tasty.|It was a good lunch.]",
        "Then {name} [found|saw] a {colour} [shell|feather|stone|flower] on the ground. \"Look, {friend}! [This is for you|How pretty it is|I will keep it]!\" {she} said.",
        "They [played and laughed|ran and jumped|danced and sang] all day. When the sun went down, they were very tired.",
        "On the way home, {name} fell asleep. {She} dreamed of [the {a1} and the {a2}|the sun and the grass]. It was a [good|happy|wonderful] day.",
    ],
    "snow": [
        "One winter morning, {name} woke up and everything was white. \"Snow!\" {she} cried. \"[Hooray!|It is snowing!]\"",
        "{She} put on {hers} {colour} hat and ran outside. {friendfull} was there too.",
        '"Let us make a snowman," said {friend}. They made a big ball, a middle ball and a little ball.',
        "They used [two stones|two buttons] for the eyes and a carrot for the nose. But the snowman looked cold.",
        "{Name} took off {hers} {colour} hat and put it on the snowman. Now he looked [warm and happy|very happy].",
        "When it was dark, they went inside and drank hot [milk|chocolate|tea]. They looked at the snowman from the window.",
        '"Good night, snowman," said {name}. And the snowman [seemed to smile|smiled in the moonlight].',
    ],
    "lesson": [
        "One day, {hers} mother said, \"{Name}, [do not go to the river alone|do not eat all the cookies|do not open the box].\"",
        "But {name} was very curious. [When no one was looking, {she} did it.|{She} wanted to know why. So {she} did not listen.]",
        "Then something bad happened. {Name} [got a tummy ache|fell down and got wet|could not get out]. \"[Help|Oh no|Help me]!\" {she} cried.",
        "Luckily, {friendfull} was near and heard {her}. {Fshe} came to help right away.",
        'When {name} was safe at home, {she} said, "I am sorry. I did not listen."',
        "{Hers} mother hugged {her}. \"I am glad you are safe,\" she said. \"[Next time, please listen|I only want to keep you safe].\"",
        "{Name} [nodded|promised]. From that day on, {she} always listened to {hers} mother.",
    ],
    "newfriend": [
        "But {name} had no one to play with, and {she} was lonely. [{She} was too shy to say hello.|{She} played alone every day.]",
        "One day, {she} saw {friendfull2} {atplace}. {Fshe} was playing with a {colour} {toy}.",
        "{Name} wanted to play too, but {she} was shy. {She} hid behind a tree.",
        "Then the {toy} rolled to the tree. {Name} picked it up. {Hers} heart beat fast. \"H-hello,\" {she} said. \"Here is your {toy}.\"",
        '"Thank you!" said the little {fkind}. "My name is {friend}. What is your name?"',
        '"My name is {name}," {she} said. "Do you want to play with me, {name}?" asked {friend}.',
        "{Name} smiled. \"Yes, please!\" They played with the {toy} all day long.",
        "From that day on, {name} and {friend} were best friends. {Name} was never lonely again.",
    ],
    "map": [
        "One day, {name} found an old map. [It was in a box.|It was in an old book.] There was a big {colour} X on it.",
        '"It is a treasure map!" said {name}. {She} ran to {friendfull}. "[Let us find the treasure|Will you come with me]!"',
        "They walked over the hill and through the forest. They crossed a [little river|small bridge]. [It was a long way.|They were very tired.]",
        "At last they came to a [big|tall|very old] tree. \"This is the place,\" said {friend}. They began to dig.",
        "Soon they found a small box. {Name} opened it. Inside there was [a {colour} {toy}|a bag of gold coins|a letter] [and a note|and a small note].",
        'The note said, "[The best treasure is a good friend|A friend is better than gold]."',
        "{Name} looked at {friend} and smiled. They [went home hand in hand|shared the treasure and went home]. It was the best day ever.",
    ],
    "help": [
        "One day, {friendfull} was very busy. {Fshe} had to [pick all the apples|clean the whole house|carry many boxes|feed all the animals].",
        '"[I am so tired|I will never finish|This is too much work]," said {friend}.',
        '{Name} heard {fher}. "[Can I help you|I can help|Let me help you]?" {she} asked.',
        '"[You are too small|But you are so little]," said {friend}. "[Small hands can help too|I may be little, but I can try]," said {name}.',
        "So they worked together. They worked all [morning|day]. {Name} [carried one thing at a time|did not stop|sang a song while {she} worked].",
        "When the sun went down, the work was done. \"[Thank you, {name}|I could not do it without you],\" said {friend}.",
        "{friend} gave {name} a {colour} {toy} to say thank you. {Name} was [very happy|so proud].",
    ],
    "gift": [
        "Today was {name}'s birthday. {She} [woke up early|jumped out of bed] and [smiled|was very happy].",
        "{Hers} [mom and dad|family] gave {her} a big box. \"What is inside?\" {she} asked.",
        "{Name} opened the box. It was a {colour} {toy}! \"[Thank you|Wow, thank you|I love it]!\" {she} said.",
        "{She} took the {toy} to the {place} to show it to {friendfull}. {friend} liked it very much.",
        '"[Can I try it|May I play too]?" asked {friend}. {Name} thought for a moment. Then {she} said, "[Yes, of course|Yes, let us play together]!"',
        "They played with the {toy} all [day|afternoon]. [They laughed and laughed.|It was more fun with two.]",
        "In the evening, they ate birthday cake. \"This is the best birthday ever,\" said {name}.",
    ],
    "sleep": [
        "One night, {name} could not sleep. {She} [turned left and right|counted sheep|looked at the moon], but {she} was still awake.",
        "{She} went to {hers} {parent}. \"I cannot sleep,\" {she} said.",
        '"[Let us listen to the night|Come, sit with me]," {hers} {parent} said. They sat by the window and listened.',
        "They heard the wind in the trees. They heard an owl say, \"Hoo, hoo.\" They heard the river sing its song.",
        '"The {a1} is sleeping now," said a soft voice. "The {a2} is sleeping too. Even the sun is sleeping."',
        "{Name} [smiled|yawned]. {Hers} eyes became heavy. Soon {she} was fast asleep, and {she} dreamed of a {colour} {toy}.",
    ],
}

UNBREAKABLE = ("hat", "scarf", "book", "ball", "balloon")

FANTASY_PLOT = [
    "{Name} lived in a [big castle|dark cave|tall tower|old house] near a village. But {name} was sad, because everyone was afraid of {her}.",
    "\"I only want a friend,\" said {name}. But when {she} came to the village, everyone ran away.",
    "One cold night, [the fire in the village went out|a big storm came|the bridge broke]. The people were [cold|afraid]. \"Who can help us?\" they cried.",
    "Only {friend} was not afraid. {Fshe} went to {name} and said, \"Please help us.\"",
    "{Name} came at once. {She} worked all night, and in the morning everyone was [safe and warm|safe].",
    '"Thank you, {name}!" the people said. "[We are sorry that we ran away|You are our hero]."',
    "From that day on, {name} was not alone anymore. {She} had many friends, and {friend} was the best of them all.",
]

ENDINGS = [
    ("", 40),
    (" The end.", 22),
    (" And they all lived happily ever after.", 10),
    (" And they lived happily ever after. The end.", 6),
    (" {Name} went to sleep with a smile.", 8),
    (" It was a very good day.", 8),
    (" Everyone was happy.", 6),
]

FEARS = ("the dark|the thunder|deep water|high trees|loud noises|the big slide|"
         "going down the hill|the old bridge").split("|")


VARIED_OPENINGS = [
    "One day, a {trait} {kind} named {name} [woke up early|went outside|was {atplace}].",
    "One [morning|evening|sunny day], a {trait} {kind} named {name} [looked out of the window|went for a walk].",
    "In a {trait} little house {atplace} lived a {kind} named {name}.",
    "{inplace}, there was a {kind}. The name of the {kind} was {name}.",
    "There was a {kind} named {name}. {Name} was very {trait}.",
    "A {trait} {kind} named {name} lived near the {place}.",
    "The {trait} {kind} was called {name}.", "My friend {name} is a {trait} {kind}.",
    "{name} and {hers} {parent} lived near the {place}. {Name} was a {trait} {kind}.",
    "This is the story of {name}, a {trait} {kind}.",
    "[Every day|Every morning], a {kind} named {name} went to the {place}."]


def _varied_opening(g: Grammar) -> str:
    """For prompts that begin in another way than most stories do."""
    return g.fill(g.pick(VARIED_OPENINGS)) + g.fill(g.pick(["", " {She} loved to {hobby}.", " {Name} liked to {hobby}."]))


def _opening(g: Grammar) -> str:
    """One of a few openings; 'Once upon a time' is the most frequent."""
    kind = g.pick(["time"] * 11 + ["named", "day", "there"])
    if kind == "time":
        head = g.fill("Once upon a time[, there was|, there was|, there was|there was|, "
                      "{inplace}, there lived|, there lived] a {trait} {kind} named {name}.")
        head = head.replace("timethere", "time there")
    elif kind == "named":
        head = g.fill("{Name} was a {trait} {kind}.")
    elif kind == "day":
        head = g.fill("There once was a {trait} {kind} named {name}.")
    else:
        head = g.fill("[A long time ago|Long ago|Long, long ago], there was a {trait} {kind} named {name}.")
    extra = g.fill(g.pick([
        "", " {She} loved to {hobby}.", " {She} loved to {hobby}.", " {Name} loved to {hobby}.",
        " {She} liked to {hobby} and {hobby2}.", " {Name} lived near the {place}.",
        " {She} lived in a [little|small|big] house near the {place}.",
        " Every day, {she} liked to {hobby} {atplace}."]))
    return head + extra


def make_story(rng: Random, kind: str | None = None, toy: str | None = None,
               name: str | None = None, plot: str | None = None, varied: bool = False) -> str:
    """One story in one or a few paragraphs, without any end token."""
    hero = _hero(rng, kind, name)
    friend = _friend(rng, hero)
    if plot is None:
        plot = rng.choice(list(PLOTS) if toy is None else ["lost", "gift", "newfriend"])
        if toy is None and hero["kind"] in ("dragon", "robot", "giant", "wizard"):
            plot = rng.choice([plot, "fantasy"])
    toys = [t for t in TOYS if plot != "broken" or t not in UNBREAKABLE]
    animals = rng.sample([a for a in ANIMALS if a not in ("fish", "bee", "kitten", "puppy")], 3)
    slots = {**hero, **friend,
             "trait": rng.choice(TRAITS), "colour": rng.choice(COLOURS),
             "toy": toy or rng.choice(toys), "parent": rng.choice(["mother", "father", "grandma"]),
             "food": rng.choice(FOODS),
             **_place(rng), "fear": rng.choice(FEARS),
             "a1": animals[0], "a2": animals[1], "baby": rng.choice("bird duck rabbit bear fox".split()),
             "garden": rng.choice(["garden", "yard", "meadow"]),
             "food2": rng.choice(["bread and cheese", "apples and nuts", "sandwiches", "sweet pears"]),
             "plant": rng.choice(["sunflower", "red rose", "apple tree", "pumpkin", "tomato plant"])}
    slots["hobby"], slots["hobby2"] = rng.sample(HOBBIES, 2)
    slots["fkind"] = rng.choice([a for a in ANIMALS if a not in ("fish", "bee", hero["kind"])])
    slots["friendfull2"] = rng.choice(["a little {fkind}", "a small {fkind}"]).format(**slots)
    g = Grammar(rng, slots)
    lines = FANTASY_PLOT if plot == "fantasy" else PLOTS[plot]
    # Long stories use every sentence; some drop one or two inner ones that the plot survives.
    parts = [_varied_opening(g) if varied else _opening(g)] + [g.fill(line) for line in lines]
    ending = g.fill(rng.choices([e for e, _ in ENDINGS], [w for _, w in ENDINGS])[0])
    if g.chance(0.3):
        cut = sorted(rng.sample(range(2, len(parts) - 1), min(2, len(parts) - 3)))
        paragraphs = [" ".join(parts[:cut[0]]), " ".join(parts[cut[0]:cut[1]]),
                      " ".join(parts[cut[1]:])]
        text = "\n\n".join(p for p in paragraphs if p)
    else:
        text = " ".join(parts)
    return _tidy(text + ending)


def _tidy(text: str) -> str:
    """A sentence that begins with a lower-case description ("his friend Tom came") is capitalised."""
    out = []
    start = True
    for ch in text:
        if start and ch.isalpha():
            ch = ch.upper()
            start = False
        elif start and ch == '"':
            start = False
            out.append(ch)
            start = True
            continue
        out.append(ch)
        if ch in ".!?\n":
            start = True
        elif not ch.isspace() and ch != '"':
            start = False
    return _fix_quoted_tags("".join(out))


def _fix_quoted_tags(text: str) -> str:
    """Undo the capital after a quotation that is followed by its speaker: `?" He asked` etc."""
    for mark in "!?":
        for word in ("He", "She", "Said", "The", "His", "Her", "They"):
            for verb in ("asked", "said", "cried", "people said", "mother said", "father said", "grandma said"):
                text = text.replace(f'{mark}" {word} {verb}', f'{mark}" {word.lower()} {verb}')
        text = text.replace(f'{mark}" Said ', f'{mark}" said ').replace(f'{mark}" Asked ', f'{mark}" asked ')
        text = text.replace(f'{mark}" Shouted ', f'{mark}" shouted ')
    return text


SIMPLE_PLACES = "mat bed chair box table rug grass wall sofa floor".split()
SIMPLE_ACTS = ["looked at {obj}", "saw {obj}", "played with {obj}", "found {obj}", "ran to {obj}"]


def make_simple_sentences(rng: Random) -> str:
    """A few plain sentences about one animal or person, as in a first reading book."""
    g = Grammar(rng, {
        "animal": rng.choice(ANIMALS), "where": rng.choice(SIMPLE_PLACES),
        "obj": rng.choice(["a ball", "a bird", "the sun", "a red ball", "a fish", "a bug",
                           "a butterfly", "a bone", "a leaf", "the moon"]),
        "colour": rng.choice(COLOURS), "name": rng.choice(GIRLS + BOYS), **_place(rng),
        "toy": rng.choice(TOYS), "food": rng.choice(FOODS)})
    g.slots["act"] = g.fill(rng.choice(SIMPLE_ACTS))
    starts = ["The {animal} sat on the {where}. The {animal} {act}. [Then it went to sleep|Then it ran away|It was happy|The {animal} was very happy].",
              "The {animal} sat on the {where}. The {animal} was {colour}. The {animal} {act}.",
              "The [big|little|old|{colour}] {animal} ran to the {place}. It {act}. It [was happy|had fun|was tired].",
              "This is a {animal}. The {animal} is {colour}. The {animal} likes to [run|sleep|eat|play].",
              "{name} has a {toy}. The {toy} is {colour}. {name} plays with the {toy} every day.",
              "{name} ate a {food}. The {food} was [sweet|good|very good|yummy]. {name} was [happy|full].",
              "I see a {animal}. The {animal} sees me. We play {atplace}.",
              "The sun is [warm|bright|yellow]. The sky is blue. The grass is green. {name} is happy.",
              "The {animal} is in the {where2}. [Look, there it is!|Can you see it?] It {act}."]
    g.slots["where2"] = rng.choice(["box", "tree", "house", "garden", "bag", "water"])
    count = rng.choice([1, 1, 2])
    return " ".join(g.fill(s) for s in rng.sample(starts, count))
