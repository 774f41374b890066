import json
import shutil

import numpy as np
import pytest

from bertpipe.retrieval.index import Index
from bertpipe.retrieval.passage_store import PassageStore
from bertpipe.text.document import Document, read_documents

STEPS = ["corpus", "snapshot", "tokenize", "pretrain", "finetune", "embed", "index"]
LEARNING = STEPS[1:5]
COUNT = 24 + 24  # samples and questions


def states(steps):
    return {name: step["state"] for name, step in steps.items()}


def test_the_run_is_complete(built):
    steps = built.run()
    assert states(steps) == dict.fromkeys(STEPS, "fresh")
    assert steps["corpus"]["metrics"]["documents"] == COUNT
    assert steps["tokenize"]["metrics"]["held_out_documents"] >= 24
    assert steps["pretrain"]["metrics"]["steps"] == 6
    assert steps["embed"]["metrics"]["reused"] == 0
    report = json.loads((built.runs / "index" / "report.json").read_text())
    assert report["measured"] is True
    assert report["queries"] == steps["index"]["metrics"]["queries"] >= 24
    assert steps["index"]["metrics"]["bm25_ndcg@10"] == report["modes"]["bm25"]["ndcg@10"]["mean"] > 0.1
    assert not list(built.runs.glob(".partial-*"))


def test_vectors_and_passages_fit_the_documents(built):
    documents = {document.id: document for document in read_documents(built.runs / "corpus" / "documents.jsonl")}
    vectors = np.load(built.runs / "embed" / "vectors.npy")
    store = PassageStore.open(built.runs / "embed" / "passages.sqlite")
    passages = list(store.iterate())
    assert len(passages) == len(vectors)
    assert {passage.document for passage in passages} == documents.keys()
    for passage in passages:
        assert documents[passage.document].text[passage.start : passage.end] == passage.text
        assert passage.title == documents[passage.document].title
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_texts_and_vectors_lie_on_the_disk_once(project):
    assert project.ran("--set", "embed.overlap=8") == ["embed", "index"]
    embed, index = project.runs / "embed", project.runs / "index"
    assert (index / "passages.sqlite").samefile(embed / "passages.sqlite")
    assert (index / "vectors" / "vectors.npy").samefile(embed / "vectors.npy")
    before = project.digests()["embed"]
    opened = Index.open(index)
    opened.add([Document("new", "Quinces", "Quinces are boiled before they are eaten.")])
    assert not (index / "passages.sqlite").samefile(embed / "passages.sqlite")
    assert project.digests()["embed"] == before
    assert PassageStore.open(embed / "passages.sqlite").of_document("new") == []


def test_words_that_stand_together_count_if_asked_to(project):
    assert "nearness" not in project.hits("clean the burrs", "hybrid")[0]["scores"]
    assert project.ran("--set", "index.nearness=on", "--set", "index.weight=0.3") == ["index"]
    report = json.loads((project.runs / "index" / "report.json").read_text())
    assert (report["nearness"], report["weight"]) == (0.4, 0.3)
    done = project("search", "clean the burrs", "--mode", "hybrid", "--explain", "--json")
    hits = json.loads(done.out)["hits"]
    for hit in hits:
        assert hit["score"] == pytest.approx(sum(hit["explanation"]["parts"].values()), abs=1e-5)
        assert hit["scores"].keys() == hit["explanation"]["parts"].keys() == {"bm25", "dense", "nearness"}
    assert max(hit["scores"]["nearness"] for hit in hits) > 0
    Index.open(project.runs / "index").add([Document("new", "Burrs", "Clean the burrs with a brush.")])
    settings = Index.open(project.runs / "index").settings
    assert (settings.nearness, settings.weight) == (0.4, 0.3)


def test_a_copy_of_the_project_is_still_fresh_and_searches_the_same(built, project):
    assert project.ran() == []
    for mode in ("hybrid", "dense", "bm25"):
        assert project.hits("grinder 加湿器", mode) == built.hits("grinder 加湿器", mode)


def test_a_comment_changes_nothing(project):
    project.file.write_text("# my own\n" + project.file.read_text().replace("steps = 6", "steps = 6  # few"))
    assert project.ran() == []
    project.file.write_text(project.file.read_text() + "threads = 1\n[embed]\nthreads = 1\n".partition("\n")[2])
    assert project.ran() == []  # the number of threads cannot change the result


def test_parts_have_vectors_of_their_own(project):
    one = np.load(project.runs / "embed" / "vectors.npy")
    assert project.ran("--set", "embed.parts=3") == ["embed", "index"]
    vectors = np.load(project.runs / "embed" / "vectors.npy")
    assert vectors.shape == (len(one), 3 * one.shape[1])
    query = one[0] / np.linalg.norm(one[0])
    index = Index.open(project.runs / "index")
    hits = index.search("anything", 5, "dense", vector=query).hits
    nearest = (vectors.reshape(len(one), 3, -1) @ query).max(axis=1)
    assert [hit.score for hit in hits] == pytest.approx(np.sort(nearest)[::-1][:5], abs=1e-5)
    assert index.report()["modes"]["dense"]["ndcg@10"]["mean"] > 0
    (project.docs / "new.md").write_text("# Quinces\n\nQuinces are boiled before they are eaten.\n")
    steps = project.run("--set", "embed.parts=3")
    assert steps["embed"]["state"] == "ran"
    assert steps["embed"]["metrics"]["reused"] == len(one)


def test_a_changed_document_is_embedded_again_and_retrains_nothing(project):
    digests = project.digests()
    file = project.docs / "wool-washing.txt"
    file.write_text(file.read_text() + "\nA woollen blanket is washed in the bathtub with xylophone soap.\n")
    before = project.run("--dry-run")
    assert before["corpus"]["state"] == "stale"
    assert {before[name]["state"] for name in LEARNING} == {"fresh"}
    steps = project.run()
    assert [name for name, step in steps.items() if step["state"] == "ran"] == ["corpus", "embed", "index"]
    assert steps["snapshot"]["drift"] == {"corpus": {"changed": 1}}
    metrics = steps["embed"]["metrics"]
    assert 0 < metrics["passages"] - metrics["reused"] <= 3
    assert project.hits("xylophone soap", "bm25")[0]["document"] == "wool-washing.txt"
    # Learning went on from the same snapshot, and embedding from scratch comes to the same.
    after = project.digests()
    assert {name: after[name] for name in LEARNING} == {name: digests[name] for name in LEARNING}
    reused = np.load(project.runs / "embed" / "vectors.npy")
    assert project.ran("--force", "embed")[0] == "embed"
    np.testing.assert_allclose(np.load(project.runs / "embed" / "vectors.npy"), reused, atol=1e-5)
    status = json.loads(project("status", "--json").out)
    drift = {step["step"]: step.get("drift") for step in status["steps"]}
    assert drift["snapshot"] == {"corpus": {"changed": 1}}


def test_new_and_removed_documents_are_drift_too(project):
    (project.docs / "wool-washing.txt").rename(project.docs / "washing-wool.txt")
    (project.docs / "new.txt").write_text("Something new\n\nThe quokka is an animal of Australia. It eats leaves.")
    steps = project.run()
    assert [name for name, step in steps.items() if step["state"] == "ran"] == ["corpus", "embed", "index"]
    assert steps["snapshot"]["drift"] == {"corpus": {"new": 2, "removed": 1}}
    # A renamed file has the passages it had before; only the new document is encoded.
    assert steps["embed"]["metrics"]["passages"] - steps["embed"]["metrics"]["reused"] == 1
    documents = {hit["document"] for hit in project.hits("washing wool by hand", "bm25")}
    assert "washing-wool.txt" in documents
    assert "wool-washing.txt" not in documents
    assert "1 removed" in project("run").err


def test_one_changed_character_and_back_again(project):
    before = project.digests()
    file = project.docs / "compost.txt"
    text = file.read_text()
    file.write_text(text.replace("a", "o", 1))
    assert project.ran() == ["corpus", "embed", "index"]
    assert project.digests()["index"] != before["index"]
    file.write_text(text)
    assert project.ran() == ["corpus", "embed", "index"]
    after = project.digests()
    assert after["corpus"] == before["corpus"]
    assert project.hits("compost", "bm25") != []


def test_retrain_learns_from_the_corpus_as_it_is(project):
    (project.docs / "quokka.txt").write_text(
        "Something new\n\n" + "The quokka is an animal of Australia. It eats leaves. " * 5
    )
    assert project.ran() == ["corpus", "embed", "index"]
    steps = project.run("--retrain")
    assert [name for name, step in steps.items() if step["state"] == "ran"] == [*LEARNING, "embed", "index"]
    assert "drift" not in steps["snapshot"]
    assert steps["snapshot"]["metrics"]["documents"] == COUNT + 1
    assert steps["embed"]["metrics"]["reused"] == 0  # another encoder
    assert project.ran("--retrain") == []
    assert project.ran() == []


def test_one_changed_value_reruns_what_depends_on_it(project):
    reasons = {
        name: (step["state"], step["reasons"])
        for name, step in project.run("--dry-run", "--set", "finetune.lr=0.5").items()
    }
    assert reasons["finetune"] == ("stale", ["lr 0.001 -> 0.5"])
    assert [name for name, (state, _) in reasons.items() if state == "fresh"] == STEPS[:4]
    assert reasons["embed"][0] == reasons["index"][0] == "waiting"
    assert project.ran("--set", "index.mode=bm25") == ["index"]
    assert project.search("water")["mode"] == "bm25"


def test_another_pretraining_objective(project, built):
    curve = [json.loads(line) for line in (built.runs / "pretrain" / "curve.jsonl").read_text().splitlines()]
    assert "val_nsp_accuracy" in curve[-1]
    switch = ["--set", "pretrain.objective=roberta", "--set", "pretrain.masking=span"]
    dry = project.run("--dry-run", *switch)
    assert dry["pretrain"]["reasons"] == ["objective bert -> roberta", "masking token -> span"]
    assert project.ran(*switch) == ["pretrain", "finetune", "embed", "index"]
    curve = [json.loads(line) for line in (project.runs / "pretrain" / "curve.jsonl").read_text().splitlines()]
    assert curve[-1].keys() == {"step", "loss", "val_mlm_loss", "val_mlm_accuracy"}
    assert project.hits("grinder", "hybrid")
    assert project.ran(*switch) == []
    words = project("pretrain", "--objective", "roberta", "--masking", "words")
    assert words.code == 2
    assert "token" in words.err


def test_pairs_of_the_users_own(project, built):
    (project.folder / "pairs.tsv").write_text(
        "query\tpassage\n"
        + "".join(f"question {n}\tThe answer to it is {n}. There is more to say.\n" for n in range(9))
    )
    learn = ["--set", "finetune.pairs=pairs.tsv"]
    assert project.ran(*learn) == ["finetune", "embed", "index"]
    assert project.digests()["finetune"] != built.digests()["finetune"]
    assert project.ran(*learn) == []
    with (project.folder / "pairs.tsv").open("a") as file:
        file.write("one more\tand its answer\n")
    more = [*learn, "--set", "finetune.hard_negatives=2", "--set", "finetune.pairs_share=1"]
    more += ["--set", "finetune.matryoshka=[8]", "--set", "finetune.chunk_tokens=64"]
    dry = project.run("--dry-run", *more)
    assert [name for name in STEPS if dry[name]["state"] != "fresh"] == ["finetune", "embed", "index"]
    assert project.ran(*more) == ["finetune", "embed", "index"]
    wide = project("run", *learn, "--set", "finetune.matryoshka=[4096]")
    assert "is not within the vectors" in wide.error
    idle = project("finetune", *learn, "--set", "finetune.steps=0")
    assert "nothing learns from finetune.pairs: finetune.steps is 0" in idle.err


def test_pairs_that_cannot_be_used(project):
    def error(text, name="pairs.tsv", *more):
        (project.folder / name).write_text(text)
        return project("run", "--set", f"finetune.pairs={name}", *more).error

    before = project.digests()
    assert "pairs.tsv" in error("a\tb\n1\t2\n")
    assert "query_field" in error('{"passage": "x"}\n', "pairs.jsonl")
    assert "pairs.jsonl:2" in error('{"query": "a", "passage": "b"}\n{"query": "a", "passage": 3}\n', "pairs.jsonl")
    assert "there is no such file" in project("run", "--set", "finetune.pairs=nowhere.tsv").error
    titled = '{"query": "a", "passage": "b", "title": "c"}\n'
    misspelt = error(titled, "pairs.jsonl", "--set", "finetune.passage_title_field=titel")
    assert "no pair has the field 'titel'" in misspelt
    assert 'Set passage_title_field = "title"' in misspelt
    assert project.digests() == before


def test_a_corpus_of_one_document(fresh):
    shutil.rmtree(fresh.docs)
    fresh.docs.mkdir()
    lines = [f"Sentence number {number} speaks of thing {number * 7 % 13}." for number in range(40)]
    (fresh.docs / "single.txt").write_text("The only text there is\n\n" + " ".join(lines))
    assert fresh.ran("--set", "tokenize.vocab_size=400") == STEPS
    assert fresh.hits("thing 7", "hybrid")


def test_only_held_out_documents(fresh):
    for file in fresh.docs.glob("*.*"):
        if file.name != "questions.jsonl":
            file.unlink()
    assert "24 documents are too little to learn from" in fresh("run").error


def test_a_sync_takes_over_what_it_can_and_comes_to_the_same(project):
    """Cuts, words and the report of what did not change; the tables and the words are those of a new build."""
    report = json.loads((project.runs / "index" / "report.json").read_text())
    assert report["documents"] == COUNT
    (project.docs / "wool-washing.txt").unlink()
    (project.docs / "compost.txt").write_text("Compost\n\nA heap of leaves wants air and a xylophone.")
    assert project.ran() == ["corpus", "embed", "index"]
    kept = json.loads((project.runs / "index" / "report.json").read_text())
    assert kept["since"] == {"new": 0, "changed": 1, "removed": 1}
    assert kept | {"since": 0} == report | {"since": 0}
    synced = {path.name: path.read_bytes() for path in (project.runs / "index" / "lexical").iterdir()}
    synced["passages"] = (project.runs / "index" / "passages.sqlite").read_bytes()
    found = project.hits("xylophone compost", "dense")
    assert project.ran("--force", "embed", "--force", "index") == ["embed", "index"]
    again = {path.name: path.read_bytes() for path in (project.runs / "index" / "lexical").iterdir()}
    again["passages"] = (project.runs / "index" / "passages.sqlite").read_bytes()
    assert again == synced
    measured = json.loads((project.runs / "index" / "report.json").read_text())
    assert (measured["documents"], measured["since"]) == (COUNT - 1, {"new": 0, "changed": 0, "removed": 0})
    for one, other in zip(found, project.hits("xylophone compost", "dense"), strict=True):
        assert one["passage_id"] == other["passage_id"]
        np.testing.assert_allclose(one["score"], other["score"], atol=1e-5)


def test_the_report_is_measured_again_when_a_tenth_changed(project):
    for number in range(COUNT // 10 + 1):
        (project.docs / f"new{number}.txt").write_text(
            f"New {number}\n\nA text of its own, number {number}, on compost."
        )
    done = project("run")
    assert "measured again: 5 of 48 documents changed since the last time" in done.err
    report = json.loads((project.runs / "index" / "report.json").read_text())
    assert (report["documents"], report["since"]["new"]) == (COUNT + 5, 0)


def test_the_folder_is_the_truth_for_an_index_that_was_changed_by_hand(project):
    index = Index.open(project.runs / "index")
    before = len(index)
    index.add([Document("by-hand.txt", "By hand", "A quokka was added by hand.", {"year": 2026})])
    index.delete(["compost.txt"])
    assert project.hits("quokka", "bm25")[0]["document"] == "by-hand.txt"
    rows = {step["step"]: step for step in json.loads(project("status", "--json").out)["steps"]}
    assert (rows["index"]["state"], rows["index"]["reasons"]) == ("stale", ["it was changed by hand"])
    assert rows["embed"]["state"] == "fresh"
    found = project.search("quokka", "--where", "year >= 2000 and document like '%HAND%'", "--mode", "bm25")["hits"]
    assert [hit["document"] for hit in found] == ["by-hand.txt"]
    assert project.ran() == ["index"]
    assert project.hits("quokka", "bm25") == []
    assert index.refresh()
    assert len(index) == before


def test_conditions_on_the_command_line(project):
    wrong = project("search", "water", "--where", "year >= 20-10")
    assert "a value expected" in wrong.error
    unknown = project("search", "water", "--json", "--where", "pathh = 'x'")
    assert unknown.code == 0
    assert json.loads(unknown.out)["hits"] == []
    assert unknown.err == "no document has a field 'pathh'. Did you mean path?\n"
    asked = project("ask", "how do I clean it?", "--json", "--where", "document = 'wool-washing.txt'")
    assert {answer["document"] for answer in json.loads(asked.out)["answers"]} == {"wool-washing.txt"}
