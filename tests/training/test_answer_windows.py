import pytest

from bertpipe.text.readers.squad import Answer, Question
from bertpipe.text.tokenizer import Tokenizer, train_tokenizer
from bertpipe.text.windows import QuestionFrame
from bertpipe.training.answer_windows import AnswerWindows
from bertpipe.training.labelled_batches import LabelledBatches

TEXTS = [
    "Ann Brown met Bob in Paris in May. They ate bread and cheese by the river, and talked until it was late.",
    "Eve built a boat of oak in 1987. It weighs 420 kilograms and sails on the lake every summer with her son.",
    "安娜在五月去了巴黎，买了一张很大的地图。她在河边的小店里吃了面包，晚上才回家。",
    "Bob found the old map under the boat. It shows the way to the lake, and a river that is no longer there.",
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    train_tokenizer(TEXTS * 50, path, 600)
    return Tokenizer(path)


def question(number, asked, answer, text=0, title="a"):
    context = TEXTS[text]
    answers = (Answer(answer, context.index(answer)),) if answer else ()
    return Question(str(number), asked, context, title, answers, not answer)


QUESTIONS = [
    question(0, "Where did Ann meet Bob?", "Paris"),
    question(1, "Who did Ann Brown meet?", "Bob"),
    question(2, "When was the boat built?", "1987", 1),
    question(3, "她去了哪里？", "巴黎", 2),
    question(4, "Who ate the map?", "", 3),
    question(5, "What did Bob find under the boat?", "the old map", 3),
]


def spelled(windows, number):
    """What a window's labels point at, as text; empty at [CLS]."""
    start, end = windows[number].labels
    question = int(windows.window_question[number])
    if (start, end) == (0, 0):
        return ""
    ids = windows[number].input_ids[start : end + 1]
    assert windows[number].token_type_ids[start] == windows[number].token_type_ids[end] == 1
    return windows.tokenizer.decode(ids), windows.text(question)


def test_labels_point_at_the_answers(tokenizer):
    windows = AnswerWindows(QUESTIONS, tokenizer, QuestionFrame(128, 16, 24))
    assert len(windows) == len(QUESTIONS)
    found = [spelled(windows, number) for number in range(len(windows))]
    assert [text if not text else text[0] for text in found] == ["paris", "bob", "1987", "巴黎", "", "the old map"]
    assert windows.names == list("012345")
    assert windows.golds[4] == ()


def test_only_windows_with_the_whole_answer_have_it(tokenizer):
    frame = QuestionFrame(28, 6, 10)
    windows = AnswerWindows(QUESTIONS, tokenizer, frame)
    assert len(windows) > 2 * len(QUESTIONS)
    assert max(len(windows[number].input_ids) for number in range(len(windows))) <= 28
    for question, one in enumerate(QUESTIONS):
        mine = [number for number in range(len(windows)) if windows.window_question[number] == question]
        labelled = [number for number in mine if windows[number].labels != [0, 0]]
        assert bool(labelled) == bool(one.answers)
        pieces = {piece for number in mine for piece in windows[number].input_ids}
        assert pieces >= set(tokenizer.encode(one.context)), "nothing of the context is left out"


def test_long_questions_are_counted(tokenizer):
    assert AnswerWindows(QUESTIONS, tokenizer, QuestionFrame(64, 8, 5)).cut == len(QUESTIONS)
    assert AnswerWindows(QUESTIONS, tokenizer, QuestionFrame(128, 8, 60)).cut == 0


def test_a_question_without_a_usable_answer_is_left_out(tokenizer):
    lost = Question("x", "Who?", TEXTS[0], "a", (), False)
    assert AnswerWindows([lost, QUESTIONS[0]], tokenizer, QuestionFrame(64, 8, 16)).names == ["0"]


@pytest.mark.parametrize(("share", "least", "most"), [(1.0, 5, 5), (2.0, 8, 10), (0.5, 0, 5)])
def test_negatives_ask_about_other_texts_without_the_answer(tokenizer, share, least, most):
    windows = AnswerWindows(QUESTIONS, tokenizer, QuestionFrame(128, 16, 24), negatives=share)
    made = range(len(QUESTIONS), len(windows.names))
    assert least <= len(made) <= most
    for number in made:
        original = next(one for one in QUESTIONS if windows.names[number].startswith(f"{one.id},"))
        assert original.answers
        assert windows.text(number) != original.context
        assert original.answers[0].text not in windows.text(number)
        assert windows.golds[number] == ()
        assert windows[number].labels == [0, 0]
    again = AnswerWindows(QUESTIONS, tokenizer, QuestionFrame(128, 16, 24), negatives=share)
    assert again.names == windows.names


def test_a_negative_is_about_the_text_that_shares_most_with_the_question(tokenizer):
    own, near, far = "the old map is in Paris", "the old map is by the river", "安娜在五月去了巴黎"
    asked = Question("0", "Where is the old map?", own, "a", (Answer("Paris", own.index("Paris")),), False)
    others = [Question(str(n), "?", context, "a", (), True) for n, context in enumerate((far, near), start=1)]
    windows = AnswerWindows([asked, *others], tokenizer, QuestionFrame(128, 16, 24), negatives=1.0)
    assert windows.names == ["0", "1", "2", "0, elsewhere"]
    assert windows.text(3) == near


def test_texts_of_other_articles_serve_where_an_article_has_but_one(tokenizer):
    alone = [question(0, "Where?", "Paris", 0, "a"), question(1, "When?", "1987", 1, "b")]
    windows = AnswerWindows(alone, tokenizer, QuestionFrame(64, 8, 16), negatives=1.0)
    assert windows.names == ["0", "1", "0, elsewhere", "1, elsewhere"]


def test_logits_come_back_with_the_places_of_their_pieces(tokenizer):
    import numpy as np

    windows = AnswerWindows(QUESTIONS, tokenizer, QuestionFrame(28, 6, 10))
    for number in range(len(windows)):
        sequence = windows[number]
        rows = np.array([[place, -place] for place in range(len(sequence.input_ids))], dtype=np.float32)
        said = windows.logits(number, rows)
        assert said.null == 0
        start, end = sequence.labels
        if start:
            begin = int(said.logits[0, 0])
            text = windows.text(int(windows.window_question[number]))
            span = text[said.places[start - begin][0] : said.places[end - begin][1]].strip()
            assert span == windows.golds[windows.window_question[number]][0]


def test_batches_are_made_of_them(tokenizer):
    windows = AnswerWindows(QUESTIONS, tokenizer, QuestionFrame(28, 6, 10), negatives=1.0)
    batches = LabelledBatches(windows, batch_tokens=100, pad_id=tokenizer.pad_id, seed=0)
    seen = sorted(n for step in range(batches.steps_per_epoch) for n in batches.batch(step).index.tolist())
    assert seen == list(range(len(windows)))
    assert batches.batch(0).labels.shape[1] == 2
