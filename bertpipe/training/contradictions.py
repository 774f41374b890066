"""Questions that say the contrary: a word for its opposite, or "not" where there was none. English and Chinese.

Of the questions that people wrote for SQuAD 2.0 so that a text does not answer them, a fifth has an opposite in it and
a tenth a "not" too many (Rajpurkar et al. 2018, table 1).
"""

from __future__ import annotations

import re

_OPPOSITES = """
    first last; earliest latest; early late; earlier later; before after; previous next; former latter; initial final;
    initially finally; begin end; began ended; beginning ending; start finish; started stopped; start stop; open close;
    opened closed; opening closing; founded dissolved; established abolished; created destroyed; create destroy;
    build demolish; built demolished; increase decrease; increased decreased; increases decreases;
    increasing decreasing; rise fall; rose fell; rising falling; gain lose; gained lost; win lose; won lost;
    winner loser; victory defeat; success failure; succeeded failed; successful unsuccessful; accept reject;
    accepted rejected; allow forbid; allowed forbidden; legal illegal; support oppose; supported opposed;
    supporters opponents; agree disagree; agreed disagreed; include exclude; included excluded; includes excludes;
    including excluding; most least; more less; more fewer; majority minority; maximum minimum;
    largest smallest; larger smaller; large small; biggest smallest; greatest least; greater lesser;
    highest lowest; higher lower; high low; longest shortest; longer shorter; long short; tallest shortest;
    oldest youngest; older younger; old new; older newer; oldest newest; best worst; better worse; good bad;
    strongest weakest; stronger weaker; strong weak; fastest slowest; faster slower; fast slow; quickly slowly;
    hottest coldest; hotter colder; hot cold; warm cool; wet dry; rich poor; richest poorest; wealthy poor;
    cheap expensive; easy difficult; easier harder; simple complex; common rare; frequently rarely; often seldom;
    always never; usually seldom; sometimes never; everyone nobody; all none; every no; both neither; any no;
    with without; inside outside; internal external; inner outer; upper lower; above below;
    top bottom; north south; northern southern; east west; eastern western; near far;
    import export; imported exported; imports exports; arrive leave; arrived left; enter leave; entered left;
    joined left; attack defend; attacked defended; ally enemy; allies enemies; friend enemy; buy sell; bought sold;
    borrow lend; give take; gave took; send receive; sent received; teach learn; taught learned; ask answer;
    asked answered; remember forget; love hate; loved hated; liked disliked; positive negative; active inactive;
    public private; domestic foreign; urban rural; civilian military; male female; men women; man woman; boy girl;
    son daughter; father mother; husband wife; king queen; modern ancient; recent ancient; past future;
    permanent temporary; natural artificial; primary secondary; major minor; important unimportant; main minor;
    known unknown; famous unknown; popular unpopular; possible impossible; able unable; likely unlikely;
    necessary unnecessary; dependent independent; direct indirect; directly indirectly; complete incomplete;
    correct incorrect; equal unequal; regular irregular; visible invisible; similar different; same different;
    similarity difference; advantage disadvantage; advantages disadvantages; benefit harm; benefits harms; help hinder;
    helped hindered; cause prevent; caused prevented; causes prevents; protect endanger; encourage discourage;
    encouraged discouraged; improve worsen; improved worsened; appear disappear; appeared disappeared; connect separate;
    connected separated; expand shrink; expanded shrank; raise lower; raised lowered; add remove; added removed;
    deep shallow; wide narrow; thick thin; hard soft; full empty;
    summer winter; birth death; born buried; alive dead; live die; lived died; war peace; life death
"""
_CHINESE_OPPOSITES = """
    最大 最小; 最高 最低; 最早 最晚; 最多 最少; 最长 最短; 最長 最短; 最好 最差; 最新 最旧; 最新 最舊; 最强 最弱;
    最強 最弱; 最近 最远; 最近 最遠; 第一 最后; 第一 最後; 之前 之后; 之前 之後; 以前 以后; 以前 以後; 以上 以下;
    之内 之外; 之內 之外; 增加 减少; 增加 減少; 上升 下降; 提高 降低; 扩大 缩小; 擴大 縮小; 开始 结束; 開始 結束;
    成立 解散; 建立 废除; 建立 廢除; 打开 关闭; 打開 關閉; 成功 失败; 成功 失敗; 胜利 失败; 勝利 失敗; 支持 反对;
    支持 反對; 同意 拒绝; 同意 拒絕; 接受 拒绝; 接受 拒絕; 允许 禁止; 允許 禁止; 进口 出口; 進口 出口; 进入 离开;
    進入 離開; 加入 退出; 进攻 防守; 進攻 防守; 优点 缺点; 優點 缺點; 内部 外部; 內部 外部; 国内 国外; 國內 國外;
    男性 女性; 公开 秘密; 公開 秘密; 主要 次要; 直接 间接; 直接 間接; 相同 不同; 安全 危险; 安全 危險; 困难 容易;
    困難 容易; 常见 罕见; 常見 罕見; 积极 消极; 積極 消極; 有利 不利; 北部 南部; 东部 西部; 東部 西部; 北方 南方;
    东方 西方; 東方 西方; 出生 去世; 买入 卖出; 買入 賣出
"""


def _pairs(listed: str) -> dict[str, list[str]]:
    """Each word's opposites."""
    found: dict[str, list[str]] = {}
    for pair in listed.split(";"):
        one, other = pair.split()
        found.setdefault(one, []).append(other)
        found.setdefault(other, []).append(one)
    return found


_ENGLISH, _CHINESE = _pairs(_OPPOSITES), _pairs(_CHINESE_OPPOSITES)
_ENGLISH_WORD = re.compile(rf"\b(?:{'|'.join(sorted(_ENGLISH))})\b")  # with a capital letter it is part of a name
_CHINESE_WORD = re.compile("|".join(sorted(_CHINESE)))
# "was" and "will" are words of other languages as well.
_ASKS = re.compile(r"\b(?:what|who|whom|whose|which|when|where|why|how)\b", re.IGNORECASE)
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|do|does|did|can|could|will|would|has|have|had|should|might|must)\b(?= \w)(?! not\b)",
    re.IGNORECASE,
)
_CONTRACTED = {"can": "can't", "will": "won't"}
_UNCONTRACTED = {short: verb for verb, short in _CONTRACTED.items()}
_NOT = re.compile(r"\b(?:not|never) |\b\w+n['’]t\b", re.IGNORECASE)
_PAST = (
    "became began bought brought built came chose did drew fell felt fought found gave grew held kept knew led left "
    "lost made met ran rose said saw sent sold spent spoke stood taught thought told took went won wore wrote"
)
_SUBJECT = re.compile(rf"^\W*(?:who|what|which \w+)(?= (?:\w{{2,}}ed|{_PAST.replace(' ', '|')})\b)", re.IGNORECASE)
# Not "但是", "是否", "是不是".
_CHINESE_VERB = re.compile(
    "(?<![不没沒还還但于於可总總若只就凡或])(?:是(?![否不非])|可以|能够|能夠|属于|屬於|包括|需要|位于|位於|曾经|曾經|愿意|願意|允许|允許)"
)
# Not "是不是", "有没有", "不同".
_CHINESE_NOT = re.compile(
    "(?:(?<![是要有能会會可])不(?![同断斷仅僅过過久少得])|(?<!有)(?:没有|沒有|从未|從未))(?=[\u4e00-\u9fff])"
)


def opposites(question: str) -> list[tuple[str, str]]:
    """The question with one word exchanged for its opposite, in each way there is.

    Returns:
        Each new wording with the word that is new in it.
    """
    return [
        (question[: match.start()] + other + question[match.end() :], other)
        for pattern, words in ((_ENGLISH_WORD, _ENGLISH), (_CHINESE_WORD, _CHINESE))
        for match in pattern.finditer(question)
        for other in words[match.group()]
    ]


def negations(question: str) -> list[str]:
    """The question with "not" in it, in each way there is; without it, where it is there."""
    english, chinese = _ASKS.search(question) is not None, _CHINESE_NOT.search(question)
    if english and (match := _NOT.search(question)):
        word = match.group().lower().replace("’", "'")
        kept = _UNCONTRACTED.get(word, word.removesuffix("n't")) if word.endswith("n't") else ""
        return [question[: match.start()] + kept + question[match.end() :]]
    if chinese:
        return [question[: chinese.start()] + question[chinese.end() :]]
    found = []
    if english:
        for match in _AUXILIARY.finditer(question):
            verb = match.group()
            short = _CONTRACTED.get(verb.lower(), f"{verb}n't")
            found += [question[: match.start()] + said + question[match.end() :] for said in (f"{verb} not", short)]
        if not found and (match := _SUBJECT.match(question)):
            found.append(f"{match.group()} never{question[match.end() :]}")
    found += [f"{question[: match.start()]}不{question[match.start() :]}" for match in _CHINESE_VERB.finditer(question)]
    return found
