from tests.comparing import answered_run, fruit


def test_compare_answers_with_the_table_and_reads_as_text(workspace, command, answer):
    data = fruit(workspace)
    ids = [answered_run(workspace, data, range(wrong), name=f"run {wrong}", batch_size=wrong).id for wrong in (30, 8)]
    found = answer("compare", *ids)
    assert {"verdict", "runs", "recipes", "pairs", "choices", "cautions", "board"} <= set(found)
    assert found["pairs"][0]["interval"][0] > 0
    code, out, _ = command("compare", *ids)
    assert code == 0
    assert out.startswith("run 8 has 18.3 points more accuracy than run 30")
    assert "beyond chance" in out


def test_one_run_is_no_comparison(workspace, command):
    run = answered_run(workspace, fruit(workspace), [])
    code, out, err = command("compare", run.id)
    assert (code, out) == (2, "")
    assert err.strip().endswith("expected 2 to 24 different ones.")
