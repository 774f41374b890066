import pytest

from bertpipe.training.contradictions import negations, opposites


@pytest.mark.parametrize(
    ("question", "wordings"),
    [
        ("What is the largest city?", ["What is the smallest city?"]),
        ("Who won the war before 1900?", ["Who lost the war before 1900?", "Who won the peace before 1900?"]),
        ("Who joined the Western Army?", ["Who left the Western Army?"]),  # part of a name
        ("最大的城市在哪里？", ["最小的城市在哪里？"]),
        ("誰在戰爭之後加入？", ["誰在戰爭之前加入？", "誰在戰爭之後退出？"]),
        ("What is a firsthand account?", []),
        ("", []),
    ],
)
def test_one_word_becomes_its_opposite(question, wordings):
    found = [wording for wording, _ in opposites(question)]
    assert set(wordings) <= set(found)
    assert bool(found) == bool(wordings)
    assert all(word in wording and word not in question for wording, word in opposites(question))


@pytest.mark.parametrize(
    ("question", "wordings"),
    [
        ("What is required?", ["What is not required?", "What isn't required?"]),
        ("Who can vote?", ["Who can not vote?", "Who can't vote?"]),
        ("Who will come?", ["Who will not come?", "Who won't come?"]),
        ("Who led the Franks?", ["Who never led the Franks?"]),
        ("What does it have?", ["What does not it have?", "What doesn't it have?"]),
        ("What did Bach not use?", ["What did Bach use?"]),
        ("What isn't required?", ["What is required?"]),
        ("Who can’t vote, and when?", ["Who can vote, and when?"]),
        ("Who won't come?", ["Who will come?"]),
        ("Was ist das?", []),  # "was" asks for something in German
        ("What about Delphi?", []),
        ("哪个城市是首都？", ["哪个城市不是首都？"]),
        ("他是否喜欢但是没有买？", ["他是否喜欢但是买？"]),
        ("他是否喜欢？", []),
        ("哪个城市位于江边？", ["哪个城市不位于江边？"]),
        ("", []),
    ],
)
def test_not_is_put_in_or_taken_out(question, wordings):
    assert negations(question) == wordings
