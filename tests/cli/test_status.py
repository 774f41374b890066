def states(document):
    return {step["step"]: (step["state"], step["reasons"]) for step in document["steps"]}


def test_status_before_and_after(bertpipe):
    assert states(bertpipe.json("status")) == {
        "corpus": ("stale", ["never run"]),
        "tokenize": ("stale", ["never run"]),
    }
    bertpipe("run")
    document = bertpipe.json("status")
    assert states(document) == {"corpus": ("fresh", []), "tokenize": ("fresh", [])}
    row = document["steps"][0]
    assert row["bytes"] == len("red green blue")
    assert row["metrics"] == {"words": 3}
    assert len(row["digest"]) == 64
    assert document["writer"] is None


def test_status_tells_why(bertpipe, folder):
    bertpipe("run")
    assert states(bertpipe.json("status", "--set", "tokenize.lr=0.5"))["tokenize"] == (
        "stale",
        ["lr 0.1 -> 0.5"],
    )
    (folder / "words.txt").write_text("other")
    assert bertpipe("status") == 0
    assert "the files it reads" in bertpipe.out
    assert "waits for corpus" in bertpipe.out


def test_verify_finds_what_sizes_do_not_show(bertpipe, folder):
    bertpipe("run")
    (folder / "runs" / "tiny" / "corpus" / "words.txt").write_text("RED green blue")
    assert states(bertpipe.json("status"))["corpus"][0] == "fresh"
    state, reasons = states(bertpipe.json("status", "--verify"))["corpus"]
    assert state == "stale"
    assert reasons == ["file words.txt is damaged: its content is not what was published"]


def test_the_table_fits_80_columns(bertpipe, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    bertpipe("run")
    names = [word for index in range(30) for word in ("--set", f"tokenize.weights.name{index}=1")]
    assert bertpipe("status", *names) == 0
    lines = bertpipe.out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].split()[:2] == ["step", "state"]
    assert "\x1b" not in bertpipe.out
