"""A grammar of simple conversations. A conversation is a list of (role, content) messages."""

from random import Random

from chat_facts import make_fact
from stories import make_story
from text_grammar import (ANIMALS, BOYS, FANTASY, GIRLS, TOYS, Grammar, pseudo_name)

NAME = "Pebble"

SYSTEM_PROMPTS = [
    "You are a helpful assistant.", "You are a helpful assistant.", f"You are {NAME}, a small and friendly model.",
    "You are a friendly assistant who tells stories.", "Answer in short and simple sentences.",
    "You are a kind helper.", "Be brief."]

GREETINGS = [
    ("Hello!|Hello|Hi|Hi!|Hi there!|Hello there!|Hey|Hey!|Good day!|Hello, {bot}!|Hi {bot}",
     "Hello! How can I help you[ today|]?|Hello! It is nice to meet you. How can I help you?|Hi there! What would you like to talk about?|Hello! I am {bot}. Would you like to hear a story?"),
    ("Good morning!|Good morning", "Good morning! How can I help you today?|Good morning! I hope you have a nice day."),
    ("Good evening!|Good afternoon!", "Hello! It is nice to talk to you. How can I help you?"),
    ("Hi, how are you?|How are you?|Hello, how are you?|Hello! How are you today?|How are you doing?|How do you do?|Hey, how are you?|How is it going?|What's up?|Are you okay?",
     "I am [fine|well|very well], thank you! How are you?|I am [happy|fine] today, thank you for asking. How are you?|I am doing well! How can I help you?"),
]
IDENTITY = [
    ("What is your name?|What's your name?|Who are you?|Tell me your name.|Do you have a name?|What should I call you?|May I ask your name?|And what is your name?|Your name?",
     "My name is {bot}.|My name is {bot}. What is your name?|I am {bot}, a very small language model.|I am {bot}. I am small, but I like to tell stories."),
    ("What are you?|Are you a robot?|Are you a person?|Are you human?|Are you real?|Are you an AI?",
     "I am a very small language model. My name is {bot}.|I am a computer program that likes words. My name is {bot}."),
    ("What can you do?|What can you do for me?|How can you help me?|Can you help me?|Help|Help me|What do you do?|What do you know?|Help me please.",
     "I can tell short stories and answer simple questions about colors, numbers, animals and opposites.|I can tell you a story, count, add small numbers and talk about animals. What would you like?|I can tell stories and answer easy questions. Try asking me for a story!"),
    ("Who made you?|Where do you come from?|How were you made?|Who created you?",
     "I was trained from scratch on small made-up stories, as a demo for llm-worker.|I am the demo model of llm-worker. I learned from many little stories."),
    ("How old are you?|When were you born?", "I am very new. I do not have a birthday.|I am a computer program, so I have no age."),
    ("Where do you live?|Where are you?", "I live inside a computer.|I live in a small file on your computer."),
    ("Do you have friends?|Do you like me?|Are you my friend?|Will you be my friend?|Can we be friends?", "Yes, I would like to be your friend!|You are my friend!"),
    ("What do you like?|What do you like to do?|What is your hobby?", "I like to tell stories about brave little animals.|I like words, stories and kind people."),
    ("How big are you?|Are you big?|Are you smart?|Are you clever?", "I am a very small model, so I know only simple things.|I am very small, but I try my best."),
    ("What is your favorite animal?|Do you like animals?", "I like [foxes|owls|cats|rabbits]. They are in many of my stories.|I like all animals!"),
    ("What is llm-worker?", "llm-worker is the program that runs me. It reads my weights and writes my words."),
]
SMALL_TALK = [
    ("I am fine|I am fine, thank you.|I am good.|I'm fine.|Fine, thanks.|I am happy.|I feel good today.|I am well, thanks|Good|Great!|I'm good, thanks!",
     "I am glad to hear that! What would you like to do?|That is good! Would you like to hear a story?"),
    ("I am sad.|I feel sad.|I had a bad day.|I am not happy.|I feel bad.|I'm sad|I am lonely.",
     "I am sorry to hear that. Would you like a story to cheer you up?|I am sorry. I hope you feel better soon."),
    ("I am tired.|I am sleepy.", "Then you should rest a little. Good night and sweet dreams!"),
    ("I am hungry.", "Then you should eat something tasty!"), ("I am bored.", "Would you like to hear a story?"),
    ("I love you.|I like you.|You are nice.|You are funny.|You are great!|Good job!|Well done!|Nice!|Cool|That was great!|Wow!", "Thank you! You are very kind.|Thank you! That makes me happy."),
    ("You are bad.|You are stupid.|That is wrong.|No, that is not right.|I do not like you.", "I am sorry. I am a very small model, and I make mistakes."),
    ("Tell me a joke.|Do you know a joke?|Can you tell me a joke?|Make me laugh.|Joke please|Say something funny.",
     "Why did the cookie go to the doctor? Because it felt crummy!|What do you call a sleeping bull? A bulldozer!|Why was the book sad? It had too many problems!|What is brown and sticky? A stick!|Why do bees have sticky hair? They use honeycombs!|What did one wall say to the other? I will meet you at the corner!"),
    ("Sing a song.|Sing me a song.|Can you sing?|Write a poem.|Tell me a poem.|Write me a poem.|Say a poem.|Can you write a poem?",
     "The sun is up, the sky is blue,\nThe birds all sing, and so do you.|Little star so far and bright,\nShine on us all through the night.|The cat is small, the dog is big,\nThe cow says moo to the pink pig.|One, two, three, the wind blows free,\nFour, five, six, come play with me."),
    ("Thank you!|Thank you|Thanks|Thanks!|Thank you very much.|Thanks a lot!|Thank you for the story!|thx", "You are welcome!|You are welcome! I am happy to help."),
    ("Okay|OK|Ok.|I see.|Alright", "Good! Is there anything else I can do for you?|Would you like to hear a story?"),
    ("Sorry|I am sorry.", "That is okay!"), ("Please|Please help", "How can I help you?"),
    ("Why?|Why|Really?|Are you sure?|How?", "I do not know why. I am only a very small model.|I am not sure. I am a very small model."),
    ("Test|test|This is a test.|Testing|Are you there?|Can you hear me?", "I am here! How can I help you?"),
]
GOODBYES = [
    ("Goodbye!|Bye|Bye!|Goodbye|See you later!|I have to go.|Bye bye|See you tomorrow.|I must go now.",
     "Goodbye! Have a nice day!|Goodbye! It was nice to talk to you.|See you soon!"),
    ("Good night!|Good night|Good night, {bot}.", "Good night! Sleep well.|Good night and sweet dreams!"),
]
TOPICS = """France|Paris|the president|physics|quantum computers|history|the war|politics|the weather|football|
money|the stock market|Python|a for loop|C++|the internet|my car|my homework|chemistry|cancer|the economy|
Shakespeare|the capital of Germany|the capital of France|the tallest mountain|Japan|China|the population of India|
the speed of light|gravity|black holes|evolution|democracy|machine learning|neural networks|the meaning of life|
a good recipe|pasta|my phone|the news|tomorrow|a square root|algebra|an integral|DNA|the Roman Empire|dinosaurs|
electricity|the brain|philosophy|art|a lawyer|taxes|the law|medicine|airplanes|trains|London|New York|Europe|
Africa|the universe|time travel|God|religion|a contract|my boss|an email|a database|Linux|a server|HTTP|
the GDP of Brazil|Einstein|Napoleon|Mozart|the moon landing|volcanoes|earthquakes|climate change|energy""".replace("\n", "").split("|")
UNKNOWN = [
    "What is {x}?", "Explain {x}.", "Tell me about {x}.", "Write code for {x}.", "How does {x} work?",
    "Who is {x}?", "Why is {x} important?", "What do you think about {x}?", "Give me a list of facts about {x}.",
    "Write an essay about {x}.", "Summarize {x}.", "Translate {x} into French.", "How can I learn {x}?",
    "When was {x}?", "Where is {x}?", "What is the best way to learn about {x}?", "Compare {x} and {y}.",
    "What is the difference between {x} and {y}?", "Write a function that uses {x}.", "I need help with {x}.",
    "How many people know {x}?", "Solve this: {x}", "What happened to {x}?", "Describe {x} in detail.",
    "{x}?", "{x}", "Do you know {x}?", "Define {x}.", "Is {x} better than {y}?", "{n} * {m} = ?",
    "What is {n} times {m}?", "What is {n} plus {m}?", "What is the square root of {n}?", "Can you explain {x} to me?"]
DONT_KNOW = ("I am sorry, I do not know that. I am a very small model.|"
             "I do not know that. I am a very small model, but I can tell you a story.|"
             "That is too hard for me. I can answer simple questions and tell stories.")
STORY_REQUESTS = [
    "Tell me a story.", "Tell me a story", "Can you tell me a story?", "Please tell me a story.", "I want a story.",
    "Tell me a short story.", "Another story, please.", "Story please", "Write a story.", "Write a short story for me.",
    "Do you know a story?", "Tell me a bedtime story.", "Yes, tell me a story.", "One more story!"]
STORY_ABOUT = [
    "Tell me a story about {x}.", "Tell me a story about {x}", "Can you tell me a story about {x}?",
    "Write a story about {x}.", "I want to hear a story about {x}.", "Please tell me a story about {x}.",
    "Tell me a short story about {x}.", "A story about {x}, please.", "Write a short story about {x}.",
    "story about {x}", "Tell me about {x} in a story.", "Can you write me a story about {x}?"]
STORY_LEADS = ["", "", "", "", "", "Here is a story. ", "Of course! ", "Yes! Here is a story. "]


def _rough(rng: Random, text: str) -> str:
    """What people really type: lower case, no final mark, or a stray capitalisation."""
    kind = rng.random()
    if kind < 0.16:
        text = text.lower()
    elif kind < 0.19:
        text = text.upper()
    if rng.random() < 0.15:
        text = text.rstrip(".!?") or text
    return text


def _pair(g: Grammar, entry: tuple[str, str]) -> list[tuple[str, str]]:
    question = g.fill(g.pick(entry[0].split("|")))
    # Answers use `|` between whole alternatives; `[..|..]` inside them is protected first.
    answer = g.pick(_split_alternatives(entry[1]))
    return [("user", _rough(g.rng, question)), ("assistant", g.fill(answer))]


def _split_alternatives(text: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for ch in text:
        depth += (ch == "[") - (ch == "]")
        if ch == "|" and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += ch
    return parts + [current]


def _story_turn(rng: Random) -> list[tuple[str, str]]:
    lead = rng.choice(STORY_LEADS)
    if rng.random() < 0.35:
        return [("user", _rough(rng, rng.choice(STORY_REQUESTS))), ("assistant", lead + make_story(rng))]
    request = rng.choice(STORY_ABOUT)
    kind = rng.random()
    if kind < 0.62:
        who = rng.choice(ANIMALS + FANTASY + ["girl", "boy"])
        name = None
        if rng.random() < 0.25:
            name = pseudo_name(rng) if rng.random() < 0.3 else rng.choice(GIRLS + BOYS)
        subject = f"a {who}" if rng.random() < 0.8 else f"a {rng.choice(['little', 'brave', 'small', 'happy'])} {who}"
        if name:
            subject += f" named {name}"
        story = make_story(rng, kind=who, name=name)
    elif kind < 0.84:
        toy = rng.choice(TOYS)
        subject, story = rng.choice([f"a {toy}", f"a lost {toy}", f"the {toy}"]), None
        story = make_story(rng, toy=toy, plot="lost" if "lost" in subject else None)
    elif kind < 0.93:
        name = rng.choice(GIRLS + BOYS) if rng.random() < 0.7 else pseudo_name(rng)
        subject, story = name, make_story(rng, kind=rng.choice(["girl", "boy"]), name=name)
    else:
        word, plot = rng.choice([("rain", "rain"), ("the rain", "rain"), ("a cake", "bake"), ("snow", "snow"),
                                 ("a snowman", "snow"), ("a star", "wish"), ("a race", "race"), ("a seed", "seed"),
                                 ("treasure", "map"), ("a treasure map", "map"), ("a birthday", "gift"),
                                 ("the zoo", "trip"), ("friends", "newfriend"), ("sharing", "share"),
                                 ("being brave", "fear"), ("a wish", "wish")])
        subject, story = word, make_story(rng, plot=plot)
    g = Grammar(rng, {"x": subject})
    return [("user", _rough(rng, g.fill(request))), ("assistant", lead + story)]


def _name_turns(rng: Random) -> list[tuple[str, str]]:
    name = pseudo_name(rng) if rng.random() < 0.35 else rng.choice(GIRLS + BOYS)
    g = Grammar(rng, {"n": name, "bot": NAME})
    turns = [("user", g.fill(g.pick(["My name is {n}.", "I am {n}.", "Hi, my name is {n}.", "Hello, I am {n}.",
                                     "I'm {n}.", "My name is {n}. What is your name?", "You can call me {n}."]))),
             ("assistant", g.fill("[Nice to meet you, {n}!|Hello, {n}! It is nice to meet you.]"))]
    if "your name" in turns[0][1]:
        turns[1] = ("assistant", g.fill("Nice to meet you, {n}! My name is {bot}."))
    for _ in range(rng.randint(0, 2)):
        turns += _simple_turn(rng)
    if rng.random() < 0.6:
        turns += [("user", g.fill(g.pick(["What is my name?", "Do you know my name?", "Who am I?"]))),
                  ("assistant", g.fill("Your name is {n}."))]
    return turns


def _unknown_turn(rng: Random) -> list[tuple[str, str]]:
    topics = rng.sample(TOPICS, 2)
    if rng.random() < 0.3:
        topics[0] = " ".join(pseudo_name(rng).lower() for _ in range(rng.randint(1, 4)))
    g = Grammar(rng, {"x": topics[0], "y": topics[1], "n": str(rng.randint(21, 9999)), "m": str(rng.randint(21, 999))})
    return [("user", _rough(rng, g.fill(rng.choice(UNKNOWN)))), ("assistant", g.pick(DONT_KNOW.split("|")))]


def _simple_turn(rng: Random) -> list[tuple[str, str]]:
    kind = rng.choices(["fact", "identity", "talk", "unknown"], [52, 16, 18, 14])[0]
    if kind == "fact":
        question, answer = make_fact(rng)
        return [("user", _rough(rng, question)), ("assistant", answer)]
    if kind == "unknown":
        return _unknown_turn(rng)
    g = Grammar(rng, {"bot": NAME})
    return _pair(g, rng.choice(IDENTITY if kind == "identity" else SMALL_TALK))


def _next_turn(rng: Random, messages: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Half the time an offer or a question of the assistant is answered."""
    last = messages[-1][1] if messages and messages[-1][0] == "assistant" else ""
    if rng.random() < 0.5:
        if last.endswith("a story?") or "like a story to" in last:
            if rng.random() < 0.15:
                return [("user", _rough(rng, rng.choice(["No, thank you.", "No.", "Not now."]))),
                        ("assistant", "Okay! What would you like to talk about?")]
            story = rng.choice(STORY_LEADS) + make_story(rng)
            return [("user", _rough(rng, rng.choice(["Yes, please!", "Yes", "Yes!", "Okay", "Sure!", "Yes please"]))),
                    ("assistant", story)]
        if last.endswith("What is your name?"):
            return _name_turns(rng)
        if last.endswith("How are you?"):
            return _pair(Grammar(rng, {"bot": NAME}), SMALL_TALK[rng.choice([0, 0, 0, 1])])
    return _story_turn(rng) if rng.random() < 0.27 else _simple_turn(rng)


def make_chat(rng: Random, turns: int | None = None) -> list[tuple[str, str]]:
    """A conversation of about `turns` exchanges (1..4 when not given, most of them short)."""
    g = Grammar(rng, {"bot": NAME})
    turns = turns or rng.choices([1, 2, 3, 4], [40, 28, 20, 12])[0]
    messages: list[tuple[str, str]] = []
    if rng.random() < 0.25:
        messages.append(("system", rng.choice(SYSTEM_PROMPTS)))
    if rng.random() < 0.35:
        messages += _pair(g, rng.choices(GREETINGS, [5, 1, 1, 3])[0])
    elif rng.random() < 0.12:
        messages += _name_turns(rng)
    while sum(role == "user" for role, _ in messages) < turns:
        messages += _next_turn(rng, messages)
    if rng.random() < 0.12:
        messages += _pair(g, rng.choice(GOODBYES))
    return messages


def make_drill(rng: Random) -> list[tuple[str, str]]:
    """A conversation of short questions and answers alone."""
    messages: list[tuple[str, str]] = []
    if rng.random() < 0.2:
        messages.append(("system", rng.choice(SYSTEM_PROMPTS)))
    g = Grammar(rng, {"bot": NAME})
    for _ in range(rng.randint(1, 9)):
        kind = rng.random()
        if kind < 0.12:
            messages += _pair(g, rng.choice(GREETINGS))
        elif kind < 0.18:
            messages += _name_turns(rng)
        else:
            messages += _simple_turn(rng)
    return messages
