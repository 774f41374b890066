import random

import numpy as np
import pytest
import torch

from bertpipe.models.answer_reader import AnswerReader
from bertpipe.models.bert import Bert
from bertpipe.models.config import BertConfig
from bertpipe.tasks.answer_worth import AnswerWorth
from bertpipe.text.readers.squad import Answer, Question
from bertpipe.text.tokenizer import Tokenizer, train_tokenizer
from bertpipe.text.windows import QuestionFrame
from bertpipe.training.answer_windows import AnswerWindows
from bertpipe.training.answering import Answering, answers_of
from bertpipe.training.dev_scored import dev_outputs
from bertpipe.training.labelled_batches import LabelledBatch, LabelledBatches

COLOURS = {"red": "tomato", "blue": "sky", "green": "grass", "white": "snow"}


def questions(count, seed):
    """What is blue? In a text that names a thing for some colours."""
    rng = random.Random(seed)
    for number in range(count):
        chosen = rng.sample(list(COLOURS), 3)
        context = " ".join(f"{colour} {rng.choice(list(COLOURS.values()))}" for colour in chosen)
        asked = rng.choice(list(COLOURS))
        place = context.find(f"{asked} ")
        answers: tuple[Answer, ...] = ()
        if place >= 0:
            start = place + len(asked) + 1
            answers = (Answer(context[start:].split()[0], start),)
        yield Question(f"{seed}-{number}", asked, context, "", answers, not answers)


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    train_tokenizer([f"{colour} {thing}" for colour in COLOURS for thing in COLOURS.values()] * 9, path, 320)
    frame = QuestionFrame(24, 4, 4)
    return [AnswerWindows(list(questions(count, count)), Tokenizer(path), frame) for count in (100, 60)]


def module(windows, dev):
    torch.manual_seed(0)
    shape = BertConfig(windows.tokenizer.vocab_size, width=32, layers=2, heads=2, inner=64, max_length=24, dropout=0.0)
    return Answering(
        AnswerReader(Bert(shape)),
        longest=4,
        dev=dev,
        measure=AnswerWorth(dev.golds).figures,
        lr=3e-3,
        weight_decay=0.0,
        warmup=0.1,
        steps=200,
        layer_scales={},
    )


def test_it_learns_by_heart_what_to_answer_and_what_not(windows):
    train = dev = windows[0]
    made = module(train, dev)
    batches = LabelledBatches(train, batch_tokens=1000, pad_id=train.tokenizer.pad_id, seed=0)
    optimizer = torch.optim.AdamW(made.parameters(), lr=3e-3)
    losses = []
    for step in range(500):
        loss = made.training_step(batches.batch(step), step)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert np.mean(losses[-20:]) < losses[0] / 4
    outputs = dev_outputs(made, LabelledBatches(dev, batch_tokens=500, pad_id=0, seed=0), torch.device("cpu"))
    figures = made.figures(outputs)
    assert figures["f1"] > AnswerWorth(dev.golds).always_empty + 30
    assert figures["answerable_f1"] > 80
    assert len(answers_of(dev, outputs, 4)) == len(dev.names)


def test_the_question_and_the_last_piece_are_no_answers(windows):
    """The loss does not see their logits."""
    train, dev = windows
    made = module(train, dev)
    batch = LabelledBatches(train, batch_tokens=200, pad_id=train.tokenizer.pad_id, seed=0).batch(0)
    logits = torch.randn(*batch.input_ids.shape, 2)
    made.outputs = lambda _: logits
    before = made.loss(batch).item()
    for row in range(len(logits)):
        length = int(batch.attention_mask[row].sum())
        question = int(batch.token_type_ids[row].argmax())
        logits[row, 1:question] = 99.0
        logits[row, length - 1 :] = 99.0
    assert made.loss(batch).item() == pytest.approx(before)
    logits[:, 0] += 9.0  # but "no answer" is one
    assert made.loss(batch).item() != pytest.approx(before)


def test_the_loss_is_the_mean_cross_entropy_of_both_ends(windows):
    train, dev = windows
    made = module(train, dev)
    logits = torch.tensor([[[1.0, 0.0], [0.0, 0.0], [2.0, 1.0], [0.5, 3.0], [0.0, 0.0]]])
    made.outputs = lambda _: logits
    batch = LabelledBatch(
        torch.tensor([[2, 9, 7, 8, 3]]),
        torch.ones(1, 5, dtype=torch.int64),
        torch.tensor([[0, 0, 1, 1, 1]]),
        torch.tensor([[2, 3]]),
        torch.tensor([0]),
    )
    starts, ends = np.array([1.0, 2.0, 0.5]), np.array([0.0, 1.0, 3.0])
    want = (np.log(np.exp(starts).sum()) - 2.0 + np.log(np.exp(ends).sum()) - 3.0) / 2
    assert made.loss(batch).item() == pytest.approx(want, abs=1e-5)
