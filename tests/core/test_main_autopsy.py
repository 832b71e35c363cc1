"""The command `autopsy`: the answer that the design promises, and one line for what cannot be used."""

import numpy as np
import pytest


@pytest.fixture
def files(tmp_path):
    """A truth and its answers, two rows off, as two CSVs."""
    generator = np.random.default_rng(0)
    names = np.array(["ant", "bee", "cat", "dog"])
    truth = generator.integers(0, 4, 300)
    predicted = np.roll(np.where(generator.random(300) < 0.9, truth, generator.integers(0, 4, 300)), 2)
    (tmp_path / "t.csv").write_text("\n".join(["y_true", *names[truth]]))
    (tmp_path / "p.csv").write_text("\n".join(["y_pred", *names[predicted]]))
    return str(tmp_path / "t.csv"), str(tmp_path / "p.csv")


def test_the_answer_has_what_the_design_promises(answer, files):
    found = answer("autopsy", "--truth", files[0], "--predicted", files[1])
    assert found["verdict"] == "shifted"
    assert found["confidence"] > 0.9
    assert "2 rows" in found["explanation"]
    assert found["corrected"]["accuracy"] > 0.85


def test_a_terminal_reads_the_verdict_first(command, files):
    code, out, _ = command("autopsy", "--truth", files[0], "--predicted", files[1])
    assert code == 0
    assert out.startswith("shifted (over 99% sure): Each answer")


def test_bad_input_is_one_line_and_code_2(command, files, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    both = ["--truth", files[0], "--predicted", files[1]]
    bad = (
        ["--truth", str(tmp_path / "empty.csv")],
        [],
        ["--truth", files[0], "--run", "x"],
        [*both, "--classes", "ant,bee"],
        ["--run", "nowhere"],
    )
    for words in bad:
        code, out, err = command("autopsy", *words)
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1


def test_a_run_is_looked_at_by_its_stored_answers_and_no_seal_is_opened(answer, command, trained_run):
    answer("evaluate", trained_run.id)
    assert answer("autopsy", "--run", trained_run.id)["verdict"] in ("sound", "chance", "shuffled", "constant")
    code, _, err = command("autopsy", "--run", trained_run.id, "--split", "test")
    assert code == 2
    assert "sealed" in err
    assert not trained_run.paths.seal.exists()
    trained_run.paths.predictions("validation").unlink()
    code, _, err = command("autopsy", "--run", trained_run.id)
    assert code == 2
    assert "Evaluate it on validation first" in err
